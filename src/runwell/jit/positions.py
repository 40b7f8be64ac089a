"""Where in the register code machine code comes from: LLVM's debug locations.

A line is an offset in register code, in words, plus 2; line 1 is before the function.
"""

from runwell.base.light import NamedTuple, final

# Far above the numbers of all other nodes.
_FIRST = 1 << 24


class Scope(NamedTuple):
    """A function as positions see it: the node of its subprogram."""

    node: str


@final
class Positions:
    """The debug locations of a module."""

    def __init__(self) -> None:
        self._nodes = [
            "distinct !DICompileUnit(language: DW_LANG_C, file: !{file}, emissionKind: "
            'LineTablesOnly, producer: "runwell", isOptimized: true, runtimeVersion: 0)',
            '!DIFile(filename: "code", directory: "")',
            "!DISubroutineType(types: !{types})",
            "!{null}",
        ]
        self._nodes[0] = self._nodes[0].replace("{file}", str(_FIRST + 1))
        self._nodes[2] = self._nodes[2].replace("{types}", str(_FIRST + 3))

    def _add(self, text: str) -> int:
        self._nodes.append(text)
        return _FIRST + len(self._nodes) - 1

    def scope(self, name: str, symbol: str = "") -> Scope:
        """Begin a function."""
        file, unit, ty = _FIRST + 1, _FIRST, _FIRST + 2
        number = self._add(
            f'distinct !DISubprogram(name: "{name}", linkageName: "{symbol or name}", '
            f"scope: !{file}, file: !{file}, line: 1, type: !{ty}, scopeLine: 1, "
            f"spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: !{unit})"
        )
        return Scope(f"!{number}")

    def node(self, scope: Scope, offset: int) -> int:
        """The number of the node for a byte offset in the function's code."""
        return self._add(f"!DILocation(line: {offset // 4 + 2}, scope: {scope.node})")

    def before(self, scope: Scope) -> int:
        """The number of the node for what happens before the function."""
        return self._add(f"!DILocation(line: 1, scope: {scope.node})")

    def text(self) -> str:
        """All nodes, and what says to LLVM that they are there."""
        lines = [f"!{_FIRST + i} = {text}" for i, text in enumerate(self._nodes)]
        flags = _FIRST + len(lines)
        lines += [
            f"!llvm.dbg.cu = !{{!{_FIRST}}}",
            f"!llvm.module.flags = !{{!{flags}, !{flags + 1}}}",
            f'!{flags} = !{{i32 2, !"Debug Info Version", i32 3}}',
            f'!{flags + 1} = !{{i32 2, !"Dwarf Version", i32 4}}',
        ]
        return "\n".join(lines)
