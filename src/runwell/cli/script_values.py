"""Values of test scripts: calls with bits, and comparison with what is expected."""

from __future__ import annotations

from ctypes import PYFUNCTYPE, c_uint32, c_uint64
from functools import cache
from typing import TYPE_CHECKING

from runwell.base.objects import IS_ARRAY, IS_STRUCT, TAG, TAG_MASK
from runwell.base.traps import TrapCode
from runwell.base.types import EXTERNREF, V128, ValType
from runwell.runtime.context import current_context
from runwell.runtime.func import Func
from runwell.runtime.native import native
from runwell.runtime.reference import host_object, kind_of
from runwell.runtime.store import Store
from runwell.runtime.trap import make_trap
from runwell.runtime.types import may_be_object
from runwell.text.wast import CANONICAL, Either, Number, Reference, Result, Vector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runwell.runtime.globals import Global

_MASK = (1 << 64) - 1
# Exponent and quiet bit, by width.
_QUIET = {32: 0x7FC00000, 64: 0x7FF8000000000000}


def call_bits(
    func: Func, args: Sequence[Result], bits_of: Callable[[Store, Reference], int]
) -> list[tuple[ValType, int]]:
    """Call a guest function with bits.

    Args:
        func: the function.
        args: arguments, as many as it has parameters.
        bits_of: makes references that guests of a store know.

    Returns:
        Type and bits of each result.

    Raises:
        Trap: the guest trapped.
    """
    context = current_context()
    value_at, ref_at = int(context.native.top), int(context.native.ref_top)
    owner = func.owner
    assert isinstance(owner, Store)
    for t, arg in zip(func.type.params, args, strict=True):
        if isinstance(arg, Reference):
            c_uint64.from_address(ref_at).value = bits_of(owner, arg)
            ref_at += 8
            continue
        bits = argument_bits(arg)
        for shift in range(0, 128 if t == V128 else 64, 64):
            c_uint64.from_address(value_at).value = bits >> shift & _MASK
            value_at += 8
    code = _run_unlocked()(context.address, func.ref, context.native.top)
    if code:
        raise make_trap(context, TrapCode(code))
    value_at, ref_at = int(context.native.top), int(context.native.ref_top)
    results: list[tuple[ValType, int]] = []
    for t in func.type.results:
        if t.is_ref:
            results.append((t, c_uint64.from_address(ref_at).value))
            ref_at += 8
            continue
        bits = c_uint64.from_address(value_at).value
        value_at += 8
        if t == V128:
            bits |= c_uint64.from_address(value_at).value << 64
            value_at += 8
        results.append((t, bits & ((1 << t.bits) - 1)))
    return results


@cache
def _run_unlocked() -> Callable[[int, int, int], int]:
    """Runs guests without the interpreter lock, so that those of other threads run too."""
    prototype = PYFUNCTYPE(c_uint32, c_uint64, c_uint64, c_uint64)
    return prototype(native.address("run_unlocked"))


def argument_bits(arg: Result) -> int:
    """The bits of a number or vector."""
    if isinstance(arg, Number) and isinstance(arg.bits, int):
        return arg.bits
    if isinstance(arg, Vector):
        lanes = enumerate(arg.lanes)
        return sum(lane << (arg.lane_bits * x) for x, lane in lanes if isinstance(lane, int))
    raise TypeError(f"{arg} is no argument")


def global_bits(native_global: Global) -> tuple[ValType, int]:
    """Type and bits of a global's value."""
    t = native_global.type.type
    return t, native_global.bits & ((1 << t.bits) - 1)


def matches(t: ValType, bits: int, wanted: Result) -> bool:
    """Is a result what is expected?"""
    if isinstance(wanted, Either):
        return any(matches(t, bits, option) for option in wanted.options)
    if isinstance(wanted, Number):
        return t == wanted.type and _lane_matches(bits, wanted.bits, t.bits)
    if isinstance(wanted, Vector):
        width = wanted.lane_bits
        mask = (1 << width) - 1
        return t == V128 and all(
            _lane_matches(bits >> (width * x) & mask, lane, width)
            for x, lane in enumerate(wanted.lanes)
        )
    return t.is_ref and _reference_matches(t, bits, wanted)


def _lane_matches(bits: int, wanted: int | str, width: int) -> bool:
    if isinstance(wanted, int):
        return bits == wanted
    quiet = _QUIET[width]
    magnitude = bits & ~(1 << (width - 1))
    return magnitude == quiet if wanted == CANONICAL else magnitude & quiet == quiet


def _reference_matches(t: ValType, bits: int, wanted: Reference) -> bool:
    if wanted.kind == "null":
        return bits == 0
    if bits == 0:
        return False
    is_object = may_be_object(t) and bits & TAG_MASK == TAG
    kind = kind_of(bits) if is_object else 0
    if wanted.value is not None:
        return is_object and getattr(host_object(bits), "number", None) == wanted.value
    match wanted.kind:
        case "extern":
            return t & 0xFF == EXTERNREF
        case "any":
            return may_be_object(t) and t & 0xFF != EXTERNREF
        case "eq":
            return kind in (IS_STRUCT, IS_ARRAY) or bits & 1 != 0
        case "i31":
            return bits & 1 != 0
        case "struct":
            return kind == IS_STRUCT
        case "array":
            return kind == IS_ARRAY
        case "exn":
            return t.is_exception
        case _:
            return not may_be_object(t) and not t.is_exception


def describe_results(results: Sequence[tuple[ValType, int]]) -> str:
    """Results as a failure shows them."""
    from runwell.isa.literal import print_float

    texts = []
    for t, bits in results:
        if t.is_float:
            texts.append(f"{t.text} {print_float(bits, t.bits)}")
        elif t.is_int:
            texts.append(f"{t.text} {bits}")
        else:
            texts.append(f"{t.text} {bits:#x}")
    return f"({', '.join(texts)})"
