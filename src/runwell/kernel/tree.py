"""The typed tree of a kernel: what checking produces and emission consumes.

Every expression carries its type; whatever could be wrong has been refused.  A value of struct
type is a reference, the same thing as a ``Ptr`` to the struct.
"""

import ast
from dataclasses import dataclass, field

from runwell.kernel.declare import Data, Failure, Kernel
from runwell.kernel.types import StructType, Type


@dataclass(eq=False, slots=True)
class Local:
    """A local variable or parameter.

    Attributes:
        name: as written.
        type: its type.
        fixed: a parameter that is never assigned and whose address is never taken.
    """

    name: str
    type: Type
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression."""

    type: Type


@dataclass(frozen=True, slots=True)
class Place:
    """Something addressable of type ``type``."""

    type: Type


@dataclass(frozen=True, slots=True)
class LocalPlace(Place):
    """A local."""

    local: Local


@dataclass(frozen=True, slots=True)
class ElementPlace(Place):
    """``base[index]``; the index is an i64."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class FieldPlace(Place):
    """``base.name``."""

    base: Expr
    struct: StructType
    name: str


@dataclass(frozen=True, slots=True)
class Const(Expr):
    """A number, a truth value, or None for null."""

    value: int | float | None


@dataclass(frozen=True, slots=True)
class Get(Expr):
    """The value in a place; for structs and arrays its address."""

    place: Place


@dataclass(frozen=True, slots=True)
class AddressOf(Expr):
    """The address of a place."""

    place: Place


@dataclass(frozen=True, slots=True)
class SymbolAddress(Expr):
    """The address of a function or table."""

    name: str


@dataclass(frozen=True, slots=True)
class Held(Expr):
    """The value that the place of an augmented assignment had."""


@dataclass(frozen=True, slots=True)
class Arith(Expr):
    """An LLVM binary instruction."""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True, slots=True)
class Compare(Expr):
    """An LLVM comparison, e.g. ``icmp ult``."""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True, slots=True)
class Logic(Expr):
    """Short-circuiting ``and`` or ``or``."""

    is_and: bool
    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Not(Expr):
    """``not a``."""

    a: Expr


@dataclass(frozen=True, slots=True)
class Expect(Expr):
    """A condition with a likely value."""

    a: Expr
    likely: bool


@dataclass(frozen=True, slots=True)
class Choose(Expr):
    """``yes if test else no``."""

    test: Expr
    yes: Expr
    no: Expr


@dataclass(frozen=True, slots=True)
class Convert(Expr):
    """An LLVM conversion instruction or intrinsic; ``""`` keeps the bits as they are."""

    op: str
    a: Expr


@dataclass(frozen=True, slots=True)
class Offset(Expr):
    """``base + index`` elements of type ``of``; the index is an i64."""

    base: Expr
    index: Expr
    of: Type


@dataclass(frozen=True, slots=True)
class Distance(Expr):
    """``a - b`` in elements of ``size`` bytes."""

    a: Expr
    b: Expr
    size: int


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """A call of a kernel or extern."""

    callee: Kernel
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class CallPointer(Expr):
    """A call through a function pointer."""

    callee: Expr
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Intrinsic(Expr):
    """A call of an LLVM intrinsic over the type, with constant i1 operands at the end."""

    name: str
    args: tuple[Expr, ...]
    flags: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Atomic(Expr):
    """An atomic access: ``load``, ``store``, ``add``, ``xchg`` or ``cas``."""

    op: str
    at: Expr
    args: tuple[Expr, ...]
    of: Type


@dataclass(frozen=True, slots=True)
class LocalArray(Expr):
    """Memory in the frame."""

    of: Type
    count: int


@dataclass(frozen=True, slots=True)
class Stmt:
    """A statement."""

    node: ast.stmt


@dataclass(frozen=True, slots=True)
class Store(Stmt):
    """``place = value``."""

    place: Place
    value: Expr


@dataclass(frozen=True, slots=True)
class Copy(Stmt):
    """``place = value`` where both are structs."""

    place: Place
    value: Expr


@dataclass(frozen=True, slots=True)
class Update(Stmt):
    """``place op= ...``; in ``value`` the old value is ``Held``."""

    place: Place
    value: Expr


@dataclass(frozen=True, slots=True)
class Evaluate(Stmt):
    """An expression for its effect."""

    value: Expr


@dataclass(frozen=True, slots=True)
class If(Stmt):
    """``if``; ``odds`` is whether the test is expected to hold, if that is known."""

    test: Expr
    then: list[Stmt]
    other: list[Stmt]
    odds: bool | None


@dataclass(frozen=True, slots=True)
class While(Stmt):
    """``while``; no test means forever."""

    test: Expr | None
    body: list[Stmt]


@dataclass(frozen=True, slots=True)
class For(Stmt):
    """``for local in range(start, stop, step)``."""

    local: Local
    start: Expr
    stop: Expr
    step: int
    body: list[Stmt]


@dataclass(frozen=True, slots=True)
class Switch(Stmt):
    """``match`` on integers; an arm without values is the default."""

    subject: Expr
    arms: list[tuple[list[int], list[Stmt]]]


@dataclass(frozen=True, slots=True)
class Break(Stmt):
    """``break``."""


@dataclass(frozen=True, slots=True)
class Continue(Stmt):
    """``continue``."""


@dataclass(frozen=True, slots=True)
class Return(Stmt):
    """``return``."""

    value: Expr | None


@dataclass(frozen=True, slots=True)
class Raise(Stmt):
    """``raise``."""

    code: Expr


@dataclass(frozen=True, slots=True)
class Try(Stmt):
    """``try``; the handler finds the code in ``error``."""

    body: list[Stmt]
    error: Local
    handler: list[Stmt]


@dataclass(frozen=True, slots=True)
class Assert(Stmt):
    """``assert``; compiled in debug builds."""

    test: Expr
    message: str


@dataclass(eq=False, slots=True)
class Attempt:
    """What a ``try`` catches, and what may be raised in it."""

    node: ast.stmt
    catches: type[Failure]
    raises: set[type[Failure]] = field(default_factory=set)
    calls: list[Kernel] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Tree:
    """A checked kernel.

    Attributes:
        params: its parameters.
        result: its result type.
        body: its statements.
        raises: failures that it raises itself and does not catch.
        calls: kernels it calls outside of any ``try``.
        attempts: its ``try`` statements.
        kernels: all kernels and externs it names, in order.
        addressed: where it uses kernels as function pointers.
        data: all tables it names, in order.
    """

    params: list[Local]
    result: Type
    body: list[Stmt] = field(default_factory=list)
    raises: set[type[Failure]] = field(default_factory=set)
    calls: list[Kernel] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    kernels: dict[Kernel, None] = field(default_factory=dict)
    addressed: dict[Kernel, ast.AST] = field(default_factory=dict)
    data: dict[Data, None] = field(default_factory=dict)
