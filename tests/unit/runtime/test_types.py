import gc
import threading

import pytest

from runwell.base.types import F64, I32, I64, FuncType, ref_to_index
from runwell.module.types import FieldType, StructType, SubType
from runwell.runtime import types
from runwell.runtime.types import TypeNumber, hold_types, type_of_number

UNARY = FuncType((I32,), (I64,))


def test_equal_types_have_equal_numbers():
    a, b = TypeNumber(UNARY), TypeNumber(FuncType((I32,), (I64,)))
    other = TypeNumber(FuncType((I32, I64), ()))
    assert a == b
    assert a != other
    assert a > 0
    assert type_of_number(a) == a.type == UNARY


def test_parameters_and_results_are_told_apart():
    assert TypeNumber(FuncType((I32,), ())) != TypeNumber(FuncType((), (I32,)))


def test_numbers_are_dropped_with_their_last_holder_and_not_given_again():
    type_ = FuncType((F64,) * 77, ())
    a = TypeNumber(type_)
    number = int(a)
    b = TypeNumber(type_)
    del a
    assert TypeNumber(type_) == number
    assert b.type is type_
    del b
    gc.collect()
    assert type_ not in types._groups
    assert number not in types._by_number
    assert TypeNumber(type_) != number


def test_a_number_given_up_while_the_lock_is_held_is_counted_later():
    type_ = FuncType((F64,) * 78, ())
    a = TypeNumber(type_)
    with types._lock:
        del a
        assert type_ in types._groups
    TypeNumber(UNARY)
    assert type_ not in types._groups


def test_threads_agree():
    made = []

    def make():
        made.extend([TypeNumber(FuncType((I32,) * n, ())) for n in range(300)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    by_type = {}
    for number in made:
        assert by_type.setdefault(number.type, number) == number
    assert len(set(made)) == 300


def struct(*types):
    return SubType(StructType(tuple(FieldType(t) for t in types)))


def test_recursive_groups_are_one_across_modules():
    pair = [struct(ref_to_index(1, True)), struct(ref_to_index(0, True))]
    one = hold_types(pair, (2,))
    other = hold_types(
        [SubType(UNARY), struct(ref_to_index(2, True)), struct(ref_to_index(1, True))], (1, 2)
    )
    assert other[1:] == one
    assert one[0] != one[1]
    alone = hold_types([struct(ref_to_index(0, True))])
    assert alone[0] not in one
    fields = types.type_at(one[0]).composite.fields
    assert fields[0].type == ref_to_index(one[1], True)


def test_a_type_holds_those_that_it_refers_to():
    inner, outer = hold_types(
        [SubType(FuncType((F64,) * 79, ())), SubType(FuncType((ref_to_index(0, False),), ()))]
    )
    number = int(inner)
    held = TypeNumber(outer.type)
    assert held == outer
    del inner, outer
    assert number in types._by_number
    del held
    gc.collect()
    assert number not in types._by_number


def test_supertypes_nearest_first():
    from ctypes import c_uint32

    shape = FuncType((F64,) * 80, ())
    a, b, c = hold_types(
        [
            SubType(shape, final=False),
            SubType(shape, final=False, supers=(0,)),
            SubType(shape, final=True, supers=(1,)),
        ]
    )
    assert list((c_uint32 * 3).from_address(c.supers)) == [b, a, 0]
    assert c_uint32.from_address(a.supers).value == 0
    assert types.relation().is_declared_subtype(c, a)
    assert not types.relation().is_declared_subtype(a, c)
    assert types.relation().matches(ref_to_index(c, False), ref_to_index(b, True))
    assert TypeNumber(shape) not in (a, b, c)
    assert types.describe_func(c).startswith("final sub func")


def test_a_type_that_nobody_holds():
    with pytest.raises(LookupError):
        TypeNumber(FuncType((ref_to_index(1 << 40, True),), ()))
