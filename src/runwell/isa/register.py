"""Register code operations: what the translator emits and the engines execute.

A plain row is a register operation of the same name.  The others are declared here, with a body
over the verbs of ``ControlMachine``; its arguments are the sources in order, then the immediates
(of memory accesses the offset is second).  How an operation is encoded is the business of ``form``.

An operation without a type in its name is for every number: slots and global cells have 8 bytes and
it moves all of them, as an integer.  So its result is in the integer accumulator, never in that of
floats.  Sizes and indices of 64-bit memories and tables are the business of the ``memory64`` and
``table64`` operations; where an instruction has both kinds, the translator extends the narrow one.

Kernels that are invoked (the first parameter is the instance; addresses, sizes and indices are u64,
immediates u32, references u64; those that drop a segment always give 0):

    memory_grow(delta_pages, memory) -> u64, the old size or all ones       data_drop(data)
    table_grow(value, delta, table) -> u64, the old size or all ones        elem_drop(elem)

The first parameter of those that may take long is the context, the second the instance; the low
half of their result is a u32, 0 if none is described, the high half 0 or a trap code; a timeout is
i64, in nanoseconds, none if negative:

    memory_copy(to, source, size, to_memory, source_memory)
    memory_fill(to, value: u32, size, memory)
    memory_init(to, source, size, data, memory)
    table_copy(to, source, size, to_table, source_table)
    table_fill(to, value, size, table)
    table_init(to, source, size, elem, table)
    memory_notify(addr, offset, count: u32, memory)
    memory_wait32(addr, offset, expected: u32, timeout, memory)
    memory_wait64(addr, offset, expected: u64, timeout, memory)
"""

from runwell.base.traps import TrapCode
from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.isa.floats import FLOAT32, FLOAT64, Format
from runwell.isa.machine import F32X4, F64X2, ControlMachine, Type, V
from runwell.isa.object_ops import OPERATIONS
from runwell.isa.op import Body, Imm, Op, Rule
from runwell.isa.table import TABLE
from runwell.isa.words import REF, Kind, Types, Word

__all__ = ["BY_NAME", "NEAR_LINKS", "REF", "REG_OPS", "STUBS", "Kind", "RegOp", "Types", "Word"]


class RegOp:
    """A register code operation.

    Attributes:
        name: as printed, unique.
        params: types of the sources; addresses of loads and stores are ``i32`` in the guard mode.
        results: types of the results, none or one.
        imms: kinds of the immediates.
        ty: the type that the body is run at.
        body: its meaning.
        kind: how an engine goes on.
        row: the instruction that it is, or None.
        commutes: may the two sources be swapped?
        index: position in ``REG_OPS``.
    """

    __slots__ = (
        "body",
        "commutes",
        "imms",
        "index",
        "kind",
        "name",
        "params",
        "results",
        "row",
        "ty",
    )

    def __init__(
        self,
        name: str,
        params: Types,
        results: Types,
        imms: tuple[Word, ...],
        body: Body,
        kind: Kind = Kind.PLAIN,
        ty: ValType | None = None,
        row: Op | None = None,
    ) -> None:
        self.name, self.params, self.results, self.imms = name, params, results, imms
        self.body, self.kind, self.row = body, kind, row
        self.ty = ty or (results or params or (I64,))[0]
        self.commutes = row is not None and row.commutes
        self.index = -1

    @property
    def mirror(self) -> str:
        """The operation that does the same with its sources swapped, or ""."""
        return self.name if self.commutes else self._related(_MIRROR)

    @property
    def opposite(self) -> str:
        """The comparison that holds exactly when this does not, or ""."""
        return self._related(_OPPOSITE) if self.ty in (I32, I64) else ""

    def _related(self, names: dict[str, str]) -> str:
        if self.kind != Kind.COMPARE or len(self.params) != 2:
            return ""
        prefix, _, name = self.name.partition(".")
        relation, sep, sign = name.partition("_")
        return f"{prefix}.{names[relation]}{sep}{sign}" if relation in names else ""

    def __repr__(self) -> str:
        return f"<RegOp {self.name}>"


_MIRROR = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


_KINDS = {
    Rule.PLAIN: Kind.PLAIN,
    Rule.CONST: Kind.CONST,
    Rule.LOAD: Kind.LOAD,
    Rule.STORE: Kind.STORE,
    Rule.LANE: Kind.PLAIN,
    Rule.SHUFFLE: Kind.PLAIN,
    Rule.WIDE: Kind.PLAIN,
    Rule.LOAD_LANE: Kind.LOAD,
    Rule.STORE_LANE: Kind.STORE,
    Rule.ATOMIC_LOAD: Kind.LOAD,
    Rule.ATOMIC_STORE: Kind.STORE,
    Rule.ATOMIC_RMW: Kind.LOAD,
    Rule.ATOMIC_CMPXCHG: Kind.LOAD,
}
_WORDS = {Imm.MEMARG: Word.OFFSET, Imm.LANE: Word.LANE, Imm.LANES: Word.V128, Imm.V128: Word.V128}


def _from_rows() -> list[RegOp]:
    ops = []
    for row in TABLE:
        kind = _KINDS.get(row.rule)
        if kind is None:
            continue
        params = row.params
        if row.is_compare:
            kind = Kind.COMPARE
        if kind == Kind.CONST and row.ty != V128:
            # It comes from a source of the form, an immediate one.
            params = row.results
        imms = tuple([_WORDS[imm] for imm in row.imms if imm in _WORDS])
        # Two halves are one value that fills two slots.
        results = (V128,) if row.rule == Rule.WIDE else row.results
        ops.append(RegOp(row.mnemonic, params, results, imms, row.body, kind, row.ty, row))
    return ops


_OPS = _from_rows()


def _op(
    name: str,
    params: Types = (),
    results: Types = (),
    imms: tuple[Word, ...] = (),
    body: Body = lambda m, ty, *_: None,
    kind: Kind = Kind.PLAIN,
    ty: ValType | None = None,
) -> None:
    _OPS.append(RegOp(name, params, results, imms, body, kind, ty))


def _trap(code: TrapCode) -> Body:
    def body(m: ControlMachine[V], ty: ValType) -> None:
        m.trap(code)

    return body


# The operation of form 0, so that zeroed code traps.
_op("invalid", body=_trap(TrapCode.INTERNAL), kind=Kind.LEAVE)
_op("unreachable", body=_trap(TrapCode.UNREACHABLE), kind=Kind.LEAVE)


# Moving values.


def _copy(m: ControlMachine[V], ty: ValType, a: V) -> V:
    return a


def _select(m: ControlMachine[V], ty: ValType, a: V, b: V, cond: V) -> V:
    return m.select(m.ne(cond, m.const(I32, 0)), a, b)


def _global_get(far: bool) -> Body:
    return lambda m, ty, cell: m.global_get(ty, cell, far=far)


def _global_set(far: bool) -> Body:
    return lambda m, ty, value, cell: m.global_set(ty, cell, value, far=far)


def _return_value(m: ControlMachine[V], ty: ValType, value: V, link: V) -> None:
    if ty == REF:
        m.return_ref(value, link)
    else:
        m.return_value(value, link)


# The links of functions of few parameters.  Returns from these know the place of the link without
# reading it from the code, and so sooner what is next.
NEAR_LINKS = (0, 8, 16, 24)


def _near(body: Body, link: int) -> Body:
    return lambda m, ty, *values: body(m, ty, *values, m.const(I32, link))


for _suffix, _ty in (("", I64), ("_f32", F32), ("_f64", F64), ("_v128", V128), ("_ref", REF)):
    _op(f"copy{_suffix}", (_ty,), (_ty,), (), _copy)
    _op(f"select{_suffix}", (_ty, _ty, I32), (_ty,), (), _select)
    for _far, _where in ((False, ""), (True, "_far")):
        _op(f"global.get{_where}{_suffix}", (), (_ty,), (Word.GLOBAL,), _global_get(_far))
        _op(f"global.set{_where}{_suffix}", (_ty,), (), (Word.GLOBAL,), _global_set(_far))
    _op(f"return_value{_suffix}", (_ty,), (), (Word.SLOT,), _return_value, Kind.LEAVE)
    for _link in NEAR_LINKS:
        _op(
            f"return_value_{_link}{_suffix}",
            (_ty,),
            (),
            (),
            _near(_return_value, _link),
            Kind.LEAVE,
        )


# Branches.  The destination of a form says where to.

_op("br", kind=Kind.BRANCH)
_op("br_if", (I32,), (I32,), (), lambda m, ty, a: m.ne(a, m.const(ty, 0)), Kind.COMPARE)
_op(
    "br_table",
    (I32,),
    (),
    (Word.TARGETS,),
    lambda m, ty, index, count: m.branch_table(index, count),
    Kind.LEAVE,
)


# Calls and returns.

_FRAME = (Word.SLOT, Word.COUNT, Word.REF_SLOT)  # first, link, ref_first
_MOVE = (Word.SLOT, Word.COUNT, Word.REF_SLOT, Word.COUNT, Word.SLOT)  # arguments, own link


def _element(m: ControlMachine[V], index_type: ValType, index: V, type_: V, table: V) -> V:
    """The function at ``index``, if it has the type that the call wants."""
    wide = m.zext(I64, index) if index_type == I32 else index
    m.trap_if(m.ge_u(wide, m.table_size(table)), TrapCode.UNDEFINED_ELEMENT)
    ref = m.table_get(table, wide)
    m.trap_if(m.eq(ref, m.const(I64, 0)), TrapCode.UNINITIALIZED_ELEMENT)
    m.check_func(ref, type_)
    return ref


def _call_indirect(
    m: ControlMachine[V], ty: ValType, index: V, type_: V, table: V, *frame: V
) -> None:
    m.call_ref(_element(m, ty, index, type_, table), *frame)


def _return_call_indirect(
    m: ControlMachine[V], ty: ValType, index: V, type_: V, table: V, *move: V
) -> None:
    m.tail_call_ref(_element(m, ty, index, type_, table), *move)


def _non_null(m: ControlMachine[V], ref: V, code: TrapCode = TrapCode.NULL_REFERENCE) -> V:
    m.trap_if(m.eq(ref, m.const(I64, 0)), code)
    return ref


def _callee(m: ControlMachine[V], ref: V) -> V:
    return _non_null(m, ref, TrapCode.NULL_FUNCTION_REFERENCE)


_op("call", (), (), (Word.FUNC, *_FRAME), lambda m, ty, *a: m.call(*a), Kind.LEAVE)
_op(
    "call_import",
    (),
    (),
    (Word.FUNC, *_FRAME),
    lambda m, ty, func, *frame: m.call_ref(m.func_ref(func), *frame),
    Kind.LEAVE,
)
_op(
    "call_ref",
    (REF,),
    (),
    (Word.TYPE, *_FRAME),
    lambda m, ty, ref, type_, *frame: m.call_ref(_callee(m, ref), *frame),
    Kind.LEAVE,
)
_op("return_call", (), (), (Word.FUNC, *_MOVE), lambda m, ty, *a: m.tail_call(*a), Kind.LEAVE)
_op(
    "return_call_import",
    (),
    (),
    (Word.FUNC, *_MOVE),
    lambda m, ty, func, *move: m.tail_call_ref(m.func_ref(func), *move),
    Kind.LEAVE,
)
_op(
    "return_call_ref",
    (REF,),
    (),
    (Word.TYPE, *_MOVE),
    lambda m, ty, ref, type_, *move: m.tail_call_ref(_callee(m, ref), *move),
    Kind.LEAVE,
)
for _suffix, _ty in (("", I32), ("64", I64)):
    _imms = (Word.TYPE, Word.TABLE)
    _op(f"call_indirect{_suffix}", (_ty,), (), (*_imms, *_FRAME), _call_indirect, Kind.LEAVE)
    _op(
        f"return_call_indirect{_suffix}",
        (_ty,),
        (),
        (*_imms, *_MOVE),
        _return_call_indirect,
        Kind.LEAVE,
    )


def _return(m: ControlMachine[V], ty: ValType, link: V) -> None:
    m.return_(link)


_op("return", (), (), (Word.SLOT,), _return, Kind.LEAVE)
for _link in NEAR_LINKS:
    _op(f"return_{_link}", (), (), (), _near(_return, _link), Kind.LEAVE)
_op("return_many", (), (), _MOVE, lambda m, ty, *a: m.return_many(*a), Kind.LEAVE)
_op(
    "copy_many",
    (),
    (),
    (Word.SLOT, Word.SLOT, Word.COUNT, Word.REF_SLOT, Word.REF_SLOT, Word.COUNT),
    lambda m, ty, *a: m.move(*a),
)
_op("zero", (), (), (Word.SLOT, Word.COUNT), lambda m, ty, *a: m.zero(*a))
_op("zero_refs", (), (), (Word.REF_SLOT, Word.COUNT), lambda m, ty, *a: m.zero_refs(*a))
_op("ref_frame", (), (), (Word.DELTA,), lambda m, ty, delta: m.ref_frame(delta))
_op("enter_big", (), (), (Word.COUNT,), lambda m, ty, size: m.enter_big(size))


def _stub(name: str) -> Body:
    return lambda m, ty: m.stub(name)


# Code that is never translated: the engine's own places.
STUBS = (
    "exit",
    "translate",
    "call_host",
    "leave_instance",
    "native",
    "leave_native",
    "resume_native",
    "enter_place",
)
for _name in STUBS:
    _op(_name, body=_stub(_name), kind=Kind.LEAVE)


# Memories and tables.  The numbers say which arguments are i32 and become i64.


def _long(kernel: str, *wide: int) -> Body:
    def body(m: ControlMachine[V], ty: ValType, *args: V) -> None:
        m.invoke_blocking(kernel, *(m.zext(I64, a) if i in wide else a for i, a in enumerate(args)))

    return body


def _drop(kernel: str) -> Body:
    def body(m: ControlMachine[V], ty: ValType, segment: V) -> None:
        m.invoke_value(I32, kernel, segment)

    return body


def _memory_grow(m: ControlMachine[V], ty: ValType, delta: V, memory: V) -> V:
    if ty == I64:
        return m.invoke_value(I64, "memory_grow", delta, memory)
    return m.trunc(I32, m.invoke_value(I64, "memory_grow", m.zext(I64, delta), memory))


def _table_grow(m: ControlMachine[V], ty: ValType, value: V, delta: V, table: V) -> V:
    if ty == I64:
        return m.invoke_value(I64, "table_grow", value, delta, table)
    return m.trunc(I32, m.invoke_value(I64, "table_grow", value, m.zext(I64, delta), table))


def _at(m: ControlMachine[V], ty: ValType, index: V, table: V) -> V:
    wide = index if ty == I64 else m.zext(I64, index)
    m.trap_if(m.ge_u(wide, m.table_size(table)), TrapCode.OUT_OF_BOUNDS_TABLE)
    return wide


def _table_get(m: ControlMachine[V], ty: ValType, index: V, table: V) -> V:
    return m.table_get(table, _at(m, ty, index, table))


def _table_set(m: ControlMachine[V], ty: ValType, index: V, value: V, table: V) -> None:
    m.table_set(table, _at(m, ty, index, table), value)


_M, _T = Word.MEMORY, Word.TABLE
_op("memory.size", (), (I64,), (_M,), lambda m, ty, memory: m.memory_size(memory))
_op("memory.grow", (I32,), (I32,), (_M,), _memory_grow)
_op("memory64.grow", (I64,), (I64,), (_M,), _memory_grow)
_op("memory.copy", (I32,) * 3, (), (_M, _M), _long("memory_copy", 0, 1, 2))
_op("memory64.copy", (I64,) * 3, (), (_M, _M), _long("memory_copy"))
_op("memory.fill", (I32,) * 3, (), (_M,), _long("memory_fill", 0, 2))
_op("memory64.fill", (I64, I32, I64), (), (_M,), _long("memory_fill"))
_op("memory.init", (I32,) * 3, (), (Word.DATA, _M), _long("memory_init", 0, 1, 2))
_op("memory64.init", (I64, I32, I32), (), (Word.DATA, _M), _long("memory_init", 1, 2))


def _blocking(kernel: str) -> Body:
    def body(m: ControlMachine[V], ty: ValType, addr: V, *args: V) -> V:
        *operands, offset, memory = args
        if ty == I32:
            addr, offset = m.zext(I64, addr), m.zext(I64, offset)
        return m.invoke_blocking(kernel, addr, offset, *operands, memory)

    return body


for _name, _ty, _offset in (("memory", I32, Word.OFFSET), ("memory64", I64, Word.OFFSET64)):
    for _tail, _operands in (("notify", (I32,)), ("wait32", (I32, I64)), ("wait64", (I64, I64))):
        _op(
            f"{_name}.atomic.{_tail}",
            (_ty, *_operands),
            (I32,),
            (_offset, _M),
            _blocking(f"memory_{_tail}"),
            ty=_ty,
        )
_op("atomic.fence", body=lambda m, ty: m.fence())
_op("data.drop", (), (), (Word.DATA,), _drop("data_drop"))
_op("table.size", (), (I64,), (_T,), lambda m, ty, table: m.table_size(table))
_op("table.get", (I32,), (REF,), (_T,), _table_get, ty=I32)
_op("table64.get", (I64,), (REF,), (_T,), _table_get, ty=I64)
_op("table.set", (I32, REF), (), (_T,), _table_set, ty=I32)
_op("table64.set", (I64, REF), (), (_T,), _table_set, ty=I64)
_op("table.grow", (REF, I32), (I32,), (_T,), _table_grow)
_op("table64.grow", (REF, I64), (I64,), (_T,), _table_grow)
_op("table.fill", (I32, REF, I32), (), (_T,), _long("table_fill", 0, 2))
_op("table64.fill", (I64, REF, I64), (), (_T,), _long("table_fill"))
_op("table.copy", (I32,) * 3, (), (_T, _T), _long("table_copy", 0, 1, 2))
_op("table64.copy", (I64,) * 3, (), (_T, _T), _long("table_copy"))
_op("table.init", (I32,) * 3, (), (Word.ELEM, _T), _long("table_init", 0, 1, 2))
_op("table64.init", (I64, I32, I32), (), (Word.ELEM, _T), _long("table_init", 1, 2))
_op("elem.drop", (), (), (Word.ELEM,), _drop("elem_drop"))


# Canonical NaNs.  Deterministic code has one of these wherever somebody could see another one.


def _canonical(form: Format, lanes: Type) -> Body:
    def body(m: ControlMachine[V], ty: ValType, a: V) -> V:
        x = m.bitcast(lanes, a) if ty == V128 else a
        chosen = m.select_rarely(m.fne(x, x), m.const(lanes, form.nan), x)
        return m.bitcast(ty, chosen) if ty == V128 else chosen

    return body


_op("canonical_f32", (F32,), (F32,), (), _canonical(FLOAT32, F32))
_op("canonical_f64", (F64,), (F64,), (), _canonical(FLOAT64, F64))
_op("canonical_f32x4", (V128,), (V128,), (), _canonical(FLOAT32, F32X4))
_op("canonical_f64x2", (V128,), (V128,), (), _canonical(FLOAT64, F64X2))


# Fuel.  A block of code is paid for at its start, what moves many bytes or elements also by their
# number, shifted by the immediate.


def _charge_sized(m: ControlMachine[V], ty: ValType, size: V, shift: V) -> None:
    wide = m.zext(I64, size) if ty == I32 else size
    m.charge(m.shr_u(wide, m.zext(I64, shift)))


_op("fuel", (), (), (Word.COUNT,), lambda m, ty, n: m.charge(m.zext(I64, n)))
_op("fuel_sized", (I32,), (), (Word.COUNT,), _charge_sized)
_op("fuel64_sized", (I64,), (), (Word.COUNT,), _charge_sized)


# Exceptions.  References to them that are not on a stack are counted, so cells that hold them have
# operations of their own; those that read one say how much of the reference frame is in use.


def _throw_ref(m: ControlMachine[V], ty: ValType, ref: V, func: V) -> None:
    m.trap_if(m.eq(ref, m.const(I64, 0)), TrapCode.NULL_EXCEPTION)
    m.throw_ref(ref, func)


def _exception_get(far: bool) -> Body:
    return lambda m, ty, cell, end: m.exception_get(cell, end, far=far)


def _exception_set(far: bool) -> Body:
    return lambda m, ty, value, cell: m.exception_set(cell, value, far=far)


def _table_get_exception(m: ControlMachine[V], ty: ValType, index: V, table: V, end: V) -> V:
    return m.table_get_exception(table, _at(m, ty, index, table), end)


def _table_set_exception(m: ControlMachine[V], ty: ValType, index: V, value: V, table: V) -> None:
    m.table_set_exception(table, _at(m, ty, index, table), value)


_op(
    "throw",
    (),
    (),
    (Word.FUNC, Word.TAG, Word.SLOT, Word.REF_SLOT),
    lambda m, ty, *a: m.throw(*a),
    Kind.LEAVE,
)
_op("throw_ref", (REF,), (), (Word.FUNC,), _throw_ref, Kind.LEAVE)
for _far, _where in ((False, ""), (True, "_far")):
    _get = (Word.GLOBAL, Word.REF_SLOT)
    _op(f"global.get{_where}_exn", (), (REF,), _get, _exception_get(_far))
    _op(f"global.set{_where}_exn", (REF,), (), (Word.GLOBAL,), _exception_set(_far))
for _name, _ty in (("table", I32), ("table64", I64)):
    _get = (_T, Word.REF_SLOT)
    _op(f"{_name}.get_exn", (_ty,), (REF,), _get, _table_get_exception, ty=_ty)
    _op(f"{_name}.set_exn", (_ty, REF), (), (_T,), _table_set_exception, ty=_ty)


# References.

_op("ref.null", (), (REF,), (), lambda m, ty: m.const(I64, 0))
_op("ref.func", (), (REF,), (Word.FUNC,), lambda m, ty, func: m.func_ref(func))
_op("ref.is_null", (REF,), (I32,), (), lambda m, ty, a: m.eq(a, m.const(I64, 0)), Kind.COMPARE, REF)
_op("ref.as_non_null", (REF,), (REF,), (), lambda m, ty, a: _non_null(m, a))


# Structures, arrays, casts.

for _operation in OPERATIONS:
    _op(*_operation)


def _freeze(ops: list[RegOp]) -> tuple[RegOp, ...]:
    for index, op in enumerate(ops):
        op.index = index
    return tuple(ops)


REG_OPS = _freeze(_OPS)
BY_NAME = {op.name: op for op in REG_OPS}
