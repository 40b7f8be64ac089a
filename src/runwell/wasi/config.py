"""What a guest gets from its host: arguments, environment, streams, directories."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

    Source = str | bytes | IO[bytes] | None
    Sink = str | IO[bytes] | Callable[[bytes], object] | None


class WasiConfig:
    """The world of a WASI program.

    Attributes:
        args: the program's arguments, the first being its name.
        env: environment variables.
        preopens: guest path to host directory; the guest reaches nothing else.
        stdin: "inherit", the bytes to read, a binary file object, or None for no input.
        stdout: "inherit", a binary file object, a callable taking bytes, or None to discard.
        stderr: like ``stdout``.
    """

    __slots__ = ("args", "env", "preopens", "stderr", "stdin", "stdout")

    def __init__(
        self,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        preopens: Mapping[str, str | os.PathLike[str]] | None = None,
        stdin: Source = "inherit",
        stdout: Sink = "inherit",
        stderr: Sink = "inherit",
    ) -> None:
        """Describe the world.

        Args:
            args: see the attributes.
            env: see the attributes.
            preopens: see the attributes.
            stdin: see the attributes.
            stdout: see the attributes.
            stderr: see the attributes.

        Raises:
            ValueError: an argument or variable holds a NUL, or a stream is an unknown word.
        """
        self.args = [_no_nul(a) for a in args]
        self.env = {_no_nul(k): _no_nul(v) for k, v in (env or {}).items()}
        self.preopens = {_no_nul(k): os.fspath(v) for k, v in (preopens or {}).items()}
        for stream in (stdin, stdout, stderr):
            if isinstance(stream, str) and stream != "inherit":
                raise ValueError(f'a stream is "inherit", a file object or None, not {stream!r}')
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr

    def __repr__(self) -> str:
        return f"WasiConfig(args={self.args!r}, preopens={self.preopens!r})"


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL character")
    return text
