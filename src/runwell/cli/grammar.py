"""The grammar of the command line, as data, and its reading.

Importing ``argparse`` and making a parser takes longer than to load and run a small program.  So
a command line in which all is plain is read here, and any other one, which may be wrong or ask for
help, by ``argparse``.
"""

from __future__ import annotations

from runwell import __version__
from runwell.base.light import NamedTuple, SimpleNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any, NoReturn

ENGINES = ("tiered", "interpreter", "jit")
WIDTH = 80  # of the help: to ask the terminal takes its time


class Argument(NamedTuple):
    """An argument of a subcommand.

    Attributes:
        name: of an option, with its dashes, or of a positional argument.
        metavar: what stands for its value in the help.
        help: what it is for.
        how: "store", "store_true" or "append" for an option, as ``argparse`` has it; for a
            positional argument "store", "?" if it may be left out, "+" for one or more, and "..."
            for all that is left.
        choices: the values that are allowed; the first is the default.
        short: of an option, a name with one dash.
    """

    name: str
    metavar: str | None = None
    help: str | None = None
    how: str = "store"
    choices: tuple[str, ...] | None = None
    short: str | None = None

    @property
    def key(self) -> str:
        """The attribute of its value."""
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def is_option(self) -> bool:
        """Is it not a positional argument?"""
        return self.name.startswith("--")

    @property
    def default(self) -> Any:
        """What it is when it is not given."""
        if self.choices:
            return self.choices[0]
        return {"store_true": False, "append": [], "...": []}.get(self.how)


class Command(NamedTuple):
    """A subcommand.

    Attributes:
        help: what it is for.
        arguments: what it takes.
        exclusive: names of options of which only one may be given.
    """

    help: str
    arguments: tuple[Argument, ...] = ()
    exclusive: tuple[str, ...] = ()


_FILE = Argument("file", "FILE", "a .wasm or .wat module")
_FILES = Argument("files", "FILE", how="+")
_ENGINE = Argument("--engine", help="how to execute", choices=ENGINES)

COMMANDS = {
    "run": Command(
        "run a program or one of its functions",
        (
            Argument("--dir", "HOST[::GUEST][:OPTIONS]",
                     "let the guest reach this directory, under another name if one is given; "
                     "options: ro, bytes=SIZE and files=N for a quota", "append"),
            Argument("--tmpfs", "GUEST[:OPTIONS]",
                     "an empty directory in memory; options: bytes=SIZE, files=N", "append"),
            Argument("--overlay", "HOST[::GUEST][:OPTIONS]",
                     "a directory of which the guest changes a copy, in memory; options: "
                     "upper=DIR to keep the changes there, bytes=SIZE, files=N", "append"),
            Argument("--zip", "FILE[::GUEST]", "a zip archive to be read, as /", "append"),
            Argument("--env", "KEY[=VALUE]", "set a variable, or pass on the host's", "append"),
            Argument("--arg0", "NAME", "the program's own name (default: FILE)"),
            Argument("--stdin", "FILE", "what the guest reads as its standard input"),
            Argument("--clock", "CLOCK",
                     "real (default), or virtual[:START][,tick=NS], which starts at START (seconds "
                     "since 1970, or a date) and passes only when the guest looks or sleeps"),
            Argument("--seed", "N", "random numbers that are the same in each run"),
            Argument("--deterministic", how="store_true",
                     help="do the same in each run, engine and machine: canonical NaNs, a virtual "
                     "clock, and the random numbers of --seed, or of seed 0"),
            Argument("--listen", "HOST:PORT",
                     "a socket for the guest to accept connections from", "append"),
            Argument("--fuel", "N", "stop after about so many instructions, exactly reproducible"),
            Argument("--timeout", "SECONDS", "stop after so much time"),
            Argument("--invoke", "NAME", "call this exported function with ARGS"),
            _ENGINE,
            Argument("--bounds", help="how memory accesses are kept inside",
                     choices=("guard", "explicit")),
            Argument("--lazy", help="validate functions at first call", how="store_true"),
            Argument("--stats", how="store_true",
                     help="say at the end what was compiled and where the time went"),
            Argument("--verbose", how="store_true", short="-v",
                     help="say what is prepared, compiled and limited: --log-level info"),
            Argument("--log-level", choices=("off", "debug", "info", "warning"),
                     help="which messages of Runwell itself go to the standard error"),
            _FILE,
            Argument("args", "ARGS", "the guest's arguments", "..."),
        ),
    ),
    "validate": Command("say whether modules are valid", (_FILES,)),
    "inspect": Command(
        "look inside a module",
        (
            Argument("--wat", help="the module as text", how="store_true"),
            Argument("--disassemble", "FUNC", "one function as text"),
            Argument("--ir", "FUNC", "one function as register code"),
            Argument("--llvm", "FUNC", "one function as LLVM's text, optimised"),
            Argument("--asm", "FUNC", "one function as machine code, in assembly"),
            Argument("--engine", help="whose code --llvm and --asm show", choices=("jit",)),
            _FILE,
        ),
        exclusive=("--wat", "--disassemble", "--ir", "--llvm", "--asm"),
    ),
    "bindgen": Command(
        "write a typed Python wrapper of a module, a .py and a .pyi",
        (
            Argument("--output", "DIR", "where to (default: beside the module)"),
            Argument("--name", "NAME", "name of the wrapper (default: that of the file)"),
            Argument("--check", how="store_true",
                     help="write nothing, and fail if the files are not what would be written"),
            _FILE,
        ),
    ),
    "wast": Command(
        "run test scripts",
        (
            _ENGINE,
            Argument("--features", "LIST",
                     "features to turn on, or off with a - before the name; by default what the "
                     "suite of a proposal wants, by the directory"),
            _FILES,
        ),
    ),
    "cache": Command(
        "the cache of native code",
        (Argument("action", how="?", choices=("list", "path", "clear")),),
    ),
    "doctor": Command("check that this machine has what Runwell needs"),
}  # fmt: skip


def parse(argv: list[str]) -> SimpleNamespace:
    """What the command line says: an attribute for each argument, and ``command``.

    Raises:
        SystemExit: it is wrong, or asks for help, which was given.
    """
    name = argv[0] if argv else ""
    values = read_plain(COMMANDS[name], argv[1:]) if name in COMMANDS else None
    return read_any(argv) if values is None else SimpleNamespace(command=name, **values)


def read_plain(command: Command, argv: list[str]) -> dict[str, Any] | None:
    """The values of a command's arguments, or None if there is more to them than their order."""
    options = {a.name: a for a in command.arguments if a.is_option}
    options |= {a.short: a for a in command.arguments if a.short is not None}
    values = {a.key: a.default for a in command.arguments}
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        if argv[at] == "--":  # the end of the options
            at += 1
            break
        name, equals, value = argv[at].partition("=")
        option = options.get(name)
        if option is None or name in command.exclusive:
            return None
        at += 1
        if option.how == "store_true":
            if equals:
                return None
            values[option.key] = True
            continue
        if not equals:
            if at == len(argv) or argv[at].startswith("-"):
                return None
            value = argv[at]
            at += 1
        if option.choices and value not in option.choices:
            return None
        if option.how == "append":
            values[option.key].append(value)
        else:
            values[option.key] = value
    rest = argv[at:]
    for a in command.arguments:
        if a.is_option:
            continue
        if a.how == "...":
            return values | {a.key: rest}  # which are the guest's, dashes and all
        elif a.how == "+" and rest:
            values[a.key], rest = rest, []
            if any(value.startswith("-") for value in values[a.key]):
                return None
        elif rest:
            values[a.key], *rest = rest
            if a.choices and values[a.key] not in a.choices:
                return None
        elif a.how != "?":
            return None
    return None if rest or "--" in argv else values


def read_any(argv: list[str]) -> SimpleNamespace:
    """Leave it to ``argparse``, but for what it says: that is one line."""
    from argparse import ArgumentParser, HelpFormatter

    class Parser(ArgumentParser):
        def error(self, message: str) -> NoReturn:
            self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def formatter(prog: str) -> HelpFormatter:
        return HelpFormatter(prog, width=WIDTH)

    top = Parser(
        prog="runwell",
        description="Run WebAssembly: sandboxed, at native speed.",
        formatter_class=formatter,
    )
    top.add_argument("--version", action="version", version=f"runwell {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        _declare(
            command,
            commands.add_parser(
                name, help=command.help, formatter_class=formatter, allow_abbrev=False
            ),
        )
    values, unknown = top.parse_known_args(argv, SimpleNamespace())
    if unknown:
        top.prog += f" {values.command}"
        top.error(_describe_unknown(unknown[0], COMMANDS[values.command]))
    return values


def _describe_unknown(text: str, command: Command) -> str:
    """What is wrong with an argument that nobody wants, and what was meant by it perhaps."""
    from difflib import get_close_matches

    if not text.startswith("-"):
        return f"unexpected argument {text!r}"
    options = [a.name for a in command.arguments if a.is_option]
    close = get_close_matches(text.partition("=")[0], options, 1, 0.7)
    return f"unknown option {text}" + (f": is {close[0]} meant?" if close else "")


def _declare(command: Command, parser: ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group() if command.exclusive else parser
    for a in command.arguments:
        settings: dict[str, Any] = {"help": a.help, "default": a.default}
        if a.how in ("?", "+", "..."):
            settings["nargs"] = a.how
        elif a.is_option:
            settings["action"] = a.how
        if a.how != "store_true":
            settings |= {"metavar": a.metavar, "choices": a.choices}
        names = (a.name,) if a.short is None else (a.short, a.name)
        (group if a.name in command.exclusive else parser).add_argument(*names, **settings)
