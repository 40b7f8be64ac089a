"""Fuel, as a user sees it: exact, the same in every configuration, per instance."""

import pytest
from tests.embed.engines import ENGINES, module_for

import runwell
from runwell.base.limits import FUEL_BYTES_SHIFT, FUEL_ELEMENTS_SHIFT

WAT = """
(module
  (memory 2)
  (table 64 funcref)
  (elem func $fib)
  (tag $e)
  (type $a (array (mut i32)))
  (func (export "array") (param i32) (result i32) (local (ref null $a))
    (local.set 1 (array.new $a (i32.const 7) (local.get 0)))
    (array.copy $a $a (local.get 1) (i32.const 0) (local.get 1) (i32.const 0) (local.get 0))
    (array.len (local.get 1)))
  (global $g (mut i32) (i32.const 0))
  (func (export "sum") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1) (local.get 0)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "straight") (result i32)
    (block (block (block)))
    (i32.add (i32.const 1) (i32.const 2)))
  (func (export "fill") (param i32)
    (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "copy") (param i32)
    (memory.copy (i32.const 0) (i32.const 8) (local.get 0)))
  (func (export "fill_1k")
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 1024)))
  (func (export "table_fill") (param i32)
    (table.fill (i32.const 0) (ref.null func) (local.get 0)))
  (func (export "table_grow") (param i32)
    (drop (table.grow (ref.null func) (local.get 0))))
  (func (export "switch") (param i32) (result i32)
    (block $a (block $b (block $c
      (br_table $a $b $c (local.get 0)))
      (return (i32.const 3)))
      (return (i32.const 2)))
    (i32.const 1))
  (func (export "values") (param i32) (result i32)
    (block $l (result i32)
      (i32.const 7)
      (br_if $l (local.get 0))
      (drop)
      (i32.const 9)))
  (func (export "caught") (param i32) (result i32)
    (block $h
      (try_table (catch $e $h)
        (if (local.get 0) (then (throw $e)))
        (return (i32.const 1))))
    (i32.const 2))
  (func (export "global") (result i32)
    (global.set $g (i32.const 5))
    (loop (loop (loop)))
    (global.get $g))
  (func (export "empty"))
  (func (export "for_ever") (loop $l (br $l))))
"""
# What a call costs, counted by hand.
COSTS = [
    ("sum", (5,), 15, 5 * 9 + 1),
    ("sum", (1,), 1, 9 + 1),
    ("fib", (0,), 0, 4 + 1),
    ("fib", (2,), 1, 4 + 9 + 2 * 5),
    ("fib", (10,), 55, 89 * 5 + 88 * 13),
    ("straight", (), 3, 3),
    ("fill", (63,), None, 4),
    ("fill", (6400,), None, 4 + (6400 >> FUEL_BYTES_SHIFT)),
    ("copy", (640,), None, 4 + (640 >> FUEL_BYTES_SHIFT)),
    ("fill_1k", (), None, 4 + (1024 >> FUEL_BYTES_SHIFT)),
    ("table_fill", (64,), None, 4 + (64 >> FUEL_ELEMENTS_SHIFT)),
    ("table_grow", (16,), None, 4 + (16 >> FUEL_ELEMENTS_SHIFT)),
    ("array", (7,), 7, 12),
    ("array", (80,), 80, 12 + 2 * (80 >> FUEL_ELEMENTS_SHIFT)),
    ("switch", (0,), 1, 2 + 1),
    ("switch", (1,), 2, 2 + 2),
    ("switch", (9,), 3, 2 + 2),
    ("values", (1,), 7, 3),
    ("values", (0,), 9, 3 + 2),
    ("caught", (0,), 1, 2 + 2),
    ("caught", (1,), 2, 2 + 1 + 1),
    ("global", (), 5, 3),
    ("empty", (), None, 0),
]


@pytest.fixture(scope="module", params=[(e, b) for b in ("guard", "explicit") for e in ENGINES])
def module(request: pytest.FixtureRequest) -> runwell.Module:
    engine, bounds = request.param
    return module_for(WAT, engine, fuel=True, bounds=bounds)


@pytest.fixture
def instance(module: runwell.Module) -> runwell.Instance:
    return runwell.Instance(module)


@pytest.mark.parametrize(("name", "args", "result", "cost"), COSTS)
def test_a_call_costs_what_it_executes(
    instance: runwell.Instance, name: str, args: tuple[int, ...], result: object, cost: int
) -> None:
    instance.fuel = cost
    assert instance.exports[name](*args) == result
    assert instance.fuel == 0
    if cost:
        instance.fuel = cost - 1
        with pytest.raises(runwell.OutOfFuel, match=r"^all fuel consumed\n  0: "):
            instance.exports[name](*args)
        assert 0 <= instance.fuel < cost


def test_every_amount_stops_at_the_same_place(instance: runwell.Instance) -> None:
    stops = []
    for fuel in range(60):
        instance.fuel = fuel
        try:
            instance.exports.sum(5)
            stops.append((instance.fuel, None))
        except runwell.OutOfFuel as e:
            stops.append((instance.fuel, e.backtrace[0].offset))
    assert [left for left, _ in stops] == [*(f % 9 for f in range(45)), 0, *range(14)]
    assert len({offset for _, offset in stops}) == 3


def test_a_loop_that_never_ends_is_stopped(instance: runwell.Instance) -> None:
    instance.fuel = 1000
    with pytest.raises(runwell.ExhaustionError):
        instance.exports.for_ever()
    assert instance.fuel == 0


def test_a_start_function_needs_fuel() -> None:
    wat = "(module (func $s (drop (i32.const 1))) (start $s))"
    engine = runwell.Engine(runwell.Config(fuel=2))
    module = runwell.Module(wat, engine=engine)
    assert runwell.Instance(module).fuel == 0
    assert runwell.Instance(module, fuel=5).fuel == 3
    with pytest.raises(runwell.OutOfFuel):
        runwell.Instance(module, fuel=1)


def test_each_instance_pays_for_its_own_code() -> None:
    engine = runwell.Engine(runwell.Config(fuel=1000))
    library = runwell.Instance(
        runwell.Module(
            '(module (func (export "f") (result i32) (i32.add (i32.const 1) (i32.const 2))))',
            engine=engine,
        )
    )
    user = runwell.Instance(
        runwell.Module(
            """(module (import "l" "f" (func $f (result i32)))
                 (func (export "g") (result i32) (i32.mul (call $f) (call $f))))""",
            engine=engine,
        ),
        {"l": library},
    )
    assert user.exports.g() == 9
    assert (user.fuel, library.fuel) == (1000 - 3, 1000 - 6)
    library.fuel = 4
    with pytest.raises(runwell.OutOfFuel):
        user.exports.g()
    assert (user.fuel, library.fuel) == (1000 - 6, 1)


def test_unmetered_code_runs_free_of_charge_among_metered() -> None:
    free = runwell.Instance(runwell.Module('(module (func (export "f") (loop) nop))'))
    user = runwell.Instance(
        runwell.Module(
            '(module (import "l" "f" (func $f)) (func (export "g") (call $f)))',
            engine=runwell.Engine(runwell.Config(fuel=1)),
        ),
        {"l": free},
    )
    user.exports.g()
    assert user.fuel == 0


def test_a_host_function_can_refuel_the_guest() -> None:
    seen = []

    def refuel() -> None:
        seen.append(instance.fuel)
        instance.fuel += 2

    instance = runwell.Instance(
        runwell.Module(
            '(module (import "" "f" (func $f)) (func (export "g") (loop $l (call $f) (br $l))))',
            engine=runwell.Engine(runwell.Config(fuel=2)),
        ),
        {"": {"f": lambda: refuel() if len(seen) < 5 else None}},
    )
    with pytest.raises(runwell.OutOfFuel):
        instance.exports.g()
    assert seen == [0] * 5


def test_wrong_fuel_is_refused(instance: runwell.Instance) -> None:
    with pytest.raises(ValueError, match=r"at least 0 and less than 2\*\*63, not -1"):
        instance.fuel = -1
    with pytest.raises(ValueError, match="less than"):
        instance.fuel = 1 << 63
    with pytest.raises(TypeError, match="fuel is an int, not str"):
        instance.fuel = "much"  # type: ignore[assignment]
    plain = runwell.Instance(runwell.Module("(module)"))
    for attempt in (
        lambda: plain.fuel,
        lambda: setattr(plain, "fuel", 1),
        lambda: runwell.Instance(runwell.Module("(module)"), fuel=1),
    ):
        with pytest.raises(ValueError, match=r"make it with runwell.Config\(fuel=True\)"):
            attempt()


def test_configurations_know_their_fuel() -> None:
    for given, kept in ((False, None), (True, 0), (0, 0), (1, 1), (7, 7)):
        config = runwell.Config(fuel=given)
        assert config.fuel == kept
        assert eval(repr(config), {"runwell": runwell}) == config  # noqa: S307
    with pytest.raises(TypeError, match="fuel is an int, not float"):
        runwell.Config(fuel=1.5)  # type: ignore[arg-type]
