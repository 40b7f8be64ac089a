"""Compiled code on disk: the next run of a module starts with this one's.

There is one file a module and configuration.  Its key names the module by a cryptographic hash of
its bytes, and everything else that the code depends on: options, the sources of Runwell, LLVM, the
processor.  Its file name has only what is quick to find out (``kept``), so that to see that there
is nothing takes microseconds, however large the module is.

What could not be compiled in its time is kept as well, so that nobody tries again.

Trust and safety are those of the native core's cache (``codegen.own_files``); what goes wrong with
the disk costs time, and a warning.  All files together have limits; the least recently used go
first.  Several processes that run the same module each add what the file lacks.
"""

from __future__ import annotations

import atexit
import marshal
import os
from _thread import allocate_lock
from weakref import WeakKeyDictionary, WeakSet

from runwell.base.light import NamedTuple, final
from runwell.base.log import warn
from runwell.codegen.cache import CODE_SUFFIX, CacheWarning, NativeCache
from runwell.codegen.own_files import Lock, directory_problem, encode, read, touch, write
from runwell.jit.kept import options, path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final

    from runwell.runtime.code import ModuleCode

MAX_BYTES: Final = 512 << 20
# Looking through the directory takes its time.
MAX_FILES: Final = 2000
# Of the whole, for one module.
_SHARE: Final = 4
_WAIT_S: Final = 2.0


class Record(NamedTuple):
    """Code that was compiled in one piece.

    Attributes:
        level: optimisation level.
        names: its functions and their further entries, as symbols.
        code: movable code; empty if it could not be compiled.
    """

    level: int
    names: tuple[str, ...]
    code: bytes


@final
class CodeCache:
    """A directory of compiled code.

    Attributes:
        problem: why it cannot be used, or "", as far as is known.
    """

    def __init__(self, directory: str | None = None, max_bytes: int = MAX_BYTES) -> None:
        """Nothing is touched yet.

        Args:
            directory: instead of that of the native core.
            max_bytes: what all files together may have.
        """
        self._files = NativeCache(directory)
        self._max_bytes = max_bytes
        self.problem = "" if self._files.directory else "there is no home directory"
        self._warned = False
        # By path and key: modules may be gone before it is written.
        self._new: dict[tuple[str, str], list[Record]] = {}
        self._paths: WeakKeyDictionary[ModuleCode, str] = WeakKeyDictionary()
        self._keys: WeakKeyDictionary[ModuleCode, str] = WeakKeyDictionary()
        self._lock = allocate_lock()
        _caches.add(self)

    def is_known(self, module: ModuleCode) -> bool:
        """Is there probably code of a module?  It takes microseconds to tell."""
        return not self.problem and os.path.lexists(self._path(module))

    def load(self, module: ModuleCode) -> list[Record]:
        """The code of a module, lowest levels first; nothing if there is none or it is damaged.

        The module's bytes are hashed, which takes a millisecond for every MB.

        Args:
            module: the module.
        """
        if not self.is_known(module) or self._check():
            return []
        path = self._path(module)
        records = _read(path, self._key(module))
        if records:
            touch(path)
        return records

    def add(self, module: ModuleCode, record: Record) -> None:
        """Keep code for ``save``; hashes the module's bytes when it is the first.

        Args:
            module: the module.
            record: what was compiled.
        """
        if not self.problem:
            name = self._path(module), self._key(module)
            with self._lock:
                self._new.setdefault(name, []).append(record)

    def save(self) -> None:
        """Write what was added, together with what others have written meanwhile.

        Nobody calls it by itself; who has a moment does, and everybody at the end.
        """
        with self._lock:
            work, self._new = self._new, {}
        if not work or self._check():
            return
        with Lock(f"{self._files.directory}/code.lock", _WAIT_S) as lock:
            if not lock.alone:
                return
            for (path, key), added in work.items():
                records = merge([*_read(path, key), *added], self._max_bytes // _SHARE)
                try:
                    write(path, _encode(records), key, sync=False)
                except OSError as error:
                    self._warn(f"cannot write {path}: {error.strerror}")
                    return
            self._trim()

    def forget(self) -> None:
        """In a forked child: what is to be written, its parent writes."""
        self._lock = allocate_lock()
        self._new = {}

    def _trim(self) -> None:
        entries = self._files.entries((CODE_SUFFIX,))
        left = self._max_bytes
        for at, entry in enumerate(entries):
            left -= entry.size
            if left < 0 or at >= MAX_FILES:
                self._files.remove(entries[at:])
                return

    def _check(self) -> str:
        """Why the directory cannot be used, or ""."""
        if not self.problem:
            problem = directory_problem(self._files.directory, to_execute=False)
            if problem:
                self._warn(problem)
        return self.problem

    def _warn(self, problem: str) -> None:
        self.problem = problem
        warn(f"compiled code cannot be kept: {problem}; the next run compiles again", CacheWarning)

    def _path(self, module: ModuleCode) -> str:
        path = self._paths.get(module)
        if path is None:
            path = self._paths[module] = path_of(module, self._files.directory)
        return path

    def _key(self, module: ModuleCode) -> str:
        key = self._keys.get(module)
        if key is None:
            sha256 = _sha256()
            digest = sha256(module.module.data).hexdigest()
            surroundings = sha256(encode(_surroundings())).hexdigest()
            key = f"module {digest}\n{options(module)}\nsurroundings {surroundings}"
            self._keys[module] = key
        return key


def merge(records: Iterable[Record], max_bytes: int) -> list[Record]:
    """The records that are worth keeping, lowest levels first.

    Of two with the same function the one of the higher level counts, then the later one; one that
    failed counts for its own level only.  A record of which nothing counts is left out.

    Args:
        records: oldest first.
        max_bytes: of their code together; what exceeds it is left out, lowest levels first.
    """
    ordered = sorted(records, key=lambda record: record.level)
    compiled: set[str] = set()
    failed: set[tuple[str, int]] = set()
    kept = []
    for record in reversed(ordered):
        if record.code:
            wanted = not compiled.issuperset(record.names)
            if not wanted or len(record.code) > max_bytes:
                continue
            max_bytes -= len(record.code)
            compiled.update(record.names)
        else:
            names = {(name, record.level) for name in record.names}
            if failed >= names:
                continue
            failed |= names
        kept.append(record)
    kept.reverse()
    return kept


_caches: WeakSet[CodeCache] = WeakSet()


def _in_child() -> None:
    for cache in list(_caches):
        cache.forget()


os.register_at_fork(after_in_child=_in_child)


@atexit.register
def _at_exit() -> None:
    for cache in list(_caches):
        cache.save()


_known: list[str] = []


def _surroundings() -> str:
    """What compiled code depends on beside the module: Runwell, LLVM, processor, Python."""
    if not _known:
        from runwell.interp.core import load_core, stamps_of

        _known.append("\n".join([load_core().key, *sorted(stamps_of("jit")), _llvm_stamp()]))
    return _known[0]


def _llvm_stamp() -> str:
    """Which LLVM there is, without importing it."""
    from runwell.codegen.python import search_path

    for path in search_path():
        library = os.path.join(path, "llvmlite", "binding", "libllvmlite.so")
        try:
            info = os.stat(library)
        except OSError:
            continue
        return f"{library} {info.st_size} {info.st_mtime_ns}"
    return "no LLVM"


def _sha256() -> Callable[[bytes], Any]:
    """The hash function, if possible without the library that ``hashlib`` loads, which is large."""
    for module in ("_sha2", "_sha256"):  # as of Python 3.12, and before
        try:
            found: Callable[[bytes], Any] = __import__(module).sha256
        except (ImportError, AttributeError):
            continue
        return found
    from hashlib import sha256

    return sha256


def _encode(records: list[Record]) -> bytes:
    index = marshal.dumps([(r.level, r.names, len(r.code)) for r in records])
    codes = [record.code for record in records]
    return b"".join([len(index).to_bytes(8, "little"), index, *codes])


def _read(path: str, key: str) -> list[Record]:
    """The records in a file, if it is whole, ours, and has the right key."""
    found = read(path)
    if found is None or found[0] != key:
        return []
    data = found[1]
    at = 8 + int.from_bytes(data[:8], "little")
    index: Any = marshal.loads(data[8:at])
    records = []
    for level, names, size in index:
        records.append(Record(level, tuple(names), data[at : at + size]))
        at += size
    return records
