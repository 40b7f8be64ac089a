"""Value types: reading them, and which may be used for which.

A defined type goes by the lowest index of an equal one, so equal types are equal numbers.
"""

from runwell.base.features import FEATURES
from runwell.base.types import INDEX_SHIFT, NON_NULL, ValType
from runwell.kernel import i64, kernel, u32, u64
from runwell.translate.emit import is_ref
from runwell.translate.errors import Error, Invalid
from runwell.translate.reading import need_feature, next_byte, next_signed, refuse
from runwell.translate.tables import FIRST_HEAP, HEAP_MATCHES, HEAPS, TYPE_FEATURE
from runwell.translate.work import UNKNOWN, Work

REF_NULL, REF = 0x63, 0x64
TYPED_REFERENCES = FEATURES.index("function-references")
NOFUNC, NONE = int(ValType.NULLFUNCREF), int(ValType.NULLREF)
FUNC, STRUCT, ARRAY = int(ValType.FUNCREF), int(ValType.STRUCTREF), int(ValType.ARRAYREF)
CODE = 0xFF
# The heap type of references from unreachable code, which are of every type.
BOTTOM = 0x68
# Kinds of defined types.
IS_FUNC, IS_STRUCT, IS_ARRAY = 0, 1, 2


@kernel(inline=True)
def is_one_byte_type(w: Work, byte: u32) -> bool:
    """Is this the whole of a value type that the module may use?"""
    feature = u32(TYPE_FEATURE[byte])
    return feature != 0 and w.features >> u64(feature - 1) & 1 != 0


@kernel
def check_type_feature(w: Work, byte: u32) -> None:
    """Fail if a type is one of a feature that is off."""
    feature = u32(TYPE_FEATURE[byte])
    if feature != 0:
        need_feature(w, feature - 1)


@kernel
def next_defined_type(w: Work) -> u32:
    """The index of a defined type, as the type of nullable references to it."""
    index = next_signed(w, 33)
    if index < 0:
        if index >= -0x40:
            check_type_feature(w, u32(index) & 0x7F)
        refuse(w, Error.MALFORMED_REFERENCE_TYPE, u32(index) & 0x7F)
    need_feature(w, TYPED_REFERENCES)
    if index >= i64(w.module.n_types):
        refuse(w, Error.UNKNOWN_TYPE, u32(index))
    canon: u32 = w.module.types[index].canon
    return canon << INDEX_SHIFT


@kernel
def next_heap_type(w: Work) -> u32:
    """A heap type, as the type of nullable references to it."""
    if w.pc >= w.end:
        raise Invalid(Error.UNEXPECTED_END)
    byte = u32(w.pc[0])
    if is_ref(byte) and is_one_byte_type(w, byte):
        w.pc = w.pc + 1
        return byte
    return next_defined_type(w)


@kernel
def next_value_type(w: Work) -> u32:
    """A value type."""
    byte = u32(next_byte(w))
    if is_one_byte_type(w, byte):
        return byte
    if byte < REF_NULL or byte > REF:
        check_type_feature(w, byte)
        refuse(w, Error.MALFORMED_VALUE_TYPE, byte)
    need_feature(w, TYPED_REFERENCES)
    heap = next_heap_type(w)
    return heap | NON_NULL if byte == REF else heap


@kernel
def heap_matches(w: Work, a: u32, b: u32) -> bool:
    """Is a heap type a subtype of another?  Both as types of nullable references."""
    if a == b:
        return True
    if a == BOTTOM:
        return True
    if a & CODE != 0:
        if b & CODE != 0:
            return HEAP_MATCHES[(a - FIRST_HEAP) * HEAPS + (b - FIRST_HEAP)] != 0
        is_func = w.module.types[b >> INDEX_SHIFT].kind == IS_FUNC
        return a == (u32(NOFUNC) if is_func else u32(NONE))
    x = a >> INDEX_SHIFT
    if b & CODE != 0:
        kind = w.module.types[x].kind
        top: u32 = ARRAY
        if kind == IS_FUNC:
            top = FUNC
        elif kind == IS_STRUCT:
            top = STRUCT
        return top == b or HEAP_MATCHES[(top - FIRST_HEAP) * HEAPS + (b - FIRST_HEAP)] != 0
    while x != b >> INDEX_SHIFT:
        parent = w.module.types[x].parent
        if parent == 0:
            return False
        x = parent - 1
        w.steps += 1
    return True


@kernel
def is_subtype(w: Work, found: u32, want: u32) -> bool:
    """May an operand of type ``found`` be used as ``want``, if they are not equal?"""
    if found == UNKNOWN or want == UNKNOWN:
        return True
    if not is_ref(found) or not is_ref(want):
        return False
    if want & NON_NULL != 0 and found & NON_NULL == 0:
        return False
    nullable = ~u32(NON_NULL)
    return heap_matches(w, found & nullable, want & nullable)


@kernel(inline=True)
def is_match(w: Work, found: u32, want: u32) -> bool:
    """May an operand of type ``found`` be used as ``want``?"""
    return found == want or is_subtype(w, found, want)
