"""``runwell run``: a program from its file to its exit code."""

from __future__ import annotations

import io
import os
import sys

import runwell
from runwell.base.types import ValType
from runwell.module.types import ExternKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import SimpleNamespace
    from typing import Any

    from runwell.base.progress import Line
else:
    import _signal as signal  # without the enumerations that ``signal`` wraps around it

# As ``timeout`` of the shell has it.
STOPPED = 124
# Names that a message lists.
MOST_NAMES = 10
# Seconds that somebody waits without being told what for.
PATIENCE_S = 0.5


def run(args: SimpleNamespace) -> int:
    """Run ``args.file``; the guest's exit code.

    Raises:
        RunwellError: the module is bad, or the guest trapped.
        OSError: the file or a directory cannot be read.
    """
    behave_like_a_program()
    try:
        limits = _limits(args)
    except ValueError as e:
        print(f"runwell: {e}", file=sys.stderr)
        return 64
    if args.verbose or args.log_level != "off":
        show_messages(args.log_level if args.log_level != "off" else "info")
    config = runwell.Config(
        engine=args.engine, bounds=args.bounds, deterministic=args.deterministic, **limits
    )
    module = load_module(
        os.fspath(args.file),
        engine=runwell.Engine(config),
        validation="lazy" if args.lazy else "eager",
    )
    try:
        wasi = _world(args)
    except ValueError as e:
        print(f"runwell: {e}", file=sys.stderr)
        return 64
    stats = None
    if args.stats:
        from runwell.cli.stats import Stats

        stats = Stats(module)
    try:
        instance = runwell.Instance(module, wasi=wasi)
        if args.invoke is None:
            if "_start" not in instance.exports:
                what = describe_functions(module)
                print(
                    f"runwell: {args.file}: it is no command, as it does not export _start; "
                    f"--invoke NAME calls a function: {what}",
                    file=sys.stderr,
                )
                return 65
            return instance.run()
        return _invoke(instance, args.invoke, args.args)
    except runwell.OutOfFuel:
        print(f"runwell: stopped: it needs more fuel than {args.fuel}", file=sys.stderr)
    except runwell.DeadlineExceeded:
        print(f"runwell: stopped: it took longer than {args.timeout} seconds", file=sys.stderr)
    finally:
        if stats is not None:
            stats.report()
    return STOPPED


def _limits(args: SimpleNamespace) -> dict[str, Any]:
    """What the options limit the guest to.

    Raises:
        ValueError: an option is no number, or out of range.
    """
    limits: dict[str, Any] = {}
    for option, name, number in (("fuel", "fuel", int), ("timeout", "deadline_s", float)):
        text = getattr(args, option)
        if text is None:
            continue
        try:
            limits[name] = number(text)
            runwell.Config(**{name: limits[name]})
        except ValueError:
            raise ValueError(f"--{option} takes a positive number, not {text!r}") from None
    return limits


def _world(args: SimpleNamespace) -> runwell.WasiConfig:
    """What the guest is given.

    Raises:
        ValueError: an option cannot be understood.
        OSError: a file or directory that it names cannot be opened.
    """
    options: dict[str, Any] = {}
    if args.dir or args.tmpfs or args.overlay or args.zip:
        from runwell.cli.worlds import preopens

        options["preopens"] = preopens(args.dir, args.tmpfs, args.overlay, args.zip)
    if args.stdin is not None:
        options["stdin"] = io.FileIO(args.stdin)
    if args.clock is not None:
        from runwell.cli.worlds import clock

        options["clock"] = clock(args.clock)
    if args.seed is not None:
        try:
            options["random"] = int(args.seed, 0)
        except ValueError:
            raise ValueError(f"--seed takes a number, not {args.seed!r}") from None
    if args.listen:
        from runwell.wasi.sockets import address

        for text in args.listen:
            address(text)
    return runwell.WasiConfig(
        args=[args.arg0 or os.path.basename(args.file), *args.args],
        env=dict(map(_variable, args.env)),
        listeners=args.listen,
        **options,
    )


def load_module(path: str, **options: Any) -> runwell.Module:
    """The module in a file; a terminal is told how far it is if that takes long.

    Args:
        path: of the file.
        options: as for ``Module``.
    """
    line = _progress_line()
    try:
        return runwell.Module(path, progress=line, **options)
    finally:
        if line is not None:
            line.clear()


def _progress_line() -> Line | None:
    if not os.isatty(2) and "RUNWELL_PROGRESS" not in os.environ:
        return None
    from runwell.base.progress import Line

    return Line(PATIENCE_S)


def show_messages(level: str) -> None:
    """Write what Runwell logs to the standard error, with milliseconds since now.

    Args:
        level: the lowest that counts, as ``logging`` calls it.
    """
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(relativeCreated)8.1f ms %(name)s: %(message)s"))
    logger = logging.getLogger("runwell")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


def behave_like_a_program() -> None:
    """Let a closed pipe end the process, as it ends a native program."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _variable(text: str) -> tuple[str, str]:
    key, given, value = text.partition("=")
    return key, value if given else os.environ.get(key, "")


def _invoke(instance: runwell.Instance, name: str, texts: list[str]) -> int:
    try:
        function = instance.exports[name]
        params = function.type.params
    except (KeyError, AttributeError):
        what = describe_functions(instance.module)
        print(f"runwell: no function is exported as {name!r}: {what}", file=sys.stderr)
        return 64
    if len(texts) != len(params):
        print(f"runwell: {name} takes {len(params)} arguments: {function.type}", file=sys.stderr)
        return 64
    try:
        values = [
            _value(t, text, n) for n, (t, text) in enumerate(zip(params, texts, strict=True), 1)
        ]
    except ValueError as e:
        print(f"runwell: {name}: {e}", file=sys.stderr)
        return 64
    result = function(*values)
    for value in result if isinstance(result, tuple) else () if result is None else (result,):
        print(value)
    return 0


def describe_functions(module: runwell.Module) -> str:
    """Which functions there are to call, for people."""
    names = [entry.name for entry in module.exports if entry.kind == ExternKind.FUNC]
    if not names:
        return "it exports no functions"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"its functions are {', '.join(names[:MOST_NAMES])}{more}"


def _value(ty: ValType, text: str, n: int) -> int | float:
    if not (ty.is_int or ty.is_float):
        raise ValueError(f"argument {n}, of type {ty.text}, cannot be given on the command line")
    try:
        value = int(text, 0) if ty.is_int else float(text)
    except ValueError:
        value = None
    if value is None or (ty.is_int and not -(1 << (ty.bits - 1)) <= value < 1 << ty.bits):
        raise ValueError(f"argument {n} must be of type {ty.text}, not {text!r}")
    return value
