"""What is wanted of a guest, and what it does about it."""

import ctypes
import threading

import pytest

from runwell.base.traps import TrapCode
from runwell.codegen.testing import bind
from runwell.kernel.types import ctype_of
from runwell.runtime import interrupt_kernels, layout
from runwell.runtime.interrupt_kernels import DUE_CHAIN, DUE_SIGNALS, DUE_TIME

CALL_HOST = """define i32 @call_host(ptr %ctx, ptr %host, ptr %fp, ptr %rp, ptr %target) {
  %code = call i32 %target(ptr %ctx)
  ret i32 %code
}"""


def add_rest(module):
    """What belongs to the interpreter."""
    module.add_global("@stub_leave_native = constant i64 0")
    module.add_function(CALL_HOST)


@pytest.fixture(scope="module")
def kernels():
    return bind(
        interrupt_kernels.request,
        interrupt_kernels.poll,
        interrupt_kernels.signal_hook,
        interrupt_kernels.monotonic,
        interrupt_kernels.make_way,
        extra=add_rest,
    )


@pytest.fixture
def context():
    made = ctype_of(layout.Context)()
    made.stack_limit = made.stack_end = 1 << 40
    return made


def at(context):
    return ctypes.addressof(context)


@pytest.fixture
def hook(kernels):
    """What a guest calls to have signals handled."""
    calls, answers = [], []

    def handle(ctx):
        calls.append(ctx)
        return answers.pop() if answers else 0

    function = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64)(handle)
    place = ctypes.c_uint64.from_address(kernels.address("signal_hook"))
    place.value = ctypes.cast(function, ctypes.c_void_p).value
    yield calls, answers
    place.value = 0


def test_nothing_is_wanted(kernels, context, hook):
    assert kernels.poll(at(context)) == 0
    assert hook[0] == []


def test_a_request_stops_the_next_call_and_adds_up(kernels, context):
    kernels.request(at(context), DUE_TIME)
    assert (context.due, context.stack_limit, context.wakings) == (DUE_TIME, 0, 1)
    kernels.request(at(context), DUE_SIGNALS)
    assert (context.due, context.wakings) == (DUE_TIME | DUE_SIGNALS, 2)
    assert kernels.poll(at(context)) == 0
    assert context.due == 0


def test_no_request_is_lost(kernels, context):
    """Threads that want something, while the guest looks: each bit is seen after it was set."""
    seen, over = [], threading.Event()

    def want(bit):
        for _ in range(2000):
            kernels.request(at(context), bit)

    threads = [threading.Thread(target=want, args=(1 << i,)) for i in range(3, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen.append(context.due)
    over.set()
    assert seen == [0b111000]
    assert context.wakings == 6000


def test_an_interrupt_is_taken_once(kernels, context):
    context.interrupt = int(TrapCode.INTERRUPTED)
    context.due = DUE_TIME
    assert kernels.poll(at(context)) == TrapCode.INTERRUPTED
    # The rest stays for the next look.
    assert (context.interrupt, context.due) == (0, DUE_TIME)
    assert kernels.poll(at(context)) == 0


def test_a_deadline(kernels, context):
    now = kernels.monotonic()
    context.deadline = now + 10**12
    context.due = DUE_TIME
    assert kernels.poll(at(context)) == 0
    context.deadline = now
    assert kernels.poll(at(context)) == 0  # nobody has said that it is time to look
    context.due = DUE_TIME
    assert kernels.poll(at(context)) == TrapCode.DEADLINE
    assert context.due == 0


def test_a_deadline_goes_before_signals(kernels, context, hook):
    context.deadline, context.due = 1, DUE_TIME | DUE_SIGNALS
    assert kernels.poll(at(context)) == TrapCode.DEADLINE
    assert hook[0] == []


def test_signals(kernels, context, hook):
    calls, answers = hook
    context.due = DUE_SIGNALS | DUE_CHAIN
    assert kernels.poll(at(context)) == 0
    assert calls == [at(context)]
    answers.append(int(TrapCode.HOST_RAISED))
    context.due = DUE_SIGNALS
    assert kernels.poll(at(context)) == TrapCode.HOST_RAISED
    context.due = DUE_CHAIN
    assert kernels.poll(at(context)) == 0
    assert len(calls) == 2


def test_without_a_hook_signals_wait_for_python(kernels, context):
    context.due = DUE_SIGNALS
    assert kernels.poll(at(context)) == 0
    assert context.due == 0


def test_a_heap_is_left_while_signals_are_handled(kernels, context, hook):
    """A collector need not wait for Python."""
    heap = ctypes.create_string_buffer(4096)
    context.heap, context.refs, context.refs_end = ctypes.addressof(heap), 64, 640
    seen = []

    def handle(ctx):
        seen.append((context.heap, context.ref_end))
        return 0

    function = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64)(handle)
    place = ctypes.c_uint64.from_address(kernels.address("signal_hook"))
    place.value = ctypes.cast(function, ctypes.c_void_p).value
    context.due = DUE_SIGNALS
    assert kernels.poll(at(context)) == 0
    assert seen == [(0, 640)]
    assert context.heap == ctypes.addressof(heap)
