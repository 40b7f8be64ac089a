"""The errors of Runwell, one class a phase of a module's life.

Fields are data, ``__str__`` is formatting.  ``InternalError`` alone is our own bug and does not
derive from ``RunwellError``, so that code which handles bad guests never swallows it.
"""

from __future__ import annotations

from runwell.base.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from runwell.base.traps import TrapCode


class RunwellError(Exception):
    """Base of everything a guest, or a wrong argument, can cause."""


class MalformedError(RunwellError):
    """The bytes or the text are not a module.

    Attributes:
        message: what is wrong, in the words of the official suite.
        offset: byte offset in the binary, or None.
        line: 1-based line in the text, or None.
        column: 1-based column in the text, or None.
        source: the offending line of the text, or "".
    """

    def __init__(
        self,
        message: str,
        offset: int | None = None,
        line: int | None = None,
        column: int | None = None,
        source: str = "",
    ) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset
        self.line, self.column, self.source = line, column, source

    def __str__(self) -> str:
        if self.offset is not None:
            return f"{self.message} (at byte {self.offset:#x})"
        if self.line is not None:
            where = f"{self.message} (at {self.line}:{self.column})"
            return f"{where}\n  {self.source}" if self.source else where
        return self.message


class InvalidError(RunwellError):
    """The module is well formed but does not type-check.

    Attributes:
        message: what is wrong, in the words of the official suite.
        function: index of the function, or None outside of function bodies.
        name: the function's name from the name section, or "".
        offset: byte offset in the binary, or None.
        mnemonic: the instruction, or "".
    """

    def __init__(
        self,
        message: str,
        function: int | None = None,
        offset: int | None = None,
        mnemonic: str = "",
        name: str = "",
    ) -> None:
        super().__init__(message)
        self.message, self.function, self.offset = message, function, offset
        self.mnemonic, self.name = mnemonic, name

    def __str__(self) -> str:
        parts = []
        if self.function is not None:
            parts.append(f"in function {self.function}" + (f" ${self.name}" if self.name else ""))
        if self.mnemonic:
            parts.append(f"at {self.mnemonic}")
        if self.offset is not None:
            parts.append(f"byte {self.offset:#x}")
        return f"{self.message} ({', '.join(parts)})" if parts else self.message


class DeserializeError(RunwellError):
    """The bytes are not a serialized module that this version and engine can use."""


class LinkError(RunwellError):
    """An import is missing or has the wrong type."""


class ClosedError(RunwellError):
    """An instance was closed, and with it what belongs to it."""


class Frame(NamedTuple):
    """One guest frame of a backtrace, innermost first.

    Attributes:
        function: function index in its module.
        name: its name from the name section or exports, or "".
        offset: byte offset of the instruction in the Wasm binary, or None when unknown.
        module: the module's name, or "".
        source: file and line, e.g. ``filter.c:12``, if the module has debugging information.
        is_export: the name is that of an export, for want of an own one.
        inlined: names of functions that were inlined there, innermost first, and where; if there
            are any, ``source`` is in the first of them.
    """

    function: int
    name: str
    offset: int | None
    module: str = ""
    source: str = ""
    is_export: bool = False
    inlined: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        name = self.name or f"func[{self.function}]"
        where = f" at {self.offset:#x}" if self.offset is not None else ""
        calls = "".join([f", {name} inlined at {place}" for name, place in self.inlined])
        line = f" ({self.source}{calls})" if self.source else ""
        return f"{self.module + '!' if self.module else ''}{name}{where}{line}"


class Trap(RunwellError):
    """The guest did something that stops it.

    Attributes:
        code: why.
    """

    def __init__(
        self, code: TrapCode, backtrace: tuple[Frame, ...] | Callable[[], tuple[Frame, ...]] = ()
    ) -> None:
        """Say why the guest stopped.

        Args:
            code: why.
            backtrace: guest frames, innermost first; or what gives them, when somebody asks.
        """
        super().__init__(code.message)
        self.code, self._backtrace = code, backtrace

    @property
    def backtrace(self) -> tuple[Frame, ...]:
        """Guest frames, innermost first."""
        found = self._backtrace
        if not isinstance(found, tuple):
            found = self._backtrace = found()
        return found

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, self.backtrace)

    def __str__(self) -> str:
        lines = [self.code.message]
        lines += [f"  {i}: {frame}" for i, frame in enumerate(self.backtrace)]
        return "\n".join(lines)


class ExhaustionError(Trap):
    """A limit was reached: frames, heap, fuel, deadline."""


class ThreadError(RunwellError):
    """Two threads would run in the same instance, or in instances that are connected."""

    context: int = 0  # where the call was to run


class OutOfFuel(ExhaustionError):
    """All fuel was consumed.

    The guest has stopped where it found too little, and may go on there: give the instance more
    fuel, and call ``resume``.
    """

    parked: Any = None  # the call that stopped, if it can go on

    def resume(self) -> Any:
        """Let the guest go on exactly where it stopped.

        Returns:
            What the call that raised this error would have returned.

        Raises:
            OutOfFuel: again, if there is not enough.
            RunwellError: it went on already, or cannot: compiled code or a start function has
                stopped.
            Exception: whatever else the call may raise.
        """
        parked = self._take()
        try:
            return parked.resume()
        except ThreadError as e:
            self._refused(parked, e)
            raise

    async def resume_async(self) -> Any:
        """As ``resume``, as ``call_async`` does it."""
        return await self._take().resume_async()

    def _take(self) -> Any:
        parked, self.parked = self.parked, None
        if parked is None:
            raise RunwellError("the guest cannot go on: it has done so, or was not able to")
        return parked

    def _refused(self, parked: Any, error: ThreadError) -> None:
        """Another thread is in the instance: try again later."""
        if error.context == parked.context.address:
            self.parked = parked


class DeadlineExceeded(ExhaustionError):
    """A call took longer than it may."""


class WasmException(RunwellError):
    """An exception of WebAssembly.

    It is raised where one leaves a guest that did not catch it.  A host function that raises it
    throws an exception that guests can catch.

    Args:
        tag: a ``runwell.Tag``.
        values: what it carries, as the tag says.

    Raises:
        TypeError: the number or a type of the values is wrong.
        OverflowError: a number does not fit its type.

    Attributes:
        tag: its tag.
        backtrace: guest frames where it was thrown, innermost first; empty if Python made it.
    """

    tag: Any
    backtrace: tuple[Frame, ...]
    held: Any  # the exception as guests know it, once there is one
    _values: tuple[Any, ...] | None

    def __init__(self, tag: Any, values: Sequence[object] = ()) -> None:
        super().__init__(tag, values)
        self._values = tuple(values)
        tag.check(self._values)
        self.tag, self.backtrace, self.held = tag, (), None

    @property
    def values(self) -> tuple[Any, ...]:
        """What it carries."""
        if self._values is None:
            # Not before: it may carry an exception that carries one that carries one...
            self._values = self.tag._values_of(self.held)
        return self._values

    def __str__(self) -> str:
        values = ", ".join(map(repr, self.values))
        lines = [f"uncaught exception ({values})"]
        lines += [f"  {i}: {frame}" for i, frame in enumerate(self.backtrace)]
        return "\n".join(lines)


class InternalError(Exception):
    """A bug in Runwell: please report it with the module that caused it."""


def unlinkable(module: str, name: str, wanted: object, found: object) -> LinkError:
    """An import of the wrong type."""
    return LinkError(
        f"incompatible import type for {module!r}.{name!r}: wanted {wanted}, found {found}"
    )


def unknown_imports(missing: Sequence[tuple[str, str, object]]) -> LinkError:
    """Imports that nothing provides: module, name and type of each."""
    lines = [f"{module!r}.{name!r}: {wanted}" for module, name, wanted in missing]
    if len(lines) == 1:
        return LinkError(f"unknown import {lines[0]}")
    return LinkError("\n  ".join([f"unknown imports, {len(lines)} of them:", *lines]))
