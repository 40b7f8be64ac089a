"""What the calls of one guest share: its memory, descriptors, arguments and environment."""

from __future__ import annotations

import os
import struct

from runwell.wasi import errno
from runwell.wasi.clocks import Clock, SystemClock
from runwell.wasi.descriptors import Descriptors
from runwell.wasi.errno import Errno
from runwell.wasi.protocol import PATH_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from runwell.wasi.config import WasiConfig

_PACK_U32, _PACK_U64 = struct.Struct("<I").pack_into, struct.Struct("<Q").pack_into
MOST_BYTES = 0x7FFF_F000  # read or written by one call, as Linux has it


class ProcExit(BaseException):
    """The guest called ``proc_exit``; it unwinds the guest up to the embedder.

    Derives from ``BaseException`` so that no host function in between takes it for an error.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class World:
    """The state behind a guest's WASI calls.

    Attributes:
        args: arguments, each with its NUL.
        env: ``KEY=VALUE`` strings, each with its NUL.
        descriptors: the open things.
        clock: what time it is.
        random: makes so many random bytes.
        captured: what was written to each standard stream, or None where it is not kept.
    """

    __slots__ = ("_memory", "_view", "args", "captured", "clock", "descriptors", "env", "random")

    def __init__(self, config: WasiConfig, *, deterministic: bool = False) -> None:
        """Open the streams and directories of ``config``.

        Args:
            config: the world.
            deterministic: time and random numbers are the same in each run, if it says nothing.

        Raises:
            OSError: a preopened directory cannot be opened.
        """
        self.args = [a.encode(errors="surrogateescape") + b"\0" for a in config.args]
        self.env = [
            f"{k}={v}".encode(errors="surrogateescape") + b"\0" for k, v in config.env.items()
        ]
        self.clock: Clock = SystemClock()
        self.random: Callable[[int], bytes] = os.urandom
        if deterministic or config.clock is not None or config.random is not None:
            from runwell.wasi.chosen import clock, source

            self.clock = clock(config.clock, deterministic=deterministic)
            self.random = source(config.random, deterministic=deterministic)
        self.descriptors = Descriptors(config, self.clock)
        self.captured = [self.descriptors.get(i).captured for i in range(3)]
        self._memory: Buffer | None = None
        self._view = memoryview(bytearray())

    def attach(self, memory: Buffer) -> None:
        """Use the guest's memory from now on."""
        self._memory = memory

    def become(self, other: World) -> None:
        """Have what another one has, but no memory yet."""
        self.args, self.env, self.clock, self.random = (
            other.args,
            other.env,
            other.clock,
            other.random,
        )
        self.descriptors, self.captured = other.descriptors, other.captured
        self.detach()

    def detach(self) -> None:
        """Let go of the guest's memory."""
        self._memory, self._view = None, memoryview(bytearray())

    def view(self, address: int, size: int) -> memoryview:
        """``size`` bytes of the guest's memory at ``address``, to read or write in place.

        Raises:
            Errno: FAULT if they are not all inside.
        """
        if address + size > len(self._view):
            if self._memory is not None:
                self._view = memoryview(self._memory)  # it may have grown
            if address + size > len(self._view):
                raise Errno(errno.FAULT)
        return self._view[address : address + size]

    def unpack(self, form: struct.Struct, address: int) -> tuple[int, ...]:
        """Read a struct."""
        return form.unpack(self.view(address, form.size))

    def pack(self, form: struct.Struct, address: int, *values: int) -> None:
        """Write a struct."""
        try:
            form.pack_into(self._view, address, *values)
        except struct.error:  # it is outside of what memory was
            form.pack_into(self.view(address, form.size), 0, *values)

    def u32(self, address: int, value: int) -> None:
        """Write 32 bits."""
        try:
            _PACK_U32(self._view, address, value)
        except struct.error:
            _PACK_U32(self.view(address, 4), 0, value)

    def u64(self, address: int, value: int) -> None:
        """Write 64 bits."""
        try:
            _PACK_U64(self._view, address, value)
        except struct.error:
            _PACK_U64(self.view(address, 8), 0, value)

    def check(self, address: int, size: int) -> None:
        """Is there room for a result?

        Raises:
            Errno: FAULT if it is not all inside.
        """
        if address + size > len(self._view):
            self.view(address, size)

    def path(self, address: int, size: int) -> str:
        """Read a path.

        Raises:
            Errno: FAULT, NAMETOOLONG, or ILSEQ if it is not UTF-8.
        """
        data = self.view(address, size)
        if size > PATH_BYTES:
            raise Errno(errno.NAMETOOLONG)
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError:
            raise Errno(errno.ILSEQ) from None

    def buffers(self, address: int, count: int) -> list[memoryview]:
        """The memory that an array of ``$iovec`` describes, up to 2 GiB of it at once.

        Raises:
            Errno: FAULT, or INVAL if there are more than 1024.
        """
        if count > 1024:
            raise Errno(errno.INVAL)
        words = struct.unpack(f"<{2 * count}I", self.view(address, 8 * count))
        if count == 1:
            return [self.view(*words)]
        pieces = [self.view(words[i], words[i + 1]) for i in range(0, 2 * count, 2)]
        if sum(words[1::2]) > MOST_BYTES:
            left = MOST_BYTES
            for i, piece in enumerate(pieces):
                pieces[i] = piece[:left]
                left -= len(pieces[i])
        return pieces

    def close(self) -> None:
        """Close all descriptors and let go of the memory."""
        self.descriptors.close()
        self.detach()
