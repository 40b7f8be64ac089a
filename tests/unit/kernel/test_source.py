"""Signatures, names, constants, and where errors point."""

from enum import IntEnum

import pytest

from runwell.codegen.testing import bind
from runwell.kernel import KernelError, Ptr, kernel, offsetof, sizeof, struct, u8, u32, u64
from runwell.kernel.source import Source


class Color(IntEnum):
    RED = 3
    BLUE = 4


@struct
class Pair:
    a: u32
    b: u64


LIMIT = 1 << 20


class Settings:
    LIMIT = 7


@kernel
def constants() -> u64:
    return (
        LIMIT
        + Color.BLUE * 2
        + Settings.LIMIT
        + sizeof(Pair) * 10
        + offsetof(Pair, "b")
        + (100 - 3) // 2 % 10
        + sizeof(Ptr[u8])
    )


def test_constants():
    want = LIMIT + 4 * 2 + 7 + 16 * 10 + 8 + 48 % 10 + 8
    assert bind(constants).constants() == want


def test_enclosed_names():
    step = 5

    @kernel
    def add(x: u32) -> u32:
        """A kernel may name constants of an enclosing function."""
        return x + step

    assert bind(add).add(1) == 6


def test_error_names_the_place(refusal):
    message = refusal("""
@kernel
def f(x: u32) -> u32:
    y = x + 1
    return  y + u64(2)
""")
    assert message == (
        "7:17: in f: this is u64, but u32 is needed: convert it, u32(...)\n    return  y + u64(2)"
    )


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("(x) -> None", "parameter x needs a type"),
        ("(x: int) -> None", "<class 'int'> is not a kernel type"),
        ("(x: Nothing) -> None", "bad type: name 'Nothing' is not defined"),
        ("(x: 'Nothing') -> None", "cannot resolve the type 'Nothing'"),
        ("(x: None) -> None", "a parameter cannot be None"),
        ("(x: u32 = 1) -> None", "a parameter cannot have a default"),
        ("(*, x: u32) -> None", "only plain parameters"),
        ("(*x: u32) -> None", "only plain parameters"),
        ("(**x: u32) -> None", "only plain parameters"),
        ("(x: u32, /) -> None", "only plain parameters"),
        ("(x: Array[u8, 2]) -> None", "a parameter cannot be Array[u8, 2]"),
        ("() -> str", "<class 'str'> is not a kernel type"),
    ],
)
def test_signature_refused(refusal, signature, message):
    assert message in refusal(f"@kernel\ndef f{signature}:\n    pass\n")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("-3 // 2", "division of negative constants"),
        ("-3 % 2", "division of negative constants"),
        ("1 // 0", "bad constant: integer division or modulo by zero"),
        ("1 << -1", "bad constant: negative shift count"),
        ("sizeof(int)", "<class 'int'> is not a kernel type"),
        ("sizeof(None)", "None has no size"),
        ("offsetof(u8, 'x')", "u8 is not a struct"),
    ],
)
def test_constant_refused(refusal, expression, message):
    assert message in refusal(f"@kernel\ndef f() -> i32:\n    return {expression}\n")


def test_no_such_field(refusal):
    message = refusal("""
@struct
class S:
    x: u8
@kernel
def f() -> u32:
    return offsetof(S, "y")
""")
    assert "S has no such field" in message


def test_no_source():
    scope: dict = {}
    exec("from runwell.kernel import *\n@kernel\ndef f() -> None:\n    pass\n", scope)  # noqa: S102
    with pytest.raises(KernelError, match="no source for f"):
        Source(scope["f"])
