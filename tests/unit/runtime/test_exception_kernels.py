from ctypes import CFUNCTYPE, addressof, c_uint64

import pytest

from runwell.base.types import FuncType
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.context import Context
from runwell.runtime.exception_kernels import LEAST_ROOM
from runwell.runtime.native import native
from runwell.runtime.tag import Tag
from runwell.runtime.types import TypeNumber


class Bench:
    """A context that adopts exceptions."""

    def __init__(self):
        self.tag = Tag(TypeNumber(FuncType((), ())))
        self.context = Context()
        self.stack = (c_uint64 * 1000).from_address(self.context.native.refs)
        adopt = native.address("exception_adopt")
        self._adopt = CFUNCTYPE(None, c_uint64, c_uint64, c_uint64)(adopt)

    def make(self):
        return native.exception_new(self.tag.address, 0, 0)

    def adopt(self, exception, depth=0):
        self._adopt(self.context.address, exception, addressof(self.stack) + 8 * depth)

    @property
    def alive(self):
        return ctype_of(layout.Tag).from_address(self.tag.address).holders - 1


def holders(exception):
    return ctype_of(layout.ExceptionObject).from_address(exception).holders


@pytest.fixture
def bench(core):
    return Bench()


def test_what_is_not_on_the_stack_is_let_go(bench):
    kept = [bench.make() for _ in range(3)]
    for i, exception in enumerate(kept):
        bench.stack[2 * i + 1] = exception
        bench.adopt(exception, 6)
    for _ in range(10 * LEAST_ROOM):
        bench.adopt(bench.make(), 6)
    assert bench.alive <= LEAST_ROOM
    for exception in kept:
        native.exception_hold(exception)
    assert [holders(e) for e in kept] == [2, 2, 2]
    # Above the end of what is in use nothing counts.
    for _ in range(2 * LEAST_ROOM):
        bench.adopt(bench.make(), 2)
    assert [holders(e) for e in kept] == [2, 1, 1]
    for exception in kept:
        native.exception_release(exception)


def test_one_hold_is_enough(bench):
    exception = bench.make()
    bench.stack[0] = exception
    bench.adopt(exception, 1)
    for _ in range(5 * LEAST_ROOM):
        native.exception_hold(exception)
        bench.adopt(exception, 1)
    assert holders(exception) <= LEAST_ROOM
    assert bench.alive == 1


def test_the_list_grows_with_what_is_alive(bench):
    for i in range(1000):
        bench.stack[i] = bench.make()
        bench.adopt(bench.stack[i], i + 1)
    assert bench.alive == 1000
    assert bench.context.native.n_exceptions == 1000


def test_a_context_lets_go_of_all_at_its_end(bench):
    for _ in range(10):
        bench.adopt(bench.make())
    assert bench.alive == 10
    bench.context = None
    assert bench.alive == 0
