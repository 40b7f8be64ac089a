"""Entering, leaving, calling the host and other instances."""

import ctypes

from tests.unit.interp.assembler import Assembler
from tests.unit.interp.guest import Guest
from tests.unit.interp.test_machine import code

from runwell.base.traps import TrapCode
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.native import native


def _cells(address, count):
    return (ctypes.c_uint64 * count).from_address(address)


def host_call(trap):
    """The guest calls ``f(a, b) -> a - b`` of the host with its arguments swapped."""
    guest = Guest()
    seen = {}

    def difference(ctx, host, frame, refs):
        c = guest.context
        seen.update(
            top=c.top - frame, ip=c.ip - guest.codes[1].entry, fp=c.fp - c.stack, refs=refs - c.refs
        )
        values = _cells(frame, 2)
        values[0] = values[0] - values[1]
        return trap

    guest.host(difference, params=2, results=1)
    call = Assembler()
    call.emit("copy S->SLOT", 8, 32)
    call.emit("copy S->SLOT", 0, 40)
    at = call.emit("call_import", 0, 32, 16, 0)
    after = call.size
    call.emit("return_value S", 32, 16)
    f = guest.function(call, params=2)
    trap, values = guest.run(f, 30, 72)
    c = guest.context
    return trap, values[0], seen, after, at <= c.ip - guest.codes[f].entry < after, c.frames_left


def test_host_call(worker):
    trap, value, seen, after, _, frames_left = worker.run(host_call, 0)
    assert (trap, value, frames_left) == (0, 42, 1000)
    assert seen == {"top": 32, "ip": after, "fp": 0, "refs": 0}


def test_host_trap_is_at_the_call(worker):
    trap, _, _, _, at_call, _ = worker.run(host_call, int(TrapCode.HOST_RAISED))
    assert (trap, at_call) == (TrapCode.HOST_RAISED, True)


def host_alone():
    guest = Guest()

    def double(ctx, host, frame, refs):
        values = _cells(frame, 1)
        values[0] *= 2
        return 0

    return guest.run(guest.host(double, params=1, results=1), 21)


def test_host_function_called_by_the_host(worker):
    assert worker.run(host_alone) == (0, [42])


def nested(depth, bottom):
    """Guest and host call each other; the innermost guest does ``bottom``."""
    guest = Guest()

    def again(ctx, host, frame, refs):
        c = guest.context
        values = _cells(frame, 1)
        n = values[0]
        where = c.top, c.ip, c.fp, c.native_sp
        trap, (result,) = guest.run(2 if n == 0 else 1, n)
        if not trap:
            assert where == (c.top, c.ip, c.fp, c.native_sp)
        values[0] = result + 1
        return trap

    guest.host(again, params=1, results=1)
    guest.function(
        code(
            ("i32.sub SK->SLOT", 0, 1, 24), ("call_import", 0, 24, 8, 0), ("return_value S", 24, 8)
        ),
        params=1,
    )
    guest.memory(0)
    guest.function(code(*bottom), params=1)
    top = guest.context.top
    trap, values = guest.run(1, depth)
    return trap, values[0], guest.context.frames_left, guest.context.top - top


def test_nested_entries(worker):
    assert worker.run(nested, 5, [("return_value K", 100, 8)]) == (0, 105, 1000, 0)


def test_fault_in_a_nested_entry(worker):
    bottom = [("i32.load S->SLOT", 0, 0, 24), ("return_value S", 24, 8)]
    trap, _, frames_left, top = worker.run(nested, 5, bottom)
    assert (trap, frames_left, top) == (TrapCode.OUT_OF_BOUNDS_MEMORY, 1000, 0)


def no_frames():
    guest = Guest(max_frames=0)
    return guest.run(guest.function(code(("return", 0))))[0]


def test_entry_counts_as_a_frame(worker):
    assert worker.run(no_frames) == TrapCode.STACK_EXHAUSTED


def other_instance(trap):
    """Two parameters and three results through another instance, which has its own memory."""
    home, away = Guest(), Guest()
    home.memory(65536)
    ctypes.c_uint32.from_address(away.memory(65536)).value = 1000
    types = home.hold((ctype_of(layout.TypeCode) * 1)())
    types[0].param_bytes, types[0].result_bytes = 16, 24
    of_type = home.hold((ctypes.c_uint32 * 1)(0))
    module = home.hold(ctype_of(layout.ModuleCode)())
    module.types, module.function_types = ctypes.addressof(types), ctypes.addressof(of_type)
    last = ("unreachable",) if trap else ("return_many", 32, 24, 0, 0, 16)
    away.function(
        code(
            ("i32.load K->SLOT", 0, 0, 32),
            ("copy S->SLOT", 0, 40),
            ("copy S->SLOT", 8, 48),
            last,
        ),
        params=2,
    )
    away.codes[0].module = ctypes.addressof(module)
    home.function(
        code(
            ("copy S->SLOT", 0, 48),
            ("copy S->SLOT", 8, 56),
            ("call_import", 1, 48, 16, 0),
            ("i32.load K->SLOT", 0, 0, 72),
            ("return_many", 48, 32, 0, 0, 16),
        ),
        params=2,
    )
    home.funcs[1] = away.funcs[0]
    trap, values = home.run(0, 5, 6, results=4)
    return trap, values, home.context.instance == away.at, home.context.frames_left


def test_call_into_another_instance(worker):
    assert worker.run(other_instance, False) == (0, [1000, 5, 6, 0], False, 1000)


def test_trap_in_another_instance(worker):
    trap, _, is_away, frames_left = worker.run(other_instance, True)
    assert (trap, is_away, frames_left) == (TrapCode.UNREACHABLE, True, 1000)


def ranges():
    low, high = native.address("handlers_low"), native.address("handlers_high")
    guest = Guest()
    from runwell.isa.form import FORMS

    addresses = [guest.table_of_handlers[form.index] for form in FORMS]
    return low < addresses[0] and addresses[-1] < high, addresses == sorted(set(addresses))


def test_handlers_are_in_one_piece_and_in_order(worker):
    assert worker.run(ranges) == (True, True)
