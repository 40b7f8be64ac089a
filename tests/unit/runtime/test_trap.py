import pytest

from runwell.base.errors import (
    DeadlineExceeded,
    ExhaustionError,
    Frame,
    InternalError,
    OutOfFuel,
    Trap,
)
from runwell.base.traps import TrapCode
from runwell.kernel.types import ctype_of, sizeof, u64
from runwell.runtime import layout
from runwell.runtime.context import Context
from runwell.runtime.instance import Instance
from runwell.runtime.native import hooks, native
from runwell.runtime.trap import INNERMOST, OUTERMOST, backtrace, make_trap

TEXT = """(module $m (func $zero) (func $one (param i32 i64)) (func $two (param externref))
  (func (export "three")))"""
CODE_BYTES = 64


class Stack:
    """Frames made by hand, as calls leave them."""

    def __init__(self, code, instance, functions=range(4)):
        self.code, self.instance = code, instance
        self.native = ctype_of(layout.ModuleCode).from_address(code.address)
        self.context = Context()
        n = self.context.native
        for index in functions:
            at = ctype_of(layout.FuncCode).from_address(code.code_address(index))
            at.entry = at.start = self.native.code + CODE_BYTES * index
            translated = self.native.translated + 8 * self.native.n_translated
            ctype_of(u64).from_address(translated).value = code.code_address(index)
            self.native.n_translated += 1
        self.fp, self.caller = n.stack, (native.address("stub_exit"), n.stack)
        self.top = n.stack

    def params(self, function):
        address = self.code.code_address(function)
        return ctype_of(layout.FuncCode).from_address(address).param_bytes

    def ip(self, function, offset):
        return self.native.code + CODE_BYTES * function + offset

    def call(self, function, offset):
        """Enter a function, whose next call returns to ``offset``."""
        params = self.params(function)
        self.fp = self.top
        link = self.fp + params
        for i, value in enumerate(self.caller):
            ctype_of(u64).from_address(link + 8 * i).value = value
        self.top = link + 16
        self.caller = self.ip(function, offset), self.fp
        return self

    def switch(self, instance):
        """Go on in another instance."""
        record = ctype_of(layout.SwitchRecord).from_address(self.top)
        record.ip, record.fp = self.caller
        record.instance = self.instance.address
        self.caller = native.address("stub_leave_instance"), self.top
        self.top += sizeof(layout.SwitchRecord)
        self.instance = instance

    def stop(self):
        """What the context knows when the innermost function traps."""
        n = self.context.native
        n.ip, n.fp = self.caller
        n.instance = self.instance.address
        return self.context


@pytest.fixture
def stack(prepare):
    code = prepare(TEXT)
    return Stack(code, Instance(code))


def test_no_frames(core):
    assert backtrace(Context()) == ()


def test_names_and_order(stack):
    stack.call(3, 8).call(1, 12).call(2, 20)
    assert backtrace(stack.stop()) == (
        Frame(2, "two", None, "m"),
        Frame(1, "one", None, "m"),
        Frame(3, "three", None, "m", "", True),
    )


def test_offsets_are_those_of_the_calls(stack):
    asked = []

    def offset_of(code, function, ip):
        assert code is stack.code
        asked.append((function, ip - stack.ip(function, 0)))
        return 1000 + function if function else None

    hooks.offset_of = offset_of
    stack.call(1, 12).call(0, 8).call(2, 20)
    frames = backtrace(stack.stop())
    assert asked == [(2, 20), (0, 7), (1, 11)]
    assert [f.offset for f in frames] == [1002, None, 1001]
    assert str(frames[0]) == "m!two at 0x3ea"


def test_across_instances(stack):
    stack.call(1, 12)
    stack.switch(Instance(stack.code))
    stack.call(0, 8).call(2, 4)
    assert [f.function for f in backtrace(stack.stop())] == [2, 0, 1]


def test_an_instance_entered_from_native_code_and_left_at_once(stack):
    stack.switch(Instance(stack.code))
    stack.call(0, 8)
    assert [f.function for f in backtrace(stack.stop())] == [0]


@pytest.mark.parametrize("depth", [1, INNERMOST, INNERMOST + 1, INNERMOST + OUTERMOST])
def test_all_frames_are_shown_while_there_are_few(stack, depth):
    for n in range(depth):
        stack.call(n % 4, 8)
    assert [f.function for f in backtrace(stack.stop())] == [n % 4 for n in reversed(range(depth))]


@pytest.mark.parametrize("depth", [65, 66, 81, 1000, 50_000])
def test_of_a_deep_recursion_both_ends_are_shown(stack, depth):
    for n in range(depth):
        stack.call(n % 4, 8)
    frames = backtrace(stack.stop())
    expected = [n % 4 for n in reversed(range(depth))]
    assert [f.function for f in frames[:INNERMOST]] == expected[:INNERMOST]
    assert [f.function for f in frames[INNERMOST + 1 :]] == expected[-OUTERMOST:]
    between = f"... {depth - INNERMOST - OUTERMOST} more frames ..."
    assert frames[INNERMOST] == Frame(-1, between, None)
    assert str(frames[INNERMOST]) == between


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (TrapCode.UNREACHABLE, Trap),
        (TrapCode.OUT_OF_BOUNDS_MEMORY, Trap),
        (TrapCode.STACK_EXHAUSTED, ExhaustionError),
        (TrapCode.OUT_OF_FUEL, OutOfFuel),
        (TrapCode.DEADLINE, DeadlineExceeded),
        (TrapCode.INTERNAL, InternalError),
    ],
)
def test_errors(stack, code, error):
    trap = make_trap(stack.call(0, 8).stop(), code)
    assert type(trap) is error
    if isinstance(trap, Trap):
        assert (trap.code, trap.backtrace) == (code, (Frame(0, "zero", None, "m"),))
        assert str(trap) == f"{code.message}\n  0: m!zero"


def test_walking_is_bounded(prepare):
    """Many functions that call each other in turn, in a deep recursion."""
    code = prepare("(module " + "(func)" * 40_000 + ")")
    stack = Stack(code, Instance(code), range(40_000))
    for n in range(90_000):
        stack.call(n % 40_000, 4 + n % 17)
    frames = backtrace(stack.stop())
    assert [f.function for f in frames[:3]] == [9999, 9998, 9997]
    assert frames[INNERMOST].name == f"... {90_000 - INNERMOST - OUTERMOST} more frames ..."
