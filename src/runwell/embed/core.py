"""Loading the native core, at the first use of anything that needs it."""

from _thread import allocate_lock

from runwell.runtime.native import hooks, native

_lock = allocate_lock()
_loaded: list[bool] = []


def load() -> None:
    """Make sure that the core is loaded and the native types exist.

    The first use of a version on a machine builds the core, which takes some seconds.
    """
    if _loaded:
        return
    with _lock:
        if _loaded:
            return
        if not native.installed:
            from runwell.interp.core import load_core

            load_core()
        from runwell.host.func import face
        from runwell.host.install import install

        install()
        hooks.call = lambda func: face(func)()
        _loaded.append(True)
