"""The machine of compiled code: calls, returns, and moves between slots.

The slots of a function are variables of its own, not memory.  What crosses a call goes through
registers and, where those do not suffice, through the frame in memory.
"""

from runwell.base.objects import LEAST_RESULT
from runwell.base.types import I32, I64
from runwell.codegen.machine import Value, constant
from runwell.jit import notes
from runwell.jit.convention import (
    CC,
    IR_TYPES,
    LANES,
    PARAMS,
    REGISTER_SLOTS,
    RESULT,
    Place,
    Signature,
)
from runwell.jit.machine import NativeMachine
from runwell.jit.variables import Variables
from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import sizeof
from runwell.runtime.layout import Context, FuncCode, FuncRef, NativeHandler, ResultClass

_FIRST_FLOAT = 5 + REGISTER_SLOTS


class FrameMachine(NativeMachine):
    """Meaning as compiled code, in a function.

    Attributes:
        variables: the slots of the function.
        own: its signature.
        callee: the signature of the function that is called next.
        symbol: its symbol if it is in the same module, with ``@``, or "".
        likely: functions, and their symbols, that it probably is, if it is called by reference.
        other: the symbol of what calls it if it is none of these; see ``any_of_type``.
        catches: may the function catch exceptions?  Then all slots are in the frame in memory as
            well, for the code at the handler, and a record says where in the function it is.
        at: the offset of the instruction.
    """

    def __init__(
        self,
        f: FunctionText,
        module: ModuleText,
        variables: Variables,
        own: Signature,
        *,
        arch: str = "",
        position: str = "",
    ) -> None:
        super().__init__(f, module, arch=arch, position=position)
        self.variables, self.own = variables, own
        self.callee, self.symbol = own, ""
        self.likely: dict[int, str] = {}
        self.other = ""
        self.catches, self.at = False, 0

    # Values in frames.

    def read(self, letter: str, slot: int) -> Value:
        """The value of a slot."""
        ir = IR_TYPES[letter]
        return self.emit(ir, f"load {ir}, ptr {self.variables.use(letter, slot)}")

    def write(self, letter: str, slot: int, value: Value) -> None:
        """Give a slot a value."""
        self.f.do(f"store {value}, ptr {self.variables.define(letter, slot)}")
        if self.catches or self.variables.keeps(letter, slot):
            self.store_frame(slot, value)

    def write_unclear(self, slot: int, values: list[tuple[str, Value]], word: Value | None) -> None:
        """Give a slot a value of which nobody knows the type.

        Args:
            slot: which.
            values: what it is if it is of a type, for each that it may have.
            word: what it is in memory, if it is to be there.
        """
        for letter, value in values:
            self.f.do(f"store {value}, ptr {self.variables.define(letter, slot)}")
        # Which of its types it has is as unknown as before.
        self.variables.known.pop(slot, None)
        if word is not None and (self.catches or slot in self.variables.kept):
            self.store_frame(slot, word)

    def word_in(self, slot: int) -> Value:
        """What is in a slot, whatever it is; it is in memory, or the slot is noted as unclear."""
        if not self.catches and slot not in self.variables.kept:
            self.variables.unclear.add(slot)
        self.variables.read_unclear(slot)
        return self.load_frame("l", slot)

    def _frame_slot(self, offset: int) -> str:
        return self.f.ins(f"getelementptr i8, ptr %fp, i64 {offset}") if offset else "%fp"

    def load_frame(self, letter: str, offset: int) -> Value:
        """A value in the frame in memory."""
        ir = IR_TYPES[letter]
        where = self._frame_slot(offset)
        return self.emit(ir, f"load {ir}, ptr {where}, align 8{notes.FRAME}")

    def store_frame(self, offset: int, value: Value) -> None:
        """Put a value into the frame in memory, where it fills its slot."""
        if value.type == "float":
            value = self.emit("i32", f"bitcast {value} to i32")
        if value.type == "i32":
            value = self.zext(I64, value)
        self.f.do(f"store {value}, ptr {self._frame_slot(offset)}, align 8{notes.FRAME}")

    def spill(self) -> None:
        """Put all that may be wanted into the frame in memory, if it is not there already."""
        for letter, slot in list(self.variables.used.values()):
            if slot in self.variables.wanted and not self.variables.keeps(letter, slot):
                self.store_frame(slot, self.read(letter, slot))

    def _to_lanes(self, value: Value) -> Value:
        """A float or vector as it travels."""
        if value.type in ("float", "double"):
            lanes = LANES if value.type == "float" else "<2 x double>"
            value = self.emit(lanes, f"insertelement {lanes} poison, {value}, i32 0")
        return value if value.type == LANES else self.emit(LANES, f"bitcast {value} to {LANES}")

    def from_lanes(self, letter: str, value: Value) -> Value:
        """A float or vector that has travelled."""
        if letter == "f":
            return self.emit("float", f"extractelement {value}, i32 0")
        if letter == "d":
            pair = self.emit("<2 x double>", f"bitcast {value} to <2 x double>")
            return self.emit("double", f"extractelement {pair}, i32 0")
        ir = IR_TYPES[letter]
        return self.emit(ir, f"bitcast {value} to {ir}")

    # Calls.

    def _arguments(
        self,
        inst: str,
        fp: str,
        left: str,
        code: str,
        params: tuple[Place, ...],
        first: int,
        to: str,
    ) -> str:
        """All arguments; those without a register are stored, from slots at ``first`` to ``to``."""
        words = ["%ctx", inst, fp, left, code, *["poison"] * (2 * REGISTER_SLOTS)]
        for letter, slot in params:
            value = self.read(letter, first + slot)
            if slot >= 8 * REGISTER_SLOTS:
                self.store_frame(int(to) + slot, value)
            elif letter in "il":
                words[5 + slot // 8] = self.zext(I64, value).text
            else:
                words[_FIRST_FLOAT + slot // 8] = self._to_lanes(value).text
        return ", ".join([f"{ty} {word}" for (ty, _), word in zip(PARAMS, words, strict=True)])

    def _below(self) -> str:
        return self.f.ins("add nsw i32 %left, -1")

    def _native(self, code: str) -> str:
        return self.field_value("ptr", code, FuncCode, "native")

    def call(self, func: Value, first: Value, link: Value, ref_first: Value) -> None:
        code, target = "poison", self.symbol
        if not target:
            code = self.code_of(func)
            target = self._native(code)
        self._call(target, "%inst", code, int(first.text), ref_first.text)

    def call_ref(self, ref: Value, first: Value, link: Value, ref_first: Value) -> None:
        if not self.likely:
            code, inst = self._referred(ref)
            self._call(self._native(code), inst, code, int(first.text), ref_first.text)
            return
        known: list[tuple[str, str]] = []
        for function, target in self.likely.items():
            found, other = self.f.fresh("found"), self.f.fresh("other")
            same = self.eq(ref, self.func_ref(constant(I32, function)))
            self.f.end(f"br {same}, label %{found}, label %{other}{notes.USUALLY_TAKEN}")
            self.f.label(other)
            known.append((found, target))
        code = self.f.ins(f"inttoptr {ref} to ptr")
        self._call(self.other, "%inst", code, int(first.text), ref_first.text)
        done = self.f.fresh("done")
        self.f.end(f"br label %{done}")
        for label, target in known:
            self.f.label(label)
            self._call(target, "%inst", "poison", int(first.text), ref_first.text)
            self.f.end(f"br label %{done}")
        self.f.label(done)

    def check_func(self, ref: Value, type_: Value) -> None:
        # The likely ones have the type; else who calls it checks.
        if not self.likely:
            super().check_func(ref, type_)

    def any_of_type(self, type_: Value) -> None:
        """The body of what calls any function that has a type, given the reference as ``code``."""
        ref = self.emit("i64", "ptrtoint ptr %code to i64")
        self.check_func(ref, type_)
        code, inst = self._referred(ref)
        given = {"inst": inst, "code": code}
        words = ", ".join([f"{ty} {given.get(name, f'%{name}')}" for ty, name in PARAMS])
        target = self._native(code)
        result = self.f.ins(f"musttail call {CC} {RESULT} {target}({words}){self.position}")
        self.f.end(f"ret {RESULT} {result}")

    def _referred(self, ref: Value) -> tuple[str, str]:
        """The ``FuncCode`` of a function, and its instance; the host's functions have none."""
        at = self.f.ins(f"inttoptr {ref} to ptr")
        inst = self.field_value("ptr", at, FuncRef, "instance")
        is_host = self.f.ins(f"icmp eq ptr {inst}, null")
        inst = self.f.ins(f"select i1 {is_host}, ptr %inst, ptr {inst}")
        return self.field_value("ptr", at, FuncRef, "code"), inst

    def _call(self, target: str, inst: str, code: str, first: int, ref_first: str) -> None:
        callee, refs = self.callee, ref_first != "0"
        fp = self._frame_slot(first)
        words = self._arguments(inst, fp, self._below(), code, callee.params, first, str(first))
        if refs:
            self._set_refs(self.ref_slot(ref_first))
        self._stand_here()
        both = self.emit(RESULT, f"call {CC} {RESULT} {target}({words}){self.position}")
        if refs:
            self._set_refs("%rp")
        self._take_results(callee, both, first)

    def _set_refs(self, where: str) -> None:
        self.set_field("%ctx", Context, "native_rp", where)

    def _take_results(self, callee: Signature, both: Value, first: int) -> None:
        match callee.result_class:
            case ResultClass.MEMORY:
                for letter, slot in callee.results:
                    self.write(letter, first + slot, self.load_frame(letter, first + slot))
            case ResultClass.FLOAT:
                letter = callee.results[0].letter
                lanes = self.emit(LANES, f"extractvalue {both}, 1")
                self.write(letter, first, self.from_lanes(letter, lanes))
            case ResultClass.INTEGER:
                if callee.results:
                    letter = callee.results[0].letter
                    value = self.emit("i64", f"extractvalue {both}, 0")
                    self.write(letter, first, self.trunc(I32, value) if letter == "i" else value)

    def tail_call(
        self, func: Value, first: Value, size: Value, ref_first: Value, ref_size: Value, link: Value
    ) -> None:
        code, target = "poison", self.symbol
        if not target:
            code = self.code_of(func)
            target = self._native(code)
        self._tail_call(target, "%inst", code, int(first.text), ref_first, ref_size)

    def tail_call_ref(
        self, ref: Value, first: Value, size: Value, ref_first: Value, ref_size: Value, link: Value
    ) -> None:
        code, inst = self._referred(ref)
        self._tail_call(self._native(code), inst, code, int(first.text), ref_first, ref_size)

    def _tail_call(
        self, target: str, inst: str, code: str, first: int, ref_first: Value, ref_size: Value
    ) -> None:
        words = self._arguments(inst, "%fp", "%left", code, self.callee.params, first, "0")
        self._move_refs(ref_first, constant(I32, 0), ref_size)
        self.close()
        result = self.f.ins(f"musttail call {CC} {RESULT} {target}({words}){self.position}")
        self.f.end(f"ret {RESULT} {result}")

    # Returns.

    def _return(self, *, integer: str = "poison", lanes: str = "poison") -> None:
        self.close()
        if integer == lanes:
            self.f.end(f"ret {RESULT} poison")
            return
        index, part = (0, f"i64 {integer}") if integer != "poison" else (1, f"{LANES} {lanes}")
        both = self.f.ins(f"insertvalue {RESULT} poison, {part}, {index}")
        self.f.end(f"ret {RESULT} {both}")

    def return_(self, link: Value) -> None:
        self._return()

    def return_value(self, value: Value, link: Value) -> None:
        if value.type in ("i32", "i64"):
            self._return(integer=self.zext(I64, value).text)
        else:
            self._return(lanes=self._to_lanes(value).text)

    def return_ref(self, value: Value, link: Value) -> None:
        self.write_ref("0", value)
        self._return()

    def return_many(
        self, first: Value, size: Value, ref_first: Value, ref_size: Value, link: Value
    ) -> None:
        for letter, slot in self.own.results:
            self.store_frame(slot, self.read(letter, int(first.text) + slot))
        self._move_refs(ref_first, constant(I32, 0), ref_size)
        self._return()

    # Exceptions.

    def throw(self, func: Value, tag: Value, first: Value, ref_first: Value) -> None:
        start = int(first.text)
        for letter, slot in self.callee.params:
            self.store_frame(start + slot, self.read(letter, start + slot))
        values, refs = self._frame_slot(start), self.ref_slot(ref_first.text)
        self._raise("native_throw", f"ptr {self.pointee('tags', tag)}, ptr {values}, ptr {refs}")

    def throw_ref(self, ref: Value, func: Value) -> None:
        self._raise("native_throw_ref", f"{ref}")

    def _stand_here(self) -> None:
        """Say where the function is, whose handlers may be wanted."""
        if self.catches:
            where = self._field("%handler", NativeHandler, "at")
            self.f.do(f"store i32 {self.at}, ptr {where}, align 4{notes.MACHINE}")

    def open(self, index: int) -> None:
        """Be ready to catch exceptions, from the beginning of function ``index``."""
        size, align = sizeof(NativeHandler), 8
        self.f.do(f"%handler = alloca [{size} x i8], align {align}")
        names = {"llvm.frameaddress.p0": "(i32)", "llvm.addressofreturnaddress.p0": "()"}
        for name, params in names.items():
            self.module.declare(name, f"declare ptr @{name}{params}")
        frame = self.f.ins("call ptr @llvm.frameaddress.p0(i32 0)")
        sp = self.f.ins("call ptr @llvm.addressofreturnaddress.p0()")
        self.uses_refs = True
        values = {
            "previous": self.field_value("ptr", "%ctx", Context, "handlers"),
            "code": self.code_of(constant(I32, index)),
            "fp": "%fp",
            "rp": "%rp",
            "instance": "%inst",
            "frame": frame,
            "sp": sp,
        }
        for name, value in values.items():
            self.set_field("%handler", NativeHandler, name, value)
        where = self._field("%handler", NativeHandler, "left")
        self.f.do(f"store i32 %left, ptr {where}, align 8{notes.MACHINE}")
        where = self._field("%handler", NativeHandler, "at")
        self.f.do(f"store i32 -1, ptr {where}, align 4{notes.MACHINE}")
        self._set_handlers("%handler")

    def close(self) -> None:
        """Catch no more."""
        if self.catches:
            self._set_handlers(self.field_value("ptr", "%handler", NativeHandler, "previous"))

    def _set_handlers(self, where: str) -> None:
        self.set_field("%ctx", Context, "handlers", where)

    def _raise(self, stub: str, what: str) -> None:
        self._stand_here()
        types = ", ".join([word.split()[0] for word in what.split(", ")])
        self.module.declare(stub, f"declare void @{stub}(ptr, ptr, ptr, {types})")
        where = "ptr %ctx, ptr %inst, ptr %fp"
        self.f.do(f"call void @{stub}({where}, {what}) {notes.STOP}{self.position}")
        self.f.end("unreachable")

    def branch_table(self, index: Value, count: Value) -> None:
        raise AssertionError("labels are the business of whoever reads the code")

    # Objects.

    def invoke_frame(
        self, kernel: str, first: Value, size: Value, ref_first: Value, ref_end: Value, *args: Value
    ) -> Value:
        at, end = int(first.text), int(first.text) + int(size.text)
        while at < end:
            letter = self.variables.letters(at)
            if self.catches or at in self.variables.kept:
                at += 8
            elif len(letter) == 1:
                self.store_frame(at, self.read(letter, at))
                at += 16 if letter == "v" else 8
            else:
                self.variables.unclear.update((at, at + 8) if "v" in letter else (at,))
                at += 8
        places = (
            self._frame_slot(int(first.text)),
            *map(self.ref_slot, (ref_first.text, ref_end.text)),
        )
        pointers = [Value(place, "ptr") for place in ("%ctx", "%inst", *places)]
        found = self.kernel("i64", kernel, *pointers, *args)
        trap, ok = self.f.fresh("trap"), self.f.fresh("ok")
        below = self.sub(found, constant(I64, 1))
        failed = self.lt_u(below, constant(I64, LEAST_RESULT - 1))
        self.f.end(f"br {failed}, label %{trap}, label %{ok}{notes.UNLIKELY}")
        self.f.label(trap)
        self.leave(self.trunc(I32, found).text)
        self.f.label(ok)
        return found

    # Moves.

    def _move_refs(self, slot: Value, to: Value, size: Value) -> None:
        if size.text == "0" or slot.text == to.text:
            return
        source, target = self.ref_slot(slot.text), self.ref_slot(to.text)
        self.words(
            target, self.f.ins(f"getelementptr i8, ptr {target}, {self.zext(I64, size)}"), source
        )

    def move(
        self, slot: Value, to: Value, size: Value, ref_slot: Value, ref_to: Value, ref_size: Value
    ) -> None:
        start, distance = int(slot.text), int(to.text) - int(slot.text)
        moved = []
        at, end, may_be_half = start, start + int(size.text), False
        while at < end:
            letters = self.variables.letters(at)
            values = [(letter, self.read(letter, at)) for letter in letters]
            is_unclear = len(values) != 1 or may_be_half
            is_kept = self.catches or at + distance in self.variables.kept
            word = self.word_in(at) if is_unclear and is_kept else None
            moved.append((at + distance, values, is_unclear, word))
            may_be_half = is_unclear and "v" in letters
            at += 16 if letters == "v" and not is_unclear else 8
        for at, values, is_unclear, word in moved:
            if is_unclear:
                self.write_unclear(at, values, word)
            else:
                ((letter, value),) = values
                self.write(letter, at, value)
        self._move_refs(ref_slot, ref_to, ref_size)

    def zero(self, slot: Value, size: Value) -> None:
        # Locals that are used are cleared where the function begins.
        pass
