import gc
import threading

from runwell.base.types import F64, I32, I64, FuncType
from runwell.runtime import types
from runwell.runtime.types import TypeNumber, type_of_number

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
