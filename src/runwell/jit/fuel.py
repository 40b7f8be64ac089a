"""Fuel in compiled code: counted in a register, and in memory whenever somebody may look there.

A function of metered code keeps what its instance has left in a variable.  Others see the field of
the instance: whoever is called, and the host when the guest stops.  So the variable is stored
before whatever may leave the function or trap, and read again after a call.

Every loop pays when it begins a round.  What is left is compared not with 0 but with a *floor*, a
field of the instance, some way below what was left when somebody looked last: below it, a round
finds out whether the guest is wanted.  So loops of metered code need no other look.
"""

from __future__ import annotations

from runwell.base.light import IntEnum, NamedTuple, cache, final
from runwell.base.types import I64
from runwell.codegen.machine import constant
from runwell.isa.facts import PURE, register_facts
from runwell.isa.form import Form
from runwell.isa.register import Kind
from runwell.jit import notes
from runwell.jit.machine import Fragment
from runwell.kernel.types import as_struct
from runwell.runtime.layout import Instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from runwell.jit.lower import Lowering

# Fuel between two looks: some tens of microseconds.
SLICE = 1 << 16


class Effect(IntEnum):
    """Who may see the fuel when an operation is executed."""

    NONE = 0  # nobody
    STOP = 1  # the host, if it traps
    CALL = 2  # others, who may change it


# Verbs of which nobody learns who is neither the function nor the host after a trap.
_QUIET = PURE | {
    "atomic_cmpxchg", "atomic_load", "atomic_rmw", "atomic_store", "branch_table", "check_func",
    "enter_big", "fence", "global_get", "global_set", "load", "memory_size", "move", "peek", "poke",
    "ref_frame", "store", "table_get", "table_set", "table_size", "trap", "zero", "zero_refs",
}  # fmt: skip


@cache
def effect(form: Form) -> Effect:
    """The effect of a form."""
    op = form.op
    if op.kind == Kind.BRANCH:
        return Effect.NONE
    found = register_facts(op)
    # What is only a test calls nobody that might change the fuel.
    if found.verbs - _QUIET and not form.dst.is_branch:
        return Effect.CALL
    return Effect.STOP if found.traps or found.verbs - _QUIET else Effect.NONE


class _Charge(NamedTuple):
    """A place that pays.

    Attributes:
        place: index of its text.
        number: its own.
        amount: what it costs.
        offset: of the instruction if that begins with it, or -1.
        position: of the instruction.
    """

    place: int
    number: int
    amount: str
    offset: int
    position: int


@final
class Meter:
    """The fuel of a function that is being lowered.

    Attributes:
        is_used: does the function pay at all?
    """

    __slots__ = ("_charges", "_is_stored", "is_used")

    def __init__(self) -> None:
        self.is_used = False
        self._charges: list[_Charge] = []
        # Has the instance got the same?
        self._is_stored = True

    def charge(
        self, texts: list[str], number: int, amount: str, offset: int, position: int
    ) -> None:
        """Pay, at the end of the text so far; ``offset`` and the rest as in ``_Charge``."""
        self.is_used = True
        self._is_stored = False
        self._charges.append(_Charge(len(texts), number, amount, offset, position))
        texts.append("")

    def arrive(self) -> None:
        """Control may come from elsewhere."""
        if self.is_used:
            self._is_stored = False

    def before(self, texts: list[str], number: int, wanted: Effect) -> None:
        """Let an operation be executed that has an effect."""
        if self._is_stored or wanted == Effect.NONE:
            return
        self._is_stored = True
        texts.append(
            f"  %fuel.s{number} = load i64, ptr %fuel\n"
            f"  store i64 %fuel.s{number}, ptr %fuel.at, align 8{notes.FUEL}"
        )

    def store(self, f: Fragment) -> None:
        """Let the instance have what there is."""
        if self.is_used:
            fuel = f.ins("load i64, ptr %fuel")
            f.do(f"store i64 {fuel}, ptr %fuel.at, align 8{notes.FUEL}")

    def after(self, texts: list[str], number: int) -> None:
        """A call has returned."""
        if self.is_used:
            self._is_stored = True
            texts.append(_read(f"r{number}"))

    # The function as a whole.

    def variable(self) -> list[str]:
        """What makes the variable, if there is one."""
        return ["  %fuel = alloca i64"] if self.is_used else []

    def beginning(self) -> list[str]:
        """What is done before the first instruction."""
        if not self.is_used:
            return []
        fields = as_struct(Instance)
        return [
            f"  %fuel.at = getelementptr i8, ptr %inst, i64 {fields.offset('fuel')}",
            f"  %fuel.floor = getelementptr i8, ptr %inst, i64 {fields.offset('fuel_floor')}",
            _read("v"),
        ]

    def finish(
        self, texts: list[str], loops: Set[int], check: Callable[[str, int], str]
    ) -> list[str]:
        """Write what pays into its places.

        Args:
            texts: of the instructions.
            loops: offsets that branches lead back to, except of those that end soon.
            check: makes the call that sees to it that so much is paid, with a position.

        Returns:
            What is done when there is little left.
        """
        rare = []
        for index, n, amount, offset, position in self._charges:
            floor, text = "0", ""
            if amount == "0" and offset not in loops:
                continue
            if offset in loops:
                floor = f"%fuel.b{n}"
                text = f"  {floor} = load i64, ptr %fuel.floor, align 8{notes.MACHINE}\n"
            texts[index] = (
                f"  %fuel.h{n} = load i64, ptr %fuel\n"
                f"  %fuel.n{n} = sub i64 %fuel.h{n}, {amount}\n"
                f"  store i64 %fuel.n{n}, ptr %fuel\n{text}"
                f"  %fuel.c{n} = icmp slt i64 %fuel.n{n}, {floor}\n"
                f"  br i1 %fuel.c{n}, label %F{n}, label %E{n}{notes.UNLIKELY}\nE{n}:"
            )
            rare.append(
                f"F{n}:\n  store i64 %fuel.h{n}, ptr %fuel.at, align 8{notes.FUEL}\n"
                f"  {check(amount, position)}\n{_read(f'g{n}')}\n  br label %E{n}"
            )
        return rare


def pay(low: Lowering, form: Form, i: int, offset: int, *, is_first: bool) -> int:
    """Lower what pays for a block, or for the size of an instruction.

    Args:
        low: the function.
        form: of the operation.
        i: where its words begin.
        offset: of the instruction that it is part of.
        is_first: does that begin with it?

    Returns:
        Where its words end.
    """
    f, number = Fragment(str(low.number)), low.number
    m = low.machine(f, 0)
    values, i = low.sources(m, form, i)
    amount = str(low.words[i])
    if values:
        shift = constant(I64, low.words[i])
        amount = m.shr_u(m.zext(I64, values[0]), shift).text
        low.texts += f.lines
    where = low.where(offset)
    low.meter.charge(low.texts, number, amount, offset if is_first else -1, where)
    return i + 1


def _read(name: str) -> str:
    """Read what the instance has."""
    return (
        f"  %fuel.{name} = load i64, ptr %fuel.at, align 8{notes.FUEL}\n"
        f"  store i64 %fuel.{name}, ptr %fuel"
    )
