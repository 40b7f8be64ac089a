"""What the functions of one LLVM module share: declarations, positions, types."""

from runwell.base.light import final
from runwell.base.types import FuncType, ValType
from runwell.jit import notes
from runwell.jit.convention import LETTERS, Signature, signature
from runwell.jit.job import Header
from runwell.jit.positions import Positions
from runwell.kernel.text import ModuleText, symbol
from runwell.kernel.types import sizeof
from runwell.runtime.layout import Instance

_CELL_BYTES = 16


@final
class Surroundings:
    """What the functions of a module of LLVM share.

    Attributes:
        module: the text.
        positions: places in the code, for backtraces.
        header: of the WebAssembly module.
        here: functions that are defined in the text, and their symbols.
        arch: the processor.
        others: names of what calls functions of a type, by its canonical number.
    """

    def __init__(
        self, header: Header, here: dict[int, str], arch: str, *, may_leave: bool = False
    ) -> None:
        self.header, self.here, self.arch, self.may_leave = header, here, arch, may_leave
        self.module = ModuleText()
        notes.prepare(self.module)
        self.positions = Positions()
        self._signatures: dict[int, Signature] = {}
        self._likely = dict(header.likely)
        self.others: dict[int, str] = {}
        self._index_of = {number: x for x, number in reversed([*enumerate(header.numbers)])}

    def type_signature(self, index: int) -> Signature:
        """The signature of a type, by its index."""
        found = self._signatures.get(index)
        if found is None:
            params, results = self.header.types[index]
            type_ = FuncType(tuple(map(ValType, params)), tuple(map(ValType, results)))
            found = self._signatures[index] = signature(type_)
        return found

    def signature(self, function: int) -> Signature:
        """The signature of a function."""
        return self.type_signature(self.header.functions[function])

    def likely(self, number: int) -> tuple[dict[int, str], str]:
        """Functions in the text that calls through a type of a canonical number probably reach.

        Args:
            number: of the type.

        Returns:
            The functions, with their symbols; and, if there are some, the symbol of what calls any
            other function of the type.
        """
        found = self._likely.get(number, ())
        here = {f: symbol(self.here[f]) for f in found if f in self.here}
        if not here:
            return {}, ""
        name = self.others.setdefault(number, f"call_type_{self.type_index(number)}")
        return here, symbol(name)

    def type_index(self, number: int) -> int:
        """The lowest index of a type of a canonical number."""
        return self._index_of[number]

    def type_number(self, number: int) -> str:
        """A canonical type number as a constant that whoever loads the object supplies."""
        name = f"type_{self.type_index(number)}"
        node = self.module.metadata("!{i64 0, i64 4294967296}")
        # Where symbols that are near are reached relative to the code, it must not seem to be one.
        hidden = "hidden " if self.arch == "x86_64" else ""
        text = f"@{name} = external {hidden}global i8, !absolute_symbol {node}"
        self.module.declare(name, text)
        return f"ptrtoint (ptr @{name} to i32)"

    def global_letter(self, cell: int) -> str:
        """The letter of a global, by the offset of its cell."""
        return LETTERS[ValType(self.header.globals[(cell - sizeof(Instance)) // _CELL_BYTES])]
