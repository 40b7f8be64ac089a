"""``runwell.InstancePool``: instances made beforehand, used again in microseconds."""

from __future__ import annotations

from _queue import Empty, SimpleQueue
from _thread import allocate_lock
from _weakref import ref
from sys import getrefcount

from runwell.base.errors import ClosedError
from runwell.base.light import final
from runwell.base.log import DEBUG, INFO, log
from runwell.embed.closing import close_faces, linger
from runwell.embed.exports import CLOSED_EXPORTS, Exports, LazyExports, close
from runwell.embed.imports import find_imports
from runwell.embed.instance import Instance, exported_memory
from runwell.embed.module import Module
from runwell.host import func as func_faces
from runwell.host import memory as memory_faces
from runwell.host.native_type import types
from runwell.runtime.snapshot import Copy, Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from runwell.embed.imports import Imports
    from runwell.wasi.config import WasiConfig
    from runwell.wasi.preview1 import Wasi


@final
class Slot:
    """A place in a pool, while an instance is in it."""

    __slots__ = ("copy", "exports", "pool", "wasi")

    def __init__(
        self, copy: Copy, exports: Exports | None, pool: InstancePool, wasi: Wasi | None
    ) -> None:
        self.copy, self.exports, self.pool = copy, exports, pool
        self.wasi = wasi  # whose functions it has imported; acts for that of each user

    def lend(self) -> Instance:
        """The instance, for its next user."""
        native, module = self.copy.instance, self.pool.module
        wasi: Wasi | None = None
        if self.wasi is not None:
            wasi = self.pool.open_wasi()
            self.wasi.act_for(wasi, exported_memory(native))
        exports, self.exports = self.exports, None
        if exports is None:
            exports = LazyExports(native, module.entries, module.infos)
        instance = Instance.lent(module, native, exports, self, wasi)
        pool = self.pool
        # If the user drops it, it lives as long as what it exported; the pool goes on with another.
        native.body.face = ref(instance, lambda _: pool._replace())
        return instance

    def give_back(self, instance: Instance) -> None:
        """Take the instance back from its user."""
        copy, pool = self.copy, self.pool
        native = copy.instance
        native.body.face = None
        if self.wasi is not None:
            # What the user had of it is closed, and stays the user's.
            assert instance.wasi is not None
            instance.wasi.close()
            self.wasi.detach()
        is_alone = getrefcount(instance.exports) <= _holder_count and self._is_alone(
            instance.exports.__dict__
        )
        is_seen = False
        if is_alone:
            self.exports = instance.exports
            instance.exports = CLOSED_EXPORTS
        else:
            faces = [memory_faces.known(memory.address) for memory in copy.memories]
            is_seen = any(face is not None and face._views for face in faces)
            close(instance.exports)
            close_faces(native)
        if copy.is_shared or is_seen or pool.closed or not copy.reset():
            close_faces(native)
            linger(native)
            pool._replace()
        else:
            pool._put(self)

    def _is_alone(self, made: dict[str, Any]) -> bool:
        """Does nobody have what was exported, so that the next user may have the same objects?"""
        copy = self.copy
        handed = copy.instance.body.handed
        if made:
            if _most_counted(made) > _value_count:
                return False
        elif not handed and not copy.memories:
            return True
        values = made.values()
        for memory in copy.memories:
            face = memory_faces.known(memory.address)
            if face is not None and (face._views or face not in values):
                return False
        refs = {thing._ref for thing in values if type(thing) is types.func}
        return handed <= refs or all(func_faces.known(at) is None for at in handed.difference(refs))


def _most_counted(made: dict[str, Any]) -> int:
    """The highest reference count of the values."""
    return max([getrefcount(thing) for thing in made.values()])


@final
class _Holder:
    """What ``getrefcount`` says of a thing that one attribute has, asked as ``give_back`` does."""

    __slots__ = ("exports",)

    def __init__(self) -> None:
        self.exports = object()


_holder = _Holder()
_holder_count = getrefcount(_holder.exports)
_value_count = _most_counted({"": object()})


@final
class InstancePool:
    """Instances of a module that all begin in the same state: a fresh one's.

    One instance is made, started and prepared; the others begin where it is, without running
    anything.  Their memories show its memory until they are written to.  An instance that is
    closed, which the end of a ``with`` does, is put back to that state for the next user: memory,
    globals, tables, segments and fuel are as they were, and nothing that one user had is of use to
    it any more, or tells it anything about the next.

        pool = module.instantiate_pool(4, imports, init="prepare")
        with pool.acquire() as instance:
            instance.exports.run()

    What the instances import, they share: memories, tables and globals that are imported are not
    put back.  With ``wasi`` each user gets a WASI of its own, as after a start: streams, what was
    captured, and directories are opened anew for it, and all descriptors are closed when it closes
    the instance.  Directories themselves are what the configuration names: where users must not
    see each other's files, let a callable make a configuration for each of them.

        pool = module.instantiate_pool(
            4, wasi=lambda: runwell.WasiConfig(preopens={"/": MemoryDirectory()})
        )

    State that refers to structures, arrays or exceptions cannot be copied: their identity is the
    guest's own, and copies of them would be other objects wherever one is known outside.

    Made by ``Module.instantiate_pool``.

    Attributes:
        module: what the instances are of.
        size: how many instances there are.
    """

    __slots__ = ("_closed", "_free", "_imports", "_lock", "_template", "_wasi", "module", "size")

    def __init__(
        self,
        module: Module,
        size: int,
        imports: Imports | None,
        init: str | Callable[[Instance], object] | None,
        wasi: WasiConfig | Callable[[], WasiConfig] | None = None,
    ) -> None:
        """Make the instances.

        Args:
            module: what they are of.
            size: how many.
            imports: what they import.
            init: prepares the first one: the name of an exported function without parameters, or
                a callable that is given the instance.
            wasi: gives guests what WASI preview 1 has: a configuration, or a callable that makes
                one for each user.

        Raises:
            LinkError: an import is missing or has the wrong type, or a limit is exceeded.
            MemoryError: the system has no room.
            OSError: a directory that ``wasi`` names cannot be opened.
            RunwellError: the state cannot be copied.
            Trap: the start function or ``init`` trapped.
            TypeError: an argument is of a wrong type.
            ValueError: ``size`` is not positive.
        """
        if not isinstance(size, int):
            raise TypeError(f"the size of a pool is an int, not {type(size).__name__}")
        if size < 1:
            raise ValueError(f"a pool has at least one instance, not {size}")
        self.module, self.size, self._imports = module, size, imports or {}
        self._closed, self._lock = False, allocate_lock()
        self._free: SimpleQueue[Slot | None] = SimpleQueue()
        self._wasi = wasi
        opened = self.open_wasi() if wasi is not None else None
        functions = opened.modules if opened is not None else {}
        externs = find_imports(module.wanted, self._imports, functions)
        first = Instance.with_externs(module, externs, opened)
        if callable(init):
            init(first)
        elif init is not None:
            first.exports[init]()
        config = module.engine.config
        self._template = Template(
            first._native,
            externs,
            limit_bytes=config.max_memory_bytes,
            limit_elements=config.max_table_elements,
            fuel=first._native.fuel,
            time_limit_ns=first._native.time_limit_ns,
        )
        if opened is not None:
            opened.close()
        for _ in range(size):
            self._free.put(self._make())
        log("pool", DEBUG, "made %d instances of %s", size, module.code.module)

    def acquire(self, timeout_s: float | None = None) -> Instance:
        """An instance, until it is closed.

        Args:
            timeout_s: how long to wait for one if all are in use; None to wait without end.

        Returns:
            The instance.

        Raises:
            ClosedError: the pool is closed.
            TimeoutError: none was closed in time.
        """
        if self._closed:
            raise ClosedError("the pool is closed")
        try:
            slot = self._free.get(True, timeout_s)
        except Empty:
            log("limit", INFO, "all %d instances of a pool are in use", self.size)
            raise TimeoutError(f"all {self.size} instances are in use") from None
        if slot is None:
            if self.closed:
                self._free.put(None)
                raise ClosedError("the pool is closed")
            try:
                slot = self._make()
            except BaseException:
                self._free.put(None)
                raise
        try:
            return slot.lend()
        except BaseException:
            self._put(slot)
            raise

    def open_wasi(self) -> Wasi:
        """A WASI as after a start.

        Raises:
            OSError: a directory cannot be opened.
        """
        from runwell.wasi import preview1

        config = self._wasi() if callable(self._wasi) else self._wasi
        assert config is not None
        return preview1.Wasi(config, deterministic=self.module.engine.config.deterministic)

    def _make(self) -> Slot:
        wasi: Wasi | None = None
        if self._wasi is not None:
            from runwell.wasi import preview1

            wasi = preview1.Wasi.unopened()
        functions = wasi.modules if wasi is not None else {}
        externs = find_imports(self.module.wanted, self._imports, functions)
        copy = self._template.copy(externs)
        return Slot(copy, None, self, wasi)

    def _put(self, slot: Slot) -> None:
        self._free.put(None if self._closed else slot)

    def _replace(self) -> None:
        """An instance cannot be used again: the next user gets a new one."""
        if not self._closed:
            log(
                "pool", DEBUG, "an instance of %s cannot be used again: something of it is in use",
                self.module.code.module,
            )  # fmt: skip
        self._free.put(None)

    @property
    def idle(self) -> int:
        """How many instances are not in use."""
        return self._free.qsize()

    @property
    def closed(self) -> bool:
        """Was it closed?"""
        return self._closed

    def close(self) -> None:
        """Let go of the instances that are not in use, and of the others when they are closed."""
        with self._lock:
            self._closed = True
            kept = 0
            try:
                while True:
                    self._free.get(False)
                    kept += 1
            except Empty:
                pass
            # For those who wait.
            for _ in range(max(kept, 1)):
                self._free.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a runwell.InstancePool cannot be pickled: pickle its module")

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.idle} idle"
        return f"<runwell.InstancePool: {self.size} instances, {state}>"
