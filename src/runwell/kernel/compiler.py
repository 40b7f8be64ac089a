"""The kernel compiler: kernels and all they call, to the LLVM text of one module.

Two passes a kernel: checking gives a typed tree, emission text.  Between them, once all trees are
there, it is settled which kernels can fail.
"""

from collections.abc import Collection, Iterable, Sequence

from runwell.kernel.convert import float_bits
from runwell.kernel.declare import Data, Failure, Kernel
from runwell.kernel.emit import Build, Emitter, extension, result_ir
from runwell.kernel.source import source_of
from runwell.kernel.statements import tree_of
from runwell.kernel.text import ModuleText, symbol
from runwell.kernel.types import Float, Function, KernelError, Pointer, Type


def reachable(
    roots: Iterable[Kernel | Data], elsewhere: Collection[Kernel | Data] = ()
) -> tuple[list[Kernel], list[Data]]:
    """The roots and all kernels, externs and tables that they name, in a fixed order.

    Args:
        roots: where to begin.
        elsewhere: what to name but not to enter, inline kernels excepted.

    Raises:
        KernelError: a kernel is ill typed, or two things share a name.
    """
    kernels: dict[Kernel, None] = {}
    data: dict[Data, None] = {}
    todo = list(roots)
    names: dict[str, Kernel | Data] = {}
    while todo:
        found = todo.pop(0)
        if found in kernels or found in data:
            continue
        other = names.setdefault(found.name, found)
        if other is not found and not _are_same_extern(found, other):
            raise KernelError(f"{found!r} and {other!r} have the same name in one unit")
        if isinstance(found, Data):
            data[found] = None
            if found.kind == "const" and found not in elsewhere:
                todo += [item for item in found.values() if isinstance(item, Kernel)]
        else:
            kernels[found] = None
            if found in elsewhere and not found.inline:
                continue
            tree = tree_of(found)
            todo += [*tree.kernels, *tree.data]
    return list(kernels), list(data)


def _are_same_extern(a: Kernel | Data, b: Kernel | Data) -> bool:
    """May these two declarations of one external symbol stand side by side?"""
    if isinstance(a, Data) or isinstance(b, Data):
        kinds = {x.kind for x in (a, b) if isinstance(x, Data)}
        return isinstance(a, Data) and isinstance(b, Data) and a.of is b.of and "extern" in kinds
    return (a.is_extern or b.is_extern) and source_of(a).signature is source_of(b).signature


def failures(kernels: Iterable[Kernel]) -> dict[Kernel, set[type[Failure]]]:
    """What each kernel may raise; the kernels must include all that they call.

    Raises:
        KernelError: an ``except`` misses a failure, or a fallible kernel is used by address.
    """
    found = {k: set(tree_of(k).raises) for k in kernels}
    changed = True
    while changed:
        changed = False
        for k, raises in found.items():
            total = raises.union(*(found[callee] for callee in tree_of(k).calls))
            changed |= len(total) != len(raises)
            found[k] = total
    for k in kernels:
        tree = tree_of(k)
        for attempt in tree.attempts:
            inside = attempt.raises.union(*(found[c] for c in attempt.calls))
            for failure in sorted(inside, key=lambda f: f.__name__):
                if not issubclass(failure, attempt.catches):
                    what = f"{failure.__name__} may be raised here, which is not caught"
                    raise source_of(k).error(attempt.node, what)
        for other, node in tree.addressed.items():
            if found[other]:
                what = f"{other.name} may raise: it cannot be a function pointer"
                raise source_of(k).error(node, what)
    return found


class Program:
    """Kernels that are compiled into one module.

    Attributes:
        roots: what the module gives to others.
        kernels: the kernels and externs that the module names.
        data: the tables that it names.
        raises: what each kernel may raise, also of those behind kernels of other modules.
    """

    def __init__(
        self,
        roots: Sequence[Kernel | Data],
        elsewhere: Collection[Kernel | Data] = (),
        *,
        is_debug: bool = False,
    ) -> None:
        """Check the kernels.

        Args:
            roots: kernels, and tables, that must be visible to others.
            elsewhere: what other modules define.
            is_debug: compile assertions, and checks of division and shifts.

        Raises:
            KernelError: a kernel is ill typed.
        """
        self.roots, self.elsewhere, self.is_debug = list(roots), set(elsewhere), is_debug
        self.kernels, self.data = reachable(roots, self.elsewhere)
        self.raises = failures(reachable(roots)[0])

    def is_fallible(self, kernel: Kernel) -> bool:
        """May the kernel raise?"""
        return bool(self.raises[kernel])

    def is_defined(self, kernel: Kernel) -> bool:
        """Is its body in this module?  That of inline kernels is everywhere."""
        if kernel.is_extern:
            return False
        return kernel.inline or kernel not in self.elsewhere

    def is_external(self, thing: Kernel | Data) -> bool:
        """Is it visible outside of the module that defines it?"""
        if isinstance(thing, Kernel) and thing.export:
            return True
        return thing in self.roots or (thing in self.elsewhere and not self._is_copied(thing))

    def _is_copied(self, thing: Kernel | Data) -> bool:
        return isinstance(thing, Kernel) and thing.inline and thing not in self.roots

    def symbol_of(self, kernel: Kernel) -> str:
        """The symbol of its body; the plain name of a fallible one is its C entry."""
        external = self.is_external(kernel) and self.is_fallible(kernel)
        return f"{kernel.name}.body" if external else kernel.name

    def emit(self, module: ModuleText) -> None:
        """Add everything to a module."""
        build = Build(
            module,
            self.is_fallible,
            self.symbol_of,
            self.is_defined,
            self.is_external,
            self.is_debug,
        )
        for data in self.data:
            self._emit_data(module, data)
        for kernel in self.kernels:
            if self.is_defined(kernel):
                emitter = Emitter(build, kernel, tree_of(kernel))
                module.add_function(emitter.emit())
                if self.is_external(kernel) and self.is_fallible(kernel):
                    module.add_function(self._entry(kernel))

    def _entry(self, kernel: Kernel) -> str:
        """The C entry of a fallible kernel: the code is returned, the result goes to ``out``."""
        source = source_of(kernel)
        args = ", ".join(f"{p.type.ir} %arg.{p.name}" for p in source.params)
        pair_ir = result_ir(source.result, True)
        body = [f"%pair = call {pair_ir} {symbol(self.symbol_of(kernel))}({args})"]
        if pair_ir == "i32":
            body.append("ret i32 %pair")
        else:
            body.append(f"%value = extractvalue {pair_ir} %pair, 0")
            stored = f"{source.result.ir} %value"
            if extension(source.result) and source.result.ir == "i1":
                body.append("%byte = zext i1 %value to i8")
                stored = "i8 %byte"
            body += [f"store {stored}, ptr %out", f"%code = extractvalue {pair_ir} %pair, 1"]
            body.append("ret i32 %code")
        head = f"define i32 {symbol(kernel.name)}(ptr %out{', ' if args else ''}{args}) nounwind"
        return "\n".join([f"{head} {{", *(f"  {line}" for line in body), "}"])

    def _emit_data(self, module: ModuleText, data: Data) -> None:
        """Define or declare a table."""
        name, of = symbol(data.name), data.of
        if data.kind == "extern" or data in self.elsewhere:
            module.declare(data.name, f"{name} = external global {of.memory_ir}")
            return
        linkage = "" if self.is_external(data) else "internal "
        if data.kind == "static":  # never internal: there must be one of it, not one a module
            ir = f"[{data.count} x {of.memory_ir}]"
            text = f"global {ir} zeroinitializer, align {max(of.align, 8)}"
        else:
            values = data.values()
            items = ", ".join(self._item(module, data, of, value) for value in values)
            local = linkage and "internal unnamed_addr "
            text = f"{local}constant [{len(values)} x {of.memory_ir}] [{items}]"
        module.add_global(f"{name} = {text}")

    def _item(self, module: ModuleText, data: Data, of: Type, value: object) -> str:
        """One element of a constant table."""
        if isinstance(value, (str, Kernel)):
            target = value if isinstance(value, str) else self.symbol_of(value)
            at = module.refer(target)
            if isinstance(of, (Pointer, Function)):
                return f"ptr {at}"
            if of.ir == "i64":
                return f"i64 ptrtoint (ptr {at} to i64)"
        elif isinstance(value, (int, float)):
            if isinstance(of, Float):
                return f"{of.ir} {float_bits(float(value), of)}"
            if isinstance(value, int) and isinstance(of, (Pointer, Function)):
                return "ptr null" if value == 0 else f"ptr inttoptr (i64 {value} to ptr)"
            if isinstance(value, int) and -(1 << of.size * 8 - 1) <= value < 1 << of.size * 8:
                return f"{of.memory_ir} {int(value)}"
        raise KernelError(f"const_array {data.name}: {value!r} is not a {of}")
