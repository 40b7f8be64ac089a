"""Faults, in worker processes: what is the guest's traps, what is not ends the process."""

import signal

import pytest

SETUP = """
import core, ctypes, faulthandler, os, signal, sys, threading
from runwell.module.types import MemoryType
from runwell.runtime import signals
from runwell.runtime.context import current_context
from runwell.runtime.memory import Memory

libc = ctypes.CDLL(None)

def guest(offset=1 << 31, memory=None):
    memory = memory or Memory(MemoryType(1))
    return core.load_word(library, current_context(), memory, offset)

def wild():
    ctypes.c_uint8.from_address(8).value
"""
INSTALL = "core.install_faults(library)\n"
TRAPS = "assert guest(0) == 0 and guest() is None\nprint('trapped', flush=True)\n"


def check_died(done, *, report, where="in wild"):
    assert done.returncode == -signal.SIGSEGV, done.stderr
    assert ("Segmentation fault" in done.stderr) is report
    assert (where in done.stderr) is report


@pytest.mark.parametrize("offset", ["65536", "(1 << 32) - 4", "(1 << 33) - 1", "65533"])
def test_a_guest_fault_is_a_trap(worker, offset):
    done = worker(SETUP + INSTALL + f"assert guest(65532) == 0 and guest({offset}) is None")
    assert done.returncode == 0, done.stderr


def test_the_context_says_which_address(worker):
    done = worker(
        SETUP
        + INSTALL
        + """
m = Memory(MemoryType(1))
guest(123456789, m)
assert current_context().native.fault_address == m.base + 123456789
assert guest(5, m) == 0
"""
    )
    assert done.returncode == 0, done.stderr


def test_many_traps_in_many_threads(worker):
    done = worker(
        SETUP
        + INSTALL
        + """
def run():
    for _ in range(300):
        assert guest() is None
        assert guest(0) == 0
threads = [threading.Thread(target=run) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print("done")
"""
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("first", [True, False])
def test_with_faulthandler_enabled_before_or_after(worker, first):
    enable = "faulthandler.enable()\n"
    program = enable + INSTALL if first else INSTALL + enable + "signals.recheck()\n"
    done = worker(SETUP + program + TRAPS + "wild()")
    assert done.stdout == "trapped\n"
    check_died(done, report=True)


def test_a_guest_survives_a_faulthandler_enabled_behind_our_back(worker):
    done = worker(SETUP + INSTALL + TRAPS + "faulthandler.enable()\n" + TRAPS + TRAPS + "wild()")
    assert done.stdout == "trapped\n" * 3
    # It reports what it takes for the end, once; then it is disabled.
    assert done.stderr.count("Segmentation fault") == 1
    check_died(done, report=True, where="in guest")


def test_a_crash_with_a_faulthandler_enabled_behind_our_back(worker):
    done = worker(SETUP + INSTALL + TRAPS + "faulthandler.enable()\nwild()")
    check_died(done, report=True)


def test_without_faulthandler_a_crash_is_a_crash(worker):
    done = worker(SETUP + INSTALL + TRAPS + "wild()")
    assert done.stdout == "trapped\n"
    check_died(done, report=False)


def test_faults_of_guest_code_elsewhere_are_not_hidden(worker):
    done = worker(
        SETUP
        + INSTALL
        + TRAPS
        + """
faulthandler.enable()
signals.recheck()
class Nowhere:
    base = 1 << 40
def wild():
    guest(0, Nowhere)
wild()
"""
    )
    check_died(done, report=True)


def test_faults_in_guest_memory_by_others_are_not_hidden(worker):
    done = worker(
        SETUP
        + INSTALL
        + """
faulthandler.enable()
signals.recheck()
def wild():
    m = Memory(MemoryType(1))
    ctypes.c_uint8.from_address(m.base + 65536).value
wild()
"""
    )
    check_died(done, report=True)


def test_a_closed_memory_is_nobodys(worker):
    done = worker(
        SETUP
        + INSTALL
        + """
faulthandler.enable()
signals.recheck()
m = Memory(MemoryType(1))
class Stale:
    base = m.base
del m
def wild():
    guest(1 << 31, Stale)
wild()
"""
    )
    check_died(done, report=True)


def test_unknown_contexts_are_not_trusted(worker):
    done = worker(
        SETUP
        + INSTALL
        + """
from runwell.runtime.native import native
native.remove_context(current_context().address)
guest()
"""
    )
    assert done.returncode == -signal.SIGSEGV


HANDLERS = """
PLAIN = ctypes.CFUNCTYPE(None, ctypes.c_int)
INFO = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

class Action(ctypes.Structure):
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16),
                ("flags", ctypes.c_int), ("restorer", ctypes.c_void_p)]

def handle(function, flags):
    action = Action(ctypes.cast(function, ctypes.c_void_p).value, flags=flags)
    assert libc.sigaction(11, ctypes.byref(action), None) == 0
"""


@pytest.mark.parametrize(
    ("kind", "flags"), [("PLAIN", 0), ("INFO", 4), ("INFO", 4 | 0x40000000), ("PLAIN", 0x10000000)]
)
@pytest.mark.parametrize("before", [True, False])
def test_earlier_handlers_are_asked(worker, kind, flags, before):
    handler = f"""
@{kind}
def ours(number, *rest):
    if rest:
        address = ctypes.c_uint64.from_address(rest[0] + 16).value
        os.write(1, b"at %d " % address)
    os.write(1, b"asked %d" % number)
    os._exit(7)
handle(ours, {flags})
"""
    program = handler + INSTALL if before else INSTALL + handler + "signals.recheck()\n"
    done = worker(SETUP + HANDLERS + program + TRAPS + "wild()")
    where = "at 8 " if kind == "INFO" else ""
    assert (done.returncode, done.stdout) == (7, f"trapped\n{where}asked 11"), done.stderr


def test_a_handler_that_repairs_the_fault_goes_on(worker):
    done = worker(
        SETUP
        + HANDLERS
        + """
from runwell.runtime.mapping import PAGE, Mapping
page = Mapping(PAGE, writable=False)
@PLAIN
def repair(number):
    libc.mprotect(ctypes.c_void_p(int(page)), PAGE, 3)
handle(repair, 0)
"""
        + INSTALL
        + TRAPS
        + "print(ctypes.c_uint8.from_address(page).value)"
    )
    assert done.stdout == "trapped\n0\n", done.stderr


def test_signals_that_are_no_faults_are_passed_on(worker):
    done = worker(
        SETUP
        + """
signal.signal(signal.SIGSEGV, lambda *_: print("python", flush=True))
"""
        + INSTALL
        + TRAPS
        + """
os.kill(os.getpid(), signal.SIGSEGV)
print("went on", flush=True)
"""
    )
    assert done.stdout == "trapped\npython\nwent on\n", done.stderr


@pytest.mark.parametrize("send", ["os.kill(os.getpid(), 11)", "signal.raise_signal(11)"])
@pytest.mark.parametrize("ignored", [True, False])
def test_signals_with_default_or_no_action(worker, send, ignored):
    ignore = "signal.signal(signal.SIGSEGV, signal.SIG_IGN)\n" if ignored else ""
    done = worker(SETUP + ignore + INSTALL + TRAPS + send + "\nprint('went on')")
    if ignored:
        assert (done.returncode, done.stdout) == (0, "trapped\nwent on\n")
    else:
        assert (done.returncode, done.stdout) == (-signal.SIGSEGV, "trapped\n")


def test_an_ignored_fault_ends_the_process_all_the_same(worker):
    ignore = "signal.signal(signal.SIGSEGV, signal.SIG_IGN)\n"
    check_died(worker(SETUP + ignore + INSTALL + TRAPS + "wild()"), report=False)


def test_a_handler_that_passes_on_to_us_does_not_go_round_for_ever(worker):
    done = worker(
        SETUP
        + HANDLERS
        + "faulthandler.enable()\n"
        + INSTALL
        + """
old = Action()
libc.sigaction(11, None, ctypes.byref(old))
@INFO
def relay(number, info, context):
    os.write(1, b"relay ")
    INFO(old.handler)(number, info, context)
handle(relay, 4 | 0x40000000)
signals.recheck()
"""
        + TRAPS
        + "wild()"
    )
    assert done.stdout == "trapped\nrelay "
    check_died(done, report=True)


def test_bus_errors_are_handled_too(worker):
    done = worker(SETUP + INSTALL + TRAPS + "faulthandler.disable()\nos.kill(os.getpid(), 7)")
    assert (done.returncode, done.stdout) == (-signal.SIGBUS, "trapped\n")


def test_a_forked_child_traps(worker):
    done = worker(
        SETUP
        + INSTALL
        + TRAPS
        + """
pid = os.fork()
if pid == 0:
    print("child", guest(), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print("parent", guest())
"""
    )
    assert done.stdout == "trapped\nchild None\nparent None\n", done.stderr


def test_installing_is_done_once(worker):
    done = worker(
        SETUP
        + INSTALL
        + """
from runwell.runtime.native import native
print([native.install_fault_handler() for _ in range(3)])
faulthandler.enable()
print([native.install_fault_handler() for _ in range(3)])
"""
    )
    assert done.stdout == "[0, 0, 0]\n[2, 0, 0]\n", done.stderr
