from runwell.host.weak import WeakValues


class Value:
    pass


def test_values_go_with_their_last_use():
    values = WeakValues()
    a, b = Value(), Value()
    values.add(1, a)
    values.add(2, b)
    assert values.get(1) is a
    assert values.get(3) is None
    del a
    assert values.get(1) is None
    assert len(values) == 1


def test_the_first_value_stays():
    values = WeakValues()
    a, b = Value(), Value()
    assert values.add(1, a) is a
    assert values.add(1, b) is a
    assert values.get(1) is a


def test_a_value_that_was_replaced_takes_nothing_with_it():
    values = WeakValues()
    a, b = Value(), Value()
    values.add(1, a)
    assert values.add(1, b, over=a) is b
    del a
    assert values.get(1) is b


def test_the_dictionary_may_go_first():
    values = WeakValues()
    a = Value()
    values.add(1, a)
    del values
    del a
