"""Native code kept on disk: built once, loaded by ``dlopen`` afterwards.

Whom it trusts, ``own_files`` says.  Anything that goes wrong with the directory costs time, never
correctness: the object is then kept in memory for this process, with a ``CacheWarning`` that says
why.

Builders of the same object wait for each other through ``flock``, which the kernel drops with its
holder: a killed builder leaves nothing that blocks.  One that hangs is waited for two minutes.

Compiled code of modules lies in the same directory (``jit.cache``).
"""

from __future__ import annotations

import os
from time import time
from zlib import crc32

from runwell.base.light import NamedTuple, final
from runwell.base.log import warn
from runwell.codegen.own_files import (
    MODULES_SUFFIX,
    TEMPORARY,
    VALID_SUFFIX,
    Lock,
    default_directory,
    directory_problem,
    encode,
    read_key,
    touch,
    write,
    write_all,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

SUFFIX: Final = ".so"
# Of files of compiled code.
CODE_SUFFIX: Final = ".code"
SUFFIXES: Final = (SUFFIX, CODE_SUFFIX, MODULES_SUFFIX, VALID_SUFFIX)
_KEEP: Final = 6
_WAIT_S: Final = 120.0
_STALE_S: Final = 3600.0


class CacheWarning(UserWarning):
    """The native cache cannot be used; programs start slower."""


class Entry(NamedTuple):
    """One file in the cache.

    Attributes:
        name: what it is.
        path: the file.
        size: its bytes.
        used_s: when it was last used or built, seconds since the epoch, to the day.
    """

    name: str
    path: str
    size: int
    used_s: float

    @property
    def key(self) -> str:
        """What it was built from, "" if it is damaged; all of it is read to tell."""
        return read_key(self.path) or ""


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
        progress: Callable[[str], object] | None = None,
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
        if read_key(path) == key:
            touch(path)
            return path

        def tell() -> None:
            if progress is not None:
                progress(f"waiting for another process that builds {name}")

        with Lock(f"{self.directory}/{name}.lock", _WAIT_S, tell):
            if read_key(path) == key:
                return path
            data = build()
            try:
                write(path, data, key)
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
        return f"{self.directory}/{name}-{crc32(encode(key)):08x}{SUFFIX}"

    def problem(self) -> str:
        """Why the directory cannot be used, or ""; makes it if it is not there."""
        if not self.directory:
            return "there is no home directory"
        return directory_problem(self.directory, to_execute=True)

    def entries(self, suffixes: tuple[str, ...] = SUFFIXES) -> list[Entry]:
        """What is in the directory, the most recently used first.

        Args:
            suffixes: of the files that count.
        """
        found = []
        for file in self._files():
            if not file.endswith(suffixes):
                continue
            path = os.path.join(self.directory, file)
            try:
                info = os.lstat(path)
            except OSError:
                continue
            found.append(Entry(file.rpartition("-")[0], path, info.st_size, info.st_mtime))
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
            if file.endswith((*SUFFIXES, TEMPORARY)) and self._remove(file):
                removed += not file.endswith(TEMPORARY)
        return removed

    def prune(self, name: str, suffix: str = SUFFIX) -> None:
        """Remove all but the latest few files of a name, and what killed builders left."""
        self.remove([entry for entry in self.entries((suffix,)) if entry.name == name][_KEEP:])

    def remove(self, entries: list[Entry]) -> None:
        """Remove some entries, and what killed builders left."""
        for entry in entries:
            self._remove(os.path.basename(entry.path))
        for file in self._files():
            if file.endswith(TEMPORARY):
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


def _keep_in_memory(name: str, data: bytes, problem: str) -> str:
    """Path of an object that only this process has, for as long as it lives."""
    warn(
        f"the cache of native code cannot be used: {problem}; building again at every start, "
        "unless RUNWELL_CACHE_DIR names another directory",
        CacheWarning,
    )
    try:
        file = os.memfd_create(f"runwell-{name}", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{file}"
        if os.path.exists(path):
            write_all(file, data)
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
    path = os.path.join(directory, name + SUFFIX)
    with open(path, "wb") as private:
        private.write(data)
    return path
