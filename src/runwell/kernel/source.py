"""The source of a kernel: its syntax tree, its signature, its names and its constants.

A file is parsed once, whole, so that positions in errors are positions in the file.
"""

import ast
import builtins
import inspect
import linecache
import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from runwell.kernel import types
from runwell.kernel.declare import Kernel
from runwell.kernel.types import INTS, VOID, Function, KernelError, Type, resolve

_FOLD: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_NAMES = {
    "bool": bool,
    "range": range,
    "min": min,
    "max": max,
    "abs": abs,
    "int": int,
    "float": float,
}


class Param(NamedTuple):
    """A parameter; its type is a struct for a reference to one."""

    name: str
    type: Type


class Source:
    """A kernel's definition as written.

    Attributes:
        kernel: the declaration.
        params: its parameters.
        result: its result type.
        body: its statements, without the docstring.
        file: path of the file.
        locals: names that are local to it.
    """

    def __init__(self, kernel: Kernel) -> None:
        """Find and read the definition.

        Raises:
            KernelError: there is no source, or the signature is not a kernel's.
        """
        self.kernel = kernel
        code = kernel.function.__code__
        self.file: str = code.co_filename
        self.lines = linecache.getlines(self.file)
        cells = kernel.function.__closure__ or ()
        enclosed = {n: c.cell_contents for n, c in zip(code.co_freevars, cells, strict=True)}
        self.scope: dict[str, Any] = {**kernel.function.__globals__, **enclosed}
        node = _definitions(self.file).get((kernel.name, code.co_firstlineno))
        if node is None:
            raise KernelError(f"{self.file}:{code.co_firstlineno}: no source for {kernel.name}")
        self.node = node
        a = node.args
        for extra in [*a.posonlyargs, *a.kwonlyargs, a.vararg, a.kwarg]:
            if extra is not None:
                raise self.error(extra, "only plain parameters")
        if a.defaults:
            raise self.error(a.defaults[0], "a parameter cannot have a default")
        self.params = [Param(p.arg, self.param_type(p)) for p in a.args]
        self.result = VOID if node.returns is None else self.annotation(node.returns)
        body = node.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        self.body = body
        self.locals = {p.name for p in self.params}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self.locals.add(inner.id)
            elif isinstance(inner, ast.ExceptHandler) and inner.name:
                self.locals.add(inner.name)

    @property
    def signature(self) -> Function:
        """Its type as a function pointer."""
        return types.function(tuple(p.type for p in self.params), self.result)

    def error(self, node: ast.AST, message: str) -> KernelError:
        """What to raise because of ``node``."""
        line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
        text = self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""
        return KernelError(
            f"{self.file}:{line}:{column + 1}: in {self.kernel.name}: {message}\n    {text}"
        )

    def where(self, node: ast.AST) -> str:
        """A place for messages of the compiled code; the same on every machine."""
        module = self.kernel.function.__module__
        return f"{module}:{getattr(node, 'lineno', 0)}: in {self.kernel.name}"

    def param_type(self, param: ast.arg) -> Type:
        """The type of a parameter."""
        if param.annotation is None:
            raise self.error(param, f"parameter {param.arg} needs a type")
        found = self.annotation(param.annotation)
        if found in (VOID, types.NEVER) or isinstance(found, types.ArrayType):
            raise self.error(param.annotation, f"a parameter cannot be {found}")
        return found

    def annotation(self, node: ast.AST) -> Type:
        """The type that an expression in the source means."""
        try:
            code = compile(ast.Expression(node), self.file, "eval")  # type: ignore[arg-type]
            return resolve(eval(code, self.scope), self.scope)  # noqa: S307 (our own source)
        except KernelError as e:
            raise self.error(node, str(e)) from None
        except Exception as e:  # noqa: BLE001 (whatever evaluating an annotation raises)
            raise self.error(node, f"bad type: {e}") from None

    def named(self, node: ast.AST) -> Any:
        """The Python object that a global, possibly dotted name stands for, or None."""
        if isinstance(node, ast.Name):
            if node.id in self.locals:
                return None
            return self.scope.get(node.id, _NAMES.get(node.id))
        if isinstance(node, ast.Attribute):
            owner = self.named(node.value)
            if isinstance(owner, (type, ModuleType)):
                return getattr(owner, node.attr, None)
        return None

    def constant(self, node: ast.AST) -> int | float | bool | None:
        """The value of a constant expression, or None if it is not one."""
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                return value
            case ast.Name() | ast.Attribute():
                found = self.named(node)
                return _plain(found) if isinstance(found, (int, float)) else None
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _FOLD:
                a = self.constant(operand)
                return None if a is None else self._fold(node, op, a)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.constant(left), self.constant(right)
                return None if a is None or b is None else self._fold(node, op, a, b)
            case ast.Call(func=function, args=[of]) if self.named(function) is types.sizeof:
                return self.sized(of).size
            case ast.Call(func=function, args=[of, field]) if (
                self.named(function) is types.offsetof
            ):
                struct = self.annotation(of)
                if not isinstance(struct, types.StructType):
                    raise self.error(of, f"{struct} is not a struct")
                if not isinstance(field, ast.Constant) or field.value not in struct.fields:
                    raise self.error(field, f"{struct} has no such field")
                return struct.offset(str(field.value))
            case _:
                return None

    def _fold(self, node: ast.AST, op: ast.AST, *values: int | float) -> int | float:
        if isinstance(op, (ast.FloorDiv, ast.Mod)) and min(values) < 0:
            raise self.error(
                node, "division of negative constants: kernels round toward zero, not down"
            )
        try:
            return _plain(_FOLD[type(op)](*values))
        except (ArithmeticError, TypeError, ValueError, KeyError) as e:
            raise self.error(node, f"bad constant: {e}") from None

    def sized(self, node: ast.AST) -> Type:
        """The type that an expression means, which must have a size."""
        found = self.annotation(node)
        try:
            _ = found.size
        except KernelError as e:
            raise self.error(node, str(e)) from None
        return found


def _plain(value: Any) -> int | float | bool:
    """The number itself, also of an enum member."""
    if isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else float(value)


def is_global_type(found: object) -> bool:
    """Is this a kernel type that converts values when called?"""
    return isinstance(found, Type) or found in (bool, *INTS.values())


def exception_class(found: object) -> type[Exception] | None:
    """The class itself if it is an exception's."""
    is_one = inspect.isclass(found) and issubclass(found, builtins.Exception)
    return found if is_one else None  # type: ignore[return-value]


_files: dict[str, dict[tuple[str, int], ast.FunctionDef]] = {}


def _definitions(file: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """The functions of a file by name and first line, which is that of the first decorator."""
    if file not in _files:
        found = {}
        for node in ast.walk(ast.parse("".join(linecache.getlines(file)), file)):
            if isinstance(node, ast.FunctionDef):
                lines = [node.lineno, *(d.lineno for d in node.decorator_list)]
                found[node.name, min(lines)] = node
        _files[file] = found
    return _files[file]


_sources: dict[Kernel, Source] = {}


def source_of(kernel: Kernel) -> Source:
    """The source of a kernel, read once."""
    if kernel not in _sources:
        _sources[kernel] = Source(kernel)
    return _sources[kernel]
