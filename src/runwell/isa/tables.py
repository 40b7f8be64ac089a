"""Table instructions (spec: execution of table instructions)."""

from runwell.isa.op import Imm, Rows, Rule

ROWS = Rows("reference-types")


@ROWS.op("table.get", 0x25, rule=Rule.TABLE_GET, imms=(Imm.TABLE,))
def get() -> None:
    """An element of a table; traps if out of bounds (exec-table.get)."""


@ROWS.op("table.set", 0x26, rule=Rule.TABLE_SET, imms=(Imm.TABLE,))
def set_() -> None:
    """Replace an element of a table; traps if out of bounds (exec-table.set)."""


ROWS.feature, ROWS.prefix = "bulk-memory", 0xFC


@ROWS.op("table.init", 12, rule=Rule.TABLE_INIT, imms=(Imm.ELEM, Imm.TABLE))
def init() -> None:
    """Copy from an element segment; traps if out of bounds (exec-table.init)."""


@ROWS.op("elem.drop", 13, rule=Rule.ELEM_DROP, imms=(Imm.ELEM,))
def elem_drop() -> None:
    """Make an element segment empty (exec-elem.drop)."""


@ROWS.op("table.copy", 14, rule=Rule.TABLE_COPY, imms=(Imm.TABLE, Imm.TABLE))
def copy() -> None:
    """Copy elements, as if all were read first; traps if out of bounds (exec-table.copy)."""


ROWS.feature = "reference-types"


@ROWS.op("table.grow", 15, rule=Rule.TABLE_GROW, imms=(Imm.TABLE,))
def grow() -> None:
    """Grow by so many copies of a reference; the old size, or -1 (exec-table.grow)."""


@ROWS.op("table.size", 16, rule=Rule.TABLE_SIZE, imms=(Imm.TABLE,))
def size() -> None:
    """Number of elements (exec-table.size)."""


@ROWS.op("table.fill", 17, rule=Rule.TABLE_FILL, imms=(Imm.TABLE,))
def fill() -> None:
    """Set elements to a reference; traps if out of bounds (exec-table.fill)."""
