"""What a body can do, found out by running it: never written by hand."""

from runwell.base.light import Any, Callable, NamedTuple, NoReturn, cache, final
from runwell.base.traps import TrapCode
from runwell.base.types import I32, I64, ValType
from runwell.isa.machine import ControlMachine, Shape, Type
from runwell.isa.op import Op
from runwell.isa.register import BY_NAME, Kind, RegOp, Word


class Facts(NamedTuple):
    """What an instruction or operation can do.

    Attributes:
        verbs: the verbs that it is said in.
        traps: why it can trap.
        nan_width: width of float results whose NaN payload is not defined, 0 if there are none.
    """

    verbs: frozenset[str]
    traps: frozenset[TrapCode]
    nan_width: int

    @property
    def reads_memory(self) -> bool:
        """Does it read linear memory?"""
        return any(verb in _READS for verb in self.verbs)

    @property
    def writes_memory(self) -> bool:
        """Does it write linear memory?"""
        return any(verb in _WRITES for verb in self.verbs)

    @property
    def leaves(self) -> bool:
        """Does control not simply go on behind it?"""
        return any(verb in _LEAVES for verb in self.verbs)

    @property
    def is_pure(self) -> bool:
        """Is the result a function of the operands, and there is nothing else?"""
        return not self.traps and self.verbs <= PURE


@final
class Note:
    """A value of which only the shape is known."""

    __slots__ = ("lanes", "width")

    def __init__(self, width: int, lanes: int = 1) -> None:
        self.width, self.lanes = width, lanes

    def __bool__(self) -> NoReturn:
        raise TypeError("use select or trap_if")


_READS = ("load", "atomic_load", "atomic_rmw", "atomic_cmpxchg")
_WRITES = ("store", "atomic_store", "atomic_rmw", "atomic_cmpxchg")
_ATOMIC = ("atomic_load", "atomic_store", "atomic_rmw", "atomic_cmpxchg")
_CALLS = ("call", "call_ref")
_LEAVES = (
    "trap", "branch_table", "throw", "throw_ref", "call", "call_ref", "tail_call", "tail_call_ref",
    "return_", "return_value", "return_ref", "return_many", "stub",
)  # fmt: skip
_ROUNDS = (
    "fadd", "fsub", "fmul", "fdiv", "fmin", "fmax", "fsqrt", "fceil", "ffloor", "ftrunc",
    "fnearest", "demote", "promote",
)  # fmt: skip
_COMPARES = (
    "eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u",
    "feq", "fne", "flt", "fgt", "fle", "fge", "any_true",
)  # fmt: skip
_SIZES: dict[str, Type] = {
    "bitmask": I32,
    "memory_size": I64,
    "table_size": I64,
    "table_get": I64,
    "func_ref": I64,
    "invoke_blocking": I32,
    "zeros": I64,
    "object_get_exception": I64,
    "invoke_frame": I64,
}
# Kernels trap by what they are about.
_KERNEL_TRAPS = {
    "memory": TrapCode.OUT_OF_BOUNDS_MEMORY,
    "table": TrapCode.OUT_OF_BOUNDS_TABLE,
}
# Those that work on objects, by what their names end in; making one may need room.
_FRAME_TRAPS = {
    "data": TrapCode.OUT_OF_BOUNDS_MEMORY,
    "elem": TrapCode.OUT_OF_BOUNDS_TABLE,
}
# The operation that stands for an instruction that has several.
_STANDS_FOR = {
    **{f"struct.get{how}": f"struct.get.{ty}" for how, ty in (("", "i32"), ("_s", "i8_s"))},
    **{f"array.get{how}": f"array.get.{ty}" for how, ty in (("", "i32"), ("_s", "i8_s"))},
    "struct.get_u": "struct.get.i8_u",
    "array.get_u": "array.get.i8_u",
    "struct.set": "struct.set.i32",
    "array.set": "array.set.i32",
    "ref.test": "is.object",
    "ref.test null": "is_null.object",
    "ref.cast": "cast.object",
    "ref.cast null": "cast_null.object",
}


def _note(ty: Type) -> Note:
    return Note(ty.bits) if isinstance(ty, ValType) else Note(ty.bits, ty.lanes)


def _result(verb: str, args: tuple[Any, ...]) -> Note | None:
    """The shape of a verb's result: of the type that it names, or else like its last operand."""
    if verb in _SIZES:
        return _note(_SIZES[verb])
    if args and isinstance(args[0], ValType | Shape):
        return _note(args[0])
    notes = [arg for arg in args if isinstance(arg, Note)]
    if not notes:
        return None
    if verb in _COMPARES:
        return Note(1, 1 if verb == "any_true" else notes[-1].lanes)
    if verb == "extract":
        return Note(notes[0].width)
    if verb == "insert":
        return notes[0]
    if verb == "pick":
        return Note(notes[0].width, len(args[-1]))
    return notes[-1]


class _Record:
    """What a run of a body has done so far."""

    def __init__(self) -> None:
        self.verbs: set[str] = set()
        self.traps: set[TrapCode] = set()
        self.nan_width = 0

    def add(self, verb: str, args: tuple[Any, ...]) -> Note | None:
        self.verbs.add(verb)
        self.traps.update(arg for arg in args if isinstance(arg, TrapCode))
        if verb in _READS or verb in _WRITES:
            self.traps.add(TrapCode.OUT_OF_BOUNDS_MEMORY)
        if verb in _ATOMIC and _note(args[0]).width > 8:
            self.traps.add(TrapCode.UNALIGNED_ATOMIC)
        if verb == "check_func":
            self.traps.add(TrapCode.INDIRECT_CALL_TYPE_MISMATCH)
        if verb in _CALLS or verb == "enter_big":
            self.traps.add(TrapCode.STACK_EXHAUSTED)
        if verb in ("invoke", "invoke_blocking"):
            self.traps.add(_KERNEL_TRAPS[args[0].partition("_")[0]])
        if verb == "invoke_blocking":
            self.traps.add(TrapCode.UNALIGNED_ATOMIC)
            if "wait" in args[0]:
                self.traps.update((TrapCode.UNSHARED_MEMORY, TrapCode.INTERRUPTED))
        if verb == "invoke_frame":
            self._add_frame(args[0])
        result = _result(verb, args)
        if verb in _ROUNDS and result is not None:
            self.nan_width = result.width
        return result

    def _add_frame(self, kernel: str) -> None:
        _, what, *rest = kernel.split("_")
        if what == "new":
            self.traps.add(TrapCode.HEAP_EXHAUSTED)
        else:
            self.traps.update((TrapCode.NULL_ARRAY, TrapCode.OUT_OF_BOUNDS_ARRAY))
        self.traps.update(_FRAME_TRAPS[word] for word in rest if word in _FRAME_TRAPS)


def _method(verb: str) -> Callable[..., Note | None]:
    return lambda self, *args, **_: self.record.add(verb, args)


_VERBS = sorted(ControlMachine.__abstractmethods__)
# Made from the list of verbs, so that it has every one.
_Facts: Any = type("FactsMachine", (ControlMachine,), {verb: _method(verb) for verb in _VERBS})

_IMPURE = (*_READS, *_WRITES, *_LEAVES, "fence", "move", "zero", "zero_refs", "ref_frame",
           "enter_big", "global_get", "global_set", "memory_size", "table_size", "table_get",
           "table_set", "check_func", "invoke", "invoke_value", "invoke_blocking", "charge", "peek",
           "poke", "object_get_exception", "object_set_exception", "invoke_frame")  # fmt: skip
PURE = frozenset(_VERBS) - frozenset(_IMPURE)


def _run(of: Op | RegOp, inputs: list[Note]) -> Facts:
    machine = _Facts()
    machine.record = record = _Record()
    of.body(machine, of.ty, *inputs)
    return Facts(frozenset(record.verbs), frozenset(record.traps), record.nan_width)


NOTHING = Facts(frozenset(), frozenset(), 0)


@cache
def facts(op: Op) -> Facts:
    """The facts of an instruction; empty for those that are the translator's business alone."""
    if op.inputs is not None:
        return _run(op, [_note(ty) for ty in op.inputs])
    same = BY_NAME.get(_STANDS_FOR.get(op.mnemonic, op.mnemonic))
    return register_facts(same) if same is not None else NOTHING


@cache
def register_facts(op: RegOp) -> Facts:
    """The facts of a register operation."""
    if op.kind == Kind.BRANCH:
        return NOTHING
    if op.row is not None:
        return facts(op.row)
    words = [Note(128 if word == Word.V128 else 32) for word in op.imms]
    return _run(op, [*map(_note, op.params), *words])
