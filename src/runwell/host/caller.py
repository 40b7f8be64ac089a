"""``runwell.Caller``: who calls a host function; and which way a callable becomes one."""

from __future__ import annotations

from sys import modules

from runwell.base.errors import RunwellError
from runwell.base.light import final
from runwell.host import memory as memory_faces
from runwell.host.function import HostFunction, is_async
from runwell.host.signature import Signature
from runwell.runtime.func import object_at
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runwell.host.memory import Memory
    from runwell.host.native_function import NativeFunction


@final
class Caller:
    """The instance that calls a host function, for the time of the call.

    A Python callable is given one before the guest's arguments if its first parameter is annotated
    with ``runwell.Caller``, or if ``runwell.with_caller`` was applied to it.
    """

    __slots__ = ("_body", "_made")

    if TYPE_CHECKING:
        _body: Any
        _made: Any  # keeps an instance that nobody else has, during the call

    def __init__(self) -> None:
        raise TypeError("a runwell.Caller cannot be made: annotate a parameter of a host function")

    @property
    def instance(self) -> Any:
        """The ``runwell.Instance`` that calls.

        Raises:
            RunwellError: the call is over, or Python called the function and no guest did.
        """
        body = self._calling()
        face = body.face() if body.face is not None else None
        if face is None:
            face = self._made = instance_makers[0](body)
        return face

    @property
    def exports(self) -> Any:
        """What the calling instance exports, as ``Instance.exports``.

        Raises:
            RunwellError: as for ``instance``.
        """
        return self.instance.exports

    @property
    def memory(self) -> Memory:
        """The first memory of the calling instance, exported or not.

        Raises:
            RunwellError: it has no memory; or as for ``instance``.
        """
        memories = self._calling().memories
        if not memories:
            raise RunwellError("the calling instance has no memory")
        return memory_faces.face(memories[0])

    def _calling(self) -> Any:
        body = self._body
        if body is None:
            raise RunwellError("a runwell.Caller is of use only during the call that it was for")
        if body is False:
            raise RunwellError("the host function was called by Python, not by an instance")
        return body

    def __repr__(self) -> str:
        return f"<runwell.Caller: {self.instance!r}>" if self._body else "<runwell.Caller>"


_Function, _Method = type(Caller.__init__), type(Caller._calling.__get__(object()))
# Makes a ``runwell.Instance`` of a body that has none; the embedding puts it here.
instance_makers: list[Callable[[Any], Any]] = []


@final
class WithCaller:
    """A callable that is given a ``Caller`` first when a guest calls it."""

    __slots__ = ("__wrapped__",)

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"{function!r} is not callable")
        self.__wrapped__ = function

    def __call__(self, *args: Any, **keywords: Any) -> Any:  # noqa: D102
        return self.__wrapped__(*args, **keywords)

    def __repr__(self) -> str:
        return f"runwell.with_caller({self.__wrapped__!r})"


def with_caller(function: Callable[..., Any]) -> WithCaller:
    """Let a callable have a ``Caller`` as its first argument when a guest calls it.

    It is for callables whose first parameter cannot be annotated, and may be used as a decorator.

    Args:
        function: the callable.

    Raises:
        TypeError: it is not callable.
    """
    return WithCaller(function)


def is_function(value: object) -> bool:
    """Can guests be given this to call?"""
    if callable(value):
        return True
    from runwell.host.foreign import foreign

    return foreign(value) is not None


def host_function(
    value: Any, signature: Signature, name: str = "", number: TypeNumber | None = None
) -> HostFunction | NativeFunction:
    """A callable or a C function as a function of the guest.

    Args:
        value: the callable, or an object of ctypes, cffi or Numba that is a C function.
        signature: the type by which guests call it.
        name: how errors call it.
        number: that of the declared type, if it is not just the signature's.

    Raises:
        LinkError: it is a C function of another type.
        MemoryError: there is no room.
    """
    if type(value) is not _Function:
        from runwell.host.foreign import foreign

        found = foreign(value)
        if found is not None:
            from runwell.host.native_function import NativeFunction

            name = name or getattr(value, "__name__", "C function")
            return NativeFunction(value, found, signature, name, number)
    if not wants_caller(value):
        return HostFunction(value, signature, name, number)
    named = value.__wrapped__ if isinstance(value, WithCaller) else value
    name = name or getattr(named, "__name__", type(named).__name__)
    telling = _telling_async(named) if is_async(named) else _telling(named)
    return HostFunction(telling, signature, name, number, with_caller=True)


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """A callable that takes the address of the caller's body, to one that takes a ``Caller``."""

    def call(body: int, *args: object) -> object:
        caller = Caller.__new__(Caller)
        caller._body = object_at(body) if body else False
        try:
            return function(caller, *args)
        finally:
            caller._body = caller._made = None

    return call


def _telling_async(function: Callable[..., Any]) -> Callable[..., Any]:
    """As ``_telling``; the ``Caller`` is of use until the result is there."""

    async def call(body: int, *args: object) -> object:
        caller = Caller.__new__(Caller)
        caller._body = object_at(body) if body else False
        try:
            return await function(caller, *args)
        finally:
            caller._body = caller._made = None

    return call


def wants_caller(value: Any) -> bool:
    """Does a callable take a ``Caller`` before the guest's arguments?"""
    kind = type(value)
    if kind is _Function:
        return _is_annotated(value, 0)
    if kind is WithCaller:
        return True
    if kind is _Method:
        function = value.__func__
        return type(function) is _Function and _is_annotated(function, 1)
    functools = modules.get("functools")
    if functools is not None and isinstance(value, functools.partial):
        return not value.args and wants_caller(value.func)
    call = getattr(kind, "__call__", None)  # noqa: B004 - what it is, not whether
    return type(call) is _Function and _is_annotated(call, 1)


def _is_annotated(function: Any, position: int) -> bool:
    """Is the parameter at a position annotated with ``Caller``?"""
    annotations = function.__annotations__
    if not annotations:
        return False
    code = function.__code__
    if code.co_argcount <= position:
        return False
    annotation = annotations.get(code.co_varnames[position])
    if not isinstance(annotation, str):
        return annotation is Caller
    first, *rest = annotation.split(".")
    found = function.__globals__.get(first)
    if found is None:
        # A name that only type checkers know.
        return annotation in ("Caller", "runwell.Caller")
    for name in rest:
        found = getattr(found, name, None)
    return found is Caller
