"""Atomic memory instructions (threads proposal).

All are sequentially consistent.  An address must be a multiple of the width.
"""

from runwell.base.types import I32, I64, ValType
from runwell.isa.machine import I8, I16, Machine, Type, V
from runwell.isa.op import MEMARG, Body, Imm, Rows, Rule

ROWS = Rows("threads", 0xFE)

# What is accessed, by the tail of the name.
_CELLS: tuple[tuple[ValType, str, Type, int], ...] = (
    (I32, "", I32, 4),
    (I64, "", I64, 8),
    (I32, "8", I8, 1),
    (I32, "16", I16, 2),
    (I64, "8", I8, 1),
    (I64, "16", I16, 2),
    (I64, "32", I32, 4),
)


def _widen(m: Machine[V], ty: ValType, cell: Type, value: V) -> V:
    return value if cell == ty else m.zext(ty, value)


def _load(cell: Type) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
        """Read atomically; traps if out of bounds or not aligned (exec-atomic-load)."""
        return _widen(m, ty, cell, m.atomic_load(cell, addr, offset))

    return body


def _store(cell: Type) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V, value: V) -> None:
        """Write atomically; traps if out of bounds or not aligned (exec-atomic-store)."""
        m.atomic_store(cell, addr, offset, value)

    return body


def _rmw(cell: Type, how: str) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V, value: V) -> V:
        return _widen(m, ty, cell, m.atomic_rmw(cell, how, addr, offset, value))

    words = {"xchg": "Exchange"}.get(how, f"Combine by {how}")
    body.__doc__ = (
        f"{words}, atomically, and give what was there; "
        "traps if out of bounds or not aligned (exec-atomic-rmw)."
    )
    return body


def _cmpxchg(cell: Type) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V, expected: V, value: V) -> V:
        """Exchange if as expected; traps if out of bounds or not aligned (exec-atomic-rmw)."""
        return _widen(m, ty, cell, m.atomic_cmpxchg(cell, addr, offset, expected, value))

    return body


_HOWS = ("add", "sub", "and", "or", "xor", "xchg")
for _i, (_ty, _tail, _cell, _width) in enumerate(_CELLS):
    _u = "_u" if _tail else ""
    ROWS.op(
        f"{_ty.text}.atomic.load{_tail}{_u}", 0x10 + _i, (I32,), (_ty,),
        rule=Rule.ATOMIC_LOAD, imms=MEMARG, ty=_ty, width=_width,
    )(_load(_cell))  # fmt: skip
    ROWS.op(
        f"{_ty.text}.atomic.store{_tail}", 0x17 + _i, (I32, _ty), (),
        rule=Rule.ATOMIC_STORE, imms=MEMARG, ty=_ty, width=_width,
    )(_store(_cell))  # fmt: skip
    for _j, _how in enumerate(_HOWS):
        ROWS.op(
            f"{_ty.text}.atomic.rmw{_tail}.{_how}{_u}", 0x1E + 7 * _j + _i, (I32, _ty), (_ty,),
            rule=Rule.ATOMIC_RMW, imms=MEMARG, ty=_ty, width=_width,
        )(_rmw(_cell, _how))  # fmt: skip
    ROWS.op(
        f"{_ty.text}.atomic.rmw{_tail}.cmpxchg{_u}", 0x48 + _i, (I32, _ty, _ty), (_ty,),
        rule=Rule.ATOMIC_CMPXCHG, imms=MEMARG, ty=_ty, width=_width,
    )(_cmpxchg(_cell))  # fmt: skip


# Waiting needs other threads, so its meaning is no body.


@ROWS.op(
    "memory.atomic.notify", 0x00, (I32, I32), (I32,),
    rule=Rule.ATOMIC_NOTIFY, imms=MEMARG, width=4,
)  # fmt: skip
def notify() -> None:
    """Wake waiting threads and give their number; traps as a load does (exec-atomic-notify)."""


@ROWS.op(
    "memory.atomic.wait32", 0x01, (I32, I32, I64), (I32,),
    rule=Rule.ATOMIC_WAIT, imms=MEMARG, width=4,
)  # fmt: skip
def wait32() -> None:
    """Wait for a notification or some nanoseconds; traps if not shared (exec-atomic-wait)."""


@ROWS.op(
    "memory.atomic.wait64", 0x02, (I32, I64, I64), (I32,),
    rule=Rule.ATOMIC_WAIT, imms=MEMARG, width=8,
)  # fmt: skip
def wait64() -> None:
    """Wait for a notification or some nanoseconds; traps if not shared (exec-atomic-wait)."""


@ROWS.op("atomic.fence", 0x03, rule=Rule.ATOMIC_FENCE, imms=(Imm.ORDERING,))
def fence() -> None:
    """Order all atomic accesses before against those after (exec-fence)."""
