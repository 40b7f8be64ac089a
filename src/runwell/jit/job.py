"""What a compiler is asked: functions of a module, as bytes that travel between processes.

``marshal`` carries plain tuples, numbers and bytes; whoever sends and whoever receives are the same
version of Python.
"""

import marshal

from runwell.base.light import Any, NamedTuple, lru_cache
from runwell.base.types import FuncType, ValType
from runwell.jit.level import Level
from runwell.jit.likely import likely

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.module.module import Module


class Header(NamedTuple):
    """What lowering must know of a module.

    Attributes:
        types: parameters and results of each type, as numbers; nothing of types that are no
            function's.
        numbers: canonical number of each type, as in the register code.
        functions: type index of each function.
        globals: value type of each global.
        tags: type index of each tag.
        likely: canonical number of types, and the functions that calls through them may reach.
    """

    types: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    numbers: tuple[int, ...]
    functions: tuple[int, ...]
    globals: tuple[int, ...]
    tags: tuple[int, ...]
    likely: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def encode(self) -> bytes:
        """As bytes."""
        return marshal.dumps(tuple(self))


def header_of(module: "Module", numbers: tuple[int, ...]) -> Header:
    """The header of a module whose types have these canonical numbers."""
    types = []
    for t in module.types:
        composite = t.composite
        if isinstance(composite, FuncType):
            params, results = composite
            types.append((tuple(map(int, params)), tuple(map(int, results))))
        else:
            types.append(((), ()))
    return Header(
        tuple(types),
        tuple(map(int, numbers)),
        tuple(module.function_types),
        tuple([int(t.type) for t in module.global_types]),
        tuple(module.tag_types),
        tuple(likely(module, numbers).items()),
    )


@lru_cache(4)
def decode_header(data: bytes) -> Header:
    """The header that was encoded so.

    Raises:
        ValueError: these bytes are none.
    """
    return Header(*marshal.loads(data))


class JobFunction(NamedTuple):
    """A function to compile.

    Attributes:
        function: its index in the module.
        code: its register code, with numbers of forms instead of addresses of handlers.
        declared: its declared locals, as in the binary: count and value type of each run.
        handlers: its ``HandlerTable``, or nothing.
        entries: offsets in the code where it can be entered as well.
        is_copy: it is only for the other functions, to be inlined; its own is compiled elsewhere.
        is_whole: can it be entered at its beginning?
    """

    function: int
    code: bytes
    declared: tuple[tuple[int, int], ...] = ()
    handlers: bytes = b""
    entries: tuple[int, ...] = ()
    is_copy: bool = False
    is_whole: bool = True

    @property
    def locals(self) -> list[tuple[int, ValType]]:
        """``declared``, with types."""
        return [(count, ValType(ty)) for count, ty in self.declared]


class Job(NamedTuple):
    """Functions of one module that become one object.

    Attributes:
        header: the module's ``Header``, encoded.
        functions: what to compile; they may call each other directly.
        level: a ``Level``.
    """

    header: bytes
    functions: tuple[JobFunction, ...]
    level: int = Level.BEST

    def encode(self) -> bytes:
        """As bytes."""
        functions = tuple([tuple(f) for f in self.functions])
        plain: Any = (self.header, functions, int(self.level))
        return marshal.dumps(plain)

    @classmethod
    def decode(cls, data: bytes) -> "Job":
        """From bytes.

        Raises:
            ValueError: these bytes are no job.
        """
        try:
            header, functions, level = marshal.loads(data)
            return cls(header, tuple([JobFunction(*f) for f in functions]), level)
        except (EOFError, TypeError) as e:
            raise ValueError(f"not a job: {e}") from None
