"""Control flow in LLVM text: labels that appear only if they are jumped to, calls, aborts."""

from runwell.kernel.text import FunctionText, ModuleText, symbol

RARE = 2000  # how much likelier success is than failure, to LLVM


class Exit:
    """A label that exists only if something jumps to it."""

    __slots__ = ("name", "used")

    def __init__(self, name: str) -> None:
        self.name, self.used = name, False


class Flow:
    """The blocks of one function."""

    def __init__(self, module: ModuleText, fn: FunctionText) -> None:
        self.module, self.fn = module, fn

    def exit(self, stem: str) -> Exit:
        """A new label."""
        return Exit(self.fn.fresh(stem))

    def jump(self, to: Exit) -> None:
        """End the block, if it is live, by a jump."""
        if self.fn.live:
            to.used = True
            self.fn.end(f"br label %{to.name}")

    def land(self, at: Exit) -> None:
        """Begin the block that jumps to ``at`` reach, and the live block falls into."""
        if at.used or self.fn.live:
            self.fn.label(at.name)

    def choose(self, condition: str, yes: Exit, no: Exit, odds: bool | None = None) -> None:
        """Jump on an i1; ``odds``: is it expected to hold?"""
        if not self.fn.live:
            return
        yes.used = no.used = True
        weights = {None: (0, 0), True: (RARE, 1), False: (1, RARE)}[odds]
        suffix = "" if odds is None else self.module.weights(*weights)
        self.fn.end(f"br i1 {condition}, label %{yes.name}, label %{no.name}{suffix}")

    def intrinsic(self, name: str, result: str, args: list[tuple[str, str]]) -> str:
        """Call what needs no more than its declaration, with (type, value) pairs."""
        types = ", ".join(of for of, _ in args)
        self.module.declare(name, f"declare {result} @{name}({types})")
        call = f"call {result} @{name}({', '.join(f'{of} {a}' for of, a in args)})"
        if result != "void":
            return self.fn.ins(call)
        self.fn.do(call)
        return ""

    def abort(self, name: str, message: str) -> None:
        """End the process with a message on standard error; ``name`` becomes the text's symbol."""
        data = (message + "\n").encode()
        plain = set(range(32, 127)) - set(b'"\\')
        spelled = "".join(chr(b) if b in plain else f"\\{b:02X}" for b in data)
        text = f'private constant [{len(data)} x i8] c"{spelled}"'
        self.module.add_global(f"{symbol(name)} = {text}")
        size = ("i64", str(len(data)))
        self.intrinsic("write", "i64", [("i32", "2"), ("ptr", symbol(name)), size])
        self.intrinsic("abort", "void", [])
        self.fn.end("unreachable")
