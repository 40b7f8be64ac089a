"""Which compiler one gets."""

import pytest
from tests.unit.jit.jobs import FUNCTION

from runwell.jit.compiler import KINDS, open_compiler
from runwell.jit.thread import ThreadCompiler
from runwell.jit.workers import Workers


@pytest.mark.parametrize(("kind", "type_"), [("process", Workers), ("thread", ThreadCompiler)])
def test_kinds(kind, type_):
    assert kind in KINDS
    compiler = open_compiler(kind, FUNCTION, 3)
    assert isinstance(compiler, type_)
    assert compiler.problem == ""
    compiler.close()


def test_no_such_kind():
    with pytest.raises(ValueError, match="compiler is 'process' or 'thread', not 'cloud'"):
        open_compiler("cloud", FUNCTION)
