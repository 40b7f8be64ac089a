"""The interpreter's machine: operands from the code stream, results to frames and accumulators.

One ``HandlerMachine`` writes one handler.  It follows the code of an instruction word by word
(``at`` is the offset of the next one) and keeps in ``r`` which LLVM values the registers hold.

An access to a guarded memory may fault, and the handler of the fault must find the address of the
instruction in the register of ``ip``.  So ``accessed`` puts a barrier after each access, an empty
piece of assembly that pretends to compute ``ip`` anew: until there the compiler cannot move on.

Slots are always written whole, 8 bytes, also by 32-bit results: a copy that reads 8 bytes soon
after a write of 4 would have to wait for it.
"""

from collections.abc import Callable

from runwell.base.objects import LEAST_RESULT
from runwell.base.traps import TrapCode
from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.codegen.machine import Value, constant, ir_type
from runwell.codegen.object_machine import ObjectMachine
from runwell.interp.entry import STUB_BODIES, save_state, trap_handler
from runwell.interp.registers import (
    Registers,
    add_to_field,
    clear,
    declaration,
    dispatch,
    field,
    load_field,
    move,
    offset_by,
    size_of,
    store_field,
    tail_call,
)
from runwell.isa.form import Dst, Src
from runwell.isa.register import Word
from runwell.kernel.text import FunctionText, ModuleText
from runwell.runtime.layout import Context, FuncCode, FuncRef, Instance, Memory, Table

_BARRIER = 'call ptr asm sideeffect "", "=r,0,~{memory}"'
_LIKELY, _UNLIKELY = 2000, 1


class HandlerMachine(ObjectMachine):
    """The machine of one handler.

    Attributes:
        r: what the registers hold.
        at: offset from ``ip`` of the next word of the code.
        memory: the ``Memory`` that a checked access is to, an LLVM ``ptr``.
    """

    def __init__(self, f: FunctionText, module: ModuleText, *, arch: str = "") -> None:
        super().__init__(f, module, arch=arch)
        self.r = Registers()
        self.at = 8
        self.memory = ""

    # The code stream.

    def _word_address(self) -> str:
        where = offset_by(self.f, self.r.ip, str(self.at))
        self.at += 4
        return where

    def word(self, ir: str = "i32") -> Value:
        """The next immediate, of an LLVM type of 4, 8 or 16 bytes."""
        where = self._word_address()
        self.at += {"i32": 0, "float": 0, "i64": 4, "double": 4}.get(ir, 12)
        return self.emit(ir, f"load {ir}, ptr {where}, align 4")

    def immediate(self, kind: Word) -> Value:
        """The next immediate of a kind."""
        wide = {Word.OFFSET64: "i64", Word.V128: ir_type(V128)}
        value = self.word(wide.get(kind, "i32"))
        if kind == Word.DELTA:
            return self.sext(I64, value)
        return value

    def _slot(self, offset: Value, *, ref: bool = False) -> str:
        wide = self.zext(I64, offset)
        return offset_by(self.f, self.r.rp if ref else self.r.fp, wide.text)

    def source(self, src: Src, ty: ValType) -> Value:
        """The next operand."""
        ir = ir_type(ty)
        match src:
            case Src.SLOT:
                return self.emit(ir, f"load {ir}, ptr {self._slot(self.word())}, align 8")
            case Src.REF:
                return self.emit(ir, f"load {ir}, ptr {self._slot(self.word(), ref=True)}, align 8")
            case Src.IMM:
                return self.sext(I64, self.word()) if ty == I64 else self.word(ir)
            case Src.IMM64:
                return self.word(ir)
            case Src.ACC:
                return self._from_acc(ty)

    # Results.

    def _from_acc(self, ty: ValType) -> Value:
        acc = Value(self.r.acc, "i64")
        if not _is_float(ty):
            return self.trunc(I32, acc) if ty == I32 else acc
        vector = Value(self.r.facc, "<4 x float>")
        if ty == F32:
            return self.emit("float", f"extractelement {vector}, i32 0")
        if ty == F64:
            pair = self.emit("<2 x double>", f"bitcast {vector} to <2 x double>")
            return self.emit("double", f"extractelement {pair}, i32 0")
        return self.emit(ir_type(ty), f"bitcast {vector} to {ir_type(ty)}")

    def _to_acc(self, value: Value) -> None:
        """Leave a number or vector in the accumulator of its class."""
        if value.type in ("i32", "i64"):
            self.r = self.r._replace(acc=self.zext(I64, value).text)
            return
        vector = value
        if value.type in ("float", "double"):
            lanes = "<4 x float>" if value.type == "float" else "<2 x double>"
            # Not poison: the lane above a float is stored with it.
            vector = self.emit(lanes, f"insertelement {lanes} undef, {value}, i32 0")
        if vector.type != "<4 x float>":
            vector = self.emit("<4 x float>", f"bitcast {vector} to <4 x float>")
        self.r = self.r._replace(facc=vector.text)

    def _whole(self, value: Value) -> Value:
        """What is written to a slot for a value that is in its accumulator."""
        match value.type:
            case "i32":
                return Value(self.r.acc, "i64")
            case "float":
                return self._from_acc(F64)
            case _:
                return value

    def result(self, dst: Dst, value: Value) -> None:
        """Put a result where the form says."""
        if value.type == "i1":
            value = self.flag(value)
        if dst == Dst.REF:
            self.f.do(f"store {value}, ptr {self._slot(self.word(), ref=True)}, align 8")
            return
        self._to_acc(value)
        if dst == Dst.SLOT:
            self.f.do(f"store {self._whole(value)}, ptr {self._slot(self.word())}, align 8")

    # Going on.

    def next(self) -> None:
        """Go on with the instruction that follows."""
        ip = offset_by(self.f, self.r.ip, str(self.at))
        dispatch(self.f, self.r._replace(ip=ip))

    def branch(self, dst: Dst, cond: Value | None = None) -> None:
        """Take the branch whose distance is the next word, if the condition says so."""
        if cond is None:
            self._jump(dst)
            return
        taken, passed = self.f.fresh("taken"), self.f.fresh("passed")
        yes, no = (taken, passed) if dst in (Dst.IF, Dst.LOOP_IF) else (passed, taken)
        odds = ""
        if dst.is_backward:
            odds = self.module.weights(*((9, 1) if yes == taken else (1, 9)))
        self.f.end(f"br {cond}, label %{yes}, label %{no}{odds}")
        self.f.label(taken)
        # Each way has a dispatch of its own: the processor predicts them apart.
        self._jump(dst)
        self.f.label(passed)

    def _jump(self, dst: Dst) -> None:
        field = self._word_address()
        distance = self.zext(I64, self.emit("i32", f"load i32, ptr {field}, align 4"))
        if dst.is_backward:
            distance = self.sub(constant(I64, 0), distance)
        self._go(self._target(field, distance), counts=dst.is_backward)

    def _target(self, field: str, distance: Value) -> str:
        """The address at a distance from a word that holds it.

        All that follows waits for it.  The word's address is opaque, or else it would not be
        computed while the word is loaded but after that.
        """
        start = self._opaque(Value(field, "ptr"))
        return offset_by(self.f, start.text, distance.text)

    def _go(self, target: str, *, counts: bool) -> None:
        r = self.r._replace(ip=target)
        if counts:
            left = add_to_field(self.f, self.r.ctx, Context, "budget", -1)
            spent = self.f.ins(f"icmp slt i32 {left}, 0")
            self._unless(spent, lambda: self._leave("slow_budget", r))
        dispatch(self.f, r)

    def _unless(self, cond: str, cold: Callable[[], None]) -> None:
        """In the unlikely case that ``cond`` holds do ``cold``."""
        rare, usual = self.f.fresh("rare"), self.f.fresh("usual")
        odds = self.module.weights(_UNLIKELY, _LIKELY)
        self.f.end(f"br i1 {cond}, label %{rare}, label %{usual}{odds}")
        self.f.label(rare)
        cold()
        self.f.label(usual)

    def _leave(self, name: str, r: Registers) -> None:
        """Become a handler of ``entry``."""
        self.module.declare(name, declaration(name))
        tail_call(self.f, f"@{name}", r)

    # Traps and memory: what the machine below asks.

    def on_trap(self, code: TrapCode) -> None:
        self._leave(trap_handler(code), self.r)

    def trap(self, code: TrapCode) -> None:
        self.on_trap(code)

    def memory_base(self) -> str:
        return load_field(self.f, self.memory, Memory, "base") if self.memory else self.r.mem

    def memory_bytes(self) -> str:
        return load_field(self.f, self.memory, Memory, "bytes")

    def accessed(self) -> None:
        self.r = self.r._replace(ip=self.f.ins(f"{_BARRIER}(ptr {self.r.ip})"))

    def _element(self, array: str, of: object, index: Value, stride: int = 8) -> str:
        """Address of an element of an array that a field of the instance points to."""
        base = load_field(self.f, self.r.inst, of, array)
        scaled = self.emit("i64", f"mul nuw {self.zext(I64, index)}, {stride}")
        return offset_by(self.f, base, scaled.text)

    def _pointee(self, array: str, index: Value) -> str:
        """An element of an array of pointers of the instance."""
        return self.f.ins(f"load ptr, ptr {self._element(array, Instance, index)}, align 8")

    def use_memory(self, index: Value) -> None:
        """Check accesses, which are to memory ``index``."""
        self.checked = True
        self.memory = self._pointee("memories", index)

    # Exceptions.

    def throw(self, func: Value, tag: Value, first: Value, ref_first: Value) -> None:
        values, refs = self._slot(first), self._slot(ref_first, ref=True)
        tag_at = self._pointee("tags", tag)
        self._raise("throw_values", func, f"ptr {tag_at}", f"ptr {values}", f"ptr {refs}")

    def throw_ref(self, ref: Value, func: Value) -> None:
        at = self.f.ins(f"inttoptr {ref} to ptr")
        self._raise("throw_again", func, f"ptr {at}")

    def _raise(self, kernel: str, func: Value, *args: str) -> None:
        """Have a kernel find the handler, and go on there."""
        save_state(self.f, self.r)
        code = self._element("codes", Instance, func, size_of(FuncCode))
        types = ", ".join(["ptr"] * (2 + len(args)))
        self.module.declare(kernel, f"declare i32 @{kernel}({types})")
        values = ", ".join([f"ptr {self.r.ctx}", f"ptr {code}", *args])
        trap = self.emit("i32", f"call i32 @{kernel}({values})")
        wide = self.zext(I64, trap)
        self._leave("caught", self.r._replace(acc=wide.text))

    def _read_exception(self, cell: str, end: Value) -> Value:
        name = "exception_read"
        self.module.declare(name, f"declare i64 @{name}(ptr, ptr, ptr)")
        where = self._slot(end, ref=True)
        return self.emit("i64", f"call i64 @{name}(ptr {self.r.ctx}, ptr {cell}, ptr {where})")

    def _write_exception(self, cell: str, value: Value) -> None:
        self.module.declare("exception_put", "declare void @exception_put(ptr, i64)")
        self.f.do(f"call void @exception_put(ptr {cell}, {value})")

    def exception_get(self, cell: Value, end: Value, *, far: bool) -> Value:
        return self._read_exception(self._cell(cell, far=far), end)

    def exception_set(self, cell: Value, value: Value, *, far: bool) -> None:
        self._write_exception(self._cell(cell, far=far), value)

    def table_get_exception(self, table: Value, index: Value, end: Value) -> Value:
        return self._read_exception(self._table_slot(table, index), end)

    def table_set_exception(self, table: Value, index: Value, value: Value) -> None:
        self._write_exception(self._table_slot(table, index), value)

    # Control.

    def select(self, cond: Value, a: Value, b: Value) -> Value:
        # Opaque, or else a choice of two slots becomes a slot of two choices, which takes longer.
        return super().select(cond, self._opaque(a), self._opaque(b))

    def _opaque(self, value: Value) -> Value:
        vector = "x" if self.arch == "x86_64" else "w"
        places = {"i32": "r", "i64": "r", "ptr": "r", "float": vector, "double": vector}
        place = places.get(value.type)
        if place is None or not value.text.startswith("%"):
            return value
        return self.emit(value.type, f'call {value.type} asm "", "={place},0"({value})')

    def branch_table(self, index: Value, count: Value) -> None:
        # A branch, not a minimum, which all that follows would wait for.
        beyond = self.ge_u(index, count)
        self._unless(beyond.text, lambda: self._go_by_table(count))
        self._go_by_table(index)

    def _go_by_table(self, index: Value) -> None:
        targets = offset_by(self.f, self.r.ip, str(self.at))
        scaled = self.emit("i64", f"shl nuw nsw {self.zext(I64, index)}, 2")
        row = offset_by(self.f, targets, scaled.text)
        distance = self.sext(I64, self.emit("i32", f"load i32, ptr {row}, align 4"))
        self._go(self._target(row, distance), counts=False)

    def call(self, func: Value, first: Value, link: Value, ref_first: Value) -> None:
        code = self._element("codes", Instance, func, size_of(FuncCode))
        self._enter(code, first, link, ref_first)

    def _callee(self, first: Value, ref_first: Value) -> Registers:
        """The callee's frames, and the return address."""
        back = offset_by(self.f, self.r.ip, str(self.at))
        return self.r._replace(ip=back, fp=self._slot(first), rp=self._slot(ref_first, ref=True))

    def _leave_calling(self, name: str, callee: Registers, acc: str) -> None:
        """Go on with a call in a handler of ``entry``; ``ctx.top`` is the callee's frame."""
        store_field(self.f, self.r.ctx, Context, "top", callee.fp)
        self._leave(name, callee._replace(fp=self.r.fp, acc=acc))

    def _enter(self, code: str, first: Value, link: Value, ref_first: Value) -> None:
        """Check the limits of the call stack, link the frames and go to the callee's code."""
        callee = self._callee(first, ref_first)
        limit = load_field(self.f, self.r.ctx, Context, "stack_limit")
        beyond = self.f.ins(f"icmp ugt ptr {callee.fp}, {limit}")
        acc = self.f.ins(f"ptrtoint ptr {code} to i64")
        self._unless(beyond, lambda: self._leave_calling("slow_call", callee, acc))
        left = add_to_field(self.f, self.r.ctx, Context, "frames_left", -1)
        none = self.f.ins(f"icmp slt i32 {left}, 0")
        self._unless(none, lambda: self.on_trap(TrapCode.STACK_EXHAUSTED))
        where = offset_by(self.f, callee.fp, self.zext(I64, link).text)
        self.f.do(f"store ptr {callee.ip}, ptr {where}, align 8")
        self.f.do(f"store ptr {self.r.fp}, ptr {offset_by(self.f, where, '8')}, align 8")
        self._start(code, callee)

    def _start(self, code: str, r: Registers) -> None:
        """Go to the code of a function whose frame is ready."""
        callee = r._replace(acc=self.f.ins(f"ptrtoint ptr {code} to i64"))
        left = add_to_field(self.f, code, FuncCode, "heat", -1)
        spent = self.f.ins(f"icmp slt i32 {left}, 0")
        self._unless(spent, lambda: self._leave("slow_heat", callee))
        dispatch(self.f, callee._replace(ip=load_field(self.f, code, FuncCode, "entry")))

    def call_ref(self, ref: Value, first: Value, link: Value, ref_first: Value) -> None:
        at = self.f.ins(f"inttoptr {ref} to ptr")

        def switch() -> None:
            self._leave_calling("switch_instance", self._callee(first, ref_first), ref.text)

        self._if_elsewhere(at, switch)
        self._enter(load_field(self.f, at, FuncRef, "code"), first, link, ref_first)

    def _if_elsewhere(self, ref: str, switch: Callable[[], None]) -> None:
        """If it is a function of another instance do ``switch``, which leaves."""
        other = load_field(self.f, ref, FuncRef, "instance")
        differs = self.f.ins(f"icmp ne ptr {other}, {self.r.inst}")

        def unless_host() -> None:
            # The host's functions have no instance.
            self._unless(self.f.ins(f"icmp ne ptr {other}, null"), switch)

        self._unless(differs, unless_host)

    def tail_call(
        self, func: Value, first: Value, size: Value, ref_first: Value, ref_size: Value, link: Value
    ) -> None:
        code = self._element("codes", Instance, func, size_of(FuncCode))
        ip, fp = self._replace_frame(first, size, ref_first, ref_size, link)
        self._relink(code, size, ip, fp)

    def _relink(self, code: str, size: Value, ip: str, fp: str) -> None:
        where = self._slot(size)
        self.f.do(f"store ptr {ip}, ptr {where}, align 8")
        self.f.do(f"store ptr {fp}, ptr {offset_by(self.f, where, '8')}, align 8")
        # Two functions may call each other so for ever.
        entry = load_field(self.f, code, FuncCode, "entry")
        self.r = self.r._replace(acc=self.f.ins(f"ptrtoint ptr {code} to i64"))
        self._go(entry, counts=True)

    def _replace_frame(
        self, first: Value, size: Value, ref_first: Value, ref_size: Value, link: Value
    ) -> tuple[str, str]:
        """Move arguments or results to the bottom of the frame; gives the link, read before."""
        ip, fp = self._link(link)
        self._move(self._slot(first), self.r.fp, size)
        self._move(self._slot(ref_first, ref=True), self.r.rp, ref_size)
        return ip, fp

    def tail_call_ref(
        self, ref: Value, first: Value, size: Value, ref_first: Value, ref_size: Value, link: Value
    ) -> None:
        at = self.f.ins(f"inttoptr {ref} to ptr")
        code = load_field(self.f, at, FuncRef, "code")
        ip, fp = self._replace_frame(first, size, ref_first, ref_size, link)

        def switch() -> None:
            # It counts as a call, and this frame is gone.
            add_to_field(self.f, self.r.ctx, Context, "frames_left", 1)
            store_field(self.f, self.r.ctx, Context, "top", self.r.fp)
            self._leave("switch_instance", self.r._replace(ip=ip, fp=fp, acc=ref.text))

        self._if_elsewhere(at, switch)
        self._relink(code, size, ip, fp)

    def _link(self, link: Value) -> tuple[str, str]:
        where = self._slot(link)
        ip = self.f.ins(f"load ptr, ptr {where}, align 8")
        return ip, self.f.ins(f"load ptr, ptr {offset_by(self.f, where, '8')}, align 8")

    def _back(self, ip: str, fp: str) -> None:
        add_to_field(self.f, self.r.ctx, Context, "frames_left", 1)
        dispatch(self.f, self.r._replace(ip=ip, fp=fp))

    def return_(self, link: Value) -> None:
        self._back(*self._link(link))

    def return_value(self, value: Value, link: Value) -> None:
        # The result may take the link's place.
        ip, fp = self._link(link)
        self._to_acc(value)
        self.f.do(f"store {self._whole(value)}, ptr {self.r.fp}, align 8")
        self._back(ip, fp)

    def return_ref(self, value: Value, link: Value) -> None:
        ip, fp = self._link(link)
        self.f.do(f"store {value}, ptr {self.r.rp}, align 8")
        self._back(ip, fp)

    def return_many(
        self, first: Value, size: Value, ref_first: Value, ref_size: Value, link: Value
    ) -> None:
        ip, fp = self._replace_frame(first, size, ref_first, ref_size, link)
        self._back(ip, fp)

    # Frames.

    def _move(self, source: str, to: str, size: Value) -> None:
        move(self.f, self.module, source, to, self.zext(I64, size).text)

    def move(
        self, slot: Value, to: Value, size: Value, ref_slot: Value, ref_to: Value, ref_size: Value
    ) -> None:
        self._move(self._slot(slot), self._slot(to), size)
        self._move(self._slot(ref_slot, ref=True), self._slot(ref_to, ref=True), ref_size)

    def _clear(self, start: str, size: Value) -> None:
        clear(self.f, start, offset_by(self.f, start, self.zext(I64, size).text))

    def zero(self, slot: Value, size: Value) -> None:
        self._clear(self._slot(slot), size)

    def zero_refs(self, slot: Value, size: Value) -> None:
        start = self._slot(slot, ref=True)
        end = offset_by(self.f, start, self.zext(I64, size).text)
        limit = load_field(self.f, self.r.ctx, Context, "refs_end")
        beyond = self.emit("i1", f"icmp ugt ptr {end}, {limit}")
        self.trap_if(beyond, TrapCode.STACK_EXHAUSTED)
        self._clear(start, size)

    def ref_frame(self, delta: Value) -> None:
        self.r = self.r._replace(rp=offset_by(self.f, self.r.rp, delta.text))

    def enter_big(self, size: Value) -> None:
        limit = load_field(self.f, self.r.ctx, Context, "stack_end")
        beyond = self.emit("i1", f"icmp ugt ptr {self._slot(size)}, {limit}")
        self.trap_if(beyond, TrapCode.STACK_EXHAUSTED)

    # The instance.

    def _cell(self, offset: Value, *, far: bool) -> str:
        cell = offset_by(self.f, self.r.inst, self.zext(I64, offset).text)
        return self.f.ins(f"load ptr, ptr {cell}, align 8") if far else cell

    def global_get(self, ty: ValType, cell: Value, *, far: bool) -> Value:
        ir = ir_type(ty)
        return self.emit(ir, f"load {ir}, ptr {self._cell(cell, far=far)}, align 8")

    def global_set(self, ty: ValType, cell: Value, value: Value, *, far: bool) -> None:
        if ty == F32:
            self._to_acc(value)
            value = self._whole(value)
        self.f.do(f"store {value}, ptr {self._cell(cell, far=far)}, align 8")

    def memory_size(self, memory: Value) -> Value:
        pages = load_field(self.f, self._pointee("memories", memory), Memory, "pages")
        return Value(pages, "i64")

    def _table(self, table: Value) -> str:
        return self._pointee("tables", table)

    def table_size(self, table: Value) -> Value:
        return Value(load_field(self.f, self._table(table), Table, "size"), "i64")

    def _table_slot(self, table: Value, index: Value) -> str:
        elements = load_field(self.f, self._table(table), Table, "elements")
        return offset_by(self.f, elements, self.emit("i64", f"shl {index}, 3").text)

    def table_get(self, table: Value, index: Value) -> Value:
        return self.emit("i64", f"load i64, ptr {self._table_slot(table, index)}, align 8")

    def table_set(self, table: Value, index: Value, value: Value) -> None:
        self.f.do(f"store {value}, ptr {self._table_slot(table, index)}, align 8")

    def func_ref(self, func: Value) -> Value:
        return self.emit("i64", f"ptrtoint ptr {self._pointee('funcs', func)} to i64")

    def check_func(self, ref: Value, type_: Value) -> None:
        at = self.f.ins(f"inttoptr {ref} to ptr")
        found = Value(load_field(self.f, at, FuncRef, "type"), "i32")
        self._unless(self.ne(found, type_).text, lambda: self._check_supers(at, type_))

    def _check_supers(self, ref: str, type_: Value) -> None:
        """Trap unless a type is among the supertypes of a function's; their numbers end with 0."""
        supers = load_field(self.f, ref, FuncRef, "supers")
        loop, more = self.f.fresh("super"), self.f.fresh("more")
        found, missing = self.f.fresh("found"), self.f.fresh("missing")
        before = self.f.block
        self.f.label(loop)
        place, following = "%" + self.f.fresh("place"), "%" + self.f.fresh("following")
        self.f.do(f"{place} = phi ptr [ {supers}, %{before} ], [ {following}, %{more} ]")
        number = self.emit("i32", f"load i32, ptr {place}, align 4")
        self.f.do(f"{following} = getelementptr i8, ptr {place}, i64 4")
        self.f.end(f"br {self.eq(number, type_)}, label %{found}, label %{more}")
        self.f.label(more)
        ends = self.eq(number, constant(I32, 0))
        self.f.end(f"br {ends}, label %{missing}, label %{loop}")
        self.f.label(missing)
        self.on_trap(TrapCode.INDIRECT_CALL_TYPE_MISMATCH)
        self.f.label(found)

    def invoke(self, kernel: str, *args: Value) -> None:
        self._trap_unless_zero(self.invoke_value(I32, kernel, *args))

    def _trap_unless_zero(self, code: Value) -> None:
        self._trap_in_acc(self.f.ins(f"icmp ne {code}, 0"), self.zext(I64, code).text)

    def _trap_in_acc(self, failed: str, code: str) -> None:
        self._unless(failed, lambda: self._leave("trap_in_acc", self.r._replace(acc=code)))

    def invoke_value(self, ty: ValType, kernel: str, *args: Value) -> Value:
        ir = ir_type(ty)
        return self._call_kernel(ir, kernel, Value(self.r.inst, "ptr"), *args)

    def _call_kernel(self, ir: str, kernel: str, *args: Value) -> Value:
        types = ", ".join([a.type for a in args])
        self.module.declare(kernel, f"declare {ir} @{kernel}({types})")
        return self.emit(ir, f"call {ir} @{kernel}({', '.join(map(str, args))})")

    def invoke_blocking(self, kernel: str, *args: Value) -> Value:
        # It may call the host.
        save_state(self.f, self.r)
        ctx, inst = Value(self.r.ctx, "ptr"), Value(self.r.inst, "ptr")
        both = self._call_kernel("i64", kernel, ctx, inst, *args)
        self._trap_unless_zero(self.trunc(I32, self.shr_u(both, constant(I64, 32))))
        return self.trunc(I32, both)

    def charge(self, amount: Value) -> None:
        where = field(self.f, self.r.inst, Instance, "fuel")
        have = self.emit("i64", f"load i64, ptr {where}, align 8")
        left = self.sub(have, amount)
        spent = self.f.ins(f"icmp slt {left}, 0")
        self._unless(spent, lambda: self._leave("slow_fuel", self.r))
        self.f.do(f"store {left}, ptr {where}, align 8")

    # Objects.

    def object_get_exception(self, ref: Value, offset: Value, end: Value) -> Value:
        return self._read_exception(self.place(ref, offset), end)

    def object_set_exception(self, ref: Value, offset: Value, value: Value) -> None:
        name = "exception_put_in_object"
        self.module.declare(name, f"declare void @{name}(ptr, i64)")
        self.f.do(f"call void @{name}(ptr {self.place(ref, offset)}, {value})")

    def invoke_frame(
        self, kernel: str, first: Value, size: Value, ref_first: Value, ref_end: Value, *args: Value
    ) -> Value:
        # Others may have to know where this thread is, while it waits for them.
        save_state(self.f, self.r)
        places = [self._slot(first), *(self._slot(s, ref=True) for s in (ref_first, ref_end))]
        pointers = [Value(p, "ptr") for p in (self.r.ctx, self.r.inst, *places)]
        found = self._call_kernel("i64", kernel, *pointers, *args)
        below = self.sub(found, constant(I64, 1))
        self._trap_in_acc(self.lt_u(below, constant(I64, LEAST_RESULT - 1)).text, found.text)
        return found

    def stub(self, name: str) -> None:
        STUB_BODIES[name](self.f, self.module, self.arch)


def _is_float(ty: ValType) -> bool:
    """Is the accumulator of the type that of floats and vectors?"""
    return ty in (F32, F64, V128)
