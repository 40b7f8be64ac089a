"""Snapshots: instances that begin where another one is, and can be put back there.

A template has been instantiated and started.  Copies of it run nothing to get where it is: their
memories show its memory until they write, by a private mapping of a file that only has pages; its
globals, tables and segments are copied, and what in them refers to the template's functions is
made to refer to the copy's.
"""

from __future__ import annotations

from array import array
from contextlib import suppress
from os import close

from runwell.base.errors import RunwellError
from runwell.base.light import final
from runwell.base.light_ctypes import c_char
from runwell.base.objects import TAG, TAG_MASK
from runwell.base.types import ValType
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.func import Func
from runwell.runtime.instance import Extern, Instance
from runwell.runtime.native import native
from runwell.runtime.plan import Plan
from runwell.runtime.types import is_function_type, may_be_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

# Memories up to this size are copied: the fault of one page costs as much.
COPIED = 1 << 17
_FUNCTIONS = (0x70, 0x73)  # heap types


@final
class _Image:
    """The contents of a memory, as a file or as bytes."""

    __slots__ = ("_content", "_file", "size")

    def __init__(self, address: int, size: int) -> None:
        self.size, self._file = size, -1
        content: Any = (c_char * size).from_address(address)
        if size > COPIED:
            with suppress(AttributeError, OSError):
                self._file = _file_of(memoryview(content).cast("B"))
                return
        self._content = bytes(content)

    def use(self, memory: int) -> None:
        """Let a new memory begin with the contents.

        Raises:
            MemoryError: the system refuses.
        """
        if self._file >= 0:
            done = native.memory_use_image(memory, self._file, self.size)
        else:
            from runwell.runtime.code import address_of

            done = native.memory_use_copy(memory, address_of(self._content), self.size)
        if not done:
            raise MemoryError("no room for a copy of a memory")

    def __del__(self, close: Callable[[int], None] = close) -> None:
        if self._file >= 0:
            close(self._file)


def _file_of(content: memoryview) -> int:
    """A file in memory; pages of zeros take no room in it."""
    import os

    file = os.memfd_create("runwell-snapshot", os.MFD_CLOEXEC)
    try:
        os.ftruncate(file, (len(content) + 4095) & -4096)
        block, zeros = 1 << 16, bytes(1 << 16)
        for at in range(0, len(content), block):
            part = content[at : at + block]
            if part != zeros[: len(part)]:
                done = 0
                while done < len(part):
                    done += os.pwrite(file, part[done:], at + done)
    except OSError:
        os.close(file)
        raise
    return file


@final
class Template:
    """An instance that others are copies of; it must not run any more.

    Attributes:
        instance: the instance.
    """

    __slots__ = ("_externs", "_images", "_limits", "instance")

    def __init__(
        self, instance: Instance, externs: Sequence[Extern | None], **limits: int | None
    ) -> None:
        """Take the state of an instance.

        Args:
            instance: the instance.
            externs: what it imported.
            limits: with which it was made.

        Raises:
            RunwellError: a global or a table has a value that cannot be copied.
        """
        self.instance, self._externs, self._limits = instance, externs, limits
        module = instance.code.module
        self._images = [
            _Image(memory.base, memory.size)
            for memory in instance.memories[module.n_imported_memories :]
        ]
        for x in range(module.n_imported_globals, len(module.global_types)):
            type_ = instance.global_(x).type.type
            if type_.is_ref and instance.global_(x).bits:
                _check(type_, f"global {x}", (instance.global_(x).bits,))
        for x in range(module.n_imported_tables, len(instance.tables)):
            table = instance.tables[x]
            elements = _elements(table.address)
            if any(elements):
                _check(table.type.element, f"table {x}", elements)
        plan: Plan = instance.code.plan
        for i, element in enumerate(module.elements):
            at = instance.address + plan.segments + sizeof(layout.Segment) * i
            segment = ctype_of(layout.Segment).from_address(at)
            if segment.size:
                words = _words(segment.items, segment.size)
                _check(instance.code.canonical(element.type), f"element segment {i}", words)

    def copy(self, externs: Sequence[Extern | None]) -> Copy:
        """Make a copy.

        Args:
            externs: what it imports instead of what the template did.

        Raises:
            MemoryError: the system has no room.
        """
        limits: dict[str, Any] = self._limits
        made = Instance(self.instance.code, externs, initialise=False, **limits)
        # Whatever the template refers to, the copy refers to.
        made.store.keep(self.instance.store)
        module = self.instance.code.module
        for image, memory in zip(
            self._images, made.memories[module.n_imported_memories :], strict=True
        ):
            image.use(memory.address)
        return Copy(made, self._copy_references(made))

    def _copy_references(self, made: Instance) -> list[int]:
        """Copy globals, tables and segments; gives what keeps the objects of Python in them."""
        held: list[int] = []
        source, module = self.instance, self.instance.code.module
        plan: Plan = source.code.plan
        start = source.address
        # Functions of the template, and those that it was given to import, become the copy's.
        renamed = {
            a.ref: b.ref
            for a, b in zip(self._externs, made_externs(made, self._externs), strict=True)
            if isinstance(a, Func) and isinstance(b, Func)
        }

        def moved(bits: int) -> int:
            if start <= bits < start + plan.size:
                return bits - start + made.address
            return renamed.get(bits, bits)

        def translated(type_: ValType, bits: int) -> int:
            if bits & TAG_MASK == TAG and may_be_object(type_):
                word = made.store.hold(_host_object(bits))
                held.append(word)
                return word
            return moved(bits)

        for x in range(module.n_imported_globals, len(module.global_types)):
            mine, type_ = made.global_(x), source.global_(x).type.type
            bits = source.global_(x).bits
            mine.bits = translated(type_, bits) if type_.is_ref else bits
        _copy_bytes(start + plan.data_at, made.address + plan.data_at, 16 * len(module.datas))
        for i in range(len(module.elements)):
            at = plan.segments + sizeof(layout.Segment) * i
            segment = ctype_of(layout.Segment).from_address(start + at)
            if not segment.size:
                continue
            type_ = source.code.canonical(module.elements[i].type)
            words = _words(segment.items, segment.size)
            items = array("Q", [translated(type_, bits) for bits in words])
            made.body.segments.append(items)
            mine_at = ctype_of(layout.Segment).from_address(made.address + at)
            mine_at.items, mine_at.size = items.buffer_info()
        for x in range(module.n_imported_tables, len(source.tables)):
            table, copy = source.tables[x], made.tables[x]
            native.table_grow_by(copy.address, 0, table.size - copy.size)
            kind = table.type.element
            contents = array("Q", [translated(kind, bits) for bits in _elements(table.address)])
            to = ctype_of(layout.Table).from_address(copy.address).elements
            _copy_bytes(contents.buffer_info()[0], to, 8 * len(contents))
        return held


def made_externs(made: Instance, externs: Sequence[Extern | None]) -> Sequence[Extern | None]:
    """What a copy has imported, in the order of ``externs``; functions only."""
    functions = iter(range(made.code.module.n_imported_functions))
    return [made.func(next(functions)) if isinstance(extern, Func) else None for extern in externs]


@final
class Copy:
    """A copy of a template, and the way back to its first state.

    Attributes:
        instance: the copy.
        memories: its own ones.
    """

    __slots__ = (
        "_held",
        "_keep",
        "_members",
        "_snapshot",
        "_tables",
        "instance",
        "memories",
    )

    def __init__(self, instance: Instance, held: list[int]) -> None:
        from ctypes import addressof, string_at

        self.instance = instance
        module, plan = instance.code.module, instance.code.plan
        start = sizeof(layout.Instance)
        state = string_at(instance.address + start, plan.func_refs - start)
        self.memories = instance.memories[module.n_imported_memories :]
        self._tables = own = instance.tables[module.n_imported_tables :]
        memories = array("Q", [memory.address for memory in self.memories])
        contents = [array("Q", _elements(table.address)) for table in own]
        tables = (ctype_of(layout.TableImage) * len(own))(
            *(
                (table.address, content.buffer_info()[0], len(content))
                for table, content in zip(own, contents, strict=True)
            )
        )
        from runwell.runtime.code import address_of

        struct = ctype_of(layout.Snapshot)(
            instance=instance.address,
            state=address_of(state),
            start=start,
            size=len(state),
            memories=memories.buffer_info()[0],
            n_memories=len(memories),
            tables=addressof(tables),
            n_tables=len(own),
            fuel=instance.fuel,
            time_limit=instance.time_limit_ns,
        )
        self._keep = (struct, state, memories, contents, tables)
        self._snapshot: int = addressof(struct)
        # The objects of Python that it begins with.
        self._held = held
        self._members = len(instance.store._members)

    @property
    def is_shared(self) -> bool:
        """Is it linked with others, so that it cannot be put back?"""
        store = self.instance.store
        if store.is_kept or store._heir is not None or len(store._members) != self._members:
            return True
        for memory in self.memories:
            if memory.lent:
                return True
        return any(table.lent for table in self._tables)

    def reset(self) -> bool:
        """Put it back into its first state; False if it runs."""
        if not native.instance_reset(self._snapshot):
            return False
        heap = self.instance.store.heap
        if heap is not None and heap.native.n_externs != len(self._held):
            # What the last user gave it.
            heap.collect()
        return True


def _is_copied(type_: ValType) -> bool:
    """Can references of a type be copied from one instance to another?"""
    heap = type_.heap_index
    if heap is not None:
        return is_function_type(heap)
    return type_ & 0xFF in _FUNCTIONS or may_be_object(type_)


def _check(type_: ValType, what: str, words: Iterable[int]) -> None:
    if not _is_copied(type_) and any(words):
        raise RunwellError(f"no snapshot can be made: {what} has a value of type {type_.text}")
    if may_be_object(type_) and any(
        bits & TAG_MASK == TAG and _host_object(bits) is None for bits in words
    ):
        raise RunwellError(f"no snapshot can be made: {what} refers to an object of the heap")


def _host_object(word: int) -> object:
    """The object of Python that a reference stands for, or None."""
    from runwell.runtime.reference import host_object

    return host_object(word)


def _elements(table: int) -> list[int]:
    struct = ctype_of(layout.Table).from_address(table)
    return _words(struct.elements, struct.size)


def _words(address: int, count: int) -> list[int]:
    from ctypes import c_uint64

    words: Any = (c_uint64 * count).from_address(address) if count else ()
    return list(words)


def _copy_bytes(source: int, to: int, size: int) -> None:
    from ctypes import memmove

    memmove(to, source, size)
