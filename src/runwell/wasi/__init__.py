"""WASI preview 1, and the worlds in which its programs live.

Names are imported when they are first used: a program that gets no directory needs none of them.
"""

TYPE_CHECKING = False

_HOMES = {
    "Clock": "clocks",
    "Directory": "protocol",
    "Entry": "protocol",
    "File": "protocol",
    "HostDirectory": "host",
    "MemoryDirectory": "memory",
    "Overlay": "overlay",
    "Quota": "limits",
    "ReadOnly": "limits",
    "Status": "protocol",
    "SystemClock": "clocks",
    "VirtualClock": "clocks",
    "WasiConfig": "config",
    "ZipDirectory": "zip",
}

if TYPE_CHECKING:
    from runwell.wasi.clocks import Clock as Clock
    from runwell.wasi.clocks import SystemClock as SystemClock
    from runwell.wasi.clocks import VirtualClock as VirtualClock
    from runwell.wasi.config import WasiConfig as WasiConfig
    from runwell.wasi.host import HostDirectory as HostDirectory
    from runwell.wasi.limits import Quota as Quota
    from runwell.wasi.limits import ReadOnly as ReadOnly
    from runwell.wasi.memory import MemoryDirectory as MemoryDirectory
    from runwell.wasi.overlay import Overlay as Overlay
    from runwell.wasi.protocol import Directory as Directory
    from runwell.wasi.protocol import Entry as Entry
    from runwell.wasi.protocol import File as File
    from runwell.wasi.protocol import Status as Status
    from runwell.wasi.zip import ZipDirectory as ZipDirectory
else:

    def __getattr__(name):  # noqa: ANN001, ANN202
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'runwell.wasi' has no attribute {name!r}")
        from runwell.base.light import import_module

        found = globals()[name] = getattr(import_module(f"runwell.wasi.{home}"), name)
        return found


__all__ = [*_HOMES]  # noqa: PLE0604


def __dir__() -> list[str]:
    return sorted(__all__)
