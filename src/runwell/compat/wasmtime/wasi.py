"""``WasiConfig``: what a guest gets from WASI."""

import os
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from runwell.compat.wasmtime.errors import WasmtimeError
from runwell.compat.wasmtime.managed import Managed
from runwell.wasi.config import WasiConfig as NativeConfig
from runwell.wasi.host import HostDirectory


class DirPerms(Enum):
    """What may be done with a directory."""

    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_WRITE = 3


class FilePerms(Enum):
    """What may be done with the files of a directory."""

    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_WRITE = 3


class _File:
    """An open file, closed when nobody has it."""

    def __init__(self, path: str | bytes | os.PathLike[str], flags: int) -> None:
        self._fd = -1
        self._fd = os.open(path, flags | os.O_CLOEXEC, 0o666)

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def write(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def _sink(stream: str, flags: int) -> property:
    """A property that can only be written: the path of a file."""

    def put(config: "WasiConfig", path: str | bytes | os.PathLike[str]) -> None:
        config._check_open()
        try:
            config.chosen[stream] = _File(path, flags)
        except OSError as e:
            raise WasmtimeError(f"failed to set {stream} to {path!r}: {e.strerror}") from e

    return property(fset=put)


def _custom(stream: str) -> property:
    """A property that can only be written: a function that gets the bytes."""

    def put(config: "WasiConfig", callback: Callable[[bytes], int | None]) -> None:
        config._check_open()
        config.chosen[stream] = callback

    return property(fset=put)


class WasiConfig(Managed):
    """What a guest gets from WASI: nothing but what is said here.

    Attributes:
        chosen: what was said, by the names that Runwell has for it.
    """

    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {"stdin": None, "stdout": None, "stderr": None}
        self._preopens: dict[str, Any] = {}

    stdin_file = _sink("stdin", os.O_RDONLY)
    stdout_file = _sink("stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    stderr_file = _sink("stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    stdout_custom = _custom("stdout")
    stderr_custom = _custom("stderr")

    def _put_argv(self, argv: list[str]) -> None:
        self._check_open()
        self.chosen["args"] = list(argv)

    def _put_env(self, pairs: Iterable[Iterable[str]]) -> None:
        self._check_open()
        self.chosen["env"] = dict(pairs)  # type: ignore[arg-type] # each is a pair

    argv = property(fset=_put_argv, doc="The arguments, the first being the program's name.")
    env = property(fset=_put_env, doc="Pairs of name and value.")

    def inherit_argv(self) -> None:
        """Give it this process's arguments."""
        self._put_argv(sys.argv)

    def inherit_env(self) -> None:
        """Give it this process's environment."""
        self._put_env(os.environ.items())

    def inherit_stdin(self) -> None:
        """Let it read this process's standard input."""
        self._inherit("stdin")

    def inherit_stdout(self) -> None:
        """Let it write to this process's standard output."""
        self._inherit("stdout")

    def inherit_stderr(self) -> None:
        """Let it write to this process's standard error."""
        self._inherit("stderr")

    def _inherit(self, stream: str) -> None:
        self._check_open()
        self.chosen[stream] = "inherit"

    def preopen_dir(
        self,
        path: str,
        guest_path: str,
        dir_perms: DirPerms = DirPerms.READ_WRITE,
        file_perms: FilePerms = FilePerms.READ_WRITE,
    ) -> None:
        """Give it a directory of the host's.

        Args:
            path: of the host.
            guest_path: under which the guest finds it.
            dir_perms: what it may do with the directory.
            file_perms: what it may do with files in it; if one of them is ``READ_ONLY``, so is
                the other.

        Raises:
            WasmtimeError: the directory cannot be opened, or a permission is ``WRITE_ONLY``.
        """
        self._check_open()
        permissions = dir_perms.name, file_perms.name
        if "WRITE_ONLY" in permissions:
            raise WasmtimeError("a directory can be READ_ONLY or READ_WRITE")
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        except OSError as e:
            raise WasmtimeError(f"failed to add preopen dir {path!r}: {e.strerror}") from e
        self._preopens[guest_path] = HostDirectory(path, read_only="READ_ONLY" in permissions)

    def native(self, *, deterministic: bool) -> NativeConfig:
        """The configuration of Runwell.

        Args:
            deterministic: would the engine choose a clock and random numbers that are the same in
                each run?  Here that is about NaNs only.
        """
        chosen = dict(self.chosen)
        if deterministic:
            chosen |= {"clock": "real", "random": os.urandom}
        return NativeConfig(preopens=self._preopens, **chosen)
