"""Type-checking of expressions: syntax tree to typed tree."""

import ast
from typing import Any

from runwell.kernel import calls
from runwell.kernel.convert import convert, is_address, is_same, literal
from runwell.kernel.declare import Builtin, Data, Failure, Kernel
from runwell.kernel.source import Source, source_of
from runwell.kernel.tree import (
    Arith,
    Attempt,
    Call,
    Compare,
    Const,
    Distance,
    ElementPlace,
    Expr,
    FieldPlace,
    Get,
    Local,
    LocalPlace,
    Logic,
    Not,
    Offset,
    Place,
    SymbolAddress,
    Tree,
)
from runwell.kernel.tree import Choose as ChooseExpr
from runwell.kernel.types import (
    BOOL,
    INTS,
    VOID,
    ArrayType,
    Float,
    Int,
    Pointer,
    StructType,
    Type,
    pointer,
)

I64 = INTS["i64"]
_INT_OPS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.LShift: "shl",
}
_SIGNED_OPS = {ast.FloorDiv: "sdiv", ast.Mod: "srem", ast.RShift: "ashr"}
_UNSIGNED_OPS = {ast.FloorDiv: "udiv", ast.Mod: "urem", ast.RShift: "lshr"}
_FLOAT_OPS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_COMPARE = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
_SYMBOLS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.Pow: "**", ast.MatMult: "@",
}  # fmt: skip


class Expressions:
    """Checks the expressions of one kernel.

    Attributes:
        source: the kernel as written.
        tree: what is known of it so far.
        locals: its locals by name, once declared.
        assigned: locals that surely have a value here.
        attempts: the enclosing ``try`` bodies, innermost last.
        caught: names bound by enclosing ``except`` clauses.
    """

    def __init__(self, source: Source, tree: Tree) -> None:
        self.source, self.tree = source, tree
        self.locals: dict[str, Local] = {}
        self.assigned: set[str] = set()
        self.attempts: list[Attempt] = []
        self.caught: dict[str, Local] = {}

    def raises(self, failure: type[Failure]) -> None:
        """Note that ``failure`` may be raised here."""
        (self.attempts[-1] if self.attempts else self.tree).raises.add(failure)

    def uses(self, kernel: Kernel, *, called: bool) -> Source:
        """Note that a kernel is named here; returns its source."""
        self.tree.kernels[kernel] = None
        if called:
            (self.attempts[-1] if self.attempts else self.tree).calls.append(kernel)
        return source_of(kernel)

    def expr(self, node: ast.AST, want: Type | None = None) -> Expr:
        """Check an expression.

        Args:
            node: its syntax.
            want: the type it must have; a constant takes it.

        Raises:
            KernelError: it is ill typed, or no kernel expression.
        """
        value = self.source.constant(node)
        if value is not None:
            return literal(self.source, node, value, want)
        found = self._expr(node, want)
        if want is not None and not is_same(found.type, want):
            can = isinstance(found.type, (Int, Float)) and isinstance(want, (Int, Float))
            hint = f": convert it, {want}(...)" if can else ""
            raise self.source.error(node, f"this is {found.type}, but {want} is needed{hint}")
        return found

    def _expr(self, node: ast.AST, want: Type | None) -> Expr:
        match node:
            case ast.Name():
                return self._name(node, want)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._get(self.place(node))
            case ast.BinOp():
                return self._binary(node, want)
            case ast.UnaryOp():
                return self._unary(node, want)
            case ast.Compare():
                return self._compare(node)
            case ast.BoolOp():
                parts = tuple(self.expr(v, BOOL) for v in node.values)
                return Logic(BOOL, isinstance(node.op, ast.And), parts)
            case ast.IfExp():
                return self._choose(node, want)
            case ast.Call():
                return calls.check_call(self, node, want)
            case _:
                what = type(node).__name__
                raise self.source.error(node, f"{what} is not in the kernel language")

    # Names and places

    def _name(self, node: ast.Name, want: Type | None) -> Expr:
        found = self.source.named(node)
        if isinstance(found, Builtin) and found.name == "null":
            if want is None or not is_address(want):
                raise self.source.error(node, f"null where {want or 'no pointer type'} is needed")
            return Const(want, None)
        if isinstance(found, (Data, Kernel)):
            return self._symbol(node, found)
        return self._get(self.place(node))

    def _attribute(self, node: ast.Attribute) -> Expr:
        found = self.source.named(node)
        if isinstance(found, (Data, Kernel)):
            return self._symbol(node, found)
        if isinstance(node.value, ast.Name) and node.value.id in self.caught:
            if node.attr != "code":
                raise self.source.error(node, "a caught failure has only a .code")
            local = self.caught[node.value.id]
            return Get(local.type, LocalPlace(local.type, local))
        return self._get(self.place(node))

    def _symbol(self, node: ast.AST, found: Data | Kernel) -> Expr:
        if isinstance(found, Data):
            self.tree.data[found] = None
            return SymbolAddress(found.type, found.name)
        source = self.uses(found, called=False)
        self.tree.addressed[found] = node
        if found.inline:
            raise self.source.error(node, f"{found.name} is inline: it has no address")
        return SymbolAddress(source.signature, found.name)

    def _get(self, place: Place) -> Expr:
        """The value in a place; an inline array is used as the address of its elements."""
        of = place.type
        return Get(pointer(of.of) if isinstance(of, ArrayType) else of, place)

    def place(self, node: ast.AST, *, store: bool = False) -> Place:
        """Check something that can be assigned to or have its address taken."""
        match node:
            case ast.Name():
                return self._local_place(node, store=store)
            case ast.Attribute():
                base = self.expr(node.value)
                struct = base.type.to if isinstance(base.type, Pointer) else base.type
                if not isinstance(struct, StructType):
                    raise self.source.error(node, f"{base.type} has no fields")
                if node.attr not in struct.fields:
                    raise self.source.error(node, f"{struct} has no field {node.attr}")
                return FieldPlace(struct.fields[node.attr].type, base, struct, node.attr)
            case ast.Subscript():
                base = self.expr(node.value)
                if not isinstance(base.type, Pointer):
                    raise self.source.error(node, f"cannot index {base.type}")
                self._check_element(node, base.type)
                return ElementPlace(base.type.to, base, self.index(node.slice))
            case _:
                raise self.source.error(node, f"{type(node).__name__} is not a place")

    def _local_place(self, node: ast.Name, *, store: bool) -> Place:
        local = self.locals.get(node.id)
        if local is None:
            if node.id in self.caught:
                raise self.source.error(node, f"only {node.id}.code can be used")
            if node.id in self.source.locals:
                raise self.source.error(node, f"{node.id} has no value yet")
            found = self.source.named(node)
            what = "is unknown" if found is None else f"is {found!r}, which kernels cannot use so"
            raise self.source.error(node, f"{node.id} {what}")
        if not store and node.id not in self.assigned:
            raise self.source.error(node, f"{node.id} may have no value here")
        return LocalPlace(local.type, local)

    def _check_element(self, node: ast.AST, of: Pointer) -> None:
        if of.to is VOID:
            raise self.source.error(node, f"{of} has no elements")

    def index(self, node: ast.AST, *, negate: bool = False) -> Expr:
        """Check an index or a number of elements: any integer; the result is an i64."""
        value = self.source.constant(node)
        if value is not None:
            if not isinstance(value, int) or isinstance(value, bool):
                raise self.source.error(node, f"{value} is no index")
            return literal(self.source, node, -value if negate else value, I64)
        found = self.expr(node)
        if not isinstance(found.type, Int):
            raise self.source.error(node, f"an index is an integer, not {found.type}")
        wide = convert(self.source, node, found, I64)
        return Arith(I64, "sub", Const(I64, 0), wide) if negate else wide

    # Operators

    def is_untyped(self, node: ast.AST) -> bool:
        """Does this take whatever type its place wants?"""
        if self.source.constant(node) is not None:
            return True
        match node:
            case ast.Name():
                found = self.source.named(node)
                return isinstance(found, Builtin) and found.name == "null"
            case ast.IfExp():
                return self.is_untyped(node.body) and self.is_untyped(node.orelse)
            case ast.BinOp():
                return self.is_untyped(node.left) and self.is_untyped(node.right)
            case ast.UnaryOp(op=ast.USub() | ast.Invert()):
                return self.is_untyped(node.operand)
            case _:
                return False

    def pair(self, left: ast.AST, right: ast.AST, want: Type | None) -> tuple[Expr, Expr]:
        """Check two operands of one type; a constant takes the other's."""
        if self.is_untyped(left):
            b = self.expr(right, want)
            return self.expr(left, b.type), b
        a = self.expr(left, want)
        return a, self.expr(right, a.type)

    def _binary(self, node: ast.BinOp, want: Type | None) -> Expr:
        if self.is_untyped(node.left):
            if want is not None and is_address(want):
                want = None
            return self.arith(node, node.op, *self.pair(node.left, node.right, want))
        a = self.expr(node.left)
        return self.operate(node, node.op, a, node.right)

    def operate(self, node: ast.AST, op: ast.operator, a: Expr, right: ast.AST) -> Expr:
        """Check ``a op right``, with pointer arithmetic."""
        if not isinstance(a.type, Pointer) or not isinstance(op, (ast.Add, ast.Sub)):
            self.instruction(node, op, a.type)
            return self.arith(node, op, a, self.expr(right, a.type))
        self._check_element(node, a.type)
        is_sub = isinstance(op, ast.Sub)
        if is_sub and self.source.constant(right) is None:
            b = self.expr(right)
            if b.type is a.type:
                return Distance(I64, a, b, a.type.to.size)
        return Offset(a.type, a, self.index(right, negate=is_sub), a.type.to)

    def arith(self, node: ast.AST, op: ast.operator, a: Expr, b: Expr) -> Expr:
        """Check ``a op b`` on numbers of one type."""
        return Arith(a.type, self.instruction(node, op, a.type), a, b)

    def instruction(self, node: ast.AST, op: ast.operator, of: Type) -> str:
        """The LLVM instruction for an operator on numbers of a type."""
        names: dict[type[Any], str] = {}
        if isinstance(of, Int):
            names = {**_INT_OPS, **(_SIGNED_OPS if of.signed else _UNSIGNED_OPS)}
        elif isinstance(of, Float):
            names = {**_FLOAT_OPS}
        elif of is BOOL:
            names = {k: v for k, v in _INT_OPS.items() if v in ("and", "or", "xor")}
        name = names.get(type(op))
        if name is None:
            hint = "; use //" if isinstance(op, ast.Div) and isinstance(of, Int) else ""
            raise self.source.error(node, f"no {_SYMBOLS[type(op)]} for {of}{hint}")
        return name

    def _unary(self, node: ast.UnaryOp, want: Type | None) -> Expr:
        if isinstance(node.op, ast.Not):
            return Not(BOOL, self.expr(node.operand, BOOL))
        a = self.expr(node.operand, want if self.is_untyped(node.operand) else None)
        match node.op, a.type:
            case (ast.USub(), Int()):
                return Arith(a.type, "sub", Const(a.type, 0), a)
            case (ast.USub(), Float()):
                return Arith(a.type, "fneg", a, a)
            case (ast.Invert(), Int()):
                return Arith(a.type, "xor", a, Const(a.type, -1))
            case _:
                symbol = {ast.USub: "-", ast.Invert: "~", ast.UAdd: "+"}[type(node.op)]
                raise self.source.error(node, f"no {symbol} for {a.type}")

    def _compare(self, node: ast.Compare) -> Expr:
        operands = [node.left, *node.comparators]
        for middle in operands[1:-1]:
            if any(isinstance(n, ast.Call) for n in ast.walk(middle)):
                raise self.source.error(middle, "a call in the middle of a chained comparison")
        parts = []
        for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
            name = _COMPARE.get(type(op))
            if name is None:
                raise self.source.error(node, "is/in is not in the kernel language")
            parts.append(self._comparison(node, name, *self.pair(left, right, None)))
        return parts[0] if len(parts) == 1 else Logic(BOOL, True, tuple(parts))

    def _comparison(self, node: ast.AST, name: str, a: Expr, b: Expr) -> Expr:
        of = a.type
        if isinstance(of, Float):
            return Compare(BOOL, "fcmp une" if name == "ne" else f"fcmp o{name}", a, b)
        if name in ("eq", "ne") and (isinstance(of, Int) or is_address(of) or of is BOOL):
            return Compare(BOOL, f"icmp {name}", a, b)
        if isinstance(of, (Int, Pointer)):
            sign = "s" if isinstance(of, Int) and of.signed else "u"
            return Compare(BOOL, f"icmp {sign}{name}", a, b)
        raise self.source.error(node, f"{of} has no order")

    def _choose(self, node: ast.IfExp, want: Type | None) -> Expr:
        test = self.expr(node.test, BOOL)
        if want is None and self.is_untyped(node.body):
            no = self.expr(node.orelse)
            return ChooseExpr(no.type, test, self.expr(node.body, no.type), no)
        yes = self.expr(node.body, want)
        return ChooseExpr(yes.type, test, yes, self.expr(node.orelse, yes.type))

    def call(self, node: ast.AST, kernel: Kernel, args: list[ast.expr]) -> Expr:
        """Check a call of a kernel or extern."""
        source = self.uses(kernel, called=True)
        return Call(
            source.result, kernel, self.args(node, kernel.name, source.signature.params, args)
        )

    def args(
        self, node: ast.AST, name: str, params: tuple[Type, ...], args: list[ast.expr]
    ) -> tuple[Expr, ...]:
        """Check the arguments of a call."""
        if len(args) != len(params):
            raise self.source.error(node, f"{name} takes {len(params)} arguments, not {len(args)}")
        return tuple(self.expr(a, t) for a, t in zip(args, params, strict=True))
