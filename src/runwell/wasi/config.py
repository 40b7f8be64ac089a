"""What a guest gets from its host: arguments, environment, streams, directories, time."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import IO, Literal

    from runwell.wasi.clocks import Clock
    from runwell.wasi.protocol import Directory

    Source = (
        Literal["inherit"] | bytes | os.PathLike[str] | IO[bytes] | Callable[[int], bytes] | None
    )
    Sink = (
        Literal["inherit", "capture"]
        | os.PathLike[str]
        | IO[bytes]
        | Callable[[bytes], object]
        | None
    )
    Preopen = str | os.PathLike[str] | Directory

CAPTURED = 1 << 26  # bytes of each stream


class WasiConfig:
    """The world of a WASI program.

    One configuration can serve any number of instances.

    Attributes:
        args: the program's arguments, the first being its name.
        env: environment variables.
        preopens: what each guest path is: a directory of the host by its path, or a directory of
            any world (see ``runwell.wasi``).  The guest reaches nothing else.
        stdin: ``"inherit"`` for this process's own, bytes, a path (not as a ``str``), a binary file
            object, a callable that takes how many bytes are wanted and returns at most as many,
            b"" at the end; or None for no input.
        stdout: ``"inherit"``, ``"capture"`` to find it in ``instance.wasi.stdout``, a path of a
            file to make anew, a binary file object, a callable that takes bytes, or None to
            discard.
        stderr: like ``stdout``.
        clock: ``"real"``, ``"virtual"``, or a ``Clock``, e.g. ``VirtualClock(start_ns, tick_ns)``;
            None for the virtual one in a deterministic engine and the real one in others.
        random: a seed, or a callable that takes how many bytes are wanted, e.g. ``os.urandom``;
            None for the seed 0 in a deterministic engine and the system's random bytes in others.
        listeners: what the guest can accept connections from, as descriptors after those of the
            preopens: sockets that listen, or addresses ``"HOST:PORT"``.
        max_captured: bytes of each stream that are captured; then the guest is told that the
            device is full.
    """

    __slots__ = (
        "args",
        "clock",
        "env",
        "listeners",
        "max_captured",
        "preopens",
        "random",
        "stderr",
        "stdin",
        "stdout",
    )

    def __init__(
        self,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        preopens: Mapping[str, Preopen] | None = None,
        stdin: Source = "inherit",
        stdout: Sink = "inherit",
        stderr: Sink = "inherit",
        *,
        clock: Literal["real", "virtual"] | Clock | None = None,
        random: int | Callable[[int], bytes] | None = None,
        listeners: Iterable[str | socket.socket] = (),
        max_captured: int = CAPTURED,
    ) -> None:
        """Describe the world.

        Args:
            args: see the attributes.
            env: see the attributes.
            preopens: see the attributes.
            stdin: see the attributes.
            stdout: see the attributes.
            stderr: see the attributes.
            clock: see the attributes.
            random: see the attributes.
            listeners: see the attributes.
            max_captured: see the attributes.

        Raises:
            ValueError: an argument or variable holds a NUL, or a word is unknown.
            TypeError: an argument is of a wrong type.
        """
        if isinstance(args, str | bytes):
            raise TypeError(f"args is a list of arguments, not one {type(args).__name__}")
        for name, mapping in ("env", env), ("preopens", preopens):
            if mapping is not None and not hasattr(mapping, "items"):
                raise TypeError(f"{name} must be a mapping, not {type(mapping).__name__}")
        self.args = [_no_nul(a) for a in args]
        self.env = {_no_nul(k): _no_nul(v) for k, v in (env or {}).items()}
        for name in self.env:
            if not name or "=" in name:
                raise ValueError(f"{name!r} cannot be the name of a variable")
        self.preopens = {_no_nul(k): _directory(v) for k, v in (preopens or {}).items()}
        _check_stream("stdin", stdin, ("inherit",), "read")
        _check_stream("stdout", stdout, ("inherit", "capture"), "write")
        _check_stream("stderr", stderr, ("inherit", "capture"), "write")
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        if isinstance(clock, str) and clock not in ("real", "virtual"):
            raise ValueError(f'clock is "real", "virtual" or a Clock, not {clock!r}')
        if not (clock is None or isinstance(clock, str) or hasattr(clock, "now")):
            raise TypeError(f"a {type(clock).__name__} is not a Clock: it has no method now")
        if not (random is None or isinstance(random, int) or callable(random)):
            raise TypeError(f"random is a seed or a callable, not a {type(random).__name__}")
        self.clock, self.random = clock, random
        self.listeners, self.max_captured = list(listeners), max_captured

    def __repr__(self) -> str:
        return f"WasiConfig(args={self.args!r}, preopens={self.preopens!r})"


def _no_nul(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"arguments, variables and names are strings, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL character")
    return text


def _directory(where: Preopen) -> Preopen:
    if isinstance(where, str | os.PathLike):
        return os.fspath(where)
    if not hasattr(where, "open"):
        raise TypeError(f"a {type(where).__name__} is neither a path nor a directory of a world")
    return where


def _check_stream(name: str, stream: object, words: tuple[str, ...], method: str) -> None:
    if isinstance(stream, str):
        if stream not in words:
            have = ", ".join(f'"{word}"' for word in words)
            raise ValueError(f"{name} is {have}, a path, a file object or None, not {stream!r}")
    elif hasattr(stream, method):
        if hasattr(stream, "encoding"):
            raise TypeError(f"{name} must be a binary file object: use its attribute buffer")
    elif not (
        stream is None
        or callable(stream)
        or isinstance(stream, os.PathLike)
        or (name == "stdin" and isinstance(stream, bytes | bytearray | memoryview))
    ):
        raise TypeError(f"{name} cannot be a {type(stream).__name__}")
