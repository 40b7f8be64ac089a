"""Control flow, frames, calls and traps in code made by hand, run in a worker process."""

from itertools import takewhile

import pytest
from tests.unit.interp.assembler import BY_NAME, Assembler
from tests.unit.interp.guest import Guest

from runwell.base.limits import COLD
from runwell.base.traps import TrapCode
from runwell.isa.form import Mode
from runwell.isa.register import Kind
from runwell.kernel.types import as_struct
from runwell.runtime.layout import Instance

MASK = (1 << 64) - 1


def code(*lines):
    """Code from lines ``(form name, operands...)`` and labels."""
    a = Assembler()
    for line in lines:
        if isinstance(line, str):
            a.label(line)
        else:
            a.emit(*line)
    return a


def fib(n, max_frames=1000):
    guest = Guest(max_frames=max_frames)
    f = guest.function(
        code(
            ("i32.ge_s SK->IF", 0, 2, "more"),
            ("return_value S", 0, 8),
            "more",
            ("i32.sub SK->SLOT", 0, 1, 24),
            ("call", 0, 24, 8, 0),
            ("i32.sub SK->SLOT", 0, 2, 32),
            ("call", 0, 32, 8, 0),
            ("i32.add SS->ACC", 24, 32),
            ("return_value A", 8),
        ),
        params=1,
    )
    result = guest.run(f, n)
    return result, guest.context.frames_left, guest.codes[f].heat


def test_calls(worker):
    (trap, values), frames_left, heat = worker.run(fib, 15)
    # The first call finds no heat left, and those that follow count.
    assert (trap, values, frames_left, heat) == (0, [610], 1000, COLD - 1971)


@pytest.mark.parametrize(("depth", "trap"), [(9, 0), (10, TrapCode.STACK_EXHAUSTED)])
def test_frame_limit_is_exact(worker, depth, trap):
    # fib(n) is n calls deep, the first one included.
    result, frames_left, _ = worker.run(fib, depth, 9)
    assert result[0] == trap
    assert frames_left == 9


def deep(frame_bytes):
    """A function that calls itself for ever; its frames have ``frame_bytes``."""
    guest = Guest(max_frames=1 << 30)
    guest.function(code(("call", 0, frame_bytes, 0, 0), ("return", 0)))
    trap, _ = guest.run(0)
    used = guest.context.fp - guest.context.stack
    room = guest.context.stack_end - guest.context.stack
    return trap, used, room


def test_stack_is_exhausted_at_its_limit(worker):
    trap, used, room = worker.run(deep, 4096)
    assert trap == TrapCode.STACK_EXHAUSTED
    assert room - 4096 <= used <= room


def big(size):
    guest = Guest()
    guest.function(code(("enter_big", size), ("return", 0)))
    return guest.run(0)[0]


def test_big_frame(worker):
    assert worker.run(big, 1000) == 0
    assert worker.run(big, 1 << 20) == TrapCode.STACK_EXHAUSTED


def count(n, interrupt=0, budget=4096):
    """A loop that counts to ``n``."""
    guest = Guest()
    f = guest.function(
        code(
            ("zero", 24, 8),
            "loop",
            ("i32.add SK->SLOT", 24, 1, 24),
            ("i32.lt_u AS->LOOP_IF", 0, "loop"),
            ("return_value S", 24, 8),
        ),
        params=1,
    )
    guest.context.budget = budget
    guest.context.interrupt = interrupt
    trap, values = guest.run(f, n)
    return trap, values[0], guest.context.budget, guest.context.ip - guest.context.instance


def test_loop(worker):
    assert worker.run(count, 1000)[:3] == (0, 1000, 4096 - 999)
    # The budget is filled up when it is spent.
    assert worker.run(count, 6000)[:3] == (0, 6000, 4096 - (5999 - 4097))


def test_interrupt_at_spent_budget(worker):
    assert worker.run(count, 1 << 30, int(TrapCode.INTERRUPTED))[0] == TrapCode.INTERRUPTED


def summons(code_):
    """An interrupter stores 0 in ``stack_limit``: calls must look at it."""
    guest = Guest()
    f = guest.function(code(("call", 1, 16, 0, 0), ("return_value S", 16, 0)))
    guest.function(code(("return_value K", 7, 0)))
    guest.context.interrupt = code_
    # The entry looks as well, so take its place in between.
    guest.context.stack_limit = guest.context.stack
    trap, values = guest.run(f)
    c = guest.context
    return trap, values, c.stack_limit == c.stack_end, c.interrupt


def test_interrupt_at_call(worker):
    trap, _, _, left = worker.run(summons, int(TrapCode.OUT_OF_FUEL))
    assert (trap, left) == (TrapCode.OUT_OF_FUEL, 0)
    assert worker.run(summons, 0) == (0, [7], True, 0)


def table_jump(index, *, from_acc):
    guest = Guest()
    head = [("br_table S", 0, ["zero", "one", "rest"])]
    if from_acc:
        head = [("i32.add SK->ACC", 0, 0), ("br_table A", ["zero", "one", "rest"])]
    lines = [*head]
    for label, value in (("zero", 10), ("one", 11), ("rest", 12)):
        lines += [label, ("return_value K", value, 8)]
    return guest.run(guest.function(code(*lines), params=1), index)


@pytest.mark.parametrize("from_acc", [False, True])
@pytest.mark.parametrize(("index", "value"), [(0, 10), (1, 11), (2, 12), (3, 12), (1 << 31, 12)])
def test_branch_table(worker, index, value, from_acc):
    assert worker.run(_jump, index, from_acc) == (0, [value])


def _jump(index, from_acc):
    return table_jump(index, from_acc=from_acc)


def indirect(index):
    """A table of: null, a function of type 5, one of type 6, one of a type below 5."""
    guest = Guest()
    caller = guest.function(
        code(("call_indirect S", 0, 5, 0, 24, 0, 0), ("return_value S", 24, 8)), params=1
    )
    right = guest.function(code(("return_value K", 42, 0)), kind=5)
    wrong = guest.function(code(("return_value K", 43, 0)), kind=6, supers=(9, 4, 0))
    below = guest.function(code(("return_value K", 44, 0)), kind=7, supers=(9, 5, 4, 0))
    guest.table([0, guest.funcs[right], guest.funcs[wrong], guest.funcs[below]])
    trap, values = guest.run(caller, index)
    return trap, values[0], guest.context.ip == guest.codes[caller].entry


@pytest.mark.parametrize(
    ("index", "trap"),
    [
        (0, TrapCode.UNINITIALIZED_ELEMENT),
        (2, TrapCode.INDIRECT_CALL_TYPE_MISMATCH),
        (4, TrapCode.UNDEFINED_ELEMENT),
        (-1, TrapCode.UNDEFINED_ELEMENT),
    ],
)
def test_call_indirect_checks(worker, index, trap):
    got, _, at_call = worker.run(indirect, index)
    assert (got, at_call) == (trap, True)


def test_call_indirect(worker):
    assert worker.run(indirect, 1)[:2] == (0, 42)
    assert worker.run(indirect, 3)[:2] == (0, 44)


def divide(a, b):
    guest = Guest()
    f = guest.function(
        code(
            ("copy S->SLOT", 0, 40), ("i32.div_s SS->SLOT", 40, 8, 32), ("return_value S", 32, 16)
        ),
        params=2,
    )
    trap, values = guest.run(f, a, b)
    c = guest.context
    return trap, values[0], c.ip - guest.codes[f].entry, c.fp - c.stack, c.instance == guest.at


def test_trap_says_where(worker):
    copy_bytes = 8 + 4 * BY_NAME["copy S->SLOT"].words
    expected = (TrapCode.INTEGER_DIVIDE_BY_ZERO, 1, copy_bytes, 0, True)
    assert worker.run(divide, 1, 0) == expected
    assert worker.run(divide, 7, 2)[:2] == (0, 3)


def many(n_params, n_results):
    """Results overlap the link: they are moved to the bottom of the frame."""
    guest = Guest()
    link = 8 * n_params
    first = link + 16
    lines = [("i64.const K->SLOT", 100 + i, first + 8 * i) for i in range(n_results)]
    f = guest.function(
        code(*lines, ("return_many", first, 8 * n_results, 0, 0, link)), params=n_params
    )
    caller = guest.function(
        code(
            ("call", f, 16, link, 0),
            *(("copy S->SLOT", 16 + 8 * i, 256 + 8 * i) for i in range(n_results)),
            ("return_many", 256, 8 * n_results, 0, 0, 0),
        )
    )
    return guest.run(caller, results=n_results)


@pytest.mark.parametrize("n_params", [0, 1, 3])
def test_many_results(worker, n_params):
    assert worker.run(many, n_params, 5) == (0, [100, 101, 102, 103, 104])


def moved():
    guest = Guest()
    lines = [("i64.const K->SLOT", i, 16 + 8 * i) for i in range(6)]
    f = guest.function(
        code(*lines, ("copy_many", 16, 24, 32, 0, 0, 0), ("return_many", 16, 48, 0, 0, 0))
    )
    return guest.run(f, results=6)


def test_move_reads_all_first(worker):
    assert worker.run(moved) == (0, [0, 0, 1, 2, 3, 5])


def references(depth):
    """Passes a reference ``depth`` calls down and up again."""
    guest = Guest(max_frames=1 << 30)
    f = guest.function(
        code(
            ("i32.eqz S->IF", 0, "end"),
            ("zero_refs", 8, 16),
            ("copy_ref R->REF", 0, 16),
            ("i32.sub SK->SLOT", 0, 1, 24),
            ("call", 0, 24, 8, 16),
            ("ref_frame", -16),
            ("copy_ref R->REF", 16, 0),
            "end",
            ("return_value_ref R", 0, 8),
        ),
        params=1,
        ref_params=1,
    )
    ctypes_at = guest.context.refs
    import ctypes

    ctypes.c_uint64.from_address(ctypes_at).value = 0xABCDEF
    trap, _ = guest.run(f, depth)
    return trap, ctypes.c_uint64.from_address(ctypes_at).value


def test_references_on_their_own_stack(worker):
    assert worker.run(references, 5) == (0, 0xABCDEF)
    assert worker.run(references, 1 << 30)[0] == TrapCode.STACK_EXHAUSTED


def global_cells():
    guest = Guest()
    cell = guest.cells_at + 16
    f = guest.function(
        code(
            ("global.set S", 0, cell),
            ("global.get ->ACC", cell),
            ("i64.add AK->SLOT", 1, 32),
            ("return_value S", 32, 8),
        ),
        params=1,
    )
    return guest.run(f, MASK - 5)


def test_globals(worker):
    assert worker.run(global_cells) == (0, [MASK - 4])


def stopped(name):
    guest = Guest()
    return guest.run(guest.function(code((name,))))[0]


def test_traps_of_their_own(worker):
    assert worker.run(stopped, "unreachable") == TrapCode.UNREACHABLE
    assert worker.run(stopped, "invalid") == TrapCode.INTERNAL


def faulting_forms():
    """Forms that access guarded memory, alone or fused, and do not branch before they do."""
    for form in BY_NAME.values():
        straight = takewhile(lambda part: not part.dst.is_branch, form.parts)
        accesses = [part for part in straight if part.op.kind in (Kind.LOAD, Kind.STORE)]
        if any(part.mode == Mode.GUARD for part in accesses):
            yield form.name


def fault(names):
    """Run each form at an address beyond the memory: trap code and registers as saved."""
    guest = Guest()
    guest.memory(0)
    return [(name, *_fault(guest, name)) for name in names]


def _fault(guest, name):
    form = BY_NAME[name]
    a = Assembler()
    # An integer in the accumulator, and all slots, are addresses far inside the guard.
    a.emit("copy S->SLOT", 64, 72)
    at = a.size
    a.emit(name, *(operand for part in form.parts for operand in _operands(part)))
    a.label("target")
    a.emit("exit")
    guest.functions.clear()
    f = guest.function(a)
    values = [0x10_0000] * 64
    trap, _ = guest.run(f, *values)
    c = guest.context
    entry = guest.codes[f].entry
    same = (c.fp == c.stack, c.instance == guest.at, c.rp == c.refs, c.frames_left == 1000)
    return trap, c.ip - entry == at, same


# A cell of the instance, of which only memory and globals matter here.
CELL = as_struct(Instance).size


def _operands(form):
    from runwell.isa.form import Dst, Src
    from runwell.isa.register import Word

    for src in form.srcs:
        if src != Src.ACC:
            yield 0x10_0000 if src in (Src.IMM, Src.IMM64) else 128
    for kind in form.imms:
        yield {Word.TARGETS: ["target", "target"], Word.GLOBAL: CELL, Word.SLOT: 136}.get(kind, 0)
    if form.dst not in (Dst.NONE, Dst.ACC):
        yield "target" if form.dst.is_branch else 136


def test_every_access_faults_at_its_instruction(worker):
    names = list(faulting_forms())
    assert len(names) > 200
    expected = (TrapCode.OUT_OF_BOUNDS_MEMORY, True, (True,) * 4)
    wrong = [answer for answer in worker.run(fault, names) if answer[1:] != expected]
    assert not wrong
