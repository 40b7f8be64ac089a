"""``runwell doctor``: does this machine have what Runwell needs?

Each check tries the thing itself, as far as possible, instead of asking for version numbers: maps
what a memory maps, executes an instruction, runs a module.  A check that fails says what to do.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from runwell.cli.cache import print_count, print_size
from runwell.codegen.cache import NativeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace

GOOD: Final = "ok"
SLOW: Final = "warning"
BAD: Final = "failed"

# "return 42" for each processor.
_ANSWER: Final = {
    "x86_64": b"\xb8\x2a\0\0\0\xc3",
    "aarch64": b"\x40\x05\x80\x52\xc0\x03\x5f\xd6",
}
_TEXT: Final = b"define i32 @answer() {\n  ret i32 42\n}\n"
_PATIENCE_S: Final = 60.0
# The same as a module.
_MODULE: Final = (
    b"\0asm\1\0\0\0"
    b"\x01\x05\x01\x60\0\x01\x7f"
    b"\x03\x02\x01\0"
    b"\x05\x03\x01\0\x01"
    b"\x07\x0a\x01\x06answer\0\0"
    b"\x0a\x06\x01\x04\0\x41\x2a\x0b"
)


class Finding(NamedTuple):
    """The result of a check.

    Attributes:
        state: ``GOOD``, ``SLOW`` (works, but not as well as it could) or ``BAD``.
        subject: what was checked.
        detail: what was found.
        advice: what to do, "" if nothing.
    """

    state: str
    subject: str
    detail: str
    advice: str = ""


def run(args: SimpleNamespace) -> int:
    """Check everything and print it; 1 if something failed."""
    del args
    worst = 0
    for check in CHECKS:
        finding = check()
        print(f"{finding.state:8} {finding.subject:12} {finding.detail}", flush=True)
        if finding.advice:
            print(f"{'':21} {finding.advice}")
        worst |= finding.state == BAD
    print("Something that Runwell needs is missing." if worst else "Runwell works here.")
    return worst


def check_python() -> Finding:
    """Version and implementation."""
    name = platform.python_implementation()
    detail = f"{name} {platform.python_version()}"
    if name != "CPython":
        return Finding(BAD, "python", detail, "Runwell needs CPython.")
    return Finding(GOOD, "python", detail)


def check_platform() -> Finding:
    """Processor and system."""
    machine, system = platform.machine(), platform.system()
    detail = f"{system} {machine}"
    if system != "Linux" or machine not in _ANSWER:
        known = " and ".join(_ANSWER)
        return Finding(BAD, "platform", detail, f"Runwell runs on Linux, on {known}.")
    return Finding(GOOD, "platform", detail)


def check_compiler() -> Finding:
    """Is llvmlite there?  Nothing is imported: it is needed only to build."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Finding(GOOD, "compiler", f"llvmlite {version('llvmlite')}")
    except PackageNotFoundError:
        if is_prebuilt():
            return Finding(SLOW, "compiler", _NO_COMPILER, _INTERPRETED)
        return Finding(BAD, "compiler", _NO_COMPILER, "Install it: pip install llvmlite")


def is_prebuilt() -> bool:
    """Is there a native core that came with the package, for this machine?"""
    from runwell.interp import core, prebuilt

    return bool(prebuilt.find(core.PREBUILT, core.python_key(), core.source_stamps()))


def check_cache() -> Finding:
    """Can native code be kept?"""
    cache = NativeCache()
    problem = cache.problem()
    if problem:
        return Finding(
            SLOW, "cache", problem,
            "Each start builds again: set RUNWELL_CACHE_DIR to a directory of your own.",
        )  # fmt: skip
    kept = f"{print_count(len(cache.entries()))}, {print_size(cache.size())}"
    return Finding(GOOD, "cache", f"{cache.directory}: {kept}")


def check_execution() -> Finding:
    """May memory become executable after it was written?"""
    import ctypes
    import mmap

    code = _ANSWER.get(platform.machine())
    if code is None:
        return Finding(SLOW, "execution", "not tried on this processor")
    advice = "A security policy (SELinux, a container) forbids native code made at run time."
    libc = ctypes.CDLL(None, use_errno=True)
    with mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:
        page.write(code)
        cell = ctypes.c_char.from_buffer(page)
        address = ctypes.c_void_p(ctypes.addressof(cell))
        try:
            size, rights = ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_EXEC
            if libc.mprotect(address, size, rights):
                error = os.strerror(ctypes.get_errno())
                return Finding(BAD, "execution", f"mprotect: {error}", advice)
            answer = ctypes.CFUNCTYPE(ctypes.c_int)(address.value or 0)()
            libc.mprotect(address, size, mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            del cell
    detail = "memory can be made executable"
    return Finding(GOOD, "execution", detail) if answer == 42 else Finding(BAD, "execution", "no")


def check_memory() -> Finding:
    """Is there address space for a guarded memory?"""
    from runwell.runtime.mapping import GUARDED_BYTES, Mapping

    gib = GUARDED_BYTES >> 30
    try:
        Mapping(GUARDED_BYTES, writable=False)
    except MemoryError:
        return Finding(
            SLOW, "memory", f"{gib} GiB of address space cannot be reserved",
            "Raise the limit (ulimit -v), or use bounds=\"explicit\": checked accesses.",
        )  # fmt: skip
    return Finding(GOOD, "memory", f"{gib} GiB of address space can be reserved")


def compile_answer(data: bytes) -> bytes:
    """What the compiler process of ``check_process`` does with a job: LLVM text."""
    from runwell.codegen.object import compile_text

    return compile_text(data.decode())


def check_process() -> Finding:
    """Can a compiler process be started, and does it compile?"""
    from importlib.util import find_spec

    if find_spec("llvmlite") is None:
        return Finding(SLOW if is_prebuilt() else BAD, "process", _NO_COMPILER)
    from queue import Empty, SimpleQueue

    from runwell.jit.compiler import Outcome, Status
    from runwell.jit.workers import Workers

    started = time.perf_counter()
    done: SimpleQueue[Outcome] = SimpleQueue()
    workers = Workers(f"{__name__}:compile_answer", 1)
    try:
        workers.submit(_TEXT, _PATIENCE_S, done.put)
        outcome = done.get(timeout=_PATIENCE_S)
    except Empty:
        outcome = Outcome(Status.OVERRUN, message="no answer")
    finally:
        workers.close()
    taken_ms = (time.perf_counter() - started) * 1e3
    if outcome.status is not Status.DONE:
        return Finding(BAD, "process", outcome.message, "Please report this, with all lines above.")
    if workers.problem:
        advice = "Code is compiled in a thread of the program instead, which holds it up."
        return Finding(SLOW, "process", workers.problem, advice)
    return Finding(GOOD, "process", f"a compiler process answers after {taken_ms:.0f} ms")


def check_module() -> Finding:
    """Does a module run?  Builds the core if it is not in the cache."""
    started = time.perf_counter()
    try:
        import runwell

        answer = runwell.Instance(runwell.Module(_MODULE)).exports.answer()
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs into the report
        detail = f"{type(error).__name__}: {error}"
        return Finding(BAD, "module", detail, "Please report this, with all lines above.")
    taken_ms = (time.perf_counter() - started) * 1e3
    if answer != 42:
        return Finding(BAD, "module", f"the answer is {answer}, not 42", "Please report this.")
    return Finding(GOOD, "module", f"loaded and called in {taken_ms:.1f} ms")


_NO_COMPILER: Final = "llvmlite is not installed"
_INTERPRETED: Final = "Programs are interpreted; to have them compiled, pip install llvmlite"
CHECKS: Final[tuple[Callable[[], Finding], ...]] = (
    check_python,
    check_platform,
    check_compiler,
    check_cache,
    check_execution,
    check_memory,
    check_process,
    check_module,
)
