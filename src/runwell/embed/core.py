"""Loading the native core, at the first use of anything that needs it."""

from __future__ import annotations

from _thread import allocate_lock, get_ident

from runwell.base.light_ctypes import c_void_p, python_function
from runwell.runtime.native import hooks, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runwell.base.progress import Progress
    from runwell.module.module import Module
    from runwell.runtime.func import Func
    from runwell.runtime.instance import InstanceBody

_lock = allocate_lock()
_loaded: list[bool] = []
# The thread that is at it.
_loading: list[int] = []


def _source_of(module: Module, offset: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    from runwell.embed.sources import source_of

    return source_of(module, offset)


def _instance_of(body: Any) -> Any:
    """A ``runwell.Instance`` of a body that has none."""
    from runwell.embed.instance import Instance

    return Instance.of(body)


def _start(func: Func, body: InstanceBody) -> None:
    """Call a start function."""
    from runwell.host.func import face
    from runwell.host.function import HostFunction, is_async

    host = func.owner
    if isinstance(host, HostFunction) and host.with_caller and not is_async(host.callable):
        host.callable(id(body))  # who calls is not Python, but the instance
    else:
        face(func)()


def _check_interpreter() -> None:
    """The native code knows one interpreter's objects and threads."""
    main = python_function("PyInterpreterState_Main", c_void_p)
    current = python_function("PyInterpreterState_Get", c_void_p)
    if main() != current():
        raise ImportError("Runwell works in Python's main interpreter, not in a subinterpreter")


def load(progress: Progress | None = None) -> None:
    """Make sure that the core is loaded and the native types exist.

    The first use of a version on a machine builds the core, which takes some seconds.

    Args:
        progress: is told how far a build is; what it raises ends that.

    Raises:
        ImportError: this is a subinterpreter, or a Python whose objects the kernels do not know.
        RuntimeError: a progress callback, or what a build logs, uses what is being built.
    """
    if _loaded:
        return
    if get_ident() in _loading:
        raise RuntimeError("the native core is being built: nothing can run before that is done")
    with _lock:
        if _loaded:
            return
        _check_interpreter()
        if not native.installed:
            from runwell.interp.core import load_core

            _loading.append(get_ident())
            try:
                load_core(progress)
            finally:
                _loading.clear()
        from runwell.host.caller import instance_makers
        from runwell.host.install import install

        install()
        hooks.call = _start
        hooks.source_of = _source_of
        instance_makers.append(_instance_of)
        _loaded.append(True)
