"""``runwell.Func``: functions as Python sees them.

A ``Func`` is a native object with a vectorcall: a call goes from the interpreter of Python straight
into a kernel.  There is one for a function as long as anybody has it.
"""

from __future__ import annotations

from runwell.base.errors import ClosedError
from runwell.base.light import final
from runwell.base.types import FuncType, ValType
from runwell.host.builtin import make_builtin
from runwell.host.closed import CLOSED
from runwell.host.layout import FuncObject
from runwell.host.native_type import (
    CALL,
    CLEAR,
    DEALLOC,
    HAVE_GC,
    HAVE_VECTORCALL,
    OBJECT,
    TRAVERSE,
    WORD,
    make_type,
    types,
)
from runwell.host.signature import Signature, signature_of
from runwell.host.weak import WeakValues
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.func import Func as NativeFunc
from runwell.runtime.func import func_at, object_at
from runwell.runtime.native import native
from runwell.runtime.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature as PythonSignature
    from typing import Any

    from runwell.module.module import Module
    from runwell.runtime.instance import Instance as NativeInstance


class FuncInfo:
    """What a ``Func`` knows about its function.

    Attributes:
        name: as exported, or from the name section, or of the Python callable.
        signature: its compiled type.
        module: where it is defined; None for host functions.
        index: in the function index space of ``module``.
        max_frames: guest frames that a call may have; None for the engine's own limit.
        metered: does its module consume fuel?
        offset: where references to it are, from the addresses of their instances; 0 if that is not
            known.
    """

    __slots__ = ("index", "max_frames", "metered", "module", "name", "offset", "signature")

    def __init__(
        self,
        name: str,
        signature: Signature,
        module: Module | None = None,
        index: int = 0,
        max_frames: int | None = None,
        *,
        metered: bool = False,
    ) -> None:
        self.name, self.signature = name, signature
        self.module, self.index, self.max_frames = module, index, max_frames
        self.metered = metered
        self.offset = 0


class _Doc:
    """The docstring of the type, or of one function."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, func: Func | None, owner: object) -> str:
        if func is None:
            return self.text
        info, type_ = func._info, func.type
        lines = [f"{func.__name__}{describe(type_)}", "", "A WebAssembly function."]
        if type_.params:
            lines += ["", "Args:"]
            lines += [
                f"    {name}: {t.text}, {_TAKEN.get(t, 'a reference')}."
                for name, t in zip(_parameter_names(info), type_.params, strict=True)
            ]
        if type_.results:
            results = ", ".join([_GIVEN.get(t, t.text) for t in type_.results])
            lines += ["", "Returns:", f"    {results}."]
        return "\n".join(lines)


class _Signature:
    """The signature of the type, or of one function."""

    def __get__(self, func: Func | None, owner: object) -> PythonSignature:
        if func is not None:
            return _python_signature(func._info)
        from inspect import Parameter
        from inspect import Signature as PythonSignature

        kind = Parameter.POSITIONAL_OR_KEYWORD
        parameters = [
            Parameter("function", kind, annotation="Callable[..., Any]"),
            Parameter("type", kind, annotation="FuncType | str"),
        ]
        return PythonSignature(parameters)


def describe(type_: FuncType) -> str:
    """A function type as ``repr`` shows it, e.g. ``(i32, i32) -> i32``."""
    params, results = (", ".join(t.text for t in ts) for ts in (type_.params, type_.results))
    if len(type_.results) != 1:
        results = f"({results})"
    return f"({params}) -> {results}"


def parse_func_type(text: str) -> FuncType:
    """A function type written as ``repr`` shows it, e.g. ``(i32, i32) -> i32`` or ``() -> ()``.

    Args:
        text: parameters, an arrow and results; parentheses and commas may be left out.

    Raises:
        ValueError: it is not a function type.
    """
    params, arrow, results = text.partition("->")
    if not arrow:
        raise ValueError(f"{text!r} is not a function type: write (i32, i32) -> i32")
    return FuncType(_types(params, text), _types(results, text))


def _types(words: str, text: str) -> tuple[ValType, ...]:
    for character in "(),":
        words = words.replace(character, " ")
    try:
        return tuple(ValType[word.upper()] for word in words.split())
    except KeyError as e:
        raise ValueError(f"{text!r}: there is no value type {e.args[0].lower()!r}") from None


@final
class Func:
    """A WebAssembly function, or a Python callable or C function that guests can call as one.

    Calling it converts the arguments: ``int`` to ``i32`` and ``i64``, signed or unsigned (from
    -2**31 to 2**32 - 1, and from -2**63 to 2**64 - 1), ``float`` or ``int`` to ``f32`` and ``f64``,
    16 ``bytes`` to ``v128``, any object to ``externref``, a ``Func`` to ``funcref``; ``None`` is
    the null reference.  The result is None, a value, or a tuple of values; integers are signed.
    There are no keyword arguments.

    Args:
        function: the callable, or a C function as ctypes, cffi or Numba have it.
        type: a ``FuncType``, or its text, e.g. ``"(i32, i32) -> i32"``.

    Raises:
        LinkError: ``function`` is a C function of another type.
        TypeError: ``function`` is not callable.
        ValueError: ``type`` is the text of no function type.
    """

    if TYPE_CHECKING:
        _info: FuncInfo
        _owner: Any
        _ref: int
        __name__: str
        __qualname__: str

        def __call__(self, *args: Any) -> Any: ...  # noqa: D102

    def __new__(cls, function: Callable[..., Any], type: FuncType | str) -> Func:  # noqa: A002, D102
        from runwell.host.caller import host_function, is_function

        if not is_function(function):
            raise TypeError(f"{function!r} is not callable")
        func_type = parse_func_type(type) if isinstance(type, str) else FuncType(*type)
        try:
            return face(host_function(function, signature_of(func_type)).func)
        except LookupError:
            raise ValueError(f"{describe(func_type)} means nothing outside of its module") from None

    async def call_async(self, *args: Any) -> Any:
        """Call the function beside the event loop, which is not blocked meanwhile.

        The guest runs in a worker thread.  It may call host functions made by ``async def``: it
        stops meanwhile, and the coroutine runs in the task that makes this call.  Other host
        functions run in the worker thread, with a copy of the task's ``contextvars``.  If the task
        is cancelled the guest is stopped, and the instance can be used again.

        An instance is in one such call at a time; more of them wait for their turn.  While the
        guest waits for a coroutine, ordinary calls of its instance are possible, e.g. from that
        coroutine.

        Args:
            args: as for a call.

        Returns:
            As a call.

        Raises:
            Exception: as a call.
        """
        from runwell.host.asynchronous import call

        return await call(self, args)

    @property
    def type(self) -> FuncType:
        """Parameter and result types."""
        return self._info.signature.type

    @property
    def name(self) -> str:
        """The name under which it is exported, or else its own."""
        return self._info.name

    __signature__ = _Signature()

    @property
    def native(self) -> NativeFunc:
        """The function as runtimes know it."""
        # In this order: another thread may close it at any time, but what its owner owns stays.
        owner, ref = self._owner, self._ref
        if not ref or owner is None or owner is CLOSED:
            raise gone(self)
        number = int(ctype_of(layout.FuncRef).from_address(ref).type)
        return NativeFunc(ref, self._info.signature.type, owner, number)

    def __repr__(self) -> str:
        return f"<runwell.Func {self._info.name}: {describe(self._info.signature.type)}>"

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Func cannot be pickled: it is part of an instance")


def gone(func: Func) -> Exception:
    """Why a function that is no more cannot be used."""
    if func._owner is CLOSED:
        return ClosedError(f"{func.name}() is closed with its instance")
    return ReferenceError(f"{func.name}() is gone with its instance")


_PYTHON_TYPES: dict[ValType, Any] = {
    ValType.I32: int,
    ValType.I64: int,
    ValType.F32: float,
    ValType.F64: float,
    ValType.V128: bytes,
}


_TAKEN: dict[ValType, str] = {
    ValType.I32: "an int from -2**31 to 2**32 - 1",
    ValType.I64: "an int from -2**63 to 2**64 - 1",
    ValType.F32: "a float or int",
    ValType.F64: "a float or int",
    ValType.V128: "16 bytes",
    ValType.EXTERNREF: "any object",
    ValType.FUNCREF: "a runwell.Func or None",
}
_GIVEN: dict[ValType, str] = {
    ValType.I32: "an int from -2**31 to 2**31 - 1",
    ValType.I64: "an int from -2**63 to 2**63 - 1",
    ValType.F32: "a float",
    ValType.F64: "a float",
    ValType.V128: "16 bytes",
    ValType.EXTERNREF: "any object",
    ValType.FUNCREF: "a runwell.Func or None",
}


def _parameter_names(info: FuncInfo) -> list[str]:
    """The parameters' names from the name section, as far as Python has such names."""
    known = info.module.names.locals.get(info.index, {}) if info.module is not None else {}
    names: list[str] = []
    for i in range(len(info.signature.type.params)):
        name = known.get(i, "")
        names.append(name if name.isidentifier() and name not in names else f"arg{i}")
    return names


def _python_signature(info: FuncInfo) -> PythonSignature:
    from inspect import Parameter
    from inspect import Signature as PythonSignature
    from types import GenericAlias
    from typing import Any

    type_ = info.signature.type
    names = _parameter_names(info)
    parameters = [
        Parameter(name, Parameter.POSITIONAL_ONLY, annotation=_PYTHON_TYPES.get(t, Any))
        for name, t in zip(names, type_.params, strict=True)
    ]
    results = [_PYTHON_TYPES.get(t, Any) for t in type_.results]
    result: Any = None
    if results:
        result = results[0] if len(results) == 1 else GenericAlias(tuple, tuple(results))
    return PythonSignature(parameters, return_annotation=result)


_funcs: WeakValues[int, Func] = WeakValues()  # by address of the FuncRef


def face(native: NativeFunc, info: FuncInfo | None = None) -> Func:
    """The one ``Func`` of a function.

    Args:
        native: the function.
        info: what is known about it; None to find out.
    """
    found = _funcs.get(native.ref)
    # Natives that died may have left their address to others.
    if found is None or _root(found._owner) is not _root(native.owner):
        made = _make(native.ref, native.owner, info_of(native) if info is None else info)
        found = _funcs.add(native.ref, made, over=found)
    return found


def face_of_own(instance: NativeInstance, info: FuncInfo) -> Func:
    """The one ``Func`` of an instance's own function, of whose offset ``info`` knows."""
    ref = instance.address + info.offset
    store = instance.store
    found = _funcs.get(ref)
    if found is None or _root(found._owner) is not store.root:
        instance.body.handed.add(ref)
        found = _funcs.add(ref, _make(ref, store, info), over=found)
    return found


def _root(owner: object) -> object:
    """What an owner has become part of: stores join."""
    return owner.root if isinstance(owner, Store) else owner


def _make(ref: int, owner: Any, info: FuncInfo) -> Func:
    signature = info.signature
    made: Func = types.new_func(
        ref, signature.address, signature.call_entry, info, info.name, owner
    )
    if info.max_frames is not None:
        ctype_of(FuncObject).from_address(id(made)).max_frames = info.max_frames
    if info.metered:
        ctype_of(FuncObject).from_address(id(made)).metered = 1
    return made


def info_of(native: NativeFunc) -> FuncInfo:
    """What a ``Func`` of a function knows about it."""
    signature = signature_of(native.type)
    ref = ctype_of(layout.FuncRef).from_address(native.ref)
    if not ref.instance:
        return FuncInfo(getattr(native.owner, "name", "host function"), signature)
    index = int(ctype_of(layout.FuncCode).from_address(ref.code).index)
    code = object_at(ctype_of(layout.Instance).from_address(ref.instance).object).code
    module = code.module
    name, metered = name_of(module, index), code.metered
    return FuncInfo(name, signature, module, index, code.max_frames, metered=metered)


def name_of(module: Module, index: int) -> str:
    """What to call a function: its first export, else its own name."""
    for export in module.exports:
        if export.kind == 0 and export.item == index:
            return export.name
    return module.names.functions.get(index, "") or f"func[{index}]"


def known(address: int) -> Func | None:
    """The ``Func`` of the reference at an address, if there is one that is not closed."""
    found = _funcs.get(address)
    return None if found is None or found._owner is CLOSED else found


def close(ref: int) -> None:
    """Close the ``Func`` of the reference at an address, if there is one."""
    found = _funcs.get(ref)
    if found is not None and found._owner is not CLOSED:
        types.close_func(found, CLOSED)


def face_at(ref: int) -> Func:
    """The ``Func`` of a reference that a guest gave out."""
    return face(func_at(ref))


def make_func_type(template: type[Func]) -> None:
    """Make the native type."""
    slots = {
        CALL: "PyVectorcall_Call",
        CLEAR: "func_clear",
        DEALLOC: "func_dealloc",
        TRAVERSE: "func_traverse",
    }
    members = {
        "__vectorcalloffset__": ("vectorcall", WORD),
        "__weaklistoffset__": ("weak_references", WORD),
        "__name__": ("name", OBJECT),
        "__qualname__": ("name", OBJECT),
        "_ref": ("ref", WORD),
        "_info": ("info", OBJECT),
        "_owner": ("owner", OBJECT),
    }
    types.func = make_type(template, FuncObject, slots, members, HAVE_GC | HAVE_VECTORCALL)
    types.func.__doc__ = _Doc(template.__doc__ or "")
    types.new_func = make_builtin(
        "new_func", "object u64 u64 u64 object object object", native.address
    )
    types.close_func = make_builtin("close_func", "None object object", native.address)


if not TYPE_CHECKING:
    # The class above is only the template of the native type, which is made when the native code
    # is loaded; whoever asks this module for ``Func`` gets that.
    _TEMPLATE = globals().pop("Func")

    def __getattr__(name):  # noqa: ANN001, ANN202
        if name == "Func":
            if not hasattr(types, "func"):
                make_func_type(_TEMPLATE)
            return types.func
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
