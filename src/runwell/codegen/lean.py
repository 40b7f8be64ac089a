"""LLVM's binding without what compiling does not need: for processes that do nothing else.

Importing ``llvmlite.binding`` takes four times as long as loading LLVM: it imports what builds LLVM
text from Python, execution engines, and the library that finds files in packages.  Here its modules
that compile are imported alone, with next to nothing in the place of the others.
"""

import os
import sys
from types import ModuleType

_PACKAGES = ("llvmlite", "llvmlite.binding")
# What ``llvmlite.binding`` re-exports of these is what compiling takes.
_MODULES = ("initfini", "module", "newpassmanagers", "options", "targets")
_EMPTY = ("llvmlite.ir", "importlib.resources")


def import_lean() -> bool:
    """Import the part of ``llvmlite.binding`` that compiles, unless it is imported already.

    Where the binding is made otherwise than this expects, nothing happens: whoever imports it then
    gets the whole.

    Returns:
        Is the part in place?
    """
    if any(name in sys.modules for name in _PACKAGES):
        return False
    before = {name: sys.modules.get(name) for name in _EMPTY}
    try:
        _import()
    except Exception:  # noqa: BLE001 (whatever is not as expected)
        for name in [name for name in sys.modules if name.partition(".")[0] == "llvmlite"]:
            del sys.modules[name]
        return False
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
    return True


def _import() -> None:
    place = next(path for path in sys.path if os.path.isdir(f"{path}/llvmlite/binding"))
    for name in _PACKAGES:
        package = ModuleType(name)
        package.__path__ = [f"{place}/{name.replace('.', '/')}"]
        sys.modules[name] = package
    sys.modules["llvmlite.ir"] = _Anything("llvmlite.ir")
    sys.modules["importlib.resources"] = _Resources("importlib.resources")
    sys.modules["llvmlite"].ir = sys.modules["llvmlite.ir"]  # type: ignore[attr-defined]
    binding = sys.modules["llvmlite.binding"]
    sys.modules["llvmlite"].binding = binding  # type: ignore[attr-defined]
    for name in _MODULES:
        # ``importlib`` would import more than all of these.
        module = __import__(f"llvmlite.binding.{name}", fromlist=[name])
        vars(binding).update({n: v for n, v in vars(module).items() if not n.startswith("_")})
    # The library, of which all the modules declare what they use.
    _ = sys.modules["llvmlite.binding.ffi"].lib._name


class _Anything(ModuleType):
    """A module of whatever is asked for: names that are mentioned and never used."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


class _Place:
    """A file in a package; as itself, its path for the time of a ``with`` block."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __truediv__(self, name: str) -> "_Place":
        return _Place(f"{self._path}/{name}")

    def __enter__(self) -> str:
        return self._path

    def __exit__(self, *error: object) -> None:
        return


class _Resources(ModuleType):
    """In place of ``importlib.resources``: files of packages that are in directories."""

    def files(self, package: str) -> _Place:
        """The directory of a package."""
        return _Place(sys.modules[package].__path__[0])

    def as_file(self, place: _Place) -> _Place:
        """A file, to be opened in a ``with`` block."""
        return place
