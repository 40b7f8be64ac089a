import pytest

from runwell.base.types import (
    FUNCREF,
    I32,
    I64,
    FuncType,
    ValType,
    ref_to_index,
    ref_type,
)
from runwell.module.subtyping import TypeStore, rename
from runwell.module.types import ArrayType, FieldType, StructType, SubType

ANY, EQ, I31, NULL = ValType.ANYREF, ValType.EQREF, ValType.I31REF, ValType.NULLREF


def struct(*types, mutable=False):
    return StructType(tuple(FieldType(t, mutable) for t in types))


def to(index, nullable=False):
    return ref_to_index(index, nullable)


def test_equal_shapes_have_one_number_across_modules():
    store = TypeStore()
    a = store.add([SubType(FuncType((I32,), ())), SubType(FuncType((to(0),), ()))])
    b = store.add([SubType(FuncType((), ())), SubType(FuncType((I32,), ())),
                   SubType(FuncType((to(1),), ()))])  # fmt: skip
    assert a == [b[1], b[2]]
    assert b[0] not in a


def test_recursive_groups_are_compared_whole():
    store = TypeStore()
    pair = [SubType(struct(to(1, True))), SubType(struct(to(0, True)))]
    one = store.add(pair, (2,))
    moved = [SubType(FuncType((), ())),
             SubType(struct(to(2, True))), SubType(struct(to(1, True)))]  # fmt: skip
    assert store.add(moved, (1, 2))[1:] == one
    longer = [*pair, SubType(struct())]
    assert store.add(longer, (3,))[:2] != one


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (I32, I32, True),
        (I32, I64, False),
        (FUNCREF, I32, False),
        (ref_type(0x70, nullable=False), FUNCREF, True),
        (FUNCREF, ref_type(0x70, nullable=False), False),
        (I31, EQ, True),
        (I31, ANY, True),
        (EQ, I31, False),
        (NULL, I31, True),
        (NULL, FUNCREF, False),
        (ValType.NULLFUNCREF, FUNCREF, True),
        (ValType.NULLEXNREF, ValType.EXNREF, True),
    ],
)
def test_abstract_types(a, b, expected):
    assert TypeStore().relation.matches(a, b) is expected


def test_defined_types():
    store = TypeStore()
    numbers = store.add(
        [
            SubType(struct(I32), final=False),
            SubType(struct(I32, I64), supers=(0,)),
            SubType(FuncType((), ())),
            SubType(ArrayType(FieldType(I32))),
        ]
    )
    base, derived, func, array = (rename(to(x), numbers) for x in range(4))
    assert store.relation.matches(derived, base)
    assert not store.relation.matches(base, derived)
    assert store.relation.matches(base, ValType.STRUCTREF)
    assert store.relation.matches(base, ANY)
    assert not store.relation.matches(base, FUNCREF)
    assert store.relation.matches(func, FUNCREF)
    assert store.relation.matches(array, ValType.ARRAYREF)
    assert store.relation.matches(NULL, rename(to(0, True), numbers))
    assert store.relation.matches(ValType.NULLFUNCREF, rename(to(2, True), numbers))
    assert not store.relation.matches(ValType.NULLFUNCREF, rename(to(0, True), numbers))


def test_structural_matching():
    store = TypeStore()
    assert store.relation.composite_matches(struct(I32, I64), struct(I32))
    assert not store.relation.composite_matches(struct(I32), struct(I32, I64))
    assert store.relation.composite_matches(struct(I31), struct(ANY))
    assert not store.relation.composite_matches(
        struct(I31, mutable=True), struct(ANY, mutable=True)
    )
    assert store.relation.composite_matches(FuncType((ANY,), (I31,)), FuncType((I31,), (ANY,)))
    assert not store.relation.composite_matches(FuncType((I31,), ()), FuncType((ANY,), ()))
    assert not store.relation.composite_matches(struct(), FuncType((), ()))
