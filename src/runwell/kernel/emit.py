"""Emission: a checked kernel to LLVM text.

Locals live in memory, one ``alloca`` each, and LLVM makes registers of them.  A fallible kernel
returns its error code beside its result; 0 is success.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from runwell.kernel import tree as t
from runwell.kernel.convert import float_bits
from runwell.kernel.declare import Kernel
from runwell.kernel.flow import Exit, Flow
from runwell.kernel.source import source_of
from runwell.kernel.text import FunctionText, ModuleText, symbol
from runwell.kernel.types import (
    NEVER,
    VOID,
    ArrayType,
    Bool,
    Float,
    Int,
    StructType,
    Type,
)


class Site(NamedTuple):
    """The address of a place, LLVM type of what is there, alias suffix of accesses to it."""

    at: str
    ir: str
    alias: str


class Target(NamedTuple):
    """A loop that ``break`` and ``continue`` leave."""

    done: Exit
    again: Exit


class Build(NamedTuple):
    """What the emission of one kernel needs to know of the others.

    Attributes:
        module: where it goes.
        is_fallible: may a kernel raise?
        symbol_of: the symbol of a kernel's body.
        is_defined: is the kernel's body in this module?
        is_external: is the kernel called from outside, too?
        is_debug: are assertions compiled?
    """

    module: ModuleText
    is_fallible: Callable[[Kernel], bool]
    symbol_of: Callable[[Kernel], str]
    is_defined: Callable[[Kernel], bool]
    is_external: Callable[[Kernel], bool]
    is_debug: bool


def result_ir(result: Type, fallible: bool) -> str:
    """The LLVM result type of a kernel's body."""
    if not fallible:
        return result.ir
    return "i32" if result.ir == "void" else f"{{ {result.ir}, i32 }}"


def extension(of: Type) -> str:
    """The attribute by which C extends an argument or result to 32 bits, if it is smaller."""
    if isinstance(of, Bool) or (isinstance(of, Int) and of.bits < 32):
        return "signext" if isinstance(of, Int) and of.signed else "zeroext"
    return ""


def value_ir(of: Type) -> str:
    """The LLVM type of a value of this type in memory; of a struct, the reference."""
    return "i8" if isinstance(of, Bool) else of.ir


class Emitter:
    """Emits one kernel."""

    def __init__(self, build: Build, kernel: Kernel, tree: t.Tree) -> None:
        self.build, self.tree = build, tree
        self.module = build.module
        self.fallible = build.is_fallible(kernel)
        self.result = result_ir(tree.result, self.fallible)
        is_external = build.is_external(kernel)
        ext = extension(tree.result) if is_external and not self.fallible else ""
        self.fn = FunctionText(
            build.symbol_of(kernel),
            [(p.type.ir, f"arg.{p.name}") for p in tree.params],
            f"{ext} {self.result}".strip(),
            linkage="" if is_external else "internal",
            attrs="alwaysinline nounwind" if kernel.inline else "nounwind",
        )
        self.flow = Flow(self.module, self.fn)
        self.slots: dict[t.Local, str] = {}
        self.loops: list[Target] = []
        self.catches: list[tuple[Exit, Site]] = []  # of enclosing tries, with the error's slot
        self.held = ""

    def emit(self) -> FunctionText:
        """The function."""
        for p in self.tree.params:
            if not p.fixed:
                self.write(self.local(p), p.type, f"%arg.{p.name}")
        self.block(self.tree.body)
        if self.tree.result is VOID and self.fn.live:
            self.give_back(None)
        elif self.fn.live:
            self.fn.end("unreachable")
        return self.fn

    # Flow

    def branch(self, test: t.Expr, yes: Exit, no: Exit, odds: bool | None = None) -> None:
        """Jump on a condition; ``odds``: is it expected to hold?"""
        match test:
            case t.Expect(a=a, likely=likely):
                self.branch(a, yes, no, likely)
            case t.Not(a=a):
                self.branch(a, no, yes, None if odds is None else not odds)
            case t.Logic(is_and=is_and, parts=parts):
                for part in parts[:-1]:
                    more = self.flow.exit("and" if is_and else "or")
                    same = odds if odds is is_and else None
                    self.branch(part, *((more, no) if is_and else (yes, more)), same)
                    self.flow.land(more)
                self.branch(parts[-1], yes, no, odds)
            case _:
                self.flow.choose(self.expr(test), yes, no, odds)

    # Memory

    def local(self, local: t.Local) -> Site:
        """The memory of a local."""
        if local not in self.slots:
            self.slots[local] = self.fn.alloca(value_ir(local.type), f"{local.name}.")
        return Site(self.slots[local], value_ir(local.type), "")

    def read(self, site: Site, of: Type) -> str:
        """Load a value."""
        loaded = self.fn.ins(f"load {site.ir}, ptr {site.at}{site.alias}")
        return self.fn.ins(f"icmp ne i8 {loaded}, 0") if isinstance(of, Bool) else loaded

    def write(self, site: Site, of: Type, value: str) -> None:
        """Store a value."""
        if isinstance(of, Bool):
            value = self.fn.ins(f"zext i1 {value} to i8")
        self.fn.do(f"store {site.ir} {value}, ptr {site.at}{site.alias}")

    def site(self, place: t.Place) -> Site:
        """The address of a place."""
        ir = value_ir(place.type)
        is_value = not isinstance(place.type, (StructType, ArrayType))
        match place:
            case t.LocalPlace(local=local):
                return self.local(local)
            case t.ElementPlace(base=base, index=index):
                at = self.offset(self.expr(base), index, place.type)
                return Site(at, ir, self.module.alias_element(place.type) if is_value else "")
            case t.FieldPlace(base=base, struct=struct, name=name):
                at = self.expr(base)
                offset = struct.offset(name)
                if offset:
                    at = self.fn.ins(f"getelementptr inbounds i8, ptr {at}, i64 {offset}")
                return Site(at, ir, self.module.alias_field(struct, name) if is_value else "")
            case _:
                raise AssertionError(place)

    def offset(self, base: str, index: t.Expr, of: Type) -> str:
        """The address ``index`` elements beyond ``base``."""
        if isinstance(index, t.Const) and index.value == 0:
            return base
        return self.fn.ins(f"getelementptr {of.memory_ir}, ptr {base}, i64 {self.expr(index)}")

    # Statements

    def block(self, body: list[t.Stmt]) -> None:
        """Emit statements."""
        for s in body:
            self.statement(s)

    def statement(self, s: t.Stmt) -> None:
        """Emit one statement."""
        match s:
            case t.Store(place=place, value=value):
                new = self.expr(value)  # before the place, as in Python
                self.write(self.site(place), place.type, new)
            case t.Copy(place=place, value=value):
                source = self.expr(value)
                to, size = self.site(place).at, place.type.size
                self.flow.intrinsic(
                    "llvm.memcpy.p0.p0.i64",
                    "void",
                    [("ptr", to), ("ptr", source), ("i64", str(size)), ("i1", "false")],
                )
            case t.Update(place=place, value=value):
                site = self.site(place)
                self.held = self.read(site, place.type)
                self.write(site, place.type, self.expr(value))
            case t.Evaluate(value=value):
                self.expr(value)
            case t.If():
                self.if_(s)
            case t.While():
                self.while_(s)
            case t.For():
                self.for_(s)
            case t.Switch():
                self.switch(s)
            case t.Break():
                self.flow.jump(self.loops[-1].done)
            case t.Continue():
                self.flow.jump(self.loops[-1].again)
            case t.Return(value=value):
                self.give_back(None if value is None else self.expr(value))
            case t.Raise(code=code):
                self.fail(self.expr(code))
            case t.Try():
                self.try_(s)
            case t.Assert(test=test, message=message):
                if self.build.is_debug:
                    ok = self.flow.exit("holds")
                    self.require(test, ok, message)
            case _:
                raise AssertionError(s)

    def if_(self, s: t.If) -> None:
        """``if``."""
        then, other, done = self.flow.exit("then"), self.flow.exit("else"), self.flow.exit("fi")
        self.branch(s.test, then, other if s.other else done, s.odds)
        self.flow.land(then)
        self.block(s.then)
        self.flow.jump(done)
        if s.other:
            self.flow.land(other)
            self.block(s.other)
        self.flow.land(done)

    def while_(self, s: t.While) -> None:
        """``while``."""
        head, body, done = self.flow.exit("while"), self.flow.exit("body"), self.flow.exit("done")
        self.flow.jump(head)
        self.flow.land(head)
        if s.test is not None:
            self.branch(s.test, body, done)
        self.flow.land(body)
        self.loops.append(Target(done, head))
        self.block(s.body)
        self.loops.pop()
        self.flow.jump(head)
        self.flow.land(done)

    def for_(self, s: t.For) -> None:
        """``for``; the counter is apart from the local, which the body may change."""
        of = s.local.type
        assert isinstance(of, Int)
        start, stop = self.expr(s.start), self.expr(s.stop)
        at = self.fn.alloca(of.ir, f"{s.local.name}.counter.")
        self.fn.do(f"store {of.ir} {start}, ptr {at}")
        head, body, again, done = (self.flow.exit(n) for n in ("for", "body", "next", "done"))
        self.flow.jump(head)
        self.flow.land(head)
        i = self.fn.ins(f"load {of.ir}, ptr {at}")
        order = ("s" if of.signed else "u") + ("lt" if s.step > 0 else "gt")
        self.flow.choose(self.fn.ins(f"icmp {order} {of.ir} {i}, {stop}"), body, done, None)
        self.flow.land(body)
        self.write(self.local(s.local), of, i)
        self.loops.append(Target(done, again))
        self.block(s.body)
        self.loops.pop()
        self.flow.land(again)
        if abs(s.step) != 1:  # the next value may not exist in the type
            left = (stop, i) if s.step > 0 else (i, stop)
            far = self.fn.ins(f"sub {of.ir} {left[0]}, {left[1]}")
            more = self.flow.exit("more")
            self.flow.choose(
                self.fn.ins(f"icmp ugt {of.ir} {far}, {abs(s.step)}"), more, done, None
            )
            self.flow.land(more)
        self.fn.do(f"store {of.ir} {self.fn.ins(f'add {of.ir} {i}, {s.step}')}, ptr {at}")
        self.flow.jump(head)
        self.flow.land(done)

    def switch(self, s: t.Switch) -> None:
        """``match``."""
        subject, done = self.expr(s.subject), self.flow.exit("esac")
        labels = [self.flow.exit("case") for _ in s.arms]
        default = done
        arms = []
        for label, (values, _) in zip(labels, s.arms, strict=True):
            label.used = True
            default = default if values else label
            arms += [f"{s.subject.type.ir} {v}, label %{label.name}" for v in values]
        default.used = True
        table = f"[ {' '.join(arms)} ]"
        self.fn.end(f"switch {s.subject.type.ir} {subject}, label %{default.name} {table}")
        for label, (_, body) in zip(labels, s.arms, strict=True):
            self.flow.land(label)
            self.block(body)
            self.flow.jump(done)
        self.flow.land(done)

    def give_back(self, value: str | None) -> None:
        """Return a result, with success."""
        if not self.fallible:
            self.fn.end("ret void" if value is None else f"ret {self.tree.result.ir} {value}")
        elif value is None:
            self.fn.end("ret i32 0")
        else:
            of = self.tree.result.ir
            zero = f"{{ {of} poison, i32 0 }}"
            pair = self.fn.ins(f"insertvalue {self.result} {zero}, {of} {value}, 0")
            self.fn.end(f"ret {self.result} {pair}")

    def fail(self, code: str) -> None:
        """Leave with an error: to the enclosing ``except``, or to the caller."""
        if self.catches:
            handler, slot = self.catches[-1]
            self.fn.do(f"store i32 {code}, ptr {slot.at}")
            self.flow.jump(handler)
        elif self.result == "i32":
            self.fn.end(f"ret i32 {code}")
        else:
            pair = self.fn.ins(f"insertvalue {self.result} poison, i32 {code}, 1")
            self.fn.end(f"ret {self.result} {pair}")

    def try_(self, s: t.Try) -> None:
        """``try``."""
        handler, done = self.flow.exit("except"), self.flow.exit("yrt")
        self.catches.append((handler, self.local(s.error)))
        self.block(s.body)
        self.catches.pop()
        self.flow.jump(done)
        if handler.used:
            self.flow.land(handler)
            self.block(s.handler)
        self.flow.land(done)

    def require(self, test: t.Expr | str, ok: Exit, message: str) -> None:
        """Stop the process with a message unless the condition holds."""
        bad = self.flow.exit("fails")
        if isinstance(test, str):
            self.flow.choose(test, ok, bad, True)
        else:
            self.branch(test, ok, bad, True)
        self.flow.land(bad)
        self.flow.abort(f"assert.{self.fn.name}.{bad.name}", message)
        self.flow.land(ok)

    # Expressions

    def expr(self, e: t.Expr) -> str:
        """Emit an expression; returns its value as an operand."""
        rule: Callable[[Emitter, Any], str] = _RULES[type(e)]
        return rule(self, e)

    def const(self, e: t.Const) -> str:
        """A constant."""
        if e.value is None:
            return "null"
        if isinstance(e.type, Float):
            return float_bits(e.value, e.type)
        return str(e.value).lower()

    def get(self, e: t.Get) -> str:
        """The value in a place."""
        place = e.place
        if isinstance(place, t.LocalPlace):
            if place.local.fixed:
                return f"%arg.{place.local.name}"
        elif isinstance(place.type, (StructType, ArrayType)):
            return self.site(place).at
        return self.read(self.site(place), place.type)

    def arith(self, e: t.Arith) -> str:
        """A binary instruction."""
        a = self.expr(e.a)
        if e.op == "fneg":
            return self.fn.ins(f"fneg {e.type.ir} {a}")
        b = self.expr(e.b)
        if self.build.is_debug and isinstance(e.type, Int):
            if e.op in ("sdiv", "udiv", "srem", "urem"):
                ok = self.fn.ins(f"icmp ne {e.type.ir} {b}, 0")
                self.require(ok, self.flow.exit("holds"), f"{self.fn.name}: division by zero")
            elif e.op in ("shl", "lshr", "ashr"):
                ok = self.fn.ins(f"icmp ult {e.type.ir} {b}, {e.type.bits}")
                self.require(ok, self.flow.exit("holds"), f"{self.fn.name}: shift past the width")
        return self.fn.ins(f"{e.op} {e.type.ir} {a}, {b}")

    def compare(self, e: t.Compare) -> str:
        """A comparison."""
        a = self.expr(e.a)
        return self.fn.ins(f"{e.op} {e.a.type.ir} {a}, {self.expr(e.b)}")

    def truth(self, e: t.Expr) -> str:
        """A condition that is more than a comparison, as a value."""
        yes, no, done = self.flow.exit("yes"), self.flow.exit("no"), self.flow.exit("bool")
        self.branch(e, yes, no)
        arms = []
        for label, value in ((yes, "true"), (no, "false")):
            self.flow.land(label)
            arms.append(f"[ {value}, %{self.fn.block} ]")
            self.flow.jump(done)
        self.flow.land(done)
        return self.fn.ins(f"phi i1 {', '.join(arms)}")

    def choice(self, e: t.Choose) -> str:
        """``yes if test else no``."""
        yes, no, done = self.flow.exit("yes"), self.flow.exit("no"), self.flow.exit("chosen")
        self.branch(e.test, yes, no)
        arms = []
        for label, arm in ((yes, e.yes), (no, e.no)):
            self.flow.land(label)
            value = self.expr(arm)
            arms.append(f"[ {value}, %{self.fn.block} ]")
            self.flow.jump(done)
        self.flow.land(done)
        return self.fn.ins(f"phi {e.type.ir} {', '.join(arms)}")

    def convert(self, e: t.Convert) -> str:
        """A conversion."""
        a, of = self.expr(e.a), e.a.type.ir
        if not e.op:
            return a
        if e.op.startswith("llvm."):
            width = {"float": "f32", "double": "f64"}[of]
            return self.flow.intrinsic(f"{e.op}.{e.type.ir}.{width}", e.type.ir, [(of, a)])
        return self.fn.ins(f"{e.op} {of} {a} to {e.type.ir}")

    def distance(self, e: t.Distance) -> str:
        """``a - b`` in elements."""
        a, b = (self.fn.ins(f"ptrtoint ptr {self.expr(p)} to i64") for p in (e.a, e.b))
        between = self.fn.ins(f"sub i64 {a}, {b}")
        return between if e.size == 1 else self.fn.ins(f"sdiv exact i64 {between}, {e.size}")

    def math(self, e: t.Intrinsic) -> str:
        """An intrinsic over one type."""
        args = [(e.type.ir, self.expr(a)) for a in e.args]
        args += [("i1", str(flag).lower()) for flag in e.flags]
        return self.flow.intrinsic(f"llvm.{e.name}.{e.type.ir}", e.type.ir, args)

    def atomic(self, e: t.Atomic) -> str:
        """An atomic access."""
        at, of, order = self.expr(e.at), e.of.ir, "seq_cst"
        args = [f"{of} {self.expr(a)}" for a in e.args]
        match e.op:
            case "load":
                return self.fn.ins(f"load atomic {of}, ptr {at} {order}, align {e.of.size}")
            case "store":
                self.fn.do(f"store atomic {args[0]}, ptr {at} {order}, align {e.of.size}")
                return ""
            case "cas":
                pair = self.fn.ins(f"cmpxchg ptr {at}, {args[0]}, {args[1]} {order} {order}")
                return self.fn.ins(f"extractvalue {{ {of}, i1 }} {pair}, 1")
            case _:
                return self.fn.ins(f"atomicrmw {e.op} ptr {at}, {args[0]} {order}")

    def call(self, e: t.Call) -> str:
        """A call of a kernel or extern."""
        callee = e.callee
        if callee.is_extern:
            name = symbol(callee.name)
            params = [p.type for p in source_of(callee).params]
            types = ", ".join(f"{p.ir} {extension(p)}".strip() for p in params)
            flags = "noreturn nounwind" if e.type is NEVER else "nounwind"
            self.module.declare(callee.name, f"declare {e.type.ir} {name}({types}) {flags}")
            result = self.call_c(name, e.type, e.args)
            if e.type is NEVER:
                self.fn.end("unreachable")
            return result
        fallible = self.build.is_fallible(callee)
        of = result_ir(e.type, fallible)
        name = self.build.symbol_of(callee)
        values = [f"{a.type.ir} {self.expr(a)}" for a in e.args]
        if not self.build.is_defined(callee):
            ext = "" if fallible else extension(e.type)
            types = ", ".join(a.type.ir for a in e.args)
            head = " ".join(word for word in ("declare", ext, of) if word)
            self.module.declare(name, f"{head} {symbol(name)}({types})")
        text = f"call {of} {symbol(name)}({', '.join(values)})"
        if of == "void":
            self.fn.do(text)
            return ""
        result = self.fn.ins(text)
        return self.propagate(e.type, of, result) if fallible else result

    def propagate(self, of: Type, pair_ir: str, pair: str) -> str:
        """Fail if a fallible callee did; its result."""
        has_value = pair_ir != "i32"
        code = self.fn.ins(f"extractvalue {pair_ir} {pair}, 1") if has_value else pair
        ok, bad = self.flow.exit("ok"), self.flow.exit("bad")
        self.flow.choose(self.fn.ins(f"icmp eq i32 {code}, 0"), ok, bad, True)
        self.flow.land(bad)
        self.fail(code)
        self.flow.land(ok)
        return self.fn.ins(f"extractvalue {pair_ir} {pair}, 0") if has_value else ""

    def call_pointer(self, e: t.CallPointer) -> str:
        """A call through a function pointer."""
        return self.call_c(self.expr(e.callee), e.type, e.args)

    def call_c(self, callee: str, result: Type, args: tuple[t.Expr, ...]) -> str:
        """A call by the C convention, to code that is not ours."""
        values = []
        for a in args:
            words = (a.type.ir, extension(a.type), self.expr(a))
            values.append(" ".join(word for word in words if word))
        text = f"call {result.ir} {callee}({', '.join(values)})"
        if result.ir != "void":
            return self.fn.ins(text)
        self.fn.do(text)
        return ""

    def symbol(self, e: t.SymbolAddress) -> str:
        """The address of a function or table."""
        return self.module.refer(e.name)

    def local_array(self, e: t.LocalArray) -> str:
        """Memory in the frame, aligned as its elements."""
        ir = f"[{e.count} x {e.of.memory_ir}], align {e.of.align}"
        return self.fn.alloca(ir, "array.")


_RULES: dict[type[t.Expr], Callable[[Emitter, Any], str]] = {
    t.Const: Emitter.const,
    t.Get: Emitter.get,
    t.AddressOf: lambda x, e: x.site(e.place).at,
    t.SymbolAddress: Emitter.symbol,
    t.Held: lambda x, e: x.held,
    t.Arith: Emitter.arith,
    t.Compare: Emitter.compare,
    t.Logic: Emitter.truth,
    t.Not: lambda x, e: x.fn.ins(f"xor i1 {x.expr(e.a)}, true"),
    t.Expect: lambda x, e: x.expr(e.a),
    t.Choose: Emitter.choice,
    t.Convert: Emitter.convert,
    t.Offset: lambda x, e: x.offset(x.expr(e.base), e.index, e.of),
    t.Distance: Emitter.distance,
    t.Call: Emitter.call,
    t.CallPointer: Emitter.call_pointer,
    t.Intrinsic: Emitter.math,
    t.Atomic: Emitter.atomic,
    t.LocalArray: Emitter.local_array,
}
