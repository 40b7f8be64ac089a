"""Files that only we can have written.

What is read here runs with all our rights, so the rule is: nobody else can have written it.  The
directory, everything above it, and the file itself must be ours (or root's) and closed to others; a
link is not followed; a footer with length, key and checksum ends every file, so that a torn one is
noticed.

A cryptographic signature was refused: its key would lie beside the files.
"""

from __future__ import annotations

import os
import stat
from _thread import get_ident
from struct import Struct
from struct import error as struct_error
from time import monotonic, sleep, time
from zlib import crc32

from runwell.base.light import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Self

TEMPORARY: Final = ".tmp"
# Of files of our own modules (``codegen.bundle``).
MODULES_SUFFIX: Final = ".modules"
# Of files that say that a module is valid (``embed.validated``).
VALID_SUFFIX: Final = ".valid"
_FOOTER: Final = Struct("<QII8s")
_MAGIC: Final = b"RUNWELL\x01"
_MAX_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 16
_TOUCH_S: Final = 86400.0
# In a user namespace, the owner of what lies outside of it.
_UNMAPPED_UID: Final = 65534


def default_directory() -> str:
    """``$RUNWELL_CACHE_DIR``, else ``$XDG_CACHE_HOME/runwell``, else ``~/.cache/runwell``.

    Returns:
        An absolute path, or "" if there is no home directory.
    """
    chosen = os.environ.get("RUNWELL_CACHE_DIR")
    if chosen:
        return os.path.abspath(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return ""
        base = os.path.join(home, ".cache")
    return os.path.join(os.path.normpath(base), "runwell")


def directory_problem(directory: str, *, to_execute: bool) -> str:
    """Why a directory cannot be used, or ""; makes it if it is not there.

    Args:
        directory: its absolute path.
        to_execute: what is in it will be mapped executable.
    """
    try:
        info = os.lstat(directory)
    except FileNotFoundError:
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            info = os.lstat(directory)
        except OSError as error:
            return f"cannot make {directory}: {error.strerror}"
    except OSError as error:
        return f"cannot use {directory}: {error.strerror}"
    if not stat.S_ISDIR(info.st_mode):
        return f"{directory} is not a directory"
    if info.st_uid != os.geteuid():
        return f"{directory} belongs to another user"
    if info.st_mode & 0o022:
        return f"{directory} can be written by others"
    problem = _problem_above(directory)
    if not problem and to_execute and os.statvfs(directory).f_flag & os.ST_NOEXEC:
        return f"{directory} is on a file system without execution"
    return problem


def _problem_above(directory: str) -> str:
    """Whether somebody else could put another directory in the place of this one."""
    ours = (os.geteuid(), 0, _UNMAPPED_UID)
    for path in {directory, os.path.realpath(directory)}:
        above = path
        while above != os.path.dirname(above):
            above = os.path.dirname(above)
            try:
                info = os.stat(above)
            except OSError as error:
                return f"cannot look at {above}: {error.strerror}"
            if info.st_mode & 0o002 and not info.st_mode & stat.S_ISVTX:
                return f"{above} can be written by everybody"
            if info.st_uid not in ours:
                return f"{above} belongs to another user"
    return ""


def _open_own(path: str, *, is_ours: bool = True) -> tuple[int, int] | None:
    """Descriptor and size of a file, if it is a plain one that only we can have written.

    Args:
        path: of the file.
        is_ours: it must be; else anybody may have written it.
    """
    try:
        follow = os.O_NOFOLLOW if is_ours else 0
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | follow)
    except OSError:
        return None
    info = os.fstat(file)
    closed = not is_ours or (info.st_uid == os.geteuid() and not info.st_mode & 0o022)
    if not closed or not stat.S_ISREG(info.st_mode) or info.st_size > _MAX_BYTES:
        os.close(file)
        return None
    return file, info.st_size


def read_key(path: str, *, is_ours: bool = True) -> str | None:
    """The key of a whole file, or None.

    Args:
        path: of the file.
        is_ours: only we may be able to write it; else it is for the caller to know why it can be
            trusted.
    """
    opened = _open_own(path, is_ours=is_ours)
    if opened is None:
        return None
    file, size = opened
    try:
        end = size - _FOOTER.size
        if end < 0:
            return None
        length, key_length, checksum, magic = _FOOTER.unpack(os.pread(file, _FOOTER.size, end))
        if magic != _MAGIC or length + key_length != end:
            return None
        # A small buffer that stays in the processor's cache is four times as fast as one read.
        buffer = memoryview(bytearray(_CHUNK))
        found, left = 0, end
        while left:
            count = min(os.readv(file, [buffer]), left)
            if not count:
                return None
            found = crc32(buffer[:count], found)
            left -= count
        if found != checksum:
            return None
        return os.pread(file, key_length, length).decode("utf-8", "surrogateescape")
    except (OSError, struct_error):
        return None
    finally:
        os.close(file)


def open_whole(path: str) -> tuple[int, int, str] | None:
    """Open a file of ours that has its end, without reading all of it.

    Returns:
        Descriptor, which is the caller's, bytes of the contents, and the key, which say nothing
        about each other until the checksum is known to be right; or None.
    """
    opened = _open_own(path)
    if opened is None:
        return None
    file, size = opened
    try:
        end = size - _FOOTER.size
        if end >= 0:
            length, key_length, _, magic = _FOOTER.unpack(os.pread(file, _FOOTER.size, end))
            if magic == _MAGIC and length + key_length == end:
                key = os.pread(file, key_length, length)
                return file, length, key.decode("utf-8", "surrogateescape")
    except (OSError, struct_error):
        pass
    os.close(file)
    return None


def read(path: str) -> tuple[str, bytes] | None:
    """The key and the contents of a whole file of ours, or None."""
    opened = _open_own(path)
    if opened is None:
        return None
    file, size = opened
    try:
        with open(file, "rb") as stream:
            whole = stream.read(size)
        end = len(whole) - _FOOTER.size
        length, key_length, checksum, magic = _FOOTER.unpack_from(whole, max(end, 0))
        view = memoryview(whole)
        if magic != _MAGIC or length + key_length != end or crc32(view[:end]) != checksum:
            return None
        return whole[length:end].decode("utf-8", "surrogateescape"), whole[:length]
    except (OSError, struct_error):
        return None


def touch(path: str) -> None:
    """Note that an object is in use; to the day, so that most runs write nothing."""
    try:
        if time() - os.stat(path).st_mtime > _TOUCH_S:
            os.utime(path)
    except OSError:
        pass  # somebody else's clock, or a file system that is not to be written


def write(path: str, data: bytes, key: str, *, sync: bool = True) -> None:
    """Put a whole file in place.

    Args:
        path: where.
        data: its contents.
        key: what they were made from.
        sync: wait until it is on the disk; else a file that was written just before the machine
            fails may turn out to be torn.

    Raises:
        OSError: the system refuses; nothing is left.
    """
    temporary = f"{path}.{os.getpid()}-{get_ident()}{TEMPORARY}"
    encoded = encode(key)
    footer = _FOOTER.pack(len(data), len(encoded), crc32(encoded, crc32(data)), _MAGIC)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(temporary, flags, 0o600)
    try:
        try:
            write_all(file, data + encoded + footer)
            if sync:
                os.fsync(file)
        finally:
            os.close(file)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_all(file: int, data: bytes) -> None:
    """Write everything, however little is taken at once."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def encode(key: str) -> bytes:
    """A key as bytes, also with parts of paths that are no text."""
    return key.encode("utf-8", "surrogateescape")


@final
class Lock:
    """A lock that only one holds at a time, as far as the system lets us: a context manager.

    It is held from the beginning of the ``with`` block to its end.  The system drops it with its
    holder, so a killed one leaves nothing that blocks.

    Attributes:
        alone: whether there is no other holder; there is none where there can be no lock.
    """

    __slots__ = ("_file", "_on_wait", "_path", "_wait_s", "alone")

    def __init__(self, path: str, wait_s: float, on_wait: Callable[[], None] | None = None) -> None:
        """Describe it.

        Args:
            path: of the lock's file, which stays: removing it would let two holders in.
            wait_s: seconds to wait for another holder, who may hang.
            on_wait: told, once, that there is another.
        """
        self._path, self._wait_s, self._on_wait = path, wait_s, on_wait
        self._file = -1
        self.alone = True

    def __enter__(self) -> Self:
        import fcntl

        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._file = os.open(self._path, flags, 0o600)
        except OSError:
            return self
        deadline_s = monotonic() + self._wait_s
        try:
            while True:
                try:
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if monotonic() > deadline_s:
                        self.alone = False
                        break
                except OSError:
                    break
                if self._on_wait is not None:
                    self._on_wait()
                    self._on_wait = None
                sleep(0.02)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
