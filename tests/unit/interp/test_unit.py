from runwell.interp.unit import core_exports, core_units


def test_python_finds_what_it_calls():
    from runwell.runtime.native import SIGNATURES

    assert set(SIGNATURES) <= set(core_exports(core_units()))


def test_handlers_are_linked_side_by_side():
    names = [unit.name for unit in core_units()]
    places = [i for i, name in enumerate(names) if name.startswith("handlers ")]
    assert places == list(range(places[0], places[-1] + 1))
