"""What every run needs of ``typing``, ``enum``, ``functools`` and others, whose imports take long.

To the type checker these are the originals.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable as Callable
    from collections.abc import Iterator as Iterator
    from collections.abc import Mapping as Mapping
    from collections.abc import Sequence as Sequence
    from collections.abc import Set as Set
    from enum import IntEnum as IntEnum
    from functools import cache as cache
    from functools import lru_cache as lru_cache
    from importlib import import_module as import_module
    from types import SimpleNamespace as SimpleNamespace
    from typing import Any as Any
    from typing import Final as Final
    from typing import Generic as Generic
    from typing import Literal as Literal
    from typing import NamedTuple as NamedTuple
    from typing import NoReturn as NoReturn
    from typing import TypeAlias as TypeAlias
    from typing import TypeVar as TypeVar
    from typing import final as final
else:
    import sys
    from _collections import _tuplegetter as item_getter
    from _collections_abc import Callable, Iterator, Mapping, Sequence, Set  # noqa: F401
    from _frozen_importlib import _gcd_import as import_module  # noqa: F401
    from _functools import _lru_cache_wrapper

    SimpleNamespace = type(sys.implementation)

    # Words of annotations, which nobody reads.
    Any = Final = NoReturn = TypeAlias = object

    def final(thing):  # noqa: ANN001, ANN201
        """Mark what is not to be derived from or overridden: the type checker sees to it."""
        return thing

    class TypeVar:
        """A name that only the type checker reads."""

        def __init__(self, name, bound=None):  # noqa: ANN001, ANN204
            self.__name__, self.__bound__ = name, bound

    class Literal:
        """``Literal[8]`` is 8, for those who read annotations."""

        def __class_getitem__(cls, value):  # noqa: ANN001, ANN204
            return value

    class Generic:
        """Nothing but for the type checker."""

        __slots__ = ()

        def __class_getitem__(cls, parameters):  # noqa: ANN001, ANN204
            return cls

    _new = tuple.__new__
    # Constructors, by number of fields.
    _CONSTRUCTORS = {
        1: lambda cls, a: _new(cls, (a,)),
        2: lambda cls, a, b: _new(cls, (a, b)),
        3: lambda cls, a, b, c: _new(cls, (a, b, c)),
        4: lambda cls, a, b, c, d: _new(cls, (a, b, c, d)),
        5: lambda cls, a, b, c, d, e: _new(cls, (a, b, c, d, e)),
        6: lambda cls, a, b, c, d, e, f: _new(cls, (a, b, c, d, e, f)),
        7: lambda cls, a, b, c, d, e, f, g: _new(cls, (a, b, c, d, e, f, g)),
        8: lambda cls, a, b, c, d, e, f, g, h: _new(cls, (a, b, c, d, e, f, g, h)),
        10: lambda cls, a, b, c, d, e, f, g, h, i, j: _new(cls, (a, b, c, d, e, f, g, h, i, j)),
        12: lambda cls, a, b, c, d, e, f, g, h, i, j, k, m: _new(
            cls, (a, b, c, d, e, f, g, h, i, j, k, m)
        ),
    }
    _FunctionType = type(_CONSTRUCTORS[1])

    class _RecordType(type):
        """Makes classes of named tuples; where ``typing`` compiles code, this renames arguments."""

        def __new__(cls, name, bases, namespace):  # noqa: ANN001, ANN204
            namespace["__slots__"] = ()
            annotations = namespace.get("__annotations__")
            if annotations is not None:
                fields = tuple(annotations)
                code = _CONSTRUCTORS[len(fields)].__code__.replace(
                    co_varnames=("_cls", *fields),
                    co_name="__new__",
                    co_qualname=f"{name}.__new__",
                )
                defaults = tuple([namespace[field] for field in fields if field in namespace])
                new = _FunctionType(code, globals(), "__new__", defaults)
                new.__annotations__ = annotations
                namespace["__new__"] = new
                namespace["_fields"] = namespace["__match_args__"] = fields
                for i, field in enumerate(fields):
                    namespace[field] = item_getter(i, f"Item {i}.")
            return super().__new__(cls, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_RecordType):
        """As ``typing.NamedTuple``, of at most eight fields, ten, or twelve."""

        @classmethod
        def _make(cls, items):  # noqa: ANN001, ANN206
            return cls(*items)

        def _asdict(self):  # noqa: ANN202
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **items):  # noqa: ANN003, ANN202
            return type(self)(**{**self._asdict(), **items})

        def __getnewargs__(self):  # noqa: ANN204
            return tuple(self)

        def __repr__(self):  # noqa: ANN204
            items = ", ".join([f"{field}={item!r}" for field, item in self._asdict().items()])
            return f"{type(self).__name__}({items})"

    def lru_cache(size):  # noqa: ANN001, ANN201
        """As that of ``functools``; the arguments must be hashable."""

        def remember(function):  # noqa: ANN001, ANN202
            return _lru_cache_wrapper(function, size, False, lambda *counts: counts)

        return remember

    def cache(function):  # noqa: ANN001, ANN201
        """As that of ``functools``; the arguments must be hashable."""
        return lru_cache(None)(function)

    class _EnumType(type):
        """Makes classes whose integer attributes are their members."""

        def __new__(cls, name, bases, namespace):  # noqa: ANN001, ANN204
            made = super().__new__(cls, name, bases, namespace)
            made.__members__, made._by_value = members, by_value = {}, {}
            for key, value in namespace.items():
                if type(value) is int and key[0] != "_":
                    member = by_value.get(value)
                    if member is None:
                        member = by_value[value] = int.__new__(made, value)
                        member._name_, member._value_ = key, value
                    members[key] = member
                    setattr(made, key, member)
            return made

        def __call__(cls, value):  # noqa: ANN001, ANN204
            member = cls._by_value.get(value)
            if member is None:
                member = cls._missing_(value)
                if member is None:
                    raise ValueError(f"{value!r} is not a valid {cls.__name__}")
            return member

        def __getitem__(cls, name):  # noqa: ANN001, ANN204
            return cls.__members__[name]

        def __iter__(cls):  # noqa: ANN204
            return iter(cls._by_value.values())

        def __len__(cls):  # noqa: ANN204
            return len(cls._by_value)

        def __contains__(cls, value):  # noqa: ANN001, ANN204
            return isinstance(value, cls) or value in cls._by_value

    class IntEnum(int, metaclass=_EnumType):
        """As ``enum.IntEnum``, of members that are written as integers."""

        name = property(lambda self: self._name_, doc="As it is written in the class.")
        value = property(lambda self: self._value_, doc="The number.")

        @classmethod
        def _missing_(cls, value):  # noqa: ANN001, ANN206
            return None

        def __repr__(self):  # noqa: ANN204
            return f"<{type(self).__name__}.{self.name}: {self.value}>"

        def __str__(self):  # noqa: ANN204
            return int.__repr__(self)

        def __format__(self, spec):  # noqa: ANN001, ANN204
            return int.__format__(self.value, spec)

        def __reduce_ex__(self, protocol):  # noqa: ANN001, ANN204
            return type(self), (self.value,)

        def __copy__(self):  # noqa: ANN204
            return self

        def __deepcopy__(self, memo):  # noqa: ANN001, ANN204
            return self
