"""The native core: handlers, kernels and entries, as one shared object.

It is built once for a version of the sources, a processor and a Python, and kept in the cache;
afterwards loading it imports neither LLVM nor the sources it was made from.
"""

from __future__ import annotations

import os
import sys

from runwell.base.light import final
from runwell.base.log import DEBUG, INFO, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.base.progress import Line, Progress

# What native code is made from: packages, and the modules in them, or what they end in; all if none
# is named.  A test compares this with what a build imports.
_SOURCES: dict[str, tuple[str, ...]] = {
    "base": (),
    "codegen": ("machine", "object", "python", "target", "unit", "worker"),
    "elf": (),
    "host": ("_kernels", "layout", "python_api", "signature", "unit", "weak"),
    "interp": (),
    "isa": (),
    "kernel": (),
    "module": ("subtyping", "types"),
    "runtime": ("_kernels", "c_library", "layout", "native", "types"),
    "translate": (),
}
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Where a wheel has cores that were built with it; see ``prebuilt``.
PREBUILT = f"{_ROOT}/cores"
# -O3 makes kernels larger, not faster.
_LEVEL = 2


@final
class Core:
    """The loaded core.

    Attributes:
        path: the shared object.
        key: what it depends on; see ``key``.
    """

    __slots__ = ("_handle", "key", "path")

    def __init__(self, path: str, key: str = "") -> None:
        """Load it from a file.

        Raises:
            OSError: it cannot be loaded.
        """
        from _ctypes import dlopen

        self.path, self.key = path, key
        self._handle = dlopen(path, os.RTLD_NOW | os.RTLD_LOCAL)

    def address_of(self, symbol: str) -> int:
        """Address of an exported symbol.

        Raises:
            OSError: there is none of this name.
        """
        from _ctypes import dlsym

        return int(dlsym(self._handle, symbol))


_loaded: list[Core] = []


def load_core(progress: Progress | None = None) -> Core:
    """The core, loaded at the first call and built if it is not in the cache.

    Args:
        progress: is told how far a build is (phases ``"core"``, and ``"wait"`` for one of another
            process), and again and again meanwhile; by default a terminal's standard error is, and
            any if ``RUNWELL_PROGRESS`` is set.  What it raises ends the build.

    Raises:
        OSError: the object cannot be loaded.
    """
    if _loaded:
        return _loaded[0]
    from runwell.codegen import bundle
    from runwell.codegen.cache import NativeCache
    from runwell.host.builtin import make_builtin
    from runwell.runtime import signals
    from runwell.runtime.native import native

    lines: list[Line] = []

    def show(phase: str, done: int, total: int) -> None:
        if not lines:
            from runwell.base.progress import Line

            lines.append(Line())
        lines[0](phase, done, total)

    def make() -> bytes:
        made = build(tell)
        # Who has waited so long need not look for our modules one by one the next time.
        bundle.save(bundle.compiled())
        return made

    tell = progress or show
    stamps = source_stamps()
    wanted = key(stamps)
    path = ""
    try:
        if os.path.isdir(PREBUILT):
            from runwell.interp.prebuilt import find

            path = find(PREBUILT, python_key(), stamps)
        if not path:
            path = NativeCache().load_or_build("core", wanted, make, lambda _: tell("wait", 0, 0))
    finally:
        for line in lines:
            line.clear()
    log("core", DEBUG, "the native core is %s", path)
    core = Core(path, wanted)
    native.install(core.address_of, make_builtin)
    signals.install(
        core.address_of("handlers_low"),
        core.address_of("handlers_high"),
        core.address_of("fault_exit"),
        core.address_of("native_return"),
    )
    _loaded.append(core)
    return core


def key(stamps: list[str] | None = None) -> str:
    """What a built core depends on.

    Args:
        stamps: those of the sources, if they are known.
    """
    from runwell.codegen.cpu import fingerprint

    return "\n".join([python_key(), fingerprint(), *(stamps or source_stamps())])


def python_key() -> str:
    """What of Python a built core depends on."""
    return f"{sys.implementation.cache_tag} {sys.abiflags} {sys.maxsize}"


def source_stamps() -> list[str]:
    """Path, size and time of all sources that the core is made from."""
    return sorted(
        [stamp for package, modules in _SOURCES.items() for stamp in stamps_of(package, modules)]
    )


def stamps_of(package: str, modules: tuple[str, ...] = ()) -> list[str]:
    """Path, size and time of the source files of a package.

    Args:
        package: of Runwell.
        modules: modules, or what they end in; all if none is named.
    """
    endings = tuple([f"{name}.py" for name in modules or ("",)])
    stamps = []
    with os.scandir(f"{_ROOT}/{package}") as files:
        for file in files:
            if file.name.endswith(endings):
                info = file.stat()
                stamps.append(f"{package}/{file.name} {info.st_size} {info.st_mtime_ns}")
    return stamps


def build(progress: Progress) -> bytes:
    """Compile and link the core."""
    from time import perf_counter

    from runwell.codegen.unit import compile_units
    from runwell.elf.linker import link
    from runwell.interp.unit import core_exports, core_units

    progress("core", 0, 0)
    started_s = perf_counter()
    units = core_units()
    jobs = min(len(os.sched_getaffinity(0)), len(units))

    def tell(done: int, total: int) -> None:
        progress("core", done, total)

    objects = compile_units(units, jobs, tell, level=_LEVEL)
    linked = link(objects, exports=core_exports(units), soname="librunwell-core.so")
    log("core", INFO, "built the native core in %.1f s", perf_counter() - started_s)
    return linked
