"""Loads, stores and the rest of linear memory (spec: execution of memory instructions)."""

from runwell.base.types import F32, F64, I32, I64, ValType
from runwell.isa.machine import I8, I16, Machine, Type, V
from runwell.isa.op import Body, Imm, Rows, Rule

ROWS = Rows()


def _load(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
    """Read little-endian; traps if out of bounds (exec-load)."""
    return m.load(ty, addr, offset)


def _load_narrow(cell: Type, signed: bool) -> Body:
    if signed:

        def body_s(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
            """Read fewer bytes and widen, signed; traps if out of bounds (exec-load)."""
            return m.sext(ty, m.load(cell, addr, offset))

        return body_s

    def body_u(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
        """Read fewer bytes and widen, unsigned; traps if out of bounds (exec-load)."""
        return m.zext(ty, m.load(cell, addr, offset))

    return body_u


def _store(m: Machine[V], ty: ValType, addr: V, offset: V, value: V) -> None:
    """Write little-endian; traps if out of bounds (exec-store)."""
    m.store(ty, addr, offset, value)


def _store_narrow(cell: Type) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V, value: V) -> None:
        """Write the low bytes; traps if out of bounds (exec-store)."""
        m.store(cell, addr, offset, value)

    return body


for _i, _ty in enumerate((I32, I64, F32, F64)):
    ROWS.load(f"{_ty.text}.load", 0x28 + _i, _ty, _ty.bits // 8)(_load)
    ROWS.store(f"{_ty.text}.store", 0x36 + _i, _ty, _ty.bits // 8)(_store)

_NARROW: tuple[tuple[int, ValType, Type, int], ...] = (
    (0x2C, I32, I8, 1),
    (0x2E, I32, I16, 2),
    (0x30, I64, I8, 1),
    (0x32, I64, I16, 2),
    (0x34, I64, I32, 4),
)
for _code, _ty, _cell, _width in _NARROW:
    _name = f"{_ty.text}.load{8 * _width}"
    ROWS.load(f"{_name}_s", _code, _ty, _width)(_load_narrow(_cell, True))
    ROWS.load(f"{_name}_u", _code + 1, _ty, _width)(_load_narrow(_cell, False))
    ROWS.store(f"{_ty.text}.store{8 * _width}", 0x3A + (_code - 0x2C) // 2, _ty, _width)(
        _store_narrow(_cell)
    )


# The rest is said by register code operations, because it needs the instance.


@ROWS.op("memory.size", 0x3F, rule=Rule.MEMORY_SIZE, imms=(Imm.MEMORY,))
def size() -> None:
    """Size of the memory in pages of 64 KiB (exec-memory.size)."""


@ROWS.op("memory.grow", 0x40, rule=Rule.MEMORY_GROW, imms=(Imm.MEMORY,))
def grow() -> None:
    """Grow by so many pages; the old size, or -1 if that cannot be (exec-memory.grow)."""


ROWS.feature, ROWS.prefix = "bulk-memory", 0xFC


@ROWS.op("memory.init", 8, rule=Rule.MEMORY_INIT, imms=(Imm.DATA, Imm.MEMORY))
def init() -> None:
    """Copy from a data segment; traps if out of bounds (exec-memory.init)."""


@ROWS.op("data.drop", 9, rule=Rule.DATA_DROP, imms=(Imm.DATA,))
def data_drop() -> None:
    """Make a data segment empty (exec-data.drop)."""


@ROWS.op("memory.copy", 10, rule=Rule.MEMORY_COPY, imms=(Imm.MEMORY, Imm.MEMORY))
def copy() -> None:
    """Copy bytes, as if all were read first; traps if out of bounds (exec-memory.copy)."""


@ROWS.op("memory.fill", 11, rule=Rule.MEMORY_FILL, imms=(Imm.MEMORY,))
def fill() -> None:
    """Set bytes to a value; traps if out of bounds (exec-memory.fill)."""
