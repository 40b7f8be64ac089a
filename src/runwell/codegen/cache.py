"""Native code kept on disk: built once, loaded by ``dlopen`` afterwards.

What is loaded here runs with all our rights, so the rule is: nobody else can have written it.  The
directory, everything above it, and the file itself must be ours (or root's) and closed to others; a
link is not followed; a footer with length, key and checksum ends every file, so that a torn one is
built again.  Anything that goes wrong with the directory costs time, never correctness: the object
is then kept in memory for this process, with a ``CacheWarning`` that says why.

Builders of the same object wait for each other through ``flock``, which the kernel drops with its
holder: a killed builder leaves nothing that blocks.  One that hangs is waited for two minutes.

A cryptographic signature was refused: its key would lie beside the files.
"""

from __future__ import annotations

import os
import stat
from _thread import get_ident
from contextlib import contextmanager, suppress
from struct import Struct
from struct import error as struct_error
from time import monotonic, sleep, time
from zlib import crc32

from runwell.base.light import NamedTuple, final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

_FOOTER: Final = Struct("<QII8s")
_MAGIC: Final = b"RUNWELL\x01"
_SUFFIX: Final = ".so"
_TEMPORARY: Final = ".tmp"
_MAX_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 16
_KEEP: Final = 6
_WAIT_S: Final = 120.0
_STALE_S: Final = 3600.0
_TOUCH_S: Final = 86400.0
# In a user namespace, the owner of what lies outside of it.
_UNMAPPED_UID: Final = 65534


class CacheWarning(UserWarning):
    """The native cache cannot be used; programs start slower."""


class Entry(NamedTuple):
    """One object in the cache.

    Attributes:
        name: what it is.
        key: what it was built from, "" when the file is damaged.
        path: the file.
        size: its bytes.
        used_s: when it was last used or built, seconds since the epoch, to the day.
    """

    name: str
    key: str
    path: str
    size: int
    used_s: float


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


@final
class NativeCache:
    """A directory of shared objects.

    Attributes:
        directory: its absolute path, "" if there is none.
    """

    def __init__(self, directory: str | None = None) -> None:
        """Name the directory; nothing is touched yet.

        Args:
            directory: instead of ``default_directory()``.
        """
        self.directory = default_directory() if directory is None else os.path.abspath(directory)

    def load_or_build(
        self,
        name: str,
        key: str,
        build: Callable[[], bytes],
        progress: Callable[[str], None] | None = None,
    ) -> str:
        """Path of an object for ``dlopen``, building it if there is no good one.

        Args:
            name: what it is, a plain word; one builder at a time for each name.
            key: everything that the object depends on.
            build: makes the object; what it raises passes through.
            progress: told, once, when another process builds and is waited for.

        Returns:
            A path that is valid as long as this process lives.
        """
        path = self.path(name, key)
        problem = self.problem() if path else "there is no home directory"
        if problem:
            return _keep_in_memory(name, build(), problem)
        if _read_key(path) == key:
            _touch(path)
            return path
        with self._lock(name, progress):
            if _read_key(path) == key:
                return path
            data = build()
            try:
                _write(path, data, key)
            except OSError as error:
                problem = f"cannot write {path}: {error.strerror}"
            else:
                self.prune(name)
                return path
        return _keep_in_memory(name, data, problem)

    def path(self, name: str, key: str) -> str:
        """Where an object is kept; "" if there is no directory.

        The name holds a short hash of the key only; the file holds the key.
        """
        if not name.isidentifier():
            raise ValueError(f"{name!r} is not a plain word")
        if not self.directory:
            return ""
        return f"{self.directory}/{name}-{crc32(_encode(key)):08x}{_SUFFIX}"

    def problem(self) -> str:
        """Why the directory cannot be used, or ""; makes it if it is not there."""
        if not self.directory:
            return "there is no home directory"
        try:
            info = os.lstat(self.directory)
        except FileNotFoundError:
            try:
                os.makedirs(self.directory, mode=0o700, exist_ok=True)
                info = os.lstat(self.directory)
            except OSError as error:
                return f"cannot make {self.directory}: {error.strerror}"
        except OSError as error:
            return f"cannot use {self.directory}: {error.strerror}"
        if not stat.S_ISDIR(info.st_mode):
            return f"{self.directory} is not a directory"
        if info.st_uid != os.geteuid():
            return f"{self.directory} belongs to another user"
        if info.st_mode & 0o022:
            return f"{self.directory} can be written by others"
        problem = _problem_above(self.directory)
        if not problem and os.statvfs(self.directory).f_flag & os.ST_NOEXEC:
            return f"{self.directory} is on a file system without execution"
        return problem

    def entries(self) -> list[Entry]:
        """What is in the directory, the most recently used first."""
        found = []
        for file in self._files():
            if not file.endswith(_SUFFIX):
                continue
            path = os.path.join(self.directory, file)
            try:
                info = os.lstat(path)
            except OSError:
                continue
            key = _read_key(path)
            found.append(
                Entry(file.rpartition("-")[0], key or "", path, info.st_size, info.st_mtime)
            )
        return sorted(found, key=lambda entry: (-entry.used_s, entry.path))

    def size(self) -> int:
        """Bytes of all objects."""
        return sum(entry.size for entry in self.entries())

    def clear(self) -> int:
        """Remove every object, also unfinished ones.

        Lock files stay: removing one would let two builders in.  Programs that run keep what they
        have loaded.

        Returns:
            How many objects were removed.
        """
        removed = 0
        for file in self._files():
            if file.endswith((_SUFFIX, _TEMPORARY)) and self._remove(file):
                removed += file.endswith(_SUFFIX)
        return removed

    def prune(self, name: str) -> None:
        """Remove all but the latest few objects of a name, and what killed builders left."""
        old = [entry for entry in self.entries() if entry.name == name][_KEEP:]
        for entry in old:
            self._remove(os.path.basename(entry.path))
        for file in self._files():
            if file.endswith(_TEMPORARY):
                try:
                    age_s = time() - os.lstat(os.path.join(self.directory, file)).st_mtime
                except OSError:
                    continue
                if age_s > _STALE_S:
                    self._remove(file)

    def _files(self) -> list[str]:
        try:
            return sorted(os.listdir(self.directory)) if self.directory else []
        except OSError:
            return []

    def _remove(self, file: str) -> bool:
        try:
            os.unlink(os.path.join(self.directory, file))
        except OSError:
            return False
        return True

    @contextmanager
    def _lock(self, name: str, progress: Callable[[str], None] | None) -> Iterator[None]:
        """Be the only builder of a name, as far as the system lets us."""
        import fcntl

        path = f"{self.directory}/{name}.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            lock = os.open(path, flags, 0o600)
        except OSError:
            # A directory that cannot be written: building without the lock is merely wasteful.
            yield
            return
        try:
            deadline_s = monotonic() + _WAIT_S
            told = False
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if monotonic() > deadline_s:
                        break
                except OSError:
                    break
                if progress is not None and not told:
                    told = True
                    progress(f"waiting for another process that builds {name}")
                sleep(0.02)
            yield
        finally:
            os.close(lock)


def _encode(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


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


def _open_own(path: str) -> tuple[int, int] | None:
    """Descriptor and size of a file, if it is a plain one that only we can have written."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    info = os.fstat(file)
    closed = stat.S_ISREG(info.st_mode) and not info.st_mode & 0o022
    if not closed or info.st_uid != os.geteuid() or info.st_size > _MAX_BYTES:
        os.close(file)
        return None
    return file, info.st_size


def _read_key(path: str) -> str | None:
    """The key of a whole file of ours, or None."""
    opened = _open_own(path)
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


def _touch(path: str) -> None:
    """Note that an object is in use; to the day, so that most runs write nothing."""
    with suppress(OSError):
        if time() - os.stat(path).st_mtime > _TOUCH_S:
            os.utime(path)


def _write(path: str, data: bytes, key: str) -> None:
    """Put a whole file in place, or raise ``OSError`` and leave nothing."""
    temporary = f"{path}.{os.getpid()}-{get_ident()}{_TEMPORARY}"
    encoded = _encode(key)
    footer = _FOOTER.pack(len(data), len(encoded), crc32(encoded, crc32(data)), _MAGIC)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(temporary, flags, 0o600)
    try:
        try:
            _write_all(file, data + encoded + footer)
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _keep_in_memory(name: str, data: bytes, problem: str) -> str:
    """Path of an object that only this process has, for as long as it lives."""
    import warnings

    warnings.warn(
        f"the cache of native code cannot be used: {problem}; building again at every start",
        CacheWarning,
        stacklevel=3,
    )
    try:
        file = os.memfd_create(f"runwell-{name}", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{file}"
        if os.path.exists(path):
            _write_all(file, data)
            return path
        os.close(file)
    except (AttributeError, OSError):
        pass
    import atexit
    import shutil
    import tempfile

    directory = tempfile.mkdtemp(prefix="runwell-")
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)
    path = os.path.join(directory, name + _SUFFIX)
    with open(path, "wb") as private:
        private.write(data)
    return path
