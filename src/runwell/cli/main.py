"""The ``runwell`` command: options here, work in one module a subcommand.

Only the subcommand that was asked for is imported: starting fast is a feature.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from runwell import __version__

# Exit codes, after sysexits.h and the shell's 128 + signal.
USAGE, BAD_MODULE, NO_INPUT, INTERNAL, CANNOT_WRITE = 64, 65, 66, 70, 73
TRAPPED = 134

ENGINES = ("interpreter",)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="runwell", description="Run WebAssembly: sandboxed, at native speed."
    )
    top.add_argument("--version", action="version", version=f"runwell {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="run a program or one of its functions")
    run.add_argument("--dir", action="append", default=[], metavar="HOST[::GUEST]",
                     help="let the guest reach this directory, and nothing else")  # fmt: skip
    run.add_argument("--env", action="append", default=[], metavar="KEY[=VALUE]",
                     help="set a variable, or pass on the host's")  # fmt: skip
    run.add_argument("--arg0", metavar="NAME", help="the program's own name (default: FILE)")
    run.add_argument("--invoke", metavar="NAME", help="call this exported function with ARGS")
    run.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="how to execute")
    run.add_argument("--bounds", choices=("guard", "explicit"), default="guard",
                     help="how memory accesses are kept inside")  # fmt: skip
    run.add_argument("--lazy", action="store_true", help="validate functions at their first call")
    run.add_argument("file", metavar="FILE", help="a .wasm or .wat module")
    run.add_argument("args", nargs=argparse.REMAINDER, metavar="ARGS", help="the guest's arguments")

    validate = commands.add_parser("validate", help="say whether modules are valid")
    validate.add_argument("files", nargs="+", metavar="FILE")

    inspect = commands.add_parser("inspect", help="look inside a module")
    inspect.add_argument("file", metavar="FILE")
    what = inspect.add_mutually_exclusive_group()
    what.add_argument("--wat", action="store_true", help="the module as text")
    what.add_argument("--disassemble", metavar="FUNC", help="one function as text")
    what.add_argument("--ir", metavar="FUNC", help="one function as register code")

    wast = commands.add_parser("wast", help="run test scripts")
    wast.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    wast.add_argument("files", nargs="+", metavar="FILE")

    cache = commands.add_parser("cache", help="the cache of native code")
    cache.add_argument("action", choices=("path", "list", "clear"), nargs="?", default="list")

    commands.add_parser("doctor", help="check that this machine has what Runwell needs")
    return top


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; the process's own by default.

    Returns:
        The exit code: the guest's own, or 65 for a bad module, 66 for a missing file, 134 for
        a trap.
    """
    from runwell.base.errors import InternalError, RunwellError, Trap

    args = parser().parse_args(argv)
    command = import_module(f"runwell.cli.{args.command}")
    try:
        code: int = command.run(args)
    except Trap as e:
        print(f"runwell: trap: {e}", file=sys.stderr)
        return TRAPPED
    except RunwellError as e:
        name = getattr(args, "file", "")
        print(f"runwell: {name + ': ' if name else ''}{e}", file=sys.stderr)
        return BAD_MODULE
    except (FileNotFoundError, IsADirectoryError, PermissionError) as e:
        print(f"runwell: {e.filename}: {e.strerror}", file=sys.stderr)
        return NO_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return CANNOT_WRITE
    except InternalError as e:
        print(f"runwell: internal error: {e}\nPlease report this, with the module.",
              file=sys.stderr)  # fmt: skip
        return INTERNAL
    return code


if __name__ == "__main__":
    sys.exit(main())
