"""Writing LLVM's text form: the one builder that kernels and instruction rows share.

Text, because it keeps this package free of LLVM, can be read, compared and sent to a worker
process.  The output depends on the order of the calls alone, so it is the same in every build.
"""

from runwell.kernel.types import ArrayType, StructType, Type

_DEFINED = r"(?m)^define [^@]*@(\"[^\"]+\"|[-\w.$]+)\("
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PLAIN = f"{_LETTERS}{_LETTERS.upper()}0123456789_-.$"


def symbol(name: str) -> str:
    """A global's name as LLVM spells it, ``@`` included."""
    return f"@{name}" if name and not name.strip(_PLAIN) else f'@"{name}"'


class FunctionText:
    """One function under construction.

    Instructions that follow a terminator are dropped until the next label, so that a caller need
    not track whether a row or a statement ended the block.

    Attributes:
        name: its symbol.
        live: can control reach the place where the next instruction goes?
        block: the label of the current block, for phi nodes.
    """

    def __init__(
        self,
        name: str,
        params: list[tuple[str, str]],
        result: str = "void",
        *,
        linkage: str = "internal",
        cc: str = "",
        attrs: str = "nounwind",
    ) -> None:
        """Begin a function.

        Args:
            name: its symbol.
            params: LLVM type and name (without ``%``) of each.
            result: LLVM type.
            linkage: e.g. ``internal``, or ``""`` for external.
            cc: calling convention, e.g. ``preserve_nonecc``.
            attrs: function attributes, as text.
        """
        self.name, self.params, self.result = name, params, result
        self.linkage, self.cc, self.attrs = linkage, cc, attrs
        self.live, self.block = True, "entry"
        self._entry: list[str] = []
        self._body: list[str] = []
        self._taken = {"entry", *(p for _, p in params)}
        self._counts: dict[str, int] = {}

    def fresh(self, stem: str = "t") -> str:
        """A name for a value or label that nothing else has, without ``%``."""
        while True:
            n = self._counts[stem] = self._counts.get(stem, 0) + 1
            name = f"{stem}{n}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def ins(self, text: str) -> str:
        """Append an instruction with a result; returns its name, e.g. ``%t7``."""
        name = "%" + self.fresh()
        self.do(f"{name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Append an instruction without a result."""
        if self.live:
            self._body.append(f"  {text}")

    def label(self, name: str) -> None:
        """Begin a block; the previous one falls through into it if it is live."""
        self.do(f"br label %{name}")
        self._body.append(f"{name}:")
        self.live, self.block = True, name

    def end(self, terminator: str) -> None:
        """End the block with ``br``, ``ret``, ``switch``, ``unreachable``..."""
        self.do(terminator)
        self.live = False

    def alloca(self, irtype: str, stem: str = "slot.", count: int = 1) -> str:
        """Reserve memory in the frame, made at entry; returns its address, e.g. ``%slot.1``."""
        name = "%" + self.fresh(stem)
        many = f", i64 {count}" if count != 1 else ""
        self._entry.append(f"  {name} = alloca {irtype}{many}")
        return name

    @property
    def head(self) -> str:
        """The first line, without the brace."""
        args = ", ".join(f"{t} %{n}" for t, n in self.params)
        words = ["define", self.linkage, self.cc, self.result, f"{symbol(self.name)}({args})"]
        return " ".join(word for word in [*words, self.attrs] if word)

    def text(self) -> str:
        """The whole definition."""
        if self.live:
            raise ValueError(f"{self.name}: the last block has no terminator")
        return "\n".join([f"{self.head} {{", "entry:", *self._entry, *self._body, "}"])


class ModuleText:
    """One module under construction: globals, declarations, functions, metadata."""

    def __init__(self) -> None:
        self._globals: list[str] = []
        self._declared: dict[str, str] = {}
        self._functions: list[str] = []
        self._defined: set[str] = set()
        self._metadata: dict[str, int] = {}
        self._distinct = 0
        self._struct_nodes: dict[StructType, str] = {}

    def add_global(self, text: str) -> None:
        """Add the definition of a global, e.g. ``@x = internal global i64 0``."""
        name = text.partition(" = ")[0].strip().removeprefix("@").strip('"')
        self._define(name)
        self._globals.append(text)

    def add_function(self, function: str | FunctionText) -> None:
        """Add a function, or the text of several."""
        text = function if isinstance(function, str) else function.text()
        if "define " in text:
            import re  # compilers of modules never come here, and start sooner without it

            for name in re.findall(_DEFINED, text):
                self._define(name.strip('"'))
        self._functions.append(text)

    def _define(self, name: str) -> None:
        if name in self._defined:
            raise ValueError(f"{name} is defined twice")
        self._defined.add(name)

    def declare(self, name: str, text: str) -> None:
        """Declare what ``name`` is, unless the module turns out to define it.

        Args:
            name: the symbol, without ``@``.
            text: e.g. ``declare i32 @abs(i32)`` or ``@environ = external global ptr``.
        """
        old = self._declared.get(name) or text
        self._declared[name] = old
        if old != text:
            raise ValueError(f"{name} is declared twice, differently:\n  {old}\n  {text}")

    @property
    def declarations(self) -> dict[str, str]:
        """What was declared so far, by name."""
        return dict(self._declared)

    def refer(self, name: str) -> str:
        """The address of a symbol wherever it is defined, as LLVM spells it (``@name``)."""
        if name not in self._declared:
            self._declared[name] = ""
        return symbol(name)

    def defines(self, name: str) -> bool:
        """Has the module a definition of this symbol, so far?"""
        return name in self._defined

    def metadata(self, text: str) -> str:
        """The number of a metadata node, e.g. ``!{!"runwell"}`` -> ``!0``; equal nodes are one."""
        if text.startswith("distinct"):
            self._distinct += 1
            text = f"{text} ; {self._distinct}"
        return f"!{self._metadata.setdefault(text, len(self._metadata))}"

    def alias_field(self, struct: StructType, field: str) -> str:
        """The suffix of a load or store of ``struct.field``: it aliases no other field.

        Elements of the field's type, reached through a ``Ptr``, do alias it, as in C.
        """
        at = struct.fields[field]
        return self._access(self._struct_node(struct), self._scalar_node(at.type), at.offset)

    def alias_element(self, of: Type) -> str:
        """The suffix of a load or store through ``Ptr[of]``; bytes may alias anything."""
        if of.memory_ir == "i8":
            return ""
        node = self._scalar_node(of)
        return self._access(node, node, 0)

    def _access(self, base: str, access: str, offset: int) -> str:
        return f", !tbaa {self.metadata(f'!{{{base}, {access}, i64 {offset}}}')}"

    def _scalar_node(self, of: Type) -> str:
        root = self.metadata('!{!"runwell"}')
        return self.metadata(f'!{{!"{of.memory_ir}", {root}, i64 0}}')

    def _struct_node(self, struct: StructType) -> str:
        if struct in self._struct_nodes:
            return self._struct_nodes[struct]
        members = [f'!"{struct.source.__module__}.{struct.name}"']
        for field in struct.fields.values():
            of = field.type
            while isinstance(of, ArrayType):
                of = of.of
            node = self._struct_node(of) if isinstance(of, StructType) else self._scalar_node(of)
            members += [node, f"i64 {field.offset}"]
        node = self._struct_nodes[struct] = self.metadata(f"!{{{', '.join(members)}}}")
        return node

    def weights(self, yes: int, no: int) -> str:
        """The suffix that gives a conditional branch its odds."""
        node = self.metadata(f'!{{!"branch_weights", i32 {yes}, i32 {no}}}')
        return f", !prof {node}"

    def text(self, datalayout: str = "", triple: str = "") -> str:
        """The whole module.

        Args:
            datalayout: of the target; text without one is laid out wrongly, so whoever compiles
                text made without it must prepend it.
            triple: of the target.
        """
        parts = []
        if datalayout:
            parts.append(f'target datalayout = "{datalayout}"')
        if triple:
            parts.append(f'target triple = "{triple}"')
        parts += self._globals
        parts += [
            text or f"{symbol(name)} = external global i8"
            for name, text in self._declared.items()
            if name not in self._defined
        ]
        parts += self._functions
        parts += [f"!{n} = {text}" for text, n in self._metadata.items()]
        return "\n".join(parts) + "\n"
