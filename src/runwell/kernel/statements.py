"""Type-checking of statements, with what is assigned and what can be reached."""

import ast
from collections.abc import Callable
from typing import Any

from runwell.kernel.convert import is_same, literal
from runwell.kernel.declare import Failure, Kernel
from runwell.kernel.expressions import Expressions
from runwell.kernel.source import Source, exception_class, source_of
from runwell.kernel.tree import (
    Assert,
    Attempt,
    Break,
    Call,
    CallPointer,
    Continue,
    Copy,
    ElementPlace,
    Evaluate,
    Expr,
    FieldPlace,
    For,
    Get,
    Held,
    If,
    Local,
    LocalPlace,
    Place,
    Raise,
    Return,
    Stmt,
    Store,
    Switch,
    Tree,
    Try,
    Update,
    While,
)
from runwell.kernel.types import (
    BOOL,
    INTS,
    NEVER,
    VOID,
    ArrayType,
    Int,
    StructType,
    Type,
)

I32 = INTS["i32"]


class Checker:
    """Checks one kernel."""

    def __init__(self, source: Source) -> None:
        assigned = {
            node.id
            for node in ast.walk(source.node)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        params = [Local(p.name, p.type, p.name not in assigned) for p in source.params]
        self.source, self.tree = source, Tree(params, source.result)
        self.x = Expressions(source, self.tree)
        self.x.locals = {local.name: local for local in params}
        self.x.assigned = set(self.x.locals)
        self.live = True
        self.breaks: list[list[set[str]]] = []  # of each enclosing loop: assigned at its breaks
        self.handlers: list[type[Failure]] = []

    def check(self) -> Tree:
        """Check the kernel.

        Raises:
            KernelError: it is ill typed, or outside the language.
        """
        if not self.source.kernel.is_extern:
            self.tree.body = self.block(self.source.body)
            if self.live and self.source.result is not VOID:
                what = f"control may reach the end without returning {self.source.result}"
                raise self.source.error(self.source.body[-1], what)
        return self.tree

    # Flow

    def block(self, body: list[ast.stmt]) -> list[Stmt]:
        """Check the statements of one suite."""
        checked = []
        for s in body:
            if not self.live:
                raise self.source.error(s, "unreachable statement")
            rule = _RULES.get(type(s))
            if rule is None:
                what = type(s).__name__
                raise self.source.error(s, f"{what} is not in the kernel language")
            found = rule(self, s)
            if found is not None:
                checked.append(found)
        return checked

    def suite(self, body: list[ast.stmt], states: list[set[str]]) -> list[Stmt]:
        """Check one of several suites; add what is assigned to ``states`` if its end is reached.

        Afterwards the flow is as before it.
        """
        before = self.x.assigned.copy()
        checked = self.block(body)
        if self.live:
            states.append(self.x.assigned)
        self.x.assigned, self.live = before, True
        return checked

    def join(self, states: list[set[str]]) -> None:
        """Go on where several paths meet."""
        self.live = bool(states)
        if states:
            self.x.assigned = set.intersection(*states)

    # Assignments

    def declare(self, node: ast.AST, name: str, of: Type) -> Local:
        """The local ``name``, which is made here or has this type already."""
        if of in (VOID, NEVER) or isinstance(of, ArrayType):
            raise self.source.error(node, f"a local cannot be {of}")
        if name in self.x.caught:
            raise self.source.error(node, f"{name} is a caught failure")
        local = self.x.locals.setdefault(name, Local(name, of))
        if not is_same(local.type, of):
            raise self.source.error(node, f"{name} is {local.type} already, not {of}")
        return local

    def annotated(self, s: ast.AnnAssign) -> Stmt | None:
        """``name: type = value``."""
        if not isinstance(s.target, ast.Name):
            raise self.source.error(s, "only a local can have a type")
        local = self.declare(s, s.target.id, self.source.annotation(s.annotation))
        if s.value is None:
            return None
        value = self.x.expr(s.value, local.type)
        self.x.assigned.add(local.name)
        return Store(s, LocalPlace(local.type, local), value)

    def assign(self, s: ast.Assign) -> Stmt:
        """``place = value``."""
        target = s.targets[0]
        if len(s.targets) != 1 or isinstance(target, (ast.Tuple, ast.List)):
            raise self.source.error(s, "one target at a time")
        if isinstance(target, ast.Name):
            old = self.x.locals.get(target.id)
            value = self.x.expr(s.value, old.type if old else None)
            local = self.declare(s, target.id, value.type)
            self.x.assigned.add(local.name)
            return Store(s, LocalPlace(local.type, local), value)
        place = self.x.place(target, store=True)
        self.check_stored(target, place)
        value = self.x.expr(s.value, place.type)
        if isinstance(place.type, StructType):
            return Copy(s, place, value)
        return Store(s, place, value)

    def check_stored(self, node: ast.AST, place: Place) -> None:
        """Refuse to assign to inline arrays."""
        if isinstance(place, (FieldPlace, ElementPlace)) and isinstance(place.type, ArrayType):
            raise self.source.error(node, "an array cannot be assigned to")

    def augment(self, s: ast.AugAssign) -> Stmt:
        """``place op= value``."""
        place = self.x.place(s.target)
        self.check_stored(s.target, place)
        if isinstance(place.type, StructType) and not isinstance(place, LocalPlace):
            raise self.source.error(s, f"no arithmetic on {place.type}")
        return Update(s, place, self.x.operate(s, s.op, Held(place.type), s.value))

    def evaluate(self, s: ast.Expr) -> Stmt | None:
        """A call for its effect."""
        if isinstance(s.value, ast.Constant) and isinstance(s.value.value, str):
            return None
        if not isinstance(s.value, ast.Call):
            raise self.source.error(s, "an expression statement must be a call")
        value = self.x.expr(s.value)
        if isinstance(value, (Call, CallPointer)) and value.type is NEVER:
            self.live = False
        return Evaluate(s, value)

    # Control

    def if_(self, s: ast.If) -> Stmt:
        """``if``; a suite that ends in ``raise`` is unlikely."""
        test = self.x.expr(s.test, BOOL)
        states: list[set[str]] = []
        then, other = self.suite(s.body, states), self.suite(s.orelse, states)
        self.join(states)
        odds = None
        if isinstance(s.body[-1], ast.Raise):
            odds = False
        elif s.orelse and isinstance(s.orelse[-1], ast.Raise):
            odds = True
        return If(s, test, then, other, odds)

    def while_(self, s: ast.While) -> Stmt:
        """``while``."""
        if s.orelse:
            raise self.source.error(s.orelse[0], "a loop has no else")
        forever = self.source.constant(s.test) is True
        test = None if forever else self.x.expr(s.test, BOOL)
        body, states = self.loop(s.body)
        self.join(states if forever else [*states, self.x.assigned])
        return While(s, test, body)

    def loop(self, body: list[ast.stmt]) -> tuple[list[Stmt], list[set[str]]]:
        """Check the body of a loop; returns also what is assigned at its breaks."""
        self.breaks.append([])
        checked = self.suite(body, [])
        return checked, self.breaks.pop()

    def for_(self, s: ast.For) -> Stmt:
        """``for name in range(...)``."""
        call = s.iter
        if not isinstance(call, ast.Call) or self.source.named(call.func) is not range:
            raise self.source.error(s, "write `for name in range(...)`")
        if not isinstance(s.target, ast.Name) or s.orelse or not 1 <= len(call.args) <= 3:
            raise self.source.error(s, "write `for name in range(...)` without else")
        first: list[ast.expr] = [ast.copy_location(ast.Constant(0), call)]
        args = call.args if len(call.args) > 1 else [*first, *call.args]
        step = self.source.constant(args[2]) if len(args) == 3 else 1
        if not isinstance(step, int) or step == 0:
            raise self.source.error(args[2], "the step must be a constant, and not 0")
        old = self.x.locals.get(s.target.id)
        start, stop = self.x.pair(args[0], args[1], old.type if old else None)
        if not isinstance(stop.type, Int):
            raise self.source.error(call, f"a range of {stop.type}")
        literal(self.source, call, abs(step), stop.type)
        local = self.declare(s, s.target.id, stop.type)
        before = self.x.assigned.copy()
        self.x.assigned.add(local.name)
        body, states = self.loop(s.body)
        self.join([*states, before])
        return For(s, local, start, stop, step, body)

    def break_(self, s: ast.Break) -> Stmt:
        """``break``."""
        self.breaks[-1].append(self.x.assigned)
        self.live = False
        return Break(s)

    def continue_(self, s: ast.Continue) -> Stmt:
        """``continue``."""
        self.live = False
        return Continue(s)

    def match_(self, s: ast.Match) -> Stmt:
        """``match`` on an integer."""
        subject = self.x.expr(s.subject)
        if not isinstance(subject.type, Int):
            raise self.source.error(s.subject, f"match needs an integer, not {subject.type}")
        arms: list[tuple[list[int], list[Stmt]]] = []
        states: list[set[str]] = []
        seen: set[int] = set()
        total = False
        for case in s.cases:
            if case.guard is not None:
                raise self.source.error(case.guard, "a case has no guard")
            values = self.pattern(case.pattern, subject.type)
            total = not values
            for value in values:
                if value in seen:
                    raise self.source.error(case.pattern, f"{value} is matched above already")
                seen.add(value)
            arms.append((values, self.suite(case.body, states)))
        self.join(states if total else [*states, self.x.assigned])
        return Switch(s, subject, arms)

    def pattern(self, node: ast.pattern, of: Type) -> list[int]:
        """The values of a pattern; none for ``_``."""
        match node:
            case ast.MatchAs(pattern=None, name=None):
                return []
            case ast.MatchOr(patterns=patterns):
                values = [self.pattern(p, of) for p in patterns]
                if all(values):
                    return [v for several in values for v in several]
            case ast.MatchValue(value=value):
                found = self.source.constant(value)
                if isinstance(found, int) and not isinstance(found, bool):
                    return [int(literal(self.source, node, found, of).value or 0)]
            case _:
                pass
        raise self.source.error(node, "a pattern must be an integer constant")

    def return_(self, s: ast.Return) -> Stmt:
        """``return``."""
        if (s.value is None) != (self.source.result is VOID):
            raise self.source.error(s, f"the result is {self.source.result}")
        value = None if s.value is None else self.x.expr(s.value, self.source.result)
        self.live = False
        return Return(s, value)

    # Failures

    def raise_(self, s: ast.Raise) -> Stmt:
        """``raise SomeFailure(code)``, or bare in an ``except``."""
        code: Expr
        if s.exc is None and self.x.caught:
            *_, local = self.x.caught.values()
            failure, code = self.handlers[-1], Get(local.type, LocalPlace(local.type, local))
        else:
            failure, code = self.failure(s)
        self.x.raises(failure)
        self.live = False
        return Raise(s, code)

    def failure(self, s: ast.Raise) -> tuple[type[Failure], Expr]:
        """The class and the code of a ``raise``."""
        e = s.exc
        if not isinstance(e, ast.Call) or len(e.args) != 1 or e.keywords or s.cause:
            raise self.source.error(s, "write `raise SomeFailure(code)`")
        found = exception_class(self.source.named(e.func))
        if found is None or not issubclass(found, Failure):
            raise self.source.error(e, f"{ast.unparse(e.func)} is not a Failure")
        if self.source.constant(e.args[0]) == 0:
            raise self.source.error(e, "code 0 means success")
        return found, self.x.expr(e.args[0], I32)

    def try_(self, s: ast.Try) -> Stmt:
        """``try`` with one ``except``."""
        if len(s.handlers) != 1 or s.orelse or s.finalbody:
            raise self.source.error(s, "a try has exactly one except, no else, no finally")
        handler = s.handlers[0]
        catches = exception_class(self.source.named(handler.type or handler))
        if catches is None or not issubclass(catches, Failure):
            raise self.source.error(handler, "write `except SomeFailure` or `... as e`")
        name = handler.name or "_"
        if name in self.x.locals or name in self.x.caught:
            raise self.source.error(handler, f"{name} is in use")
        attempt = Attempt(s, catches)
        self.tree.attempts.append(attempt)
        states: list[set[str]] = []
        self.x.attempts.append(attempt)
        body = self.suite(s.body, states)
        self.x.attempts.pop()
        error = Local(name, I32)
        self.x.caught[name] = error
        self.handlers.append(catches)
        handled = self.suite(handler.body, states)
        self.handlers.pop()
        del self.x.caught[name]
        self.join(states)
        return Try(s, body, error, handled)

    def assert_(self, s: ast.Assert) -> Stmt:
        """``assert``."""
        test = self.x.expr(s.test, BOOL)
        why = f": {ast.unparse(s.msg)}" if s.msg is not None else ""
        message = f"{self.source.where(s)}: assertion failed: {ast.unparse(s.test)}{why}"
        return Assert(s, test, message)


_RULES: dict[type[ast.stmt], Callable[[Checker, Any], Stmt | None]] = {
    ast.Pass: lambda *_: None,
    ast.AnnAssign: Checker.annotated,
    ast.Assign: Checker.assign,
    ast.AugAssign: Checker.augment,
    ast.Expr: Checker.evaluate,
    ast.If: Checker.if_,
    ast.While: Checker.while_,
    ast.For: Checker.for_,
    ast.Break: Checker.break_,
    ast.Continue: Checker.continue_,
    ast.Match: Checker.match_,
    ast.Return: Checker.return_,
    ast.Raise: Checker.raise_,
    ast.Try: Checker.try_,
    ast.Assert: Checker.assert_,
}

_trees: dict[Kernel, Tree] = {}


def tree_of(kernel: Kernel) -> Tree:
    """The checked kernel, checked once."""
    if kernel not in _trees:
        _trees[kernel] = Checker(source_of(kernel)).check()
    return _trees[kernel]
