"""A function that was lowered, put together: head, beginning, instructions with labels, polls."""

from __future__ import annotations

from runwell.base.errors import InternalError
from runwell.base.light import final
from runwell.base.traps import TrapCode
from runwell.base.types import I32
from runwell.codegen.machine import Value
from runwell.jit import notes
from runwell.jit.convention import CC, IR_TYPES, LANES, PARAMS, REGISTER_SLOTS, RESULT, ZEROS
from runwell.jit.machine import Fragment
from runwell.kernel.text import symbol
from runwell.kernel.types import as_struct
from runwell.runtime.layout import Context, FuncCode, Instance, Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.jit.frame import FrameMachine
    from runwell.jit.lower import Lowering

_EXHAUSTED = TrapCode.STACK_EXHAUSTED


@final
class Assembly:
    """Puts together what a ``Lowering`` has written."""

    def __init__(self, lowering: Lowering) -> None:
        self.low = lowering

    def text(self) -> str:
        """The whole function.

        Raises:
            InternalError: the register code is not what a translator makes.
        """
        if self.low.live:
            raise InternalError(f"{self.low.name}: the code does not end")
        texts, starts = self.low.texts, self.low.starts
        meter = self.low.meter
        short = self.low.variables.counters.short(self.low.forward, starts)
        rare = meter.finish(texts, self.low.loops - short, self._check_fuel)
        self.low.variables.check(self.low.name)
        for target in self.low.targets:
            at = starts.get(target)
            if at is None:
                raise InternalError(f"{self.low.name}: a branch into the middle of an instruction")
            label = f"L{target}:\n"
            if target in self.low.reached:
                label = f"  br label %L{target}\n{label}"
            texts[at] = label + texts[at]
        polls = [self._poll(t, meter.is_used or t in short) for t in sorted(self.low.loops)]
        args = ", ".join([f"{ty} %{name}" for ty, name in PARAMS])
        # Code that handles exceptions is entered in ways that LLVM does not see, so it must not
        # conclude from what it sees what the function does: "weak" says that it may be another.
        linkage = "weak dso_local" if self.low.catches else "dso_local"
        attributes = notes.FUNCTION
        if self.low.copy is not None:
            linkage = "internal"
        if self.low.copy:
            attributes += " alwaysinline"
        head = f"define {linkage} {CC} {RESULT} {symbol(self.low.name)}({args}) {attributes}"
        beginning = self._beginning()
        lines = [f"{head} !dbg {self.low.scope.node} {{", "entry:", *self.low.variables.allocate()]
        lines += meter.variable()
        lines += beginning
        return "\n".join([*lines, *texts, *polls, *rare, "}"])

    def _limit(self, number: str) -> str:
        at = as_struct(Context).offset("stack_limit")
        assert at == 0
        return f"  %limit{number} = load volatile ptr, ptr %ctx, align 8\n" + (
            f"  %beyond{number} = icmp ugt ptr %fp, %limit{number}\n"
        )

    def _check(self, size: int, ref_size: int) -> str:
        """Find out what is wanted, where these many bytes of the frames are in use."""
        return (
            "call preserve_allcc void @check_limit(ptr %ctx, ptr %inst, ptr %fp, i32 %left, "
            f"i64 {size}, i64 {ref_size}) {notes.RARELY}"
        )

    def _check_fuel(self, amount: str, position: int) -> str:
        """See to it that there is so much fuel."""
        size, ref_size = self.low.variables.end, self.low.ref_bytes
        return (
            "call preserve_allcc void @check_fuel(ptr %ctx, ptr %inst, ptr %fp, i32 %left, "
            f"i64 {size}, i64 {ref_size}, i64 {amount}) {notes.RARELY}, !dbg !{position}"
        )

    def _poll(self, target: int, is_plain: bool) -> str:
        """Where branches back to a loop go: is somebody asking to stop, or is there better code?"""
        begin = f"P{target}:\n"
        if self.low.may_leave and target == self.low.entry:
            begin = self._leave(target)
        if is_plain:
            return f"{begin}  br label %L{target}"
        position = self.low.around.positions.node(self.low.scope, target)
        return (
            f"{begin}{self._limit(f'P{target}')}"
            f"  br i1 %beyondP{target}, label %S{target}, label %L{target}{notes.UNLIKELY}\n"
            f"S{target}:\n  {self._check(self.low.variables.end, self.low.ref_bytes)}"
            f", !dbg !{position}\n  br label %L{target}"
        )

    def _leave(self, target: int) -> str:
        """Leave to the interpreter at a loop that there is better code for; or go on behind this.

        The interpreter, with all variables where it has them, goes there at once.
        """
        f = Fragment("X")
        m = self.low.machine(f, 0)
        f.label(f"P{target}")
        f.do("%leave = load volatile i32, ptr %leave.at, align 4")
        f.do(f"%leave.here = icmp eq i32 %leave, {target + 1}")
        f.end(f"br i1 %leave.here, label %X{target}, label %Q{target}{notes.UNLIKELY}")
        f.label(f"X{target}")
        m.spill()
        self.low.meter.store(f)
        start = m.field_value("ptr", "%code.own", FuncCode, "start")
        ip = f.ins(f"getelementptr i8, ptr {start}, i64 {target}")
        m.set_field("%ctx", Context, "leave_ip", ip)
        m.set_field("%ctx", Context, "tail_code", "%code.own")
        f.end(f"ret {RESULT} poison")
        return "\n".join([*f.lines, f"Q{target}:\n"])

    def _beginning(self) -> list[str]:
        """Everything before the first instruction."""
        f = Fragment("e")
        before = self.low.around.positions.before(self.low.scope)
        m = self.low.machine(f, before)
        if self.low.entry is None:
            f.do(self._limit("").strip())
            f.end(f"br i1 %beyond, label %slow, label %checked{notes.UNLIKELY}")
            f.label("slow")
            check = self._check(self.low.own.param_bytes, 8 * self.low.own.ref_params)
            f.do(check + m.position)
            f.label("checked")
            f.do("%none = icmp slt i32 %left, 0")
            f.end(f"br i1 %none, label %exhausted, label %start{notes.UNLIKELY}")
            f.label("exhausted")
            m.on_trap(_EXHAUSTED)
            f.label("start")
        self._fill_variables(m)
        for line in self.low.meter.beginning():
            f.do(line.strip())
        self.low.uses_refs |= self.low.catches or self.low.uses_top
        if self.low.may_leave:
            code = m.code_of(Value(str(self.low.function.function), "i32"))
            f.do(f"%code.own = getelementptr i8, ptr {code}, i64 0")
            at = as_struct(FuncCode).offset("leave")
            f.do(f"%leave.at = getelementptr i8, ptr %code.own, i64 {at}")
        if self.low.uses_memory:
            base = as_struct(Instance).offset("memory_base")
            assert base == 0
            f.do(f"%mem = load ptr, ptr %inst, align 8{notes.CONSTANT}")
        for memory in self.low.memories:
            where = m.pointee("memories", Value(memory, "i32"))
            f.do(f"%memory.{memory} = getelementptr i8, ptr {where}, i64 0")
            base = as_struct(Memory).offset("base")
            f.do(f"%at.{memory} = getelementptr i8, ptr {where}, i64 {base}")
            f.do(f"%base.{memory} = load ptr, ptr %at.{memory}, align 8{notes.CONSTANT}")
        if self.low.uses_refs:
            at = as_struct(Context).offset("native_rp")
            f.do(f"%rp.at = getelementptr i8, ptr %ctx, i64 {at}")
            f.do(f"%rp = load ptr, ptr %rp.at, align 8{notes.MACHINE}")
        if self.low.uses_top:
            f.do(f"%top = getelementptr i8, ptr %fp, i64 {self.low.variables.end}")
            f.do(f"%ref.top = getelementptr i8, ptr %rp, i64 {self.low.ref_bytes}")
        if self.low.catches:
            m.open(self.low.function.function)
        f.end(f"br label %L{self.low.entry or 0}")
        return f.lines

    def _fill_variables(self, m: FrameMachine) -> None:
        """Give the variables what they hold at the entry."""
        variables = self.low.variables
        for name, (letter, slot) in variables.used.items():
            if self.low.entry is not None:
                value = m.load_frame(letter, slot)
            elif name in variables.params:
                value = self._param(m, letter, slot)
            elif slot < variables.locals_end:
                value = Value(ZEROS[letter], IR_TYPES[letter])
            else:
                continue
            m.f.do(f"store {value}, ptr %{name}")
            if self.low.catches and self.low.entry is None:
                m.store_frame(slot, value)

    def _param(self, m: FrameMachine, letter: str, slot: int) -> Value:
        s = slot // 8
        if s >= REGISTER_SLOTS:
            return m.load_frame(letter, slot)
        if letter in "il":
            value = Value(f"%a{s}", "i64")
            return m.trunc(I32, value) if letter == "i" else value
        return m.from_lanes(letter, Value(f"%b{s}", LANES))
