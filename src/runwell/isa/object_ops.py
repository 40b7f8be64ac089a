"""Register operations of the garbage-collected heap.

What reads or writes one field or element is done in place, by ``peek`` and ``poke``; where things
are ``base.objects`` says.  What makes an object or works on many elements is a kernel that finds
its operands in the frame:

    struct_new(type)          array_new(type)            array_new_fixed(type, length)
    struct_new_default(type)  array_new_default(type)    array_new_data(type, data)
    array_fill()              array_copy()               array_new_elem(type, elem)
    array_init_data(data)     array_init_elem(elem)

Types are indices in the module there; in casts they are canonical numbers, beside which goes the
number of supertypes: an object's type lists those from the top, so that one comparison decides.
"""

from runwell.base.light import Any, Iterator
from runwell.base.objects import (
    DEPTH_AT,
    DISPLAY_AT,
    ELEMENTS_AT,
    IS_ARRAY,
    IS_HOST,
    IS_STRUCT,
    KIND_AT,
    LENGTH_AT,
    TAG,
    TAG_MASK,
    TYPE_AT,
    Storage,
)
from runwell.base.traps import TrapCode
from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.isa.machine import I8, I16, ControlMachine, Type, V
from runwell.isa.op import Body
from runwell.isa.words import REF, Kind, Types, Word

Operation = tuple[str, Types, Types, tuple[Word, ...], Body, Kind, ValType | None]


def _non_null(m: ControlMachine[V], ref: V, code: TrapCode) -> V:
    m.trap_if(m.eq(ref, m.const(I64, 0)), code)
    return ref


# Reading and writing.  The types of fields, as the names of operations say them: what is read, how
# it is widened, and what it is in a frame.

_READS: dict[str, tuple[Type, str, ValType]] = {
    "i8_s": (I8, "sext", I32),
    "i8_u": (I8, "zext", I32),
    "i16_s": (I16, "sext", I32),
    "i16_u": (I16, "zext", I32),
    "i32": (I32, "", I32),
    "i64": (I64, "", I64),
    "f32": (F32, "", F32),
    "f64": (F64, "", F64),
    "v128": (V128, "", V128),
    "ref": (I64, "", REF),
}
_WRITES: dict[str, tuple[Type, ValType]] = {
    "i8": (I8, I32),
    "i16": (I16, I32),
    "i32": (I32, I32),
    "i64": (I64, I64),
    "f32": (F32, F32),
    "f64": (F64, F64),
    "v128": (V128, V128),
    "ref": (I64, REF),
}


def _read(m: ControlMachine[V], how: str, ref: V, offset: V) -> V:
    stored, widen, _ = _READS[how]
    value = m.peek(stored, ref, offset)
    if widen == "sext":
        return m.sext(I32, value)
    return m.zext(I32, value) if widen == "zext" else value


def _element(m: ControlMachine[V], ref: V, index: V, width: int) -> V:
    """The offset of an element from a reference to an array; traps if there is none."""
    _non_null(m, ref, TrapCode.NULL_ARRAY)
    length = m.peek(I32, ref, m.const(I64, LENGTH_AT - TAG))
    m.trap_if(m.ge_u(index, length), TrapCode.OUT_OF_BOUNDS_ARRAY)
    scaled = m.mul(m.zext(I64, index), m.const(I64, width))
    return m.add(scaled, m.const(I64, ELEMENTS_AT - TAG))


def _struct_get(how: str) -> Body:
    def body(m: ControlMachine[V], ty: ValType, ref: V, offset: V) -> V:
        _non_null(m, ref, TrapCode.NULL_STRUCTURE)
        return _read(m, how, ref, m.zext(I64, offset))

    return body


def _struct_set(how: str) -> Body:
    def body(m: ControlMachine[V], ty: ValType, ref: V, value: V, offset: V) -> None:
        _non_null(m, ref, TrapCode.NULL_STRUCTURE)
        m.poke(_WRITES[how][0], ref, m.zext(I64, offset), value)

    return body


def _width(stored: Type) -> int:
    return stored.bits // 8


def _array_get(how: str) -> Body:
    def body(m: ControlMachine[V], ty: ValType, ref: V, index: V) -> V:
        return _read(m, how, ref, _element(m, ref, index, _width(_READS[how][0])))

    return body


def _array_set(how: str) -> Body:
    def body(m: ControlMachine[V], ty: ValType, ref: V, index: V, value: V) -> None:
        stored = _WRITES[how][0]
        m.poke(stored, ref, _element(m, ref, index, _width(stored)), value)

    return body


def _struct_get_exception(m: ControlMachine[V], ty: ValType, ref: V, offset: V, end: V) -> V:
    _non_null(m, ref, TrapCode.NULL_STRUCTURE)
    return m.object_get_exception(ref, m.zext(I64, offset), end)


def _struct_set_exception(m: ControlMachine[V], ty: ValType, ref: V, value: V, offset: V) -> None:
    _non_null(m, ref, TrapCode.NULL_STRUCTURE)
    m.object_set_exception(ref, m.zext(I64, offset), value)


def _array_get_exception(m: ControlMachine[V], ty: ValType, ref: V, index: V, end: V) -> V:
    return m.object_get_exception(ref, _element(m, ref, index, Storage.EXCEPTION.width), end)


def _array_set_exception(m: ControlMachine[V], ty: ValType, ref: V, index: V, value: V) -> None:
    m.object_set_exception(ref, _element(m, ref, index, Storage.EXCEPTION.width), value)


def _array_len(m: ControlMachine[V], ty: ValType, ref: V) -> V:
    _non_null(m, ref, TrapCode.NULL_ARRAY)
    return m.peek(I32, ref, m.const(I64, LENGTH_AT - TAG))


def _accesses() -> Iterator[Operation]:
    field, end = Word.FIELD, Word.REF_SLOT
    for how, (_, _, ty) in _READS.items():
        yield f"struct.get.{how}", (REF,), (ty,), (field,), _struct_get(how), Kind.PLAIN, ty
        yield f"array.get.{how}", (REF, I32), (ty,), (), _array_get(how), Kind.PLAIN, ty
    for how, (_, ty) in _WRITES.items():
        yield f"struct.set.{how}", (REF, ty), (), (field,), _struct_set(how), Kind.PLAIN, ty
        yield f"array.set.{how}", (REF, I32, ty), (), (), _array_set(how), Kind.PLAIN, ty
    plain = Kind.PLAIN
    yield "struct.get.exn", (REF,), (REF,), (field, end), _struct_get_exception, plain, REF
    yield "struct.set.exn", (REF, REF), (), (field,), _struct_set_exception, plain, REF
    yield "array.get.exn", (REF, I32), (REF,), (end,), _array_get_exception, plain, REF
    yield "array.set.exn", (REF, I32, REF), (), (), _array_set_exception, plain, REF
    yield "array.len", (REF,), (I32,), (), _array_len, plain, I32


# Making objects, and working on many elements.

# Operands, their size, references, the end of those.
IN_FRAME = (Word.SLOT, Word.COUNT, Word.REF_SLOT, Word.REF_SLOT)


def _invoke_frame(kernel: str) -> Body:
    return lambda m, ty, *words: m.invoke_frame(kernel, *words)


def _do_frame(kernel: str) -> Body:
    def body(m: ControlMachine[V], ty: ValType, *words: V) -> None:
        m.invoke_frame(kernel, *words)

    return body


def _in_frame() -> Iterator[Operation]:
    for name, more in (
        ("struct.new", ()),
        ("struct.new_default", ()),
        ("array.new", ()),
        ("array.new_default", ()),
        ("array.new_fixed", (Word.COUNT,)),
        ("array.new_data", (Word.DATA,)),
        ("array.new_elem", (Word.ELEM,)),
    ):
        words = (*IN_FRAME, Word.DEF_TYPE, *more)
        body = _invoke_frame(name.replace(".", "_"))
        yield name, (), (REF,), words, body, Kind.PLAIN, REF
    for name, more in (
        ("array.fill", ()),
        ("array.copy", ()),
        ("array.init_data", (Word.DATA,)),
        ("array.init_elem", (Word.ELEM,)),
    ):
        body = _do_frame(name.replace(".", "_"))
        yield name, (), (), (*IN_FRAME, *more), body, Kind.PLAIN, REF


# Numbers of 31 bits.


def _i31(m: ControlMachine[V], ty: ValType, value: V) -> V:
    shifted = m.shl(value, m.const(I32, 1))
    return m.zext(I64, m.or_(shifted, m.const(I32, 1)))


def _i31_get_s(m: ControlMachine[V], ty: ValType, ref: V) -> V:
    _non_null(m, ref, TrapCode.NULL_I31)
    return m.shr_s(m.trunc(I32, ref), m.const(I32, 1))


def _i31_get_u(m: ControlMachine[V], ty: ValType, ref: V) -> V:
    _non_null(m, ref, TrapCode.NULL_I31)
    return m.shr_u(m.trunc(I32, ref), m.const(I32, 1))


# Tests.  Only references to objects can be looked into: in place of others there are zeros, which
# are no type.


def _is_null(m: ControlMachine[V], ref: V) -> V:
    return m.eq(ref, m.const(I64, 0))


def _is_object(m: ControlMachine[V], ref: V) -> V:
    return m.eq(m.and_(ref, m.const(I64, TAG_MASK)), m.const(I64, TAG))


def _type_of(m: ControlMachine[V], ref: V, is_object: V) -> V:
    """The address of an object's type, or of zeros."""
    zeros = m.zeros()
    at = m.select(is_object, m.sub(ref, m.const(I64, TAG)), zeros)
    return m.select(is_object, m.peek(I64, at, m.const(I64, TYPE_AT)), zeros)


def _never(m: ControlMachine[V], ref: V) -> V:
    return m.ne(ref, ref)


def _always(m: ControlMachine[V], ref: V) -> V:
    return m.ne(ref, m.const(I64, 0))


def _is_i31(m: ControlMachine[V], ref: V) -> V:
    return m.ne(m.and_(ref, m.const(I64, 1)), m.const(I64, 0))


def _is_eq(m: ControlMachine[V], ref: V) -> V:
    type_ = _type_of(m, ref, _is_object(m, ref))
    is_host = m.eq(m.peek(I32, type_, m.const(I64, KIND_AT)), m.const(I32, IS_HOST))
    return m.and_(m.ne(m.and_(ref, m.const(I64, TAG_MASK)), m.const(I64, 0)), m.not_(is_host))


def _is_kind(kind: int) -> Any:
    def test(m: ControlMachine[V], ref: V) -> V:
        type_ = _type_of(m, ref, _is_object(m, ref))
        return m.eq(m.peek(I32, type_, m.const(I64, KIND_AT)), m.const(I32, kind))

    return test


def _is_defined(m: ControlMachine[V], ref: V, number: V, depth: V) -> V:
    type_ = _type_of(m, ref, _is_object(m, ref))
    enough = m.le_u(depth, m.peek(I32, type_, m.const(I64, DEPTH_AT)))
    # Within what there is.
    place = m.shl(m.zext(I64, m.select(enough, depth, m.const(I32, 0))), m.const(I64, 2))
    found = m.peek(I32, type_, m.add(place, m.const(I64, DISPLAY_AT)))
    return m.and_(enough, m.eq(found, number))


def _is_function(m: ControlMachine[V], ref: V, number: V) -> V:
    return m.ne(m.invoke_value(I32, "is_function_of", ref, number), m.const(I32, 0))


_TESTS: dict[str, tuple[Any, tuple[Word, ...]]] = {
    "none": (_never, ()),
    "any": (_always, ()),
    "eq": (_is_eq, ()),
    "i31": (_is_i31, ()),
    "struct": (_is_kind(IS_STRUCT), ()),
    "array": (_is_kind(IS_ARRAY), ()),
    "object": (_is_defined, (Word.TYPE, Word.DEPTH)),
    "function": (_is_function, (Word.TYPE,)),
}


def _test(test: Any, *, nullable: bool) -> Body:
    def body(m: ControlMachine[V], ty: ValType, ref: V, *words: V) -> V:
        found: V = test(m, ref, *words)
        return m.or_(found, _is_null(m, ref)) if nullable else found

    return body


def _check(test: Any, *, nullable: bool) -> Body:
    holds = _test(test, nullable=nullable)

    def body(m: ControlMachine[V], ty: ValType, ref: V, *words: V) -> None:
        m.trap_if(m.not_(holds(m, ty, ref, *words)), TrapCode.CAST_FAILURE)

    return body


def _casts() -> Iterator[Operation]:
    for kind, (test, words) in _TESTS.items():
        for nullable, null in ((False, ""), (True, "_null")):
            body = _test(test, nullable=nullable)
            yield f"is{null}.{kind}", (REF,), (I32,), words, body, Kind.COMPARE, REF
            body = _check(test, nullable=nullable)
            yield f"cast{null}.{kind}", (REF,), (), words, body, Kind.PLAIN, REF


# What a reference may be tested for.
TEST_KINDS = tuple(_TESTS)
READS, WRITES = tuple(_READS), tuple(_WRITES)

OPERATIONS: tuple[Operation, ...] = (
    *_accesses(),
    *_in_frame(),
    ("ref.i31", (I32,), (REF,), (), _i31, Kind.PLAIN, I32),
    ("i31.get_s", (REF,), (I32,), (), _i31_get_s, Kind.PLAIN, I32),
    ("i31.get_u", (REF,), (I32,), (), _i31_get_u, Kind.PLAIN, I32),
    ("ref.eq", (REF, REF), (I32,), (), lambda m, ty, a, b: m.eq(a, b), Kind.COMPARE, REF),
    *_casts(),
)
