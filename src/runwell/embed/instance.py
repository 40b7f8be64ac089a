"""Instances: modules at work."""

from __future__ import annotations

from _weakref import ref

from runwell.base.errors import ClosedError, RunwellError
from runwell.base.light import final
from runwell.base.log import DEBUG, log
from runwell.embed.closing import close_faces, linger
from runwell.embed.config import check_deadline, check_fuel
from runwell.embed.exports import Exports, LazyExports, close
from runwell.embed.imports import find_imports
from runwell.embed.module import Module
from runwell.host import memory as memory_faces
from runwell.host.closed import CLOSED
from runwell.module.types import ExternKind
from runwell.runtime.instance import Instance as NativeInstance
from runwell.runtime.instance import InstanceBody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from runwell.embed.imports import Imports
    from runwell.embed.pool import Slot
    from runwell.runtime.instance import Extern
    from runwell.wasi.config import WasiConfig
    from runwell.wasi.preview1 import Wasi


@final
class Instance:
    """An instance of a module, with memories, tables and globals of its own.

    Imports are given by module name and name.  A function may be any callable, which takes its
    type from the import; a memory, table or global is a ``Memory``, ``Table`` or ``Global``, or a
    number for an immutable global; and in place of a mapping of names another instance may
    stand, with its exports.  A list of them gives the imports in the module's order.

    An instance lives as long as it, or anything that it exports, is in use, or until it is closed:
    ``with runwell.Instance(module) as instance:`` closes it at the end.

    Args:
        module: the module.
        imports: what it imports, by module name, or in order.
        wasi: gives the guest what WASI preview 1 has, as configured; ``imports`` go first.
        fuel: what it starts with; None for what the engine's configuration says.

    Raises:
        LinkError: an import is missing or has the wrong type, or a limit is exceeded.
        MemoryError: the system has no room.
        OSError: a directory that ``wasi`` names cannot be opened.
        Trap: the module's start function trapped, or an active segment is out of bounds.
        TypeError: an argument is of a wrong type.
        ValueError: ``fuel`` is given but not metered, or out of range.

    Attributes:
        module: what it is an instance of.
        exports: what it exports, by name.
    """

    __slots__ = ("__weakref__", "_native", "_slot", "_wasi", "exports", "module")
    _native: NativeInstance
    _slot: Slot | None

    def __init__(
        self,
        module: Module,
        imports: Imports | None = None,
        *,
        wasi: WasiConfig | None = None,
        fuel: int | None = None,
    ) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"module must be a runwell.Module, not {type(module).__name__}")
        self.module = module
        self._wasi: Wasi | None = None
        functions: Mapping[str, Callable[[str], object]] = {}
        if wasi is not None:
            from runwell.wasi import preview1
            from runwell.wasi.config import WasiConfig

            if not isinstance(wasi, WasiConfig):
                raise TypeError(f"wasi must be a runwell.WasiConfig, not {type(wasi).__name__}")
            self._wasi = preview1.Wasi(wasi, deterministic=module.engine.config.deterministic)
            functions = self._wasi.modules
        if fuel is not None:
            _check_metered(module)
            check_fuel(fuel)
        has_imports = module.code.module.imports
        externs = find_imports(module.wanted, imports or {}, functions) if has_imports else ()
        self._begin(externs, fuel)

    def _begin(self, externs: Sequence[Extern | None], fuel: int | None = None) -> None:
        """Instantiate the module, start it, and let it prepare itself."""
        module = self.module
        config = module.engine.config
        self._slot = None
        ticket = module.engine.admit()
        self._native = native = NativeInstance(
            module.code,
            externs,
            limit_bytes=config.max_memory_bytes,
            limit_elements=config.max_table_elements,
            fuel=fuel if fuel is not None else config.fuel or 0,
            initialise=False,
            time_limit_ns=0 if config.deadline_s is None else _nanoseconds(config.deadline_s),
            limit_heap=config.max_heap_bytes,
        )
        self.exports: Exports = LazyExports(native, module.entries, module.infos)
        # Before anything runs: a host function may ask who calls.
        native.body.face = ref(self)
        native.body.ticket = ticket
        if self._wasi is not None:
            self._attach(self._wasi)
        native.initialise()
        if (
            self._wasi is not None
            and "_initialize" in self.exports
            and "_start" not in self.exports
        ):
            self.exports["_initialize"]()  # a library of functions prepares itself

    @classmethod
    def with_externs(
        cls, module: Module, externs: Sequence[Extern | None], wasi: Wasi | None = None
    ) -> Instance:
        """An instance whose imports were found already; those of ``wasi`` among them."""
        self = cls.__new__(cls)
        self.module, self._wasi = module, wasi
        self._begin(externs)
        return self

    @classmethod
    def lent(
        cls,
        module: Module,
        native: NativeInstance,
        exports: Exports,
        slot: Slot,
        wasi: Wasi | None,
    ) -> Instance:
        """An instance of a pool, in a slot until it is closed."""
        self = cls.__new__(cls)
        self.module, self._native, self.exports = module, native, exports
        self._wasi, self._slot = wasi, slot
        return self

    @classmethod
    def of(cls, body: InstanceBody) -> Instance:
        """An instance of which there is only the part that its functions need."""
        self = cls.__new__(cls)
        self.module = Module.of(body.code)
        self._native = NativeInstance.of(body)
        self._wasi = self._slot = None
        self.exports = LazyExports(self._native, self.module.entries, self.module.infos)
        body.face = ref(self)
        return self

    def close(self) -> None:
        """Let go of the instance, and free its memory at once.

        Afterwards whatever it exported says that it is closed, except what another instance has
        imported: that lives on with the importer.  Views of its memory stay valid, and keep the
        memory until they are released.  A call that is going on goes on to its end, and the memory
        is freed then.  Closing again does nothing.  An instance of a pool goes back to the pool.
        """
        native, slot = self._native, self._slot
        if native is CLOSED:
            return
        if slot is not None:
            self._native, self._slot = CLOSED, None
            slot.give_back(self)
            return
        log(
            "instance",
            DEBUG,
            "closing the instance at %#x of %s",
            int(native.address),  # and not its owner
            native.code.module,
        )
        if self._wasi is not None:
            self._wasi.close()
        self._native = CLOSED
        close(self.exports)
        close_faces(native)
        linger(native)

    @property
    def closed(self) -> bool:
        """Was it closed?"""
        return self._native is CLOSED

    def __enter__(self) -> Self:
        if self._native is CLOSED:
            raise ClosedError("the instance is closed")
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _attach(self, wasi: Wasi) -> None:
        """Give WASI the guest's memory."""
        memory = exported_memory(self._native)
        if memory is not None:
            wasi.attach(memory)

    @property
    def fuel(self) -> int:
        """The fuel that is left.

        Each instance has its own: whoever calls whom, an instruction consumes the fuel of the
        instance that its function belongs to.  Fuel can be read and changed at any time, also by
        host functions that the guest calls, e.g. ``instance.fuel += 1000``; but while the guest
        runs in another thread the number is only about right, and a change may be lost.

        A block of instructions, up to the next place where control may branch or come from
        elsewhere, is paid for when it is entered: one for each instruction except ``block``,
        ``loop``, ``try_table``, ``else`` and ``end``.  Instructions that move bytes or elements
        cost one more for each 64 bytes, or 8 elements.

        Raises:
            ValueError: the engine meters nothing, or the number is negative or too large.
            TypeError: not an int was assigned.
        """
        _check_metered(self.module)
        return self._native.fuel

    @fuel.setter
    def fuel(self, fuel: int) -> None:
        _check_metered(self.module)
        self._native.fuel = check_fuel(fuel)

    def collect(self) -> None:
        """Free what guests have no reference to any more.

        That is structures and arrays, and objects of Python that were given to them as external
        references, of this instance and of all that exchange references with it.  Nobody has to
        call it: it happens when a guest's heap fills up, and when twice as many objects of Python
        are with the guests as were in use the last time, but at least 1,024.  What is let go of
        goes at once, or, if another thread collects, with the next call or the next callback.

        Raises:
            ClosedError: the instance is closed.
        """
        heap = self._native.store.heap
        if heap is not None:
            heap.collect()

    @property
    def wasi(self) -> Wasi | None:
        """Its WASI: what was captured, and the guest's descriptors; None if it was given none."""
        return self._wasi

    @property
    def deadline_s(self) -> float | None:
        """Seconds that a call from Python may take; see ``Config``.

        It can be changed at any time, for calls that begin later.

        Raises:
            TypeError: neither a number nor None was assigned.
            ValueError: the number is not positive, or too large.
        """
        nanoseconds = self._native.time_limit_ns
        return nanoseconds / 1e9 if nanoseconds else None

    @deadline_s.setter
    def deadline_s(self, deadline_s: float | None) -> None:
        self._native.time_limit_ns = _nanoseconds(check_deadline(deadline_s))

    def run(self) -> int:
        """Run a WASI command to its end.

        Returns:
            The exit code: what the guest passed to ``proc_exit``, or 0.

        Raises:
            RunwellError: the module is not a command: it exports no ``_start``.
            Trap: the guest trapped.
        """
        from runwell.wasi.world import ProcExit

        if "_start" not in self.exports:
            raise RunwellError("the module is not a command: it does not export _start")
        try:
            self.exports["_start"]()
        except ProcExit as exit_:
            return exit_.code
        finally:
            if self._wasi is not None:
                self._wasi.finish()
        return 0

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Instance cannot be pickled: pickle its module")

    def __repr__(self) -> str:
        if self._native is CLOSED:
            return "<runwell.Instance: closed>"
        name = f" of {self.module.name}" if self.module.name else ""
        return f"<runwell.Instance{name}: {', '.join(self.exports)}>"


def exported_memory(native: NativeInstance) -> memory_faces.Memory | None:
    """The memory that an instance shares with WASI."""
    for entry in native.code.module.exports:
        if entry.kind == ExternKind.MEMORY and entry.name == "memory":
            return memory_faces.face(native.memories[entry.item])
    return None


def _check_metered(module: Module) -> None:
    if module.engine.config.fuel is None:
        raise ValueError("the engine meters nothing: make it with runwell.Config(fuel=True)")


def _nanoseconds(deadline_s: float | None) -> int:
    """A time limit as native code has it."""
    return 0 if deadline_s is None else max(1, round(deadline_s * 1e9))
