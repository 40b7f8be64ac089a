"""Type-checking of calls: kernels, function pointers, conversions and built-in functions."""

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runwell.kernel.convert import (
    convert,
    convert_constant,
    is_address,
    reinterpret,
)
from runwell.kernel.declare import Builtin, Kernel
from runwell.kernel.source import is_global_type
from runwell.kernel.tree import (
    AddressOf,
    Atomic,
    CallPointer,
    Expect,
    Expr,
    Intrinsic,
    LocalArray,
    LocalPlace,
)
from runwell.kernel.types import (
    BOOL,
    VOID,
    ArrayType,
    Function,
    Int,
    Pointer,
    StructType,
    Type,
    pointer,
)

if TYPE_CHECKING:
    from runwell.kernel.expressions import Expressions


def check_call(x: "Expressions", node: ast.Call, want: Type | None) -> Expr:
    """Check a call; ``want`` gives constants among the operands of built-ins their type."""
    if node.keywords:
        raise x.source.error(node.keywords[0], "keyword arguments are not in the kernel language")
    for arg in node.args:
        if isinstance(arg, ast.Starred):
            raise x.source.error(arg, "starred arguments are not in the kernel language")
    callee = x.source.named(node.func)
    if isinstance(callee, Kernel):
        return x.call(node, callee, node.args)
    if isinstance(callee, Builtin):
        rule = _BUILTINS.get(callee.name)
        if rule is None:
            raise x.source.error(node, f"{callee.name} cannot be called")
        return rule(x, node, want)
    if callee in (min, max, abs):
        return _extreme(x, node, callee.__name__, want)
    if isinstance(node.func, ast.Subscript) or is_global_type(callee):
        found = _type_or_none(x, node.func)
        if found is not None:
            return _conversion(x, node, found)
    if callee in (int, float):
        raise x.source.error(node, f"{callee.__name__} has no width: write i64(...) or f64(...)")
    if callee is not None and not isinstance(node.func, ast.Subscript):
        name = ast.unparse(node.func)
        raise x.source.error(node, f"{name} is not a kernel, an extern or a type")
    function = x.expr(node.func)
    if not isinstance(function.type, Function):
        raise x.source.error(node, f"{function.type} cannot be called")
    args = x.args(node, ast.unparse(node.func), function.type.params, node.args)
    return CallPointer(function.type.result, function, args)


def _type_or_none(x: "Expressions", node: ast.AST) -> Type | None:
    """The type that this names, unless it is an element of a table of functions."""
    if isinstance(node, ast.Subscript) and not isinstance(x.source.named(node.value), type):
        return None
    return x.source.annotation(node)


def _arguments(x: "Expressions", node: ast.Call, count: int) -> list[ast.expr]:
    if len(node.args) != count:
        name = ast.unparse(node.func)
        raise x.source.error(node, f"{name} takes {count} arguments, not {len(node.args)}")
    return node.args


def _conversion(x: "Expressions", node: ast.Call, to: Type) -> Expr:
    (arg,) = _arguments(x, node, 1)
    if isinstance(to, (StructType, ArrayType)):
        raise x.source.error(node, f"write cast({to}, ...) or Ptr[{to}](...)")
    value = x.source.constant(arg)
    if value is not None:
        return convert_constant(x.source, arg, value, to)
    return convert(x.source, node, x.expr(arg, to if x.is_untyped(arg) else None), to)


def _extreme(x: "Expressions", node: ast.Call, name: str, want: Type | None) -> Expr:
    if name == "abs":
        (arg,) = _arguments(x, node, 1)
        a = x.expr(arg, want)
        if isinstance(a.type, Int) and a.type.signed:
            return Intrinsic(a.type, "abs", (a,), (False,))
        raise x.source.error(node, f"no abs for {a.type}")
    left, right = _arguments(x, node, 2)
    a, b = x.pair(left, right, want)
    if not isinstance(a.type, Int):
        raise x.source.error(node, f"no {name} for {a.type}")
    return Intrinsic(a.type, ("s" if a.type.signed else "u") + name, (a, b))


def _addr(x: "Expressions", node: ast.Call, _: Type | None) -> Expr:
    (arg,) = _arguments(x, node, 1)
    place = x.place(arg)
    if isinstance(place.type, ArrayType):
        raise x.source.error(node, f"{ast.unparse(arg)} is already an address")
    if isinstance(place.type, StructType):
        return convert(x.source, node, x.expr(arg), pointer(place.type))
    if isinstance(place, LocalPlace):
        place.local.fixed = False
    return AddressOf(pointer(place.type), place)


def _cast(x: "Expressions", node: ast.Call, _: Type | None) -> Expr:
    of, arg = _arguments(x, node, 2)
    to = x.source.annotation(of)
    if x.is_untyped(arg):
        raise x.source.error(arg, f"cast of a constant: write {to}(...)")
    return reinterpret(x.source, node, x.expr(arg), to)


def _local_array(x: "Expressions", node: ast.Call, _: Type | None) -> Expr:
    of, count = _arguments(x, node, 2)
    element = x.source.sized(of)
    n = x.source.constant(count)
    if not isinstance(n, int) or n < 1:
        raise x.source.error(count, "the count must be a positive constant")
    return LocalArray(pointer(element), element, n)


def _likely(x: "Expressions", node: ast.Call, _: Type | None) -> Expr:
    (arg,) = _arguments(x, node, 1)
    return Expect(BOOL, x.expr(arg, BOOL), ast.unparse(node.func).endswith("unlikely") is False)


def _bits(x: "Expressions", node: ast.Call, want: Type | None) -> Expr:
    (arg,) = _arguments(x, node, 1)
    a = x.expr(arg, want)
    name = x.source.named(node.func).name
    if not isinstance(a.type, Int):
        raise x.source.error(node, f"no {name} for {a.type}")
    llvm_name = {"ctz": "cttz", "clz": "ctlz", "popcount": "ctpop"}[name]
    return Intrinsic(a.type, llvm_name, (a,), () if name == "popcount" else (False,))


def _atomic(x: "Expressions", node: ast.Call, _: Type | None) -> Expr:
    name = x.source.named(node.func).name.removeprefix("atomic_")
    counts = {"load": 1, "store": 2, "add": 2, "swap": 2, "cas": 3}
    first, *rest = _arguments(x, node, counts[name])
    at = x.expr(first)
    of: Any = at.type.to if isinstance(at.type, Pointer) else None
    is_word = isinstance(of, Int) or (name != "add" and isinstance(of, Type) and is_address(of))
    if not is_word or isinstance(of, StructType):
        raise x.source.error(first, f"no atomic {name} through {at.type}")
    args = tuple(x.expr(a, of) for a in rest)
    result = {"store": VOID, "cas": BOOL}.get(name, of)
    return Atomic(result, "xchg" if name == "swap" else name, at, args, of)


_BUILTINS: dict[str, Callable[["Expressions", ast.Call, Type | None], Expr]] = {
    "addr": _addr,
    "cast": _cast,
    "local_array": _local_array,
    "likely": _likely,
    "unlikely": _likely,
    "ctz": _bits,
    "clz": _bits,
    "popcount": _bits,
    "atomic_load": _atomic,
    "atomic_store": _atomic,
    "atomic_add": _atomic,
    "atomic_swap": _atomic,
    "atomic_cas": _atomic,
}
