"""What every run needs of ``typing``, whose import takes longer than all of ours together.

To the type checker these are the originals.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic as Generic
    from typing import Literal as Literal
    from typing import NamedTuple as NamedTuple
    from typing import TypeVar as TypeVar
    from typing import final as final
else:
    from _collections import _tuplegetter as item_getter

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
        8: lambda cls, a, b, c, d, e, f, g, h: _new(cls, (a, b, c, d, e, f, g, h)),
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
        """As ``typing.NamedTuple``, of at most six fields, eight, or twelve."""

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
