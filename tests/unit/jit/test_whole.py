from tests.unit.jit.guests import assert_same
from tests.unit.jit.programs import module_code

from runwell.jit.whole import UNIT_BYTES, units


def test_units_are_neighbours():
    body = "(drop (i32.const 1))" * 4000
    code = module_code("(module" + f"(func {body})" * 10 + ")")
    found = [list(unit) for unit in units(code)]
    assert [x for unit in found for x in unit] == list(range(10))
    assert len(found) > 2
    assert all(len(unit) * len(body) / 5 < 2 * UNIT_BYTES for unit in found)


def test_a_module_without_functions():
    assert list(units(module_code("(module (memory 1))"))) == []


def test_several_units_work_together():
    filler = "(drop (i32.const 1))" * 12000
    functions = "".join(
        f"(func $f{n} (param i32) (result i32) {filler if n % 2 else ''}"
        f" (i32.add (i32.const {n}) (call $f{n + 1} (local.get 0))))"
        for n in range(6)
    )
    text = f"(module {functions} (func $f6 (param i32) (result i32) (local.get 0))"
    assert assert_same(text + '(export "f" (func $f0)))', [("f", 100)]) == ["115"]
