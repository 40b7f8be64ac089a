"""The ``runwell`` command: its arguments in ``grammar``, its work in one module a subcommand.

Only the subcommand that was asked for is imported: starting fast is a feature.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys

from runwell.base import log
from runwell.base.light import import_module
from runwell.codegen import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal  # without the enumerations that ``signal`` wraps around it

# Exit codes, after sysexits.h and the shell's 128 + signal.
USAGE, BAD_MODULE, NO_INPUT, INTERNAL, CANNOT_WRITE = 64, 65, 66, 70, 73
NO_MEMORY, TRAPPED = 71, 134
# No space left, a file too large, a quota exceeded.
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; the process's own by default.

    Returns:
        The exit code: the guest's own, or 65 for a bad module, 66 for a missing file, 124 if it
        was stopped at a limit that an option sets, 134 for a trap or an exception that the guest
        does not catch.
    """
    from runwell.base.errors import InternalError, RunwellError, Trap, WasmException
    from runwell.cli.grammar import parse

    args = parse(sys.argv[1:] if argv is None else argv)
    command = import_module(f"runwell.cli.{args.command}")
    log.tell_problem = _tell_problem
    try:
        code: int = command.run(args)
    except Trap as e:
        print(f"runwell: trap: {e}", file=sys.stderr)
        return TRAPPED
    except WasmException as e:
        print(f"runwell: {e}", file=sys.stderr)
        return TRAPPED
    except RunwellError as e:
        name = getattr(args, "file", "")
        print(f"runwell: {name + ': ' if name else ''}{e}", file=sys.stderr)
        return BAD_MODULE
    except BrokenPipeError:
        sys.stderr.close()
        return CANNOT_WRITE
    except OSError as e:
        where = f"{e.filename}: " if e.filename else "cannot write: " if e.errno in _FULL else ""
        print(f"runwell: {where}{e.strerror or e}", file=sys.stderr)
        return CANNOT_WRITE if e.errno in _FULL or not e.filename else NO_INPUT
    except MemoryError as e:
        what = f": {e}" if e.args else ""
        print(f"runwell: out of memory or of address space (see ulimit -v){what}", file=sys.stderr)
        return NO_MEMORY
    except ImportError as e:
        if (e.name or "").partition(".")[0] != "llvmlite":
            raise
        print(
            f"runwell: {e}: it is needed to build native code; pip install llvmlite",
            file=sys.stderr,
        )
        return INTERNAL
    except InternalError as e:
        print(f"runwell: internal error: {e}\nPlease report this, with the module.",
              file=sys.stderr)  # fmt: skip
        return INTERNAL
    return code


def _tell_problem(text: str) -> None:
    print(f"runwell: {text}", file=sys.stderr)


def program() -> NoReturn:
    """Be the process: run ``main``, and end."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it, as it ends a native program
    # Starting makes thousands of objects and no garbage: do not look for any in the meantime.
    gc.set_threshold(20_000, *gc.get_threshold()[1:])
    _import_array()
    bundle.use()
    code = main()
    if _is_watched():
        sys.exit(code)
    # Compiler processes take their modules from there, too.
    bundle.save(bundle.compiled() if "runwell.jit.workers" in sys.modules else ())
    # What follows is all that anybody notices of Python's own end, which frees every object.
    atexit._run_exitfuncs()
    try:
        for stream in sys.stdout, sys.stderr:
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)  # and let Python say so
    os._exit(code)


def _import_array() -> None:
    """Import ``array`` without ``collections``, which takes longer than ten modules of ours.

    When it is imported it asks for ``collections.abc`` to be registered there; what it finds by
    that name is there already, and the package around it need not be.  Nobody else runs yet.
    """
    modules = sys.modules
    if "collections" in modules:
        return
    modules["collections"] = type(sys)("collections")
    modules["collections.abc"] = modules["_collections_abc"]
    try:
        import array  # noqa: F401
    finally:
        del modules["collections"], modules["collections.abc"]


def _is_watched() -> bool:
    """Does anybody wait for Python to end: threads, a debugger, a profiler, a prompt?"""
    hooks = sys.gettrace(), sys.getprofile()
    return "threading" in sys.modules or hooks != (None, None) or bool(sys.flags.inspect)
