"""Declarations: what ``@kernel`` and its relatives record.

Nothing is parsed or evaluated here; a ``Unit`` does that when it is built.  To the type checker a
kernel is the function it decorates and a table is a ``Ptr``.
"""

from __future__ import annotations

from runwell.kernel.types import BOOL, Type, pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar, overload

    from runwell.kernel.types import Ptr

    T = TypeVar("T")
    F = TypeVar("F", bound=Callable[..., Any])
    Item = int | float | str | Callable[..., Any]
    Items = Sequence[Item] | Callable[[], Sequence[Item]]


class Failure(Exception):
    """Base of what kernels may raise; ``code`` is what crosses the native boundary."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Kernel:
    """A function in the kernel language, or a native one that is declared only.

    Attributes:
        function: the Python function, never called.
        name: its name, which is also its symbol.
        inline: always inlined into its callers.
        export: keeps its symbol visible outside its unit.
        is_extern: it has no body; the linker finds it.
    """

    __slots__ = ("export", "function", "inline", "is_extern", "name")

    def __init__(
        self,
        function: Any,
        *,
        inline: bool = False,
        export: bool = False,
        is_extern: bool = False,
    ) -> None:
        self.function, self.name = function, function.__name__
        self.inline, self.export, self.is_extern = inline, export, is_extern

    def __repr__(self) -> str:
        return f"<{'extern' if self.is_extern else 'kernel'} {self.name}>"

    def __call__(self, *_: object) -> Any:
        """Refuse: Python calls what ``bind`` returns."""
        raise TypeError(f"{self.name} is a kernel: bind it to call it from Python")


class Data:
    """A named array in the object: constant, external or zeroed.

    Attributes:
        name: its symbol.
        of: type of the elements.
        kind: "const", "extern" or "static".
        items: of a const array: ints, floats, symbol names or kernels, or what makes them.
        count: elements of a static.
    """

    __slots__ = ("_values", "count", "items", "kind", "name", "of")

    def __init__(self, name: str, of: Any, kind: str, items: Any = (), count: int = 1) -> None:
        self.name, self.of, self.kind = name, BOOL if of is bool else of, kind
        self.items, self.count = items, count
        self._values: tuple[Any, ...] | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}: {self.of}>"

    @property
    def type(self) -> Type:
        """The type of its name in kernels."""
        return pointer(self.of)

    def values(self) -> tuple[int | float | str | Kernel, ...]:
        """The items, computed at the first call if they are lazy."""
        if self._values is None:
            self._values = tuple(self.items() if callable(self.items) else self.items)
        return self._values


class Builtin:
    """A function that only kernels can call; the compiler knows it by name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *_: object) -> Any:
        """Refuse: only the compiler knows what it means."""
        raise TypeError(f"{self.name}(...) has a meaning only inside a kernel")


if TYPE_CHECKING:
    null: Any

    @overload
    def kernel(function: F, /) -> F: ...
    @overload
    def kernel(*, inline: bool = ..., export: bool = ...) -> Callable[[F], F]: ...
    def kernel(function: Any = None, /, *, inline: bool = False, export: bool = False) -> Any:
        """Mark a function as a kernel."""

    def extern(function: F, /) -> F:
        """Declare a native function of this name; the body is ``...``."""
        return function

    @overload
    def const_array(name: str, of: type[T], items: Items) -> Ptr[T]: ...
    @overload
    def const_array(name: str, of: object, items: Items) -> Ptr[Any]: ...
    def const_array(name: str, of: object, items: Items) -> Any:
        """A read-only table: numbers, symbol names or kernels, or a function that makes them."""

    def extern_data(name: str, of: type[T]) -> Ptr[T]:
        """A constant table that is defined outside of the kernels."""

    def static(name: str, of: type[T], count: int = 1) -> Ptr[T]:
        """Zeroed memory for ``count`` elements that lives as long as the program."""

    def addr(place: T, /) -> Ptr[T]:
        """The address of ``p[i]``, ``s.field``, a struct or a local."""

    @overload
    def cast(to: type[T], value: object, /) -> T: ...
    @overload
    def cast(to: object, value: object, /) -> Any: ...
    def cast(to: object, value: object, /) -> Any:
        """Reinterpret a pointer, a struct reference, or the bits of a number of the same size."""

    def local_array(of: type[T], count: int, /) -> Ptr[T]:
        """Memory in the kernel's own frame; not initialised; one place however often it runs."""

    def atomic_load(at: Ptr[T], /) -> T:
        """Load, sequentially consistent as all atomics."""

    def atomic_store(at: Ptr[T], value: T, /) -> None:
        """Store."""

    def atomic_add(at: Ptr[int], value: int, /) -> int:
        """Add; the result is the previous value."""

    def atomic_swap(at: Ptr[T], value: T, /) -> T:
        """Store; the result is the previous value."""

    def atomic_cas(at: Ptr[T], expected: T, value: T, /) -> bool:
        """Store ``value`` if ``expected`` is there; was it?"""

    def ctz(x: int, /) -> int:
        """Trailing zero bits; the width for 0."""

    def clz(x: int, /) -> int:
        """Leading zero bits; the width for 0."""

    def popcount(x: int, /) -> int:
        """One bits."""

    def likely(condition: bool, /) -> bool:
        """The condition, expected to hold."""

    def unlikely(condition: bool, /) -> bool:
        """The condition, expected not to hold."""

else:
    addr = Builtin("addr")
    cast = Builtin("cast")
    local_array = Builtin("local_array")
    atomic_load = Builtin("atomic_load")
    atomic_store = Builtin("atomic_store")
    atomic_add = Builtin("atomic_add")
    atomic_swap = Builtin("atomic_swap")
    atomic_cas = Builtin("atomic_cas")
    ctz = Builtin("ctz")
    clz = Builtin("clz")
    popcount = Builtin("popcount")
    likely = Builtin("likely")
    unlikely = Builtin("unlikely")
    null = Builtin("null")

    def kernel(function=None, /, *, inline=False, export=False):  # noqa: ANN001, ANN201
        """Mark a function as a kernel."""
        if function is not None:
            return Kernel(function)
        return lambda f: Kernel(f, inline=inline, export=export)

    def extern(function):  # noqa: ANN001, ANN201
        """Declare a native function of this name; the body is ``...``."""
        return Kernel(function, is_extern=True)

    def const_array(name, of, items):  # noqa: ANN001, ANN201
        """A read-only table: numbers, symbol names or kernels, or a function that makes them."""
        return Data(name, of, "const", items)

    def extern_data(name, of):  # noqa: ANN001, ANN201
        """A constant table that is defined outside of the kernels."""
        return Data(name, of, "extern")

    def static(name, of, count=1):  # noqa: ANN001, ANN201
        """Zeroed memory for ``count`` elements that lives as long as the program."""
        return Data(name, of, "static", count=count)
