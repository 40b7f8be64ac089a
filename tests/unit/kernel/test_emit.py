"""What only the emitted code shows: assertions, alias information, LLVM's view of structs."""

import subprocess
import sys

import pytest

from runwell.codegen.object import compile_assembly, optimise_text
from runwell.codegen.testing import bind
from runwell.codegen.unit import Unit
from runwell.kernel import Ptr, addr, kernel, struct, u8, u32, u64

SOURCE = """
from runwell.kernel import *

@kernel
def check(x: u32) -> u32:
    assert x < 10, 'too "large"'
    return x

@kernel
def divide(x: u32, y: u32) -> u32:
    return x // y

@kernel
def shift(x: u32, y: u32) -> u32:
    return x << y
"""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("check(10)", "tests_crash_source:6: in check: assertion failed: x < 10: 'too \"large\"'"),
        ("divide(1, 0)", "divide: division by zero"),
        ("shift(1, 32)", "shift: shift past the width"),
    ],
)
def test_debug_builds_stop_at_an_error(tmp_path, call, message):
    (tmp_path / "tests_crash_source.py").write_text(SOURCE)
    name, _, args = call.partition("(")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tests_crash_source as s\n"
        f"from runwell.codegen.testing import bind\nbind(s.{name}).{name}({args}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -6
    assert done.stderr.strip() == message


@kernel
def guarded(x: u32) -> u32:
    assert x < 10
    return x // 3 << 1


def test_release_builds_do_not_check():
    assert bind(guarded, is_debug=False).guarded(30) == 20
    assert "abort" not in Unit("x", [guarded]).text()
    assert "abort" in Unit("x", [guarded], is_debug=True).text()


@struct
class Pair:
    a: u32
    b: u32
    data: Ptr[u64]
    bytes: Ptr[u8]


@kernel
def apart(p: Pair, q: Ptr[u64], other: Pair) -> u32:
    x = p.a
    other.b = 5
    q[0] = 6
    return x + p.a


@kernel
def together(p: Pair, q: Ptr[u32], bytes_: Ptr[u8]) -> u32:
    x = p.a
    q[0] = 6
    y = p.a
    bytes_[0] = 1
    return x + y + p.a


def test_fields_do_not_alias_but_elements_do():
    def loads(k) -> int:
        text = optimise_text(Unit("x", [k]).text())
        return text.count("= load")

    assert loads(apart) == 1
    assert loads(together) == 3


def test_addresses_of_fields_alias_the_fields():
    pair = Pair.ctype(a=1)
    assert bind(through, level=2).through(pair) == 7


@kernel
def through(p: Pair) -> u32:
    at = addr(p.a)
    before = p.a
    at[0] = 6
    return before + p.a


@kernel
def unlikely_end(x: u32, y: u64) -> u32:
    if u64(x) > y:
        return 1
    return u32(y)


def test_code_is_plain():
    text = compile_assembly(Unit("x", [unlikely_end]).text())
    assert "call" not in text
    assert "push" not in text
