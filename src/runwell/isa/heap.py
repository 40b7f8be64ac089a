"""Instructions of the garbage-collected heap (spec: execution of reference instructions).

Their types depend on the module's types, by rule; what they mean ``object_ops`` says, by what the
fields are.
"""

from runwell.isa.op import Imm, Rows, Rule

ROWS = Rows("gc")
_TYPE = (Imm.DEF_TYPE,)
_FIELD = (Imm.DEF_TYPE, Imm.FIELD)


@ROWS.op("ref.eq", 0xD3, rule=Rule.REF_EQ)
def eq() -> None:
    """Are both the same object, or the same number? (exec-ref.eq)."""


ROWS.prefix = 0xFB


@ROWS.op("struct.new", 0, rule=Rule.STRUCT_NEW, imms=_TYPE)
def struct_new() -> None:
    """A new structure of these values; traps if the heap is full (exec-struct.new)."""


@ROWS.op("struct.new_default", 1, rule=Rule.STRUCT_NEW_DEFAULT, imms=_TYPE)
def struct_new_default() -> None:
    """A new structure of zeros and nulls; traps if the heap is full (exec-struct.new_default)."""


@ROWS.op("struct.get", 2, rule=Rule.STRUCT_GET, imms=_FIELD)
def struct_get() -> None:
    """A field; traps if the structure is null (exec-struct.get)."""


@ROWS.op("struct.get_s", 3, rule=Rule.STRUCT_GET, imms=_FIELD)
def struct_get_s() -> None:
    """A packed field, widened, signed; traps if the structure is null (exec-struct.get)."""


@ROWS.op("struct.get_u", 4, rule=Rule.STRUCT_GET, imms=_FIELD)
def struct_get_u() -> None:
    """A packed field, widened, unsigned; traps if the structure is null (exec-struct.get)."""


@ROWS.op("struct.set", 5, rule=Rule.STRUCT_SET, imms=_FIELD)
def struct_set() -> None:
    """Set a field; traps if the structure is null (exec-struct.set)."""


@ROWS.op("array.new", 6, rule=Rule.ARRAY_NEW, imms=_TYPE)
def array_new() -> None:
    """A new array of copies of a value; traps if the heap is full (exec-array.new)."""


@ROWS.op("array.new_default", 7, rule=Rule.ARRAY_NEW_DEFAULT, imms=_TYPE)
def array_new_default() -> None:
    """A new array of zeros or nulls; traps if the heap is full (exec-array.new_default)."""


@ROWS.op("array.new_fixed", 8, rule=Rule.ARRAY_NEW_FIXED, imms=(Imm.DEF_TYPE, Imm.COUNT))
def array_new_fixed() -> None:
    """A new array of these values; traps if the heap is full (exec-array.new_fixed)."""


@ROWS.op("array.new_data", 9, rule=Rule.ARRAY_NEW_DATA, imms=(Imm.DEF_TYPE, Imm.DATA))
def array_new_data() -> None:
    """A new array from data; traps if out of bounds or the heap is full (exec-array.new_data)."""


@ROWS.op("array.new_elem", 10, rule=Rule.ARRAY_NEW_ELEM, imms=(Imm.DEF_TYPE, Imm.ELEM))
def array_new_elem() -> None:
    """A new array from elements; traps if out of bounds or without room (exec-array.new_elem)."""


@ROWS.op("array.get", 11, rule=Rule.ARRAY_GET, imms=_TYPE)
def array_get() -> None:
    """An element; traps if the array is null or the index out of bounds (exec-array.get)."""


@ROWS.op("array.get_s", 12, rule=Rule.ARRAY_GET, imms=_TYPE)
def array_get_s() -> None:
    """A packed element, widened, signed; traps as array.get (exec-array.get)."""


@ROWS.op("array.get_u", 13, rule=Rule.ARRAY_GET, imms=_TYPE)
def array_get_u() -> None:
    """A packed element, widened, unsigned; traps as array.get (exec-array.get)."""


@ROWS.op("array.set", 14, rule=Rule.ARRAY_SET, imms=_TYPE)
def array_set() -> None:
    """Set an element; traps if the array is null or the index out of bounds (exec-array.set)."""


@ROWS.op("array.len", 15, rule=Rule.ARRAY_LEN)
def array_len() -> None:
    """Number of elements; traps if the array is null (exec-array.len)."""


@ROWS.op("array.fill", 16, rule=Rule.ARRAY_FILL, imms=_TYPE)
def array_fill() -> None:
    """Set elements to a value; traps if null or out of bounds (exec-array.fill)."""


@ROWS.op("array.copy", 17, rule=Rule.ARRAY_COPY, imms=(Imm.DEF_TYPE, Imm.DEF_TYPE))
def array_copy() -> None:
    """Copy elements; traps if an array is null or out of bounds (exec-array.copy)."""


@ROWS.op("array.init_data", 18, rule=Rule.ARRAY_INIT_DATA, imms=(Imm.DEF_TYPE, Imm.DATA))
def array_init_data() -> None:
    """Copy from a data segment; traps if null or out of bounds (exec-array.init_data)."""


@ROWS.op("array.init_elem", 19, rule=Rule.ARRAY_INIT_ELEM, imms=(Imm.DEF_TYPE, Imm.ELEM))
def array_init_elem() -> None:
    """Copy from an element segment; traps if null or out of bounds (exec-array.init_elem)."""


@ROWS.op("ref.test", 20, rule=Rule.REF_TEST, imms=(Imm.REF_TYPE,))
def test() -> None:
    """Is the reference of a type? Null is not (exec-ref.test)."""


@ROWS.op("ref.test null", 21, rule=Rule.REF_TEST, imms=(Imm.REF_NULL_TYPE,))
def test_null() -> None:
    """Is the reference of a type, or null? (exec-ref.test)."""


@ROWS.op("ref.cast", 22, rule=Rule.REF_CAST, imms=(Imm.REF_TYPE,))
def cast() -> None:
    """The reference as one of a type; traps if it is not, or null (exec-ref.cast)."""


@ROWS.op("ref.cast null", 23, rule=Rule.REF_CAST, imms=(Imm.REF_NULL_TYPE,))
def cast_null() -> None:
    """The reference as one of a type, or null; traps if it is neither (exec-ref.cast)."""


@ROWS.op("br_on_cast", 24, rule=Rule.BR_ON_CAST, imms=(Imm.CAST,))
def br_on_cast() -> None:
    """Branch if the reference is of a type (exec-br_on_cast)."""


@ROWS.op("br_on_cast_fail", 25, rule=Rule.BR_ON_CAST_FAIL, imms=(Imm.CAST,))
def br_on_cast_fail() -> None:
    """Branch if the reference is not of a type (exec-br_on_cast_fail)."""


@ROWS.op("any.convert_extern", 26, rule=Rule.ANY_CONVERT_EXTERN)
def any_convert_extern() -> None:
    """An external reference as an internal one (exec-any.convert_extern)."""


@ROWS.op("extern.convert_any", 27, rule=Rule.EXTERN_CONVERT_ANY)
def extern_convert_any() -> None:
    """An internal reference as an external one (exec-extern.convert_any)."""


@ROWS.op("ref.i31", 28, rule=Rule.REF_I31)
def i31() -> None:
    """A reference that holds the low 31 bits of a number (exec-ref.i31)."""


@ROWS.op("i31.get_s", 29, rule=Rule.I31_GET)
def i31_get_s() -> None:
    """The number in a reference, signed; traps if it is null (exec-i31.get)."""


@ROWS.op("i31.get_u", 30, rule=Rule.I31_GET)
def i31_get_u() -> None:
    """The number in a reference, unsigned; traps if it is null (exec-i31.get)."""
