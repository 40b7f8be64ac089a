"""Our own modules in one file: what a start reads, instead of a compiled file for each.

A run imports some eighty small modules, and to find, open and check a file for each takes as long
as to execute it.  Here the code of all lies in one file beside the native core, under the same
rules of trust (``own_files``).  It is what Python's own compiled files hold, and is used as these
are, for a source of the size and time that it was made from; anything else is left to Python.  So
sources may be edited at any time, and nobody but the search for our own packages knows of it:
modules, tracebacks and debuggers see the same files, loaders and specifications.

The program ``runwell`` adds what it found missing at its end; a build of the core adds everything
that Python has compiled files of.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from marshal import dumps, loads
from struct import Struct
from struct import error as struct_error
from zlib import crc32

from runwell.base.light import final
from runwell.codegen.own_files import (
    MODULES_SUFFIX,
    default_directory,
    directory_problem,
    open_whole,
    touch,
    write,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, ModuleType
    from typing import Any, Final, TypeAlias

    # Bytes of the source, when it was changed, and the number of the piece that has the code.
    Entry: TypeAlias = tuple[int, int, int]
    # A dictionary of code by names: its place in the file, its bytes, and their checksum.
    Piece: TypeAlias = tuple[int, int, int]

_PACKAGE: Final = __name__.partition(".")[0]
_ROOT: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# At the end of the contents: where the list of modules begins, its size and checksum.
_END: Final = Struct("<QII")
_NAME: Final = "python"


@final
class Bundle:
    """A file of code.

    Attributes:
        path: of the file, "" if there is no directory for it.
        entries: what is in it, by the names of the modules; None for those that have no source.
        packages: the directories of those that are packages.
        pieces: of the file.
        stale: modules whose sources are not what they were.
    """

    def __init__(self, root: str = _ROOT, directory: str | None = None) -> None:
        """Open the file; without a good one it is as if there were one with nothing in it.

        Args:
            root: the directory of our package.
            directory: where the file is, instead of the default.
        """
        self._root = root
        self._directory = default_directory() if directory is None else directory
        self._key = f"{sys.implementation.cache_tag} {MAGIC_NUMBER.hex()} {root}"
        self._file = -1
        self.path = ""
        self.entries: dict[str, Entry | None] = {}
        self.packages: dict[str, str] = {}
        self.pieces: list[Piece] = []
        self._codes: dict[str, CodeType] = {}
        self.stale: set[str] = set()
        if self._directory:
            name = f"{_NAME}-{crc32(os.fsencode(self._key)):08x}{MODULES_SUFFIX}"
            self.path = os.path.join(self._directory, name)
            self._open()

    def _open(self) -> None:
        opened = open_whole(self.path)
        if opened is None:
            return
        file, length, key = opened
        try:
            if key != self._key or directory_problem(self._directory, to_execute=True):
                raise ValueError(self.path)
            at, size, checksum = _END.unpack(os.pread(file, _END.size, length - _END.size))
            listed = os.pread(file, size, at)
            if crc32(listed) != checksum:
                raise ValueError(self.path)
            self.entries, self.packages, self.pieces = loads(listed)
        except (OSError, ValueError, struct_error):
            os.close(file)
        else:
            self._file = file
            touch(self.path)

    def code(self, name: str, source: str) -> CodeType | None:
        """The code of a module, if it was made from the source as it is now."""
        entry = self.entries.get(name)
        if entry is None:
            return None
        size, time_ns, piece = entry
        try:
            now = os.stat(source)
            if now.st_size == size and now.st_mtime_ns == time_ns:
                if name not in self._codes:
                    at, length, checksum = self.pieces[piece]
                    codes = os.pread(self._file, length, at)
                    if crc32(codes) == checksum:
                        self._codes.update(loads(codes))
                return self._codes.pop(name)
        except (OSError, LookupError):
            pass
        self.stale.add(name)
        return None

    def add(self, names: Iterable[str]) -> None:
        """Write the file anew, with what is good in it and more modules.

        Raises:
            OSError: the system refuses.
        """
        if not self.path or directory_problem(self._directory, to_execute=True):
            return
        if not os.access(self._directory, os.W_OK):
            return  # before all the work
        from runwell.codegen.together import GROUPS

        # Pieces of what is used together: names in them are read only once.
        parts: list[dict[str, CodeType]] = []
        shared: dict[tuple[bool, ...], int] = {}
        entries: dict[str, Entry | None] = {}
        packages = {}
        for name in sorted({*self.entries, *names}):
            entries[name] = None
            source = source_of(name, self._root)
            if not source:
                continue
            now = os.stat(source)
            code = self.code(name, source) or SourceFileLoader(name, source).get_code(name)
            assert code is not None
            used = tuple([name in group for group in GROUPS])
            part = shared.setdefault(used, len(parts)) if any(used) else len(parts)
            if part == len(parts):
                parts.append({})
            parts[part][name] = code
            entries[name] = now.st_size, now.st_mtime_ns, part
            if source.endswith("/__init__.py"):
                packages[name] = os.path.dirname(source)
        data = bytearray()
        pieces: list[Piece] = []
        for codes in map(dumps, parts):
            pieces.append((len(data), len(codes), crc32(codes)))
            data += codes
        listed = dumps((entries, packages, pieces))
        data += listed + _END.pack(len(data), len(listed), crc32(listed))
        write(self.path, bytes(data), self._key, sync=False)
        from runwell.codegen.cache import NativeCache

        NativeCache(self._directory).prune(_NAME, MODULES_SUFFIX)


def source_of(name: str, root: str = _ROOT) -> str:
    """The source file of a module of ours, "" if it has none."""
    stem = os.path.join(root, *name.split(".")[1:])
    for source in (f"{stem}.py", f"{stem}/__init__.py"):
        if os.path.isfile(source):
            return source
    return ""


@final
class _Loader(SourceFileLoader):
    """Python's own loader, but that it has the code already."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code: CodeType | None = code

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module; when it is wanted again, as Python finds it then."""
        code, self._code = self._code, None
        return super().get_code(fullname) if code is None else code


@final
class _Finder:
    """What finds modules in one directory of our package: in the bundle, or as Python does."""

    def __init__(self, bundle: Bundle, directory: str, python: Any) -> None:
        self._bundle, self._directory, self._python = bundle, directory, python

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """The specification of a module in the directory."""
        bundle, directory, stem = self._bundle, self._directory, name.rpartition(".")[2]
        package = bundle.packages.get(name)
        if package is not None:
            directory, stem = package, "__init__"
        path = f"{directory}/{stem}.py"
        code = bundle.code(name, path)
        if code is None:
            found: ModuleSpec | None = self._real().find_spec(name, target)
            return found
        spec = ModuleSpec(name, _Loader(name, path, code), origin=path, is_package=bool(package))
        spec.has_location = True
        spec.cached = f"{directory}/__pycache__/{stem}.{sys.implementation.cache_tag}.pyc"
        if package is not None:
            spec.submodule_search_locations = [package]
        return spec

    def iter_modules(self, prefix: str = "") -> Iterable[tuple[str, bool]]:
        """For ``pkgutil``: names of the modules in the directory, and whether they are packages."""
        from pkgutil import iter_importer_modules  # type: ignore[attr-defined]

        found: Iterable[tuple[str, bool]] = iter_importer_modules(self._real(), prefix)
        return found

    def _real(self) -> Any:
        """Python's own."""
        if self._python is None:
            for hook in sys.path_hooks:
                try:
                    self._python = hook(self._directory)
                    break
                except ImportError:
                    continue
        return self._python

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)


_used: list[Bundle] = []


def use(directory: str | None = None) -> None:
    """Take our modules from the bundle from now on, where it has them.

    Args:
        directory: where the file is, instead of the default.
    """
    if _used or sys.flags.optimize:
        return
    bundle = Bundle(directory=directory)
    _used.append(bundle)
    finders: dict[str, Any] = sys.path_importer_cache
    for directory in bundle.packages.values():
        finders[directory] = _Finder(bundle, directory, finders.get(directory))


def import_together(names: Iterable[str]) -> list[str]:
    """Import modules whose code the bundle has, in two thirds of the time that Python takes.

    Nobody else may import any of them meanwhile, and nobody gets to know how they were found: they
    have no specification.  So this is for processes of our own.

    Args:
        names: the modules, each after its package and what it imports itself; what is out of order
            is imported as usual.

    Returns:
        Those that were imported so.
    """
    done: list[str] = []
    if not _used:
        return done
    bundle = _used[0]
    for name in names:
        parent, _, stem = name.rpartition(".")
        package = bundle.packages.get(name)
        directory = bundle.packages.get(parent) if package is None else package
        if name in sys.modules or parent not in sys.modules or directory is None:
            continue
        path = f"{directory}/{stem if package is None else '__init__'}.py"
        code = bundle.code(name, path)
        if code is None:
            continue
        module = type(sys)(name)
        module.__file__, module.__package__ = path, parent
        if package is not None:
            module.__path__, module.__package__ = [package], name
        sys.modules[name] = module
        try:
            exec(code, vars(module))  # noqa: S102 (as the loader of Python does)
        except BaseException:
            del sys.modules[name]
            raise
        setattr(sys.modules[parent], stem, module)
        done.append(name)
    return done


def forget() -> None:
    """Save nothing: the cache is being cleared."""
    _used.clear()


def compiled() -> list[str]:
    """The modules of ours that Python has compiled files of."""
    found = []
    for directory, _, files in os.walk(_ROOT):
        package = ".".join([_PACKAGE, *os.path.relpath(directory, _ROOT).split("/")])
        package = package.removesuffix("..")
        for file in files:
            stem, ending = os.path.splitext(file)
            kept = f"{directory}/__pycache__/{stem}.{sys.implementation.cache_tag}.pyc"
            if ending == ".py" and os.path.exists(kept):
                found.append(package if stem == "__init__" else f"{package}.{stem}")
    return found


def save(names: Iterable[str] = ()) -> None:
    """Have the next process find in the bundle what this one did not.

    If the system refuses, or has no memory for it, that process starts as slowly as this one.

    Args:
        names: more modules that others may want.
    """
    if not _used:
        return
    bundle = _used[0]
    loaded = [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]
    wanted = {*loaded, *names}
    if bundle.stale or not wanted <= bundle.entries.keys():
        try:
            bundle.add(wanted)
        except (OSError, MemoryError):
            return
