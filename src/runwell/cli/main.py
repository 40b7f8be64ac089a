"""The ``runwell`` command: options here, work in one module a subcommand.

Only the subcommand that was asked for is imported: starting fast is a feature.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from argparse import REMAINDER, ArgumentParser, HelpFormatter, Namespace
from importlib import import_module

from runwell import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

# Exit codes, after sysexits.h and the shell's 128 + signal.
USAGE, BAD_MODULE, NO_INPUT, INTERNAL, CANNOT_WRITE = 64, 65, 66, 70, 73
TRAPPED = 134

ENGINES = ("interpreter",)


def _run(parser: ArgumentParser) -> None:
    parser.add_argument("--dir", action="append", default=[], metavar="HOST[::GUEST]",
                        help="let the guest reach this directory, and nothing else")  # fmt: skip
    parser.add_argument("--env", action="append", default=[], metavar="KEY[=VALUE]",
                        help="set a variable, or pass on the host's")  # fmt: skip
    parser.add_argument("--arg0", metavar="NAME", help="the program's own name (default: FILE)")
    parser.add_argument("--invoke", metavar="NAME", help="call this exported function with ARGS")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="how to execute")
    parser.add_argument("--bounds", choices=("guard", "explicit"), default="guard",
                        help="how memory accesses are kept inside")  # fmt: skip
    parser.add_argument("--lazy", action="store_true", help="validate functions at first call")
    parser.add_argument("file", metavar="FILE", help="a .wasm or .wat module")
    parser.add_argument("args", nargs=REMAINDER, metavar="ARGS", help="the guest's arguments")


def _validate(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE")


def _inspect(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--wat", action="store_true", help="the module as text")
    what.add_argument("--disassemble", metavar="FUNC", help="one function as text")
    what.add_argument("--ir", metavar="FUNC", help="one function as register code")


def _wast(parser: ArgumentParser) -> None:
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("files", nargs="+", metavar="FILE")


def _cache(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("path", "list", "clear"), nargs="?", default="list")


def _doctor(_: ArgumentParser) -> None:
    pass


# What each subcommand is for, and its grammar.
COMMANDS: dict[str, tuple[str, Callable[[ArgumentParser], None]]] = {
    "run": ("run a program or one of its functions", _run),
    "validate": ("say whether modules are valid", _validate),
    "inspect": ("look inside a module", _inspect),
    "wast": ("run test scripts", _wast),
    "cache": ("the cache of native code", _cache),
    "doctor": ("check that this machine has what Runwell needs", _doctor),
}


def parse(argv: list[str]) -> Namespace:
    """Parse the command line; for a subcommand only its own grammar is made."""
    name = argv[0] if argv else ""
    if name in COMMANDS:
        parser = _Parser(prog=f"runwell {name}")
        COMMANDS[name][1](parser)
        return parser.parse_args(argv[1:], Namespace(command=name))
    top = _Parser(prog="runwell", description="Run WebAssembly: sandboxed, at native speed.")
    top.add_argument("--version", action="version", version=f"runwell {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (text, declare) in COMMANDS.items():
        declare(commands.add_parser(name, help=text))
    return top.parse_args(argv)


class _Parser(ArgumentParser):
    """A parser whose help has a fixed width.

    To ask the terminal, which ``argparse`` does at every option, takes as long as all the rest.
    """

    def _get_formatter(self) -> HelpFormatter:
        return HelpFormatter(self.prog, width=80)


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; the process's own by default.

    Returns:
        The exit code: the guest's own, or 65 for a bad module, 66 for a missing file, 134 for
        a trap.
    """
    from runwell.base.errors import InternalError, RunwellError, Trap

    args = parse(sys.argv[1:] if argv is None else argv)
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


def program() -> NoReturn:
    """Be the process: run ``main``, and end."""
    # Starting makes thousands of objects and no garbage: do not look for any in the meantime.
    gc.set_threshold(20_000, *gc.get_threshold()[1:])
    code = main()
    if "threading" in sys.modules:  # there may be threads to wait for
        sys.exit(code)
    # What follows is all that anybody notices of Python's own end, which frees every object.
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # and let Python say so
    os._exit(code)
