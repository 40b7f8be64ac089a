"""Calls on sockets: those that the host listens on, and the connections made to them."""

from __future__ import annotations

import os
import socket as system

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.errno import Errno
from runwell.wasi.protocol import SOCKET_STREAM
from runwell.wasi.world import World

PEEK, WAITALL = 1, 2  # $riflags
TRUNCATED = 1  # $roflags: part of a message was lost
READING, WRITING = 1, 2  # $sdflags
_BACKLOG = 128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    T = TypeVar("T")


class Socket(d.HostDescriptor):
    """A listening socket, or a connection.

    It is a descriptor, and an object of Python's only during calls: so it is closed like all other
    descriptors, when the guest is gone.
    """

    __slots__ = ("family",)

    def __init__(
        self,
        fd: int,
        family: int,
        rights: int,
        inheriting: int = 0,
        *,
        owned: bool = True,
        keep: object = None,
    ) -> None:
        super().__init__(fd, SOCKET_STREAM, rights, owned=owned, inheriting=inheriting, keep=keep)
        self.family = family

    def call(self, act: Callable[[system.socket], T]) -> T:
        """Act on it as an object of Python's."""
        socket = system.socket(self.family, system.SOCK_STREAM, 0, fileno=self.fd)
        try:
            return act(socket)
        finally:
            socket.detach()

    def write(self, buffers: Sequence[memoryview]) -> int:
        """Send ``buffers``; a peer that has gone is an error, and not the end of this process."""
        flags = getattr(system, "MSG_NOSIGNAL", 0)
        return self.call(lambda socket: socket.sendmsg(buffers, (), flags))

    def wait(self) -> None:
        """Make sure that to accept does as the guest's flags say.

        A socket of the user's may have any timeout, which is not ours to change.

        Raises:
            Errno: AGAIN if it would block and must not.
        """
        if self._owned:
            return
        if self.flags & d.NONBLOCK:
            self._ask("POLLIN")
        elif not os.get_blocking(self.fd):
            import select

            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            poll.poll()


def listening(where: str | system.socket) -> d.Descriptor:
    """A socket for the guest to accept connections from.

    Args:
        where: ``HOST:PORT``, ``[HOST]:PORT``, or a socket that listens already.

    Raises:
        OSError: it cannot be listened on.
        ValueError: there is no port.
    """
    if isinstance(where, str):
        host, port = address(where)
        family = system.AF_INET6 if ":" in host else system.AF_INET
        made = system.create_server((host, port), family=family, backlog=_BACKLOG)
        return Socket(made.detach(), family, d.LISTENER, d.CONNECTION)
    fd = where.fileno()
    return Socket(fd, where.family, d.LISTENER, d.CONNECTION, owned=False, keep=where)


def address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        ValueError: it is not of this form.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"an address to listen on is HOST:PORT, not {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _socket(world: World, fd: int, rights: int) -> Socket:
    """The socket behind a number.

    Raises:
        Errno: BADF, NOTSOCK, NOTCAPABLE.
    """
    found = world.descriptors.get(fd)
    if not isinstance(found, Socket):
        raise Errno(errno.NOTSOCK)
    world.descriptors.get(fd, rights)
    return found


@call("iii")
def sock_accept(world: World, fd: int, flags: int, result: int) -> None:
    """Accept a connection."""
    listener = _socket(world, fd, d.SOCK_ACCEPT)
    if flags & ~d.NONBLOCK:
        raise Errno(errno.INVAL)
    out = world.view(result, 4)
    listener.wait()
    made, _ = listener.call(lambda socket: socket.accept())
    made.setblocking(True)
    connection = Socket(made.detach(), listener.family, d.CONNECTION & listener.inheriting)
    try:
        connection.set_flags(flags)
        number = world.descriptors.add(connection)
    except BaseException:
        connection.close()
        raise
    out[:] = number.to_bytes(4, "little")


@call("iiiiii")
def sock_recv(
    world: World, fd: int, data: int, count: int, flags: int, size: int, out: int
) -> None:
    """Receive from a socket."""
    found = _socket(world, fd, d.FD_READ)
    if flags & ~(PEEK | WAITALL):
        raise Errno(errno.INVAL)
    how = (system.MSG_PEEK if flags & PEEK else 0) | (system.MSG_WAITALL if flags & WAITALL else 0)
    size_out, flags_out = world.view(size, 4), world.view(out, 2)
    buffers = world.buffers(data, count)
    got, _, said, _ = found.call(lambda socket: socket.recvmsg_into(buffers, 0, how))
    size_out[:] = got.to_bytes(4, "little")
    flags_out[:] = (TRUNCATED if said & system.MSG_TRUNC else 0).to_bytes(2, "little")


@call("iiiii")
def sock_send(world: World, fd: int, data: int, count: int, flags: int, size: int) -> None:
    """Send to a socket."""
    found = _socket(world, fd, d.FD_WRITE)
    if flags:
        raise Errno(errno.INVAL)
    out = world.view(size, 4)
    out[:] = found.write(world.buffers(data, count)).to_bytes(4, "little")


@call("ii")
def sock_shutdown(world: World, fd: int, how: int) -> None:
    """Say that nothing more will be sent, or received."""
    found = _socket(world, fd, d.SOCK_SHUTDOWN)
    if not 0 < how <= READING | WRITING:
        raise Errno(errno.INVAL)
    ways = {READING: system.SHUT_RD, WRITING: system.SHUT_WR}
    found.call(lambda socket: socket.shutdown(ways.get(how, system.SHUT_RDWR)))
