"""Meaning as LLVM text: the machine under every engine that compiles.

It writes into a ``FunctionText``; an engine's subclass says where memory is and how to leave on a
trap.  Everything runs in LLVM's default floating-point environment, without fast-math flags, so a
result is rounded as WebAssembly says; NaNs that the processor makes are quiet.

An access in guard mode does not check: it faults in the pages behind the memory.
"""

from abc import abstractmethod

from runwell.base.light import NoReturn, final
from runwell.base.traps import TrapCode
from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.isa.machine import I8X16, Machine, Shape, Type
from runwell.kernel.text import FunctionText, ModuleText

VECTOR = "<4 x i32>"
_TYPES = {I32: "i32", I64: "i64", F32: "float", F64: "double", V128: VECTOR}
_SUFFIXES = {"float": "f32", "double": "f64"}
_TRAPS_ONCE_IN = 2000


@final
class Value:
    """An LLVM value: its name or constant, and its type."""

    __slots__ = ("text", "type")

    def __init__(self, text: str, type: str) -> None:  # noqa: A002 - the noun of LLVM
        self.text, self.type = text, type

    def __str__(self) -> str:
        """As an operand: ``i32 %a``."""
        return f"{self.type} {self.text}"

    def __bool__(self) -> NoReturn:
        raise TypeError("a value is known only when the code runs: use select or trap_if")


def ir_type(ty: Type) -> str:
    """The LLVM type of values of a type; references are ``i64``."""
    if isinstance(ty, ValType):
        return _TYPES.get(ty, "i64")
    lane = ("float" if ty.bits == 32 else "double") if ty.is_float else f"i{ty.bits}"
    return lane if ty.lanes == 1 else f"<{ty.lanes} x {lane}>"


def _lane(ir: str) -> tuple[int, str]:
    """Lanes (0: no vector) and the type of one."""
    if not ir.startswith("<"):
        return 0, ir
    count, _, lane = ir[1:-1].partition(" x ")
    return int(count), lane


def _like(ir: str, lane: str) -> str:
    """``lane``, or as many as ``ir`` has."""
    count, _ = _lane(ir)
    return f"<{count} x {lane}>" if count else lane


def _suffix(ir: str) -> str:
    """As in the names of intrinsics, e.g. ``v4f32``."""
    count, lane = _lane(ir)
    return (f"v{count}" if count else "") + _SUFFIXES.get(lane, lane)


def constant(ty: Type, value: int) -> Value:
    """The constant of these bits, in every lane."""
    ir = ir_type(ty)
    count, lane = _lane(ir)
    if ty == V128:
        parts = [value >> shift & 0xFFFFFFFF for shift in range(0, 128, 32)]
        return Value(f"<{', '.join(f'i32 {part}' for part in parts)}>", ir)
    text = _scalar(lane, value)
    return Value(f"splat ({lane} {text})" if count else text, ir)


def _scalar(lane: str, value: int) -> str:
    if lane == "double":
        return f"0x{value & 0xFFFF_FFFF_FFFF_FFFF:016X}"
    if lane == "float":
        # LLVM writes a float as the double of that value, which loses signalling NaNs.
        return f"bitcast (i32 {value & 0xFFFF_FFFF} to float)"
    bits = int(lane[1:])
    value &= (1 << bits) - 1
    if bits == 1:
        return "true" if value else "false"
    return str(value - (1 << bits) if value >> (bits - 1) else value)


class LlvmMachine(Machine[Value]):
    """``Machine`` over LLVM values.

    Attributes:
        f: the function that is written.
        module: where intrinsics are declared.
        arch: the processor, ``x86_64`` or ``aarch64``, else ``""``.
        checked: are accesses checked against the size of the memory?
        volatile: ``"volatile "`` if plain accesses must neither vanish nor change their order.
    """

    volatile = ""

    def __init__(
        self, f: FunctionText, module: ModuleText, *, arch: str = "", checked: bool = False
    ) -> None:
        self.f, self.module, self.arch, self.checked = f, module, arch, checked

    @abstractmethod
    def on_trap(self, code: TrapCode) -> None:
        """Write the leaving of the function; ends the block."""

    @abstractmethod
    def memory_base(self) -> str:
        """The address of the memory that is accessed, an LLVM ``ptr``."""

    @abstractmethod
    def memory_bytes(self) -> str:
        """Its size, an LLVM ``i64``; asked for in checked mode only."""

    def attached(self) -> str:
        """What is attached to each access, as text behind it; e.g. what it cannot alias."""
        return ""

    def accessed(self) -> None:
        """Called after each access in guard mode, which may have faulted."""

    def emit(self, type: str, text: str) -> Value:  # noqa: A002 - the noun of LLVM
        """Append an instruction that gives a value of an LLVM type."""
        return Value(self.f.ins(text), type)

    def intrinsic(self, name: str, result: str, *args: Value) -> Value:
        """Call an intrinsic by its full name."""
        self.module.declare(name, f"declare {result} @{name}({', '.join(a.type for a in args)})")
        return self.emit(result, f"call {result} @{name}({', '.join(map(str, args))})")

    # Constants and choice.

    def const(self, ty: Type, value: int) -> Value:
        return constant(ty, value)

    def select(self, cond: Value, a: Value, b: Value) -> Value:
        return self.emit(a.type, f"select {cond}, {a}, {b}")

    def select_rarely(self, cond: Value, a: Value, b: Value) -> Value:
        # A branch that is predicted, so that nobody waits for the condition.  What comes from it
        # is opaque: to LLVM all NaNs are worth the same, and it would undo a choice between two.
        f = self.f
        before, rare, on = f.fresh("before"), f.fresh("rare"), f.fresh("on")
        is_vector = cond.type != "i1"
        holds = self.any_true(cond) if is_vector else cond
        f.label(before)
        f.end(f"br {holds}, label %{rare}, label %{on}{self.unlikely()}")
        f.label(rare)
        chosen = self.select(cond, a, self._hidden(b)) if is_vector else a
        other = self._hidden(chosen)
        f.label(on)
        return self.emit(a.type, f"phi {a.type} [ {b.text}, %{before} ], [ {other.text}, %{rare} ]")

    def _hidden(self, value: Value) -> Value:
        """The same floats; LLVM neither knows where they come from nor makes them elsewhere."""
        place = "w" if self.arch == "aarch64" else "x"
        return self.emit(value.type, f'call {value.type} asm sideeffect "", "={place},0"({value})')

    def unlikely(self) -> str:
        """What is attached to a branch that is hardly ever taken."""
        return self.module.weights(1, _TRAPS_ONCE_IN)

    def trap_if(self, cond: Value, code: TrapCode) -> None:
        trap, ok = self.f.fresh("trap"), self.f.fresh("ok")
        self.f.end(f"br {cond}, label %{trap}, label %{ok}{self.unlikely()}")
        self.f.label(trap)
        self.on_trap(code)
        self.f.label(ok)

    # Integers.

    def _binary(self, name: str, a: Value, b: Value) -> Value:
        return self.emit(a.type, f"{name} {a}, {b.text}")

    def _unary(self, name: str, a: Value, *args: Value) -> Value:
        return self.intrinsic(f"llvm.{name}.{_suffix(a.type)}", a.type, a, *args)

    def _compare(self, name: str, a: Value, b: Value) -> Value:
        return self.emit(_like(a.type, "i1"), f"{name} {a}, {b.text}")

    def add(self, a: Value, b: Value) -> Value:
        return self._binary("add", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        return self._binary("sub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        return self._binary("mul", a, b)

    def div_s(self, a: Value, b: Value) -> Value:
        return self._binary("sdiv", a, b)

    def div_u(self, a: Value, b: Value) -> Value:
        return self._binary("udiv", a, b)

    def rem_s(self, a: Value, b: Value) -> Value:
        return self._binary("srem", a, b)

    def rem_u(self, a: Value, b: Value) -> Value:
        return self._binary("urem", a, b)

    def and_(self, a: Value, b: Value) -> Value:
        return self._binary("and", a, b)

    def or_(self, a: Value, b: Value) -> Value:
        return self._binary("or", a, b)

    def xor(self, a: Value, b: Value) -> Value:
        return self._binary("xor", a, b)

    def not_(self, a: Value) -> Value:
        count, lane = _lane(a.type)
        ones = _scalar(lane, -1)
        return self.emit(a.type, f"xor {a}, {f'splat ({lane} {ones})' if count else ones}")

    def shl(self, a: Value, b: Value) -> Value:
        return self._binary("shl", a, b)

    def shr_s(self, a: Value, b: Value) -> Value:
        return self._binary("ashr", a, b)

    def shr_u(self, a: Value, b: Value) -> Value:
        return self._binary("lshr", a, b)

    def rotl(self, a: Value, b: Value) -> Value:
        return self._unary("fshl", a, a, b)

    def rotr(self, a: Value, b: Value) -> Value:
        return self._unary("fshr", a, a, b)

    def clz(self, a: Value) -> Value:
        return self._unary("ctlz", a, Value("false", "i1"))

    def ctz(self, a: Value) -> Value:
        return self._unary("cttz", a, Value("false", "i1"))

    def popcnt(self, a: Value) -> Value:
        return self._unary("ctpop", a)

    def eq(self, a: Value, b: Value) -> Value:
        return self._compare("icmp eq", a, b)

    def ne(self, a: Value, b: Value) -> Value:
        return self._compare("icmp ne", a, b)

    def lt_s(self, a: Value, b: Value) -> Value:
        return self._compare("icmp slt", a, b)

    def lt_u(self, a: Value, b: Value) -> Value:
        return self._compare("icmp ult", a, b)

    def gt_s(self, a: Value, b: Value) -> Value:
        return self._compare("icmp sgt", a, b)

    def gt_u(self, a: Value, b: Value) -> Value:
        return self._compare("icmp ugt", a, b)

    def le_s(self, a: Value, b: Value) -> Value:
        return self._compare("icmp sle", a, b)

    def le_u(self, a: Value, b: Value) -> Value:
        return self._compare("icmp ule", a, b)

    def ge_s(self, a: Value, b: Value) -> Value:
        return self._compare("icmp sge", a, b)

    def ge_u(self, a: Value, b: Value) -> Value:
        return self._compare("icmp uge", a, b)

    def _convert(self, name: str, ty: Type, a: Value) -> Value:
        to = ir_type(ty)
        return a if to == a.type else self.emit(to, f"{name} {a} to {to}")

    def sext(self, ty: Type, a: Value) -> Value:
        return self._convert("sext", ty, a)

    def zext(self, ty: Type, a: Value) -> Value:
        return self._convert("zext", ty, a)

    def trunc(self, ty: Type, a: Value) -> Value:
        return self._convert("trunc", ty, a)

    # Floats.

    def fadd(self, a: Value, b: Value) -> Value:
        return self._binary("fadd", a, b)

    def fsub(self, a: Value, b: Value) -> Value:
        return self._binary("fsub", a, b)

    def fmul(self, a: Value, b: Value) -> Value:
        return self._binary("fmul", a, b)

    def fdiv(self, a: Value, b: Value) -> Value:
        return self._binary("fdiv", a, b)

    def _extremum(self, name: str, a: Value, b: Value) -> Value:
        # The intrinsics may return a signalling NaN as it is; a sum makes it quiet.
        nan = self._compare("fcmp uno", a, b)
        return self.select(nan, self.fadd(a, b), self._unary(name, a, b))

    def fmin(self, a: Value, b: Value) -> Value:
        return self._extremum("minimum", a, b)

    def fmax(self, a: Value, b: Value) -> Value:
        return self._extremum("maximum", a, b)

    def fsqrt(self, a: Value) -> Value:
        return self._unary("sqrt", a)

    def fceil(self, a: Value) -> Value:
        return self._unary("ceil", a)

    def ffloor(self, a: Value) -> Value:
        return self._unary("floor", a)

    def ftrunc(self, a: Value) -> Value:
        return self._unary("trunc", a)

    def fnearest(self, a: Value) -> Value:
        return self._unary("roundeven", a)

    def fabs(self, a: Value) -> Value:
        return self._unary("fabs", a)

    def fneg(self, a: Value) -> Value:
        return self.emit(a.type, f"fneg {a}")

    def fcopysign(self, a: Value, b: Value) -> Value:
        return self._unary("copysign", a, b)

    def feq(self, a: Value, b: Value) -> Value:
        return self._compare("fcmp oeq", a, b)

    def fne(self, a: Value, b: Value) -> Value:
        return self._compare("fcmp une", a, b)

    def flt(self, a: Value, b: Value) -> Value:
        return self._compare("fcmp olt", a, b)

    def fgt(self, a: Value, b: Value) -> Value:
        return self._compare("fcmp ogt", a, b)

    def fle(self, a: Value, b: Value) -> Value:
        return self._compare("fcmp ole", a, b)

    def fge(self, a: Value, b: Value) -> Value:
        return self._compare("fcmp oge", a, b)

    # Conversions.

    def trunc_s(self, ty: Type, a: Value) -> Value:
        return self._convert("fptosi", ty, a)

    def trunc_u(self, ty: Type, a: Value) -> Value:
        return self._convert("fptoui", ty, a)

    def _saturate(self, name: str, ty: Type, a: Value) -> Value:
        to = ir_type(ty)
        return self.intrinsic(f"llvm.{name}.sat.{_suffix(to)}.{_suffix(a.type)}", to, a)

    def trunc_sat_s(self, ty: Type, a: Value) -> Value:
        return self._saturate("fptosi", ty, a)

    def trunc_sat_u(self, ty: Type, a: Value) -> Value:
        return self._saturate("fptoui", ty, a)

    def convert_s(self, ty: Type, a: Value) -> Value:
        return self._convert("sitofp", ty, a)

    def convert_u(self, ty: Type, a: Value) -> Value:
        return self._convert("uitofp", ty, a)

    def demote(self, ty: Type, a: Value) -> Value:
        return self._convert("fptrunc", ty, a)

    def promote(self, ty: Type, a: Value) -> Value:
        return self._convert("fpext", ty, a)

    def bitcast(self, ty: Type, a: Value) -> Value:
        return self._convert("bitcast", ty, a)

    # Lanes.

    def splat(self, shape: Shape, a: Value) -> Value:
        to = ir_type(shape)
        count, lane = _lane(to)
        if a.type != lane:
            a = self.emit(lane, f"trunc {a} to {lane}")
        one = self.emit(to, f"insertelement {to} poison, {a}, i32 0")
        return self.emit(to, f"shufflevector {one}, {to} poison, <{count} x i32> zeroinitializer")

    def extract(self, a: Value, lane: Value) -> Value:
        return self.emit(_lane(a.type)[1], f"extractelement {a}, {lane}")

    def insert(self, a: Value, lane: Value, b: Value) -> Value:
        return self.emit(a.type, f"insertelement {a}, {b}, {lane}")

    def pick(self, a: Value, b: Value, indices: tuple[int, ...]) -> Value:
        mask = ", ".join(f"i32 {x}" for x in indices)
        to = f"<{len(indices)} x {_lane(a.type)[1]}>"
        return self.emit(to, f"shufflevector {a}, {b}, <{len(indices)} x i32> <{mask}>")

    def swizzle(self, a: Value, indices: Value) -> Value:
        if self.arch == "aarch64":
            return self.intrinsic("llvm.aarch64.neon.tbl1.v16i8", a.type, a, indices)
        if self.arch == "x86_64":
            # The instruction gives 0 where the top bit is set: set it from 16 upward.
            high = self._unary("uadd.sat", indices, constant(I8X16, 112))
            return self.intrinsic("llvm.x86.ssse3.pshuf.b.128", a.type, a, high)
        result = constant(I8X16, 0)
        for lane in range(16):
            index = self.emit("i8", f"extractelement {indices}, i32 {lane}")
            low = self.emit("i8", f"and {index}, 15")
            byte = self.emit("i8", f"extractelement {a}, {low}")
            inside = self.emit("i1", f"icmp ult {index}, 16")
            byte = self.select(inside, byte, Value("0", "i8"))
            result = self.emit(a.type, f"insertelement {result}, {byte}, i32 {lane}")
        return result

    def any_true(self, cond: Value) -> Value:
        return self.intrinsic(f"llvm.vector.reduce.or.{_suffix(cond.type)}", "i1", cond)

    def bitmask(self, cond: Value) -> Value:
        count, _ = _lane(cond.type)
        bits = self.emit(f"i{count}", f"bitcast {cond} to i{count}")
        return self.zext(I32, bits)

    # Memory.

    def address(self, addr: Value, offset: Value, width: int, *, aligned: bool = False) -> str:
        """The host address of an access of ``width`` bytes, an LLVM ``ptr``."""
        is_64 = addr.type == "i64"
        base, offset = self.zext(I64, addr), self.zext(I64, offset)
        if is_64:
            pair = self.intrinsic("llvm.uadd.with.overflow.i64", "{ i64, i1 }", base, offset)
            at = self.emit("i64", f"extractvalue {pair}, 0")
        else:
            pair = at = self.emit("i64", f"add nuw {base}, {offset.text}")
        if aligned and width > 1:
            low = self.emit("i64", f"and {at}, {width - 1}")
            self.trap_if(self.emit("i1", f"icmp ne {low}, 0"), TrapCode.UNALIGNED_ATOMIC)
        if is_64:
            wraps = self.emit("i1", f"extractvalue {pair}, 1")
            self.trap_if(wraps, TrapCode.OUT_OF_BOUNDS_MEMORY)
        if self.checked or is_64:
            size = Value(self.memory_bytes(), "i64")
            self.trap_if(self._outside(at, size, width, is_64), TrapCode.OUT_OF_BOUNDS_MEMORY)
        return self.f.ins(f"getelementptr i8, ptr {self.memory_base()}, {at}")

    def _outside(self, at: Value, size: Value, width: int, is_64: bool) -> Value:
        if not is_64:
            end = self.emit("i64", f"add nuw {at}, {width}")
            return self.emit("i1", f"icmp ugt {end}, {size.text}")
        # The end may wrap: compare with the last place where the access fits, if there is one.
        last = self.emit("i64", f"sub {size}, {width}")
        small = self.emit("i1", f"icmp ult {size}, {width}")
        return self.or_(small, self.emit("i1", f"icmp ugt {at}, {last.text}"))

    def _after(self, addr: Value) -> None:
        if not self.checked and addr.type != "i64":
            self.accessed()

    def load(self, ty: Type, addr: Value, offset: Value) -> Value:
        to = ir_type(ty)
        at = self.address(addr, offset, _width(ty))
        result = self.emit(to, f"load {self.volatile}{to}, ptr {at}, align 1{self.attached()}")
        self._after(addr)
        return result

    def store(self, ty: Type, addr: Value, offset: Value, value: Value) -> None:
        cell = self._narrow(ty, value)
        at = self.address(addr, offset, _width(ty))
        self.f.do(f"store {self.volatile}{cell}, ptr {at}, align 1{self.attached()}")
        self._after(addr)

    def _narrow(self, ty: Type, value: Value) -> Value:
        return self.trunc(ty, value)

    def atomic_load(self, ty: Type, addr: Value, offset: Value) -> Value:
        width, to = _width(ty), ir_type(ty)
        at = self.address(addr, offset, width, aligned=True)
        how = f"seq_cst, align {width}{self.attached()}"
        result = self.emit(to, f"load atomic {self.volatile}{to}, ptr {at} {how}")
        self._after(addr)
        return result

    def atomic_store(self, ty: Type, addr: Value, offset: Value, value: Value) -> None:
        width, cell = _width(ty), self._narrow(ty, value)
        at = self.address(addr, offset, width, aligned=True)
        how = f"seq_cst, align {width}{self.attached()}"
        self.f.do(f"store atomic {self.volatile}{cell}, ptr {at} {how}")
        self._after(addr)

    def atomic_rmw(self, ty: Type, how: str, addr: Value, offset: Value, value: Value) -> Value:
        width, cell = _width(ty), self._narrow(ty, value)
        at = self.address(addr, offset, width, aligned=True)
        change = f"atomicrmw {self.volatile}{how} ptr {at}, {cell}"
        result = self.emit(cell.type, f"{change} seq_cst, align {width}{self.attached()}")
        self._after(addr)
        return result

    def atomic_cmpxchg(
        self, ty: Type, addr: Value, offset: Value, expected: Value, value: Value
    ) -> Value:
        width = _width(ty)
        old, new = self._narrow(ty, expected), self._narrow(ty, value)
        at = self.address(addr, offset, width, aligned=True)
        exchange = f"cmpxchg {self.volatile}ptr {at}, {old}, {new} seq_cst seq_cst{self.attached()}"
        pair = self.emit(f"{{ {new.type}, i1 }}", exchange)
        result = self.emit(new.type, f"extractvalue {pair}, 0")
        self._after(addr)
        return result

    def fence(self) -> None:
        self.f.do("fence seq_cst")


def _width(ty: Type) -> int:
    """Bytes in memory."""
    return ty.bits // 8 if isinstance(ty, ValType) else ty.bits * ty.lanes // 8
