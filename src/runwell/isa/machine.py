"""The verbs in which the meaning of instructions is written.

A row's body is a function over a ``Machine``.  Every backend is one more machine: the evaluator
computes on Python ints, the facts recorder takes notes, the LLVM machine writes text.

A value ``V`` knows its own width.  It is a number, a condition (one bit, the outcome of a
comparison), a vector, or a reference (64 bits, null is 0).  The arithmetic verbs work on numbers
and, lane by lane, on *lanes*: a vector seen under a shape (``bitcast``); a comparison of lanes
gives one condition a lane.

Verbs are total, or state what they require; every machine that can check it does.  A body must
not use a ``V`` as a Python truth value: ``select`` and ``trap_if`` take its place.
"""

from abc import ABC, abstractmethod

from runwell.base.light import Generic, NamedTuple, TypeAlias, TypeVar
from runwell.base.traps import TrapCode
from runwell.base.types import F32, I32, ValType

V = TypeVar("V")


class Shape(NamedTuple):
    """How a vector is divided into lanes, or (``lanes`` 1) a number narrower than ``i32``."""

    name: str
    bits: int
    lanes: int
    is_float: bool = False


I8X16, I16X8 = Shape("i8x16", 8, 16), Shape("i16x8", 16, 8)
I32X4, I64X2 = Shape("i32x4", 32, 4), Shape("i64x2", 64, 2)
F32X4, F64X2 = Shape("f32x4", 32, 4, True), Shape("f64x2", 64, 2, True)
# Halves and double widths, on the way from one shape to another.
I8X8, I16X4, I32X2, F32X2 = (
    Shape("i8x8", 8, 8),
    Shape("i16x4", 16, 4),
    Shape("i32x2", 32, 2),
    Shape("f32x2", 32, 2, True),
)
I16X16, I32X8, I64X4 = Shape("i16x16", 16, 16), Shape("i32x8", 32, 8), Shape("i64x4", 64, 4)
I8, I16 = Shape("i8", 8, 1), Shape("i16", 16, 1)

Type: TypeAlias = ValType | Shape


class Machine(ABC, Generic[V]):
    """What a body may do with values, memory and traps.

    Subclass it by name: then a verb added here is an error in every machine that lacks it.
    """

    # Constants and choice.

    @abstractmethod
    def const(self, ty: Type, value: int) -> V:
        """The constant ``value`` modulo the width; for floats its bits; the same in every lane."""

    @abstractmethod
    def select(self, cond: V, a: V, b: V) -> V:
        """``a`` where the condition ``cond`` holds, else ``b``."""

    @abstractmethod
    def select_rarely(self, cond: V, a: V, b: V) -> V:
        """As ``select`` of floats, bit by bit; it is expected that ``cond`` does not hold."""

    @abstractmethod
    def trap_if(self, cond: V, code: TrapCode) -> None:
        """Stop with ``code`` if the condition holds."""

    # Integers.

    @abstractmethod
    def add(self, a: V, b: V) -> V:
        """Wrapping sum."""

    @abstractmethod
    def sub(self, a: V, b: V) -> V:
        """Wrapping difference."""

    @abstractmethod
    def mul(self, a: V, b: V) -> V:
        """Wrapping product."""

    @abstractmethod
    def div_s(self, a: V, b: V) -> V:
        """Signed quotient toward zero; requires ``b`` != 0 and not (MIN / -1)."""

    @abstractmethod
    def div_u(self, a: V, b: V) -> V:
        """Unsigned quotient; requires ``b`` != 0."""

    @abstractmethod
    def rem_s(self, a: V, b: V) -> V:
        """Signed remainder, of the dividend's sign; requires ``b`` != 0 and not (MIN, -1)."""

    @abstractmethod
    def rem_u(self, a: V, b: V) -> V:
        """Unsigned remainder; requires ``b`` != 0."""

    @abstractmethod
    def and_(self, a: V, b: V) -> V:
        """Bitwise and; also of conditions."""

    @abstractmethod
    def or_(self, a: V, b: V) -> V:
        """Bitwise or; also of conditions."""

    @abstractmethod
    def xor(self, a: V, b: V) -> V:
        """Bitwise exclusive or; also of conditions."""

    @abstractmethod
    def not_(self, a: V) -> V:
        """Bitwise complement; also of conditions."""

    @abstractmethod
    def shl(self, a: V, b: V) -> V:
        """Shift left; requires ``b`` < width."""

    @abstractmethod
    def shr_s(self, a: V, b: V) -> V:
        """Shift right, copying the sign; requires ``b`` < width."""

    @abstractmethod
    def shr_u(self, a: V, b: V) -> V:
        """Shift right, filling with zeros; requires ``b`` < width."""

    @abstractmethod
    def rotl(self, a: V, b: V) -> V:
        """Rotate left by ``b`` modulo the width."""

    @abstractmethod
    def rotr(self, a: V, b: V) -> V:
        """Rotate right by ``b`` modulo the width."""

    @abstractmethod
    def clz(self, a: V) -> V:
        """Count of leading zero bits; the width for 0."""

    @abstractmethod
    def ctz(self, a: V) -> V:
        """Count of trailing zero bits; the width for 0."""

    @abstractmethod
    def popcnt(self, a: V) -> V:
        """Count of one bits."""

    @abstractmethod
    def eq(self, a: V, b: V) -> V:
        """Condition: the same bits."""

    @abstractmethod
    def ne(self, a: V, b: V) -> V:
        """Condition: not the same bits."""

    @abstractmethod
    def lt_s(self, a: V, b: V) -> V:
        """Condition: signed less than."""

    @abstractmethod
    def lt_u(self, a: V, b: V) -> V:
        """Condition: unsigned less than."""

    @abstractmethod
    def gt_s(self, a: V, b: V) -> V:
        """Condition: signed greater than."""

    @abstractmethod
    def gt_u(self, a: V, b: V) -> V:
        """Condition: unsigned greater than."""

    @abstractmethod
    def le_s(self, a: V, b: V) -> V:
        """Condition: signed at most."""

    @abstractmethod
    def le_u(self, a: V, b: V) -> V:
        """Condition: unsigned at most."""

    @abstractmethod
    def ge_s(self, a: V, b: V) -> V:
        """Condition: signed at least."""

    @abstractmethod
    def ge_u(self, a: V, b: V) -> V:
        """Condition: unsigned at least."""

    @abstractmethod
    def sext(self, ty: Type, a: V) -> V:
        """Widen a signed number, or make a condition all ones or zeros; requires a wider type."""

    @abstractmethod
    def zext(self, ty: Type, a: V) -> V:
        """Widen an unsigned number, or make a condition 1 or 0; requires a wider type."""

    @abstractmethod
    def trunc(self, ty: Type, a: V) -> V:
        """The low bits; requires a narrower type."""

    # Floats.  A NaN result is arithmetic; which payload it has is not defined.

    @abstractmethod
    def fadd(self, a: V, b: V) -> V:
        """Rounded sum."""

    @abstractmethod
    def fsub(self, a: V, b: V) -> V:
        """Rounded difference."""

    @abstractmethod
    def fmul(self, a: V, b: V) -> V:
        """Rounded product."""

    @abstractmethod
    def fdiv(self, a: V, b: V) -> V:
        """Rounded quotient."""

    @abstractmethod
    def fmin(self, a: V, b: V) -> V:
        """The lesser; NaN if either is; -0 is less than 0."""

    @abstractmethod
    def fmax(self, a: V, b: V) -> V:
        """The greater; NaN if either is; 0 is greater than -0."""

    @abstractmethod
    def fsqrt(self, a: V) -> V:
        """Rounded square root."""

    @abstractmethod
    def fceil(self, a: V) -> V:
        """Round to an integral value, up."""

    @abstractmethod
    def ffloor(self, a: V) -> V:
        """Round to an integral value, down."""

    @abstractmethod
    def ftrunc(self, a: V) -> V:
        """Round to an integral value, toward zero."""

    @abstractmethod
    def fnearest(self, a: V) -> V:
        """Round to an integral value, ties to even."""

    @abstractmethod
    def fabs(self, a: V) -> V:
        """Clear the sign bit, of a NaN too."""

    @abstractmethod
    def fneg(self, a: V) -> V:
        """Flip the sign bit, of a NaN too."""

    @abstractmethod
    def fcopysign(self, a: V, b: V) -> V:
        """``a`` with the sign bit of ``b``, of a NaN too."""

    @abstractmethod
    def feq(self, a: V, b: V) -> V:
        """Condition: equal, and neither is NaN."""

    @abstractmethod
    def fne(self, a: V, b: V) -> V:
        """Condition: not equal, or either is NaN."""

    @abstractmethod
    def flt(self, a: V, b: V) -> V:
        """Condition: less, and neither is NaN."""

    @abstractmethod
    def fgt(self, a: V, b: V) -> V:
        """Condition: greater, and neither is NaN."""

    @abstractmethod
    def fle(self, a: V, b: V) -> V:
        """Condition: at most, and neither is NaN."""

    @abstractmethod
    def fge(self, a: V, b: V) -> V:
        """Condition: at least, and neither is NaN."""

    # Conversions.

    @abstractmethod
    def trunc_s(self, ty: Type, a: V) -> V:
        """Float to signed integer, toward zero; requires that the result fits."""

    @abstractmethod
    def trunc_u(self, ty: Type, a: V) -> V:
        """Float to unsigned integer, toward zero; requires that the result fits."""

    @abstractmethod
    def trunc_sat_s(self, ty: Type, a: V) -> V:
        """Float to signed integer, toward zero; the nearest bound beyond; 0 for NaN."""

    @abstractmethod
    def trunc_sat_u(self, ty: Type, a: V) -> V:
        """Float to unsigned integer, toward zero; the nearest bound beyond; 0 for NaN."""

    @abstractmethod
    def convert_s(self, ty: Type, a: V) -> V:
        """Signed integer to float, rounded."""

    @abstractmethod
    def convert_u(self, ty: Type, a: V) -> V:
        """Unsigned integer to float, rounded."""

    @abstractmethod
    def demote(self, ty: Type, a: V) -> V:
        """Double to single precision, rounded."""

    @abstractmethod
    def promote(self, ty: Type, a: V) -> V:
        """Single to double precision."""

    @abstractmethod
    def bitcast(self, ty: Type, a: V) -> V:
        """The same bits as another type of the same width; vectors: lane 0 is lowest."""

    # Lanes.

    @abstractmethod
    def splat(self, shape: Shape, a: V) -> V:
        """Lanes that all hold the low bits of ``a``."""

    @abstractmethod
    def extract(self, a: V, lane: V) -> V:
        """One lane of lanes; requires ``lane`` < count."""

    @abstractmethod
    def insert(self, a: V, lane: V, b: V) -> V:
        """Lanes with one replaced by ``b``, of the lane's width; requires ``lane`` < count."""

    @abstractmethod
    def pick(self, a: V, b: V, indices: tuple[int, ...]) -> V:
        """Lanes ``indices`` of ``a`` followed by ``b``, known when the body is written."""

    @abstractmethod
    def swizzle(self, a: V, indices: V) -> V:
        """``i8x16``: lane ``indices[i]`` of ``a`` for each lane; 0 where it is 16 or more."""

    @abstractmethod
    def any_true(self, cond: V) -> V:
        """Condition: some lane's condition holds."""

    @abstractmethod
    def bitmask(self, cond: V) -> V:
        """``i32`` of the lanes' conditions, lane 0 lowest."""

    # Memory.  An address out of bounds traps with OUT_OF_BOUNDS_MEMORY, before any effect.

    @abstractmethod
    def load(self, ty: Type, addr: V, offset: V) -> V:
        """Read ``ty`` at ``addr + offset`` without wrapping; which memory is the form's."""

    @abstractmethod
    def store(self, ty: Type, addr: V, offset: V, value: V) -> None:
        """Write the low bits of ``value`` as ``ty`` at ``addr + offset`` without wrapping."""

    @abstractmethod
    def atomic_load(self, ty: Type, addr: V, offset: V) -> V:
        """As ``load``, sequentially consistent; traps if the address is not aligned."""

    @abstractmethod
    def atomic_store(self, ty: Type, addr: V, offset: V, value: V) -> None:
        """As ``store``, sequentially consistent; traps if the address is not aligned."""

    @abstractmethod
    def atomic_rmw(self, ty: Type, how: str, addr: V, offset: V, value: V) -> V:
        """Combine memory with ``value`` of ``ty`` in one step and return what was there.

        ``how`` is add, sub, and, or, xor or xchg.
        """

    @abstractmethod
    def atomic_cmpxchg(self, ty: Type, addr: V, offset: V, expected: V, value: V) -> V:
        """Write ``value`` if memory holds ``expected``; return what was there; all of ``ty``."""

    @abstractmethod
    def fence(self) -> None:
        """Order all atomic accesses before against those after."""

    # Said in other verbs.

    def real(self, ty: Type, value: float) -> V:
        """The float constant nearest to ``value``."""
        return self.const(ty, float_bits(value, 32 if ty in (F32, F32X4, F32X2) else 64))

    def flag(self, cond: V) -> V:
        """The ``i32`` that a condition is to the guest."""
        return self.zext(I32, cond)


class ControlMachine(Machine[V]):
    """What register code may do besides: frames, control flow, the instance.

    ``first`` is the byte offset, in the caller's frame, of the callee's frame; ``ref_first`` the
    same for references; ``link`` the byte offset of the return link in the callee's frame.
    Verbs that leave the handler (calls, returns, ``branch_table``, ``trap``, ``stub``) come last.
    """

    @abstractmethod
    def trap(self, code: TrapCode) -> None:
        """Stop with ``code``."""

    @abstractmethod
    def branch_table(self, index: V, count: V) -> None:
        """Go to target ``index`` of the ``count`` + 1 that follow in the code, or to the last."""

    @abstractmethod
    def throw(self, func: V, tag: V, first: V, ref_first: V) -> None:
        """Throw an exception of a tag, in function ``func``, with what is at these offsets."""

    @abstractmethod
    def throw_ref(self, ref: V, func: V) -> None:
        """Throw an exception again, in function ``func``; requires it is not null."""

    @abstractmethod
    def exception_get(self, cell: V, end: V, *, far: bool) -> V:
        """Read a global cell that refers to an exception.

        The reference frame is in use up to the byte offset ``end``.
        """

    @abstractmethod
    def exception_set(self, cell: V, value: V, *, far: bool) -> None:
        """Write a global cell that refers to an exception."""

    @abstractmethod
    def table_get_exception(self, table: V, index: V, end: V) -> V:
        """As ``table_get`` where elements refer to exceptions; ``end`` as in ``exception_get``."""

    @abstractmethod
    def table_set_exception(self, table: V, index: V, value: V) -> None:
        """As ``table_set`` where elements refer to exceptions."""

    @abstractmethod
    def call(self, func: V, first: V, link: V, ref_first: V) -> None:
        """Call function ``func`` of this instance."""

    @abstractmethod
    def call_ref(self, ref: V, first: V, link: V, ref_first: V) -> None:
        """Call a function reference, of any instance or the host's; requires it is not null."""

    @abstractmethod
    def tail_call(self, func: V, first: V, size: V, ref_first: V, ref_size: V, link: V) -> None:
        """Replace this frame, whose return link is at ``link``, by that of function ``func``.

        ``size`` and ``ref_size`` bytes of arguments move to the bottom of the frame; ``size`` is
        also where the callee has its link.
        """

    @abstractmethod
    def tail_call_ref(self, ref: V, first: V, size: V, ref_first: V, ref_size: V, link: V) -> None:
        """As ``tail_call`` to a function reference; requires it is not null."""

    @abstractmethod
    def return_(self, link: V) -> None:
        """Return to the caller."""

    @abstractmethod
    def return_value(self, value: V, link: V) -> None:
        """Return one result on the value stack."""

    @abstractmethod
    def return_ref(self, value: V, link: V) -> None:
        """Return one result on the reference stack."""

    @abstractmethod
    def return_many(self, first: V, size: V, ref_first: V, ref_size: V, link: V) -> None:
        """Return ``size`` bytes of results at ``first`` and ``ref_size`` bytes at ``ref_first``."""

    @abstractmethod
    def move(self, slot: V, to: V, size: V, ref_slot: V, ref_to: V, ref_size: V) -> None:
        """Move ``size`` bytes of value slots, ``ref_size`` of references; all are read first."""

    @abstractmethod
    def zero(self, slot: V, size: V) -> None:
        """Clear ``size`` bytes of value slots."""

    @abstractmethod
    def zero_refs(self, slot: V, size: V) -> None:
        """Clear ``size`` bytes of reference slots."""

    @abstractmethod
    def ref_frame(self, delta: V) -> None:
        """Move the base of the reference frame."""

    @abstractmethod
    def enter_big(self, size: V) -> None:
        """Trap with STACK_EXHAUSTED if the stack has no room for a frame of ``size`` bytes."""

    @abstractmethod
    def global_get(self, ty: ValType, cell: V, *, far: bool) -> V:
        """Read a global; ``cell`` is its byte offset from the instance; a far cell points to it."""

    @abstractmethod
    def global_set(self, ty: ValType, cell: V, value: V, *, far: bool) -> None:
        """Write a global; see ``global_get``."""

    @abstractmethod
    def memory_size(self, memory: V) -> V:
        """Pages of a memory, as ``i64``."""

    @abstractmethod
    def table_size(self, table: V) -> V:
        """Elements of a table, as ``i64``."""

    @abstractmethod
    def table_get(self, table: V, index: V) -> V:
        """Element ``index`` (``i64``); requires ``index`` < size."""

    @abstractmethod
    def table_set(self, table: V, index: V, value: V) -> None:
        """Replace element ``index`` (``i64``); requires ``index`` < size."""

    @abstractmethod
    def func_ref(self, func: V) -> V:
        """The reference to function ``func`` of this instance."""

    @abstractmethod
    def check_func(self, ref: V, type_: V) -> None:
        """Trap unless a function, not null, is of a canonical type (``i32``) or one below it."""

    @abstractmethod
    def invoke(self, kernel: str, *args: V) -> None:
        """Call ``kernel(instance, *args) -> u32``; traps with what it returns, unless 0."""

    @abstractmethod
    def invoke_value(self, ty: ValType, kernel: str, *args: V) -> V:
        """Call ``kernel(instance, *args) -> ty``, which does not trap."""

    @abstractmethod
    def invoke_blocking(self, kernel: str, *args: V) -> V:
        """Call ``kernel(context, instance, *args) -> u64``, which may take long.

        The low half is the result, an ``i32``; traps with the high half, unless 0.
        """

    @abstractmethod
    def charge(self, amount: V) -> None:
        """Take ``amount`` (``i64``) of the instance's fuel, or none and stop if there is less.

        Requires ``amount`` < 2**63.  A guest that stopped goes on with the same operation.
        """

    @abstractmethod
    def peek(self, ty: Type, at: V, offset: V) -> V:
        """Read ``ty`` where a reference or address plus ``offset`` (both ``i64``) says.

        The body knows that it is there; ``offset`` makes up for the reference's tag.
        """

    @abstractmethod
    def poke(self, ty: Type, at: V, offset: V, value: V) -> None:
        """Write the low bits of ``value`` as ``ty``; see ``peek``."""

    @abstractmethod
    def zeros(self) -> V:
        """The address of zeros, as many as the description of a heap type has (``i64``)."""

    @abstractmethod
    def object_get_exception(self, ref: V, offset: V, end: V) -> V:
        """As ``peek`` of a reference to an exception; ``end`` as in ``exception_get``."""

    @abstractmethod
    def object_set_exception(self, ref: V, offset: V, value: V) -> None:
        """As ``poke`` of a reference to an exception."""

    @abstractmethod
    def invoke_frame(self, kernel: str, first: V, size: V, ref_first: V, ref_end: V, *args: V) -> V:
        """Call ``kernel(context, instance, values, refs, end, *args) -> u64``, which may collect.

        Its operands are in the frame: ``size`` bytes of numbers from ``first`` on, and references
        from ``ref_first`` on; the reference frame is in use up to ``ref_end``.  The result is a
        reference or 0; traps if it is less than ``base.objects.LEAST_RESULT``, with it as the code.
        """

    @abstractmethod
    def stub(self, name: str) -> None:
        """What an engine does at a place of its own, such as the end of the outermost call."""


def float_bits(value: float, bits: int) -> int:
    """Bit pattern of the float of ``bits`` bits nearest to ``value``."""
    from struct import pack

    return int.from_bytes(pack("<f" if bits == 32 else "<d", value), "little")
