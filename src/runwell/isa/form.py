"""Forms: how register operations are encoded for the interpreter, one handler each.

The code of an instruction is

    [handler address: 8 bytes][words of the sources][immediates][word of the destination]

in units of 4 bytes, without padding.  The destination is last, so that a result bound for a slot
can stay in the accumulator instead: drop the last word and exchange the handler.
Fused forms do the work of instructions that follow each other: one handler address, then the words
of the first, then those of the second, and so on.

Only what builds or prints handlers and code needs this module; a warm start does not.
"""

from _bisect import bisect_right
from itertools import product

from runwell.base.light import IntEnum, Iterator, cache, final
from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.isa.fusion import chains
from runwell.isa.op import Rule
from runwell.isa.register import BY_NAME, NEAR_LINKS, REF, REG_OPS, Kind, RegOp, Word


class Src(IntEnum):
    """Where a source comes from."""

    SLOT = 0  # one word: byte offset in the value frame
    IMM = 1  # one word: the value, sign-extended to i64; the bits of an f32
    ACC = 2  # no word: result of the instruction executed just before, of the same class
    IMM64 = 3  # two words: the bits, low half first
    REF = 4  # one word: byte offset in the reference frame

    @property
    def words(self) -> int:
        """Length in words."""
        return (1, 1, 0, 2, 1)[self]

    @property
    def letter(self) -> str:
        """As in the names of forms."""
        return "SKALR"[self]


class Dst(IntEnum):
    """Where the result goes, or the branch.

    An instruction with a SLOT or ACC destination leaves its result in the accumulator of its class:
    integers in one (the upper half is undefined after ``i32``), floats and vectors in the other.
    The word of a branch is the distance from the address of that word to the target, without a
    sign: the LOOP ones go backward, and count; the others go forward.
    """

    NONE = 0
    SLOT = 1
    ACC = 2  # no word
    REF = 3
    IF = 4
    UNLESS = 5
    LOOP_IF = 6
    LOOP_UNLESS = 7
    JUMP = 8
    LOOP = 9

    @property
    def words(self) -> int:
        """Length in words."""
        return 0 if self in (Dst.NONE, Dst.ACC) else 1

    @property
    def is_branch(self) -> bool:
        """Is it a branch, taken on a condition or always?"""
        return self >= Dst.IF

    @property
    def is_conditional(self) -> bool:
        """Is it a branch that may not be taken?"""
        return Dst.IF <= self <= Dst.LOOP_UNLESS

    @property
    def is_backward(self) -> bool:
        """Is it a branch to a loop?"""
        return self in (Dst.LOOP_IF, Dst.LOOP_UNLESS, Dst.LOOP)


class Mode(IntEnum):
    """How a memory access is checked; other operations have only the first."""

    GUARD = 0  # memory 0, i32 address: faults in the guard pages
    CHECKED = 1  # any memory with i32 addresses: one more immediate, MEMORY, after the offset
    CHECKED64 = 2  # i64 address, OFFSET64, then MEMORY


class Form:
    """One way to encode an operation.

    Attributes:
        index: position in ``FORMS``.
        op: the operation.
        srcs: where its sources come from.
        dst: where its result goes.
        mode: how its memory access is checked.
        params: types of the sources, in this mode.
        imms: kinds of the immediates, in this mode.
    """

    __slots__ = ("dst", "imms", "index", "mode", "op", "params", "srcs")

    def __init__(self, op: RegOp, srcs: tuple[Src, ...], dst: Dst, mode: Mode = Mode.GUARD) -> None:
        self.op, self.srcs, self.dst, self.mode, self.index = op, srcs, dst, mode, -1
        self.params, self.imms = op.params, op.imms
        if mode == Mode.CHECKED:
            self.imms = (*op.imms, Word.MEMORY)
        elif mode == Mode.CHECKED64:
            self.params = (I64, *op.params[1:])
            offset = [Word.OFFSET64 if w == Word.OFFSET else w for w in op.imms]
            self.imms = (*offset, Word.MEMORY)

    @property
    def words(self) -> int:
        """Length of the code after the handler, in words (of TARGETS only the count)."""
        words = sum(s.words for s in self.srcs) + sum(w.words for w in self.imms)
        return words + self.dst.words

    @property
    def name(self) -> str:
        """As in ``fusion`` and printed code, e.g. ``i32.add SK->ACC``."""
        text = self.op.name
        if self.srcs:
            text += " " + "".join(s.letter for s in self.srcs)
        if self.dst != Dst.NONE:
            text += f"->{self.dst.name}" if self.srcs else f" ->{self.dst.name}"
        return f"{text} {self.mode.name.lower()}" if self.mode else text

    @property
    def key(self) -> tuple[str, tuple[Src, ...], Dst, Mode]:
        """As in ``form_by_key``."""
        return self.op.name, self.srcs, self.dst, self.mode

    def with_dst(self, dst: Dst) -> "Form | None":
        """The form that differs only in its destination, if there is one."""
        return form_by_key().get((self.op.name, self.srcs, dst, self.mode))

    @property
    def parts(self) -> "tuple[Form, ...]":
        """Itself, as ``FusedForm.parts``."""
        return (self,)

    @property
    def acc_form(self) -> "Form | None":
        """The form that leaves its result in the accumulator only."""
        return self.with_dst(Dst.ACC) if self.dst == Dst.SLOT else None

    def __repr__(self) -> str:
        return f"<Form {self.name}>"


class FusedForm:
    """Forms executed one after the other by one handler: a form, fused or not, and one more.

    An accumulator holds what it would hold without fusion.

    Attributes:
        index: position in ``FORMS``.
        first: what is done first; the rest only if it does not branch.
        second: what is done then.
        parts: all forms, in order.
    """

    __slots__ = ("first", "index", "parts", "second")

    def __init__(self, first: "Form | FusedForm", second: Form) -> None:
        self.first, self.second, self.index = first, second, -1
        self.parts: tuple[Form, ...] = (*first.parts, second)

    @property
    def words(self) -> int:
        """Length of the code after the handler, in words."""
        return self.first.words + self.second.words

    @property
    def name(self) -> str:
        """As in ``fusion``, e.g. ``i32.shl SK->ACC + i32.add AS->SLOT``."""
        return f"{self.first.name} + {self.second.name}"

    @property
    def dst(self) -> Dst:
        """Where the result of the last part goes."""
        return self.second.dst

    def with_dst(self, dst: Dst) -> "FusedForm | None":
        """The form that differs only in the destination of its last part, if there is one."""
        second = self.second.with_dst(dst)
        return fused_by_pair().get((self.first.index, second.index)) if second else None

    @property
    def acc_form(self) -> "FusedForm | None":
        """The form that leaves its last result in the accumulator only."""
        return self.with_dst(Dst.ACC) if self.dst == Dst.SLOT else None

    def __repr__(self) -> str:
        return f"<FusedForm {self.name}>"


S, K, A, L, R = Src.SLOT, Src.IMM, Src.ACC, Src.IMM64, Src.REF
VALUE = (Dst.SLOT, Dst.ACC)
BRANCH = (Dst.IF, Dst.LOOP_IF)
NEGATED = (Dst.UNLESS, Dst.LOOP_UNLESS)
Sources = list[tuple[Src, ...]]
Choices = list[tuple[tuple[Src, ...], Dst, Mode]]


def _constant(ty: ValType) -> tuple[Src, ...]:
    """The immediate sources that an operand of a type may have."""
    return {I32: (K,), I64: (K, L), F32: (K,), F64: (L,)}.get(ty, ())


def _binary(op: RegOp) -> Sources:
    left, right = op.params
    if V128 in op.params:
        # Vector operands come in many operations: fewer forms.
        both: Sources = [(S, S), (A, S)]
        return both if op.commutes or left != V128 else [*both, (S, A)]
    constants = (K,) if op.name.partition(".")[2] in _SHIFTS else _constant(right)
    srcs: Sources = [(S, S), (A, S), *((S, c) for c in constants), *((A, c) for c in constants)]
    if not op.mirror:
        srcs += [(S, A), *((c, S) for c in _constant(left) if c == K)]
    return srcs


# Constants beyond 32 bits are no use to these.
_SHIFTS = ("shl", "shr_s", "shr_u", "rotl", "rotr")

_ELEMENTS = ("i8_s", "i8_u", "i16_s", "i16_u", "i32", "i64", "f32", "f64", "v128", "ref")
_LINKS = ("", *(f"_{link}" for link in NEAR_LINKS))
# Sources of operations that are no plain rows; the others take what their types allow.
_SOURCES: dict[str, Sources] = {
    "copy": [(S,), (A,)],
    "copy_f32": [(A,)],
    "copy_f64": [(A,)],
    **{f"select{suffix}": [(S, S, S), (S, S, A)] for suffix in ("", "_f32", "_f64", "_v128")},
    "select_ref": [(R, R, S), (R, R, A)],
    "global.set": [(S,), (A,), (K,)],
    "global.set_f32": [(A,)],
    "global.set_f64": [(A,)],
    **{f"return_value{link}": [(S,), (A,), (K,)] for link in _LINKS},
    **{f"return_value{link}_{ty}": [(A,)] for link in _LINKS for ty in ("f32", "f64")},
    "memory.copy": [(S, S, S), (S, S, K)],
    "memory.fill": [(S, S, S), (S, K, S), (S, K, K)],
    "memory.grow": [(S,), (K,)],
    "table.get": [(S,), (A,), (K,)],
    # Not from the accumulator: the size is needed again.
    **{f"fuel{width}_sized": [(S,), (K,)] for width in ("", "64")},
    **{f"struct.set.{how}": [(R, S), (R, A), (R, K)] for how in ("i8", "i16", "i32", "i64")},
    **{f"struct.set.{how}": [(R, S), (R, A)] for how in ("f32", "f64", "v128")},
    **{f"array.get.{how}": [(R, S), (R, A), (R, K)] for how in _ELEMENTS},
    **{
        f"array.set.{how}": [(R, S, S), (R, S, A), (R, A, S), (R, S, K), (R, K, S)]
        for how in ("i8", "i16", "i32", "i64")
    },
    **{f"array.set.{how}": [(R, S, S), (R, S, A)] for how in ("f32", "f64")},
    "ref.i31": [(S,), (A,), (K,)],
}


def _sources(op: RegOp) -> Sources:
    """The combinations of sources that an operation has forms for."""
    if op.name in _SOURCES:
        return _SOURCES[op.name]
    if op.kind == Kind.CONST:
        return [(c,) for c in _constant(op.ty)] or [()]
    if op.row is not None and len(op.params) == 2:
        return _binary(op)
    slots = tuple(R if ty == REF else S for ty in op.params)
    return [slots, (A,)] if slots == (S,) else [slots]


def _destinations(op: RegOp) -> tuple[Dst, ...]:
    if op.kind == Kind.BRANCH:
        return (Dst.JUMP, Dst.LOOP)
    if op.name == "br_if":
        return BRANCH + NEGATED
    if not op.results:
        return (Dst.NONE,)
    if op.results[0] == REF:
        return (Dst.REF,)
    if op.kind == Kind.COMPARE:
        return VALUE + BRANCH + (() if op.opposite else NEGATED)
    if op.name.startswith(("copy", "memory", "table")) or V128 in (*op.params, *op.results):
        return (Dst.SLOT,)
    return VALUE


def _choices(op: RegOp) -> Choices:
    """Sources, destination and mode of each form of an operation."""
    if op.kind not in (Kind.LOAD, Kind.STORE):
        return [(s, dst, Mode.GUARD) for s in _sources(op) for dst in _destinations(op)]
    slots = (S,) * len(op.params)
    dst = Dst.SLOT if op.results else Dst.NONE
    found = [(slots, dst, mode) for mode in Mode]
    if op.row is None or op.row.rule not in (Rule.LOAD, Rule.STORE):
        # Lanes, atomics: rarer, and slow enough.
        return found
    if op.kind == Kind.LOAD:
        pairs = list(product((S, A, K), VALUE)) if op.ty != V128 else [(A, Dst.SLOT)]
        more: Choices = [((s,), dst, Mode.GUARD) for s, dst in pairs]
    else:
        srcs: Sources = [(S, A), (A, S), (K, S), (K, A)]
        if op.ty in (I32, I64, F32):
            srcs += [(S, K), (A, K)]
        more = [(s, Dst.NONE, Mode.GUARD) for s in srcs]
    return [*found, *(choice for choice in more if choice[:2] != (slots, dst))]


def _count(op: RegOp) -> int:
    """How many choices there are."""
    if op.kind in (Kind.LOAD, Kind.STORE):
        return len(_choices(op))
    return len(_sources(op)) * len(_destinations(op))


@final
class Forms:
    """All forms in the order of their indices, those of an operation together, fused ones last.

    Each is made when it is wanted first: who compiles a function needs few of them.

    Attributes:
        names: of the operations, in the order of their forms.
        n_plain: how many forms are not fused.
    """

    def __init__(self) -> None:
        self._made: dict[int, Form | FusedForm] = {}
        # The form of "invalid" is first.
        ops = sorted(REG_OPS, key=lambda op: op.name != "invalid")
        self._starts: dict[str, int] = {}
        self.n_plain = 0
        for op in ops:
            self._starts[op.name] = self.n_plain
            self.n_plain += _count(op)
        self.names, self._firsts = [op.name for op in ops], list(self._starts.values())

    def __len__(self) -> int:
        return self.n_plain + len(_chains()[0])

    def __getitem__(self, index: int) -> "Form | FusedForm":
        """A form by its index.

        Raises:
            IndexError: there is none.
        """
        found = self._made.get(index)
        if found is None:
            if index < 0:
                raise IndexError(index)
            if index >= self.n_plain:
                return self._fused(index)
            self.of_op(self.names[bisect_right(self._firsts, index) - 1])
            found = self._made[index]
        return found

    def __iter__(self) -> "Iterator[Form | FusedForm]":
        return map(self.__getitem__, range(len(self)))

    def of_op(self, name: str) -> list[Form]:
        """The forms of an operation that are not fused."""
        op = BY_NAME[name]
        forms = []
        for index, choice in enumerate(_choices(op), self._starts[name]):
            form = self._made.get(index)
            if form is None:
                form = Form(op, *choice)
                form.index = index
                form = self._made.setdefault(index, form)
            assert isinstance(form, Form)
            forms.append(form)
        return forms

    def _fused(self, index: int) -> FusedForm:
        """A form that is fused of the one that has all but its last part, and that part."""
        names, positions = _chains()
        *rest, last = names[index - self.n_plain]
        at = positions.get(tuple(rest))
        first = _named(rest[0]) if at is None else self[self.n_plain + at]
        form = FusedForm(first, _named(last))
        form.index = index
        made = self._made.setdefault(index, form)
        assert isinstance(made, FusedForm)
        return made


@cache
def _named(name: str) -> Form:
    """The form of a name that is not fused."""
    return next(form for form in FORMS.of_op(name.partition(" ")[0]) if form.name == name)


@cache
def _chains() -> tuple[list[tuple[str, ...]], dict[tuple[str, ...], int]]:
    """Names of the parts of fused forms, and their positions in the list."""
    found = chains()
    return found, {names: position for position, names in enumerate(found)}


FORMS = Forms()


def _plain() -> list[Form]:
    """All forms that are not fused."""
    return [form for name in FORMS.names for form in FORMS.of_op(name)]


# What finds forms is made when it is wanted first: who compiles needs none of it.


@cache
def form_by_key() -> dict[tuple[str, tuple[Src, ...], Dst, Mode], Form]:
    """Forms that are not fused, by operation, sources, destination and mode."""
    return {form.key: form for form in _plain()}


@cache
def form_by_name() -> dict[str, Form]:
    """Forms that are not fused, by name."""
    return {form.name: form for form in _plain()}


@cache
def fused_by_pair() -> dict[tuple[int, int], FusedForm]:
    """Fused forms, by the numbers of what they do first and then."""
    return {(f.first.index, f.second.index): f for f in FORMS if isinstance(f, FusedForm)}
