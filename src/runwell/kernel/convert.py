"""Literals and explicit conversions.  There are no implicit ones."""

import ast
import struct

from runwell.kernel.source import Source
from runwell.kernel.tree import Const, Convert, Expr
from runwell.kernel.types import (
    BOOL,
    INTS,
    Address,
    Bool,
    Float,
    Function,
    Int,
    Pointer,
    StructType,
    Type,
)


def is_address(of: Type) -> bool:
    """Is a value of this type an address?"""
    return isinstance(of, (Address, StructType))


def is_same(a: Type, b: Type) -> bool:
    """Are values of these types interchangeable?  ``S`` and ``Ptr[S]`` are."""
    if a is b:
        return True
    if isinstance(a, Pointer):
        return a.to is b and isinstance(b, StructType)
    return isinstance(b, Pointer) and b.to is a and isinstance(a, StructType)


def literal(source: Source, node: ast.AST, value: int | float | bool, want: Type | None) -> Const:
    """A constant as a value of the type its place wants."""
    if isinstance(value, bool):
        if want not in (None, BOOL):
            raise source.error(node, f"a bool where {want} is needed")
        return Const(BOOL, value)
    if want is None:
        raise source.error(node, f"the constant {value} needs a type here, e.g. u32({value})")
    if isinstance(want, Int) and isinstance(value, int):
        if value < 0 and not want.signed and _is_complement(node):
            value &= (1 << want.bits) - 1
        low = -(1 << (want.bits - 1)) if want.signed else 0
        if not low <= value < low + (1 << want.bits):
            raise source.error(node, f"{value} does not fit {want}")
        return Const(want, value)
    if isinstance(want, Float):
        return Const(want, float(value))
    hint = "; write null" if is_address(want) and value == 0 else ""
    raise source.error(node, f"the constant {value} is not a {want}{hint}")


def _is_complement(node: ast.AST) -> bool:
    """Is this ``~mask``, of which the bits above the width do not matter?"""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert)


def convert_constant(source: Source, node: ast.AST, value: int | float | bool, to: Type) -> Expr:
    """``to(value)``: integers wrap, floats lose their fraction."""
    if isinstance(to, Int):
        try:
            bits = int(value) & ((1 << to.bits) - 1)
        except (OverflowError, ValueError):
            raise source.error(node, f"{value} has no integer value") from None
        return Const(to, bits - (1 << to.bits) if to.signed and bits >> (to.bits - 1) else bits)
    if isinstance(to, Float) and not isinstance(value, bool):
        return Const(to, float(value))
    if isinstance(to, Pointer) and type(value) is int:
        return Convert(to, "inttoptr", Const(INTS["u64"], value & (1 << 64) - 1))
    return literal(source, node, value, to)


def convert(source: Source, node: ast.AST, value: Expr, to: Type) -> Expr:
    """``to(value)``."""
    op = _conversion(value.type, to)
    if op is None:
        hint = "; compare with 0" if to is BOOL else ""
        if is_address(value.type) and isinstance(to, Int):
            hint = "; an address is a u64"
        raise source.error(node, f"no conversion from {value.type} to {to}{hint}")
    return Convert(to, op, value)


def _conversion(a: Type, to: Type) -> str | None:
    """The LLVM conversion from one type to another; ``""`` if the bits stay."""
    match a, to:
        case _ if is_same(a, to):
            return ""
        case (Int() | Bool(), Int()):
            width, signed = (a.bits, a.signed) if isinstance(a, Int) else (1, False)
            extend = "sext" if signed else "zext"
            return "" if width == to.bits else "trunc" if width > to.bits else extend
        case (Int(), Float()):
            return "sitofp" if a.signed else "uitofp"
        case (Float(), Int()):
            return "llvm.fptosi.sat" if to.signed else "llvm.fptoui.sat"
        case (Float(), Float()):
            return "fpext" if to.bits > a.bits else "fptrunc"
        case (_, Pointer() | Function()) if is_address(a):
            return ""
        case (Int(bits=64), Pointer()):
            return "inttoptr"
        case (_, Int(bits=64)) if is_address(a):
            return "ptrtoint"
        case _:
            return None


def reinterpret(source: Source, node: ast.AST, value: Expr, to: Type) -> Expr:
    """``cast(to, value)``: another view of the same bits."""
    a = value.type
    if is_address(a) and is_address(to):
        return Convert(to, "", value)
    numbers = (Int, Float)
    if isinstance(a, numbers) and isinstance(to, numbers) and a.bits == to.bits:
        return Convert(to, "" if a.ir == to.ir else "bitcast", value)
    if isinstance(a, Int) and a.bits == 64 and is_address(to):
        return Convert(to, "inttoptr", value)
    if is_address(a) and isinstance(to, Int) and to.bits == 64:
        return Convert(to, "ptrtoint", value)
    raise source.error(node, f"{a} and {to} are not two views of the same bits")


def float_bits(value: float, of: Float) -> str:
    """A float constant as LLVM spells it: the bits of a double, in hexadecimal."""
    if of.bits == 32:
        (value,) = struct.unpack("<f", struct.pack("<f", value))
    return f"0x{int.from_bytes(struct.pack('>d', value), 'big'):016X}"
