import pickle

import pytest

from runwell.base.errors import Frame, InvalidError, MalformedError, OutOfFuel, Trap, unlinkable
from runwell.base.traps import TrapCode


def test_malformed_says_where():
    assert str(MalformedError("junk", 16)) == "junk (at byte 0x10)"
    text = MalformedError("unexpected token", line=2, column=5, source="(func foo)")
    assert str(text) == "unexpected token (at 2:5)\n  (func foo)"
    assert str(MalformedError("junk")) == "junk"


def test_invalid_says_where():
    error = InvalidError("type mismatch", function=3, offset=32, mnemonic="drop", name="f")
    assert str(error) == "type mismatch (in function 3 $f, at drop, byte 0x20)"


def test_trap_prints_its_backtrace():
    trap = Trap(TrapCode.UNREACHABLE, (Frame(1, "f", 16, "m"), Frame(2, "", None)))
    assert str(trap) == "unreachable\n  0: m!f at 0x10\n  1: func[2]"


def test_link_error_names_both_types():
    error = unlinkable("env", "f", "memory 1", "memory 0")
    assert str(error).startswith("incompatible import type for 'env'.'f'")


def test_traps_resolve_their_frames_when_asked():
    asked = []

    def frames():
        asked.append(1)
        return (Frame(3, "f", 16),)

    trap = Trap(TrapCode.UNREACHABLE, frames)
    assert asked == []
    assert trap.backtrace == (Frame(3, "f", 16),)
    assert str(trap) == "unreachable\n  0: f at 0x10"
    assert asked == [1]


@pytest.mark.parametrize(
    "error",
    [
        MalformedError("junk", 16),
        InvalidError("type mismatch", function=3, offset=32, mnemonic="drop", name="f"),
        Trap(TrapCode.UNREACHABLE, (Frame(3, "f", 16),)),
        OutOfFuel(TrapCode.OUT_OF_FUEL, lambda: (Frame(3, "f", 16),)),
    ],
)
def test_errors_cross_processes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert repr(copy) == repr(error)
