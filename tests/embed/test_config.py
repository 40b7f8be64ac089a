"""Configurations: limits that hold, and what is said about wrong ones."""

import gc

import pytest

import runwell


def test_instances_are_counted() -> None:
    engine = runwell.Engine(runwell.Config(max_instances=3))
    module = runwell.Module("(module)", engine=engine)
    alive = [runwell.Instance(module) for _ in range(3)]
    with pytest.raises(runwell.LinkError, match="too many instances: the engine allows 3 at once"):
        runwell.Instance(module)
    alive.pop().close()
    gc.collect()
    alive.append(runwell.Instance(module))
    with pytest.raises(runwell.LinkError):
        runwell.Instance(runwell.Module("(module (memory 1))", engine=engine))
    alive.clear()
    gc.collect()
    failing = runwell.Module("(module (func unreachable) (start 0))", engine=engine)
    for _ in range(5):
        with pytest.raises(runwell.Trap):
            runwell.Instance(failing)
    gc.collect()
    assert len([runwell.Instance(module) for _ in range(3)]) == 3


def test_strict() -> None:
    config = runwell.Config.strict()
    assert eval(repr(config), {"runwell": runwell}) == config  # noqa: S307
    engine = runwell.Engine(config)

    def load(text: str) -> runwell.Instance:
        return runwell.Instance(runwell.Module(f"(module {text})", engine=engine))

    for text in ("(memory 1 1 shared)", "(memory i64 1)", "(memory 1) (memory 1)"):
        with pytest.raises(runwell.RunwellError, match="feature"):
            load(text)
    for text in ("(memory 1025)", "(table 10001 funcref)"):
        with pytest.raises(runwell.LinkError):
            load(text)
    guest = load(
        """(memory 1) (table 1 funcref)
        (func (export "memory") (result i32) (memory.grow (i32.const 1024)))
        (func (export "table") (result i32) (table.grow (ref.null func) (i32.const 10000)))
        (func $deep (export "deep") (param i32)
          (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "for_ever") (loop $l (br $l)))"""
    )
    assert guest.exports.memory() == guest.exports.table() == -1
    guest.exports.deep(1999)
    with pytest.raises(runwell.ExhaustionError, match="call stack exhausted"):
        guest.exports.deep(2000)
    guest.deadline_s = 0.05
    with pytest.raises(runwell.DeadlineExceeded):
        guest.exports.for_ever()


def test_strict_can_be_changed() -> None:
    config = runwell.Config.strict(fuel=1000, deadline_s=None, max_frames=10)
    assert (config.fuel, config.deadline_s, config.max_frames) == (1000, None, 10)
    assert config.max_memory_bytes == 64 << 20
    with pytest.raises(TypeError, match="max_shoes"):
        runwell.Config.strict(max_shoes=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_instances": -1}, "max_instances cannot be negative"),
        ({"max_instances": "3"}, "max_instances must be an int or None, not str"),
        ({"max_frames": 100_001}, "max_frames is at most 100000"),
        ({"fuel": -1}, "fuel is at least 0"),
        ({"deadline_s": 0}, "deadline_s is above 0"),
        ({"features": "magic"}, "unknown feature 'magic'"),
    ],
)
def test_wrong_limits(arguments: dict[str, object], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        runwell.Config(**arguments)  # type: ignore[arg-type]
