"""How compiled functions call each other and everything else.

Every compiled function, and every stub that stands for one, has the same prototype:

    { i64, <4 x float> } f(ctx, inst, fp, left, code, a0 .. a5, b0 .. b5)

``fp`` is the base of the callee's frame on the value stack, where the interpreter would have it;
``left`` how many frames there may be besides it; ``code`` the callee's ``FuncCode``, if the caller
had to look that up.  A parameter in slot ``s`` of the frame is in ``a{s}`` if it is an integer and
in the low bits of ``b{s}`` if it is a float or a vector; the caller stores those in slots beyond
into the frame.  References are always on the reference stack; ``Context.native_rp`` says where the
callee's frame begins.

A single result that is a number is in the first or second part of the result; everything else is
where the interpreter leaves it.
"""

from runwell.base.light import NamedTuple
from runwell.base.types import F32, F64, I32, I64, V128, FuncType, ValType
from runwell.codegen.machine import VECTOR
from runwell.runtime.layout import ResultClass

CC = "preserve_nonecc"
RESULT = "{ i64, <4 x float> }"
# Slots whose values travel in registers.
REGISTER_SLOTS = 6
LANES = "<4 x float>"
PARAMS: list[tuple[str, str]] = [
    ("ptr", "ctx"),
    ("ptr", "inst"),
    ("ptr", "fp"),
    ("i32", "left"),
    ("ptr", "code"),
    *[("i64", f"a{s}") for s in range(REGISTER_SLOTS)],
    *[(LANES, f"b{s}") for s in range(REGISTER_SLOTS)],
]

# Number types go by a letter: in names of slots, and wherever text is made of them.
LETTERS = {I32: "i", I64: "l", F32: "f", F64: "d", V128: "v"}
IR_TYPES = {"i": "i32", "l": "i64", "f": "float", "d": "double", "v": VECTOR}
ZEROS = {"i": "0", "l": "0", "f": "0.0", "d": "0.0", "v": "zeroinitializer"}


class Place(NamedTuple):
    """A parameter or result that is a number: its letter, and its byte offset in the frame."""

    letter: str
    slot: int


class Signature(NamedTuple):
    """A function type as callers see it.

    Attributes:
        params: those that are numbers.
        ref_params: how many are references.
        results: those that are numbers.
        ref_results: how many are references.
    """

    params: tuple[Place, ...]
    ref_params: int
    results: tuple[Place, ...]
    ref_results: int

    @property
    def param_bytes(self) -> int:
        """Length of the parameters in the value frame."""
        return _end(self.params)

    @property
    def result_class(self) -> ResultClass:
        """Where results are."""
        if len(self.results) + self.ref_results > 1 or self.ref_results:
            return ResultClass.MEMORY
        if self.results and self.results[0].letter in "fdv":
            return ResultClass.FLOAT
        return ResultClass.INTEGER


def _end(places: tuple[Place, ...]) -> int:
    if not places:
        return 0
    last = places[-1]
    return last.slot + (16 if last.letter == "v" else 8)


def places(types: tuple[ValType, ...]) -> tuple[tuple[Place, ...], int]:
    """Where numbers among the types are in a frame; how many are references."""
    found, at, refs = [], 0, 0
    for ty in types:
        letter = LETTERS.get(ty)
        if letter is None:
            refs += 1
            continue
        found.append(Place(letter, at))
        at += 16 if letter == "v" else 8
    return tuple(found), refs


def signature(type_: FuncType) -> Signature:
    """The signature of a function type."""
    params, ref_params = places(type_.params)
    results, ref_results = places(type_.results)
    return Signature(params, ref_params, results, ref_results)
