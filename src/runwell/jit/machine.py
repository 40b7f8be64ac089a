"""The machine of compiled code: the part that needs no knowledge of the function around.

Everything is text with names that the function's beginning defines: ``%ctx``, ``%inst``, ``%fp``
as in ``convention``; ``%rp`` the reference frame; ``%mem`` the base of memory 0; ``%memory.N`` and
``%base.N`` of checked memory N the struct and its base.

A guarded access that is outside faults.  It is *volatile*: LLVM must not drop it though nobody
wants the value, nor exchange it with a store, because the trap and what was stored before it can
both be seen from outside.
"""

from runwell.base.traps import TrapCode
from runwell.base.types import I32, I64, ValType
from runwell.codegen.machine import VECTOR, Value, constant, ir_type
from runwell.codegen.object_machine import ObjectMachine
from runwell.isa.machine import Type
from runwell.jit import notes
from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import as_struct, sizeof
from runwell.runtime.layout import Context, FuncCode, FuncRef, Instance, Memory, Table


class Fragment(FunctionText):
    """Some instructions of a function, whose names all have a suffix of their own."""

    def __init__(self, suffix: str) -> None:
        super().__init__("", [])
        self.suffix, self._number = suffix, 0

    def fresh(self, stem: str = "t") -> str:
        """A name that nothing else has."""
        self._number += 1
        return f"{stem}{self.suffix}.{self._number}"

    @property
    def lines(self) -> list[str]:
        """The instructions, as text."""
        return self._body


class NativeMachine(ObjectMachine):
    """Meaning as compiled code.

    Attributes:
        position: what is attached to whatever may trap, so that its place is known.
        memory: number of the memory that is accessed and checked, as text; "" in guard mode.
        uses_refs: was ``%rp`` used?
        uses_memory: was ``%mem`` used?
        uses_top: were ``%top`` and ``%ref.top`` used, the ends of the frames?
    """

    def __init__(
        self, f: FunctionText, module: ModuleText, *, arch: str = "", position: str = ""
    ) -> None:
        super().__init__(f, module, arch=arch)
        self.position = position
        self.memory = ""
        self.uses_refs = self.uses_memory = self.uses_top = False
        self.volatile = "volatile "

    # Calls to the core.

    def kernel(self, ir: str, name: str, *args: Value, attrs: str = "") -> Value:
        """Call a kernel."""
        self.module.declare(name, f"declare {ir} @{name}({', '.join([a.type for a in args])})")
        call = f"call {ir} @{name}({', '.join(map(str, args))}){attrs}{self.position}"
        if ir == "void":
            self.f.do(call)
            return Value("", ir)
        return self.emit(ir, call)

    def invoke_value(self, ty: ValType, kernel: str, *args: Value) -> Value:
        return self.kernel(ir_type(ty), kernel, Value("%inst", "ptr"), *args)

    def invoke(self, kernel: str, *args: Value) -> None:
        self.trap_unless_zero(self.invoke_value(I32, kernel, *args))

    def invoke_blocking(self, kernel: str, *args: Value) -> Value:
        # It may call the host, and that the guest: above this function's frames.
        self.uses_top = True
        for name, value in (("top", "ptr %top"), ("ref_top", "ptr %ref.top")):
            where = self._field("%ctx", Context, name)
            self.f.do(f"store {value}, ptr {where}, align 8{notes.MACHINE}")
        where = self._field("%ctx", Context, "frames_left")
        self.f.do(f"store i32 %left, ptr {where}, align 4{notes.MACHINE}")
        context, instance = Value("%ctx", "ptr"), Value("%inst", "ptr")
        both = self.kernel("i64", f"native_{kernel}", context, instance, *args)
        self.trap_unless_zero(self.trunc(I32, self.shr_u(both, constant(I64, 32))))
        return self.trunc(I32, both)

    # Traps.

    def leave(self, code: str) -> None:
        """Trap with a code, of type ``i32``."""
        name = "native_trap"
        self.module.declare(name, f"declare void @{name}(ptr, ptr, ptr, i32)")
        where = "ptr %ctx, ptr %inst, ptr %fp"
        self.f.do(f"call void @{name}({where}, i32 {code}) {notes.STOP}{self.position}")
        self.f.end("unreachable")

    def on_trap(self, code: TrapCode) -> None:
        self.leave(str(int(code)))

    def trap(self, code: TrapCode) -> None:
        self.on_trap(code)

    def unlikely(self) -> str:
        return notes.UNLIKELY

    def trap_unless_zero(self, code: Value) -> None:
        """Trap with a code unless it is 0."""
        trap, ok = self.f.fresh("trap"), self.f.fresh("ok")
        failed = self.f.ins(f"icmp ne {code}, 0")
        self.f.end(f"br i1 {failed}, label %{trap}, label %{ok}{notes.UNLIKELY}")
        self.f.label(trap)
        self.leave(code.text)
        self.f.label(ok)

    # Memory.

    def attached(self) -> str:
        return (notes.GUEST if self.checked else notes.SEEN) + self.position

    def use_memory(self, index: Value) -> None:
        """Check accesses, which are to memory ``index``."""
        self.checked, self.volatile, self.memory = True, "", index.text

    def memory_base(self) -> str:
        if self.memory:
            return f"%base.{self.memory}"
        self.uses_memory = True
        return "%mem"

    def memory_bytes(self) -> str:
        return self.field_value("i64", f"%memory.{self.memory}", Memory, "bytes")

    # Floats.  LLVM takes it as its right not to make a signalling NaN quiet where it finds that an
    # operation does nothing else.

    def demote(self, ty: Type, a: Value) -> Value:
        return super().demote(ty, self.opaque(a))

    # Without its passes LLVM ends the process over lanes that it finds to be converted zeros.

    def convert_s(self, ty: Type, a: Value) -> Value:
        return super().convert_s(ty, self.opaque(a))

    def convert_u(self, ty: Type, a: Value) -> Value:
        return super().convert_u(ty, self.opaque(a))

    def opaque(self, value: Value) -> Value:
        """The same float, or lanes of 32 bits; LLVM does not know where they come from."""
        if value.type not in ("float", "double", VECTOR):
            return value
        place = "w" if self.arch == "aarch64" else "x"
        return self.emit(value.type, f'call {value.type} asm "", "={place},0"({value})')

    # The machine's structs.

    def _field(self, base: str, of: object, name: str) -> str:
        offset = as_struct(of).offset(name)
        return self.f.ins(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base

    def field_value(
        self, ir: str, base: str, of: object, name: str, note: str = notes.MACHINE
    ) -> str:
        return self.f.ins(f"load {ir}, ptr {self._field(base, of, name)}, align 8{note}")

    def set_field(self, base: str, of: object, name: str, value: str) -> None:
        """Store a pointer in a struct."""
        self.f.do(f"store ptr {value}, ptr {self._field(base, of, name)}, align 8{notes.MACHINE}")

    def _element(self, array: str, index: Value, stride: int = 8) -> str:
        """Address of an element of an array that a field of the instance points to."""
        base = self.field_value("ptr", "%inst", Instance, array, notes.CONSTANT)
        scaled = self.emit("i64", f"mul nuw {self.zext(I64, index)}, {stride}")
        return self.f.ins(f"getelementptr i8, ptr {base}, {scaled}")

    def pointee(self, array: str, index: Value) -> str:
        """An element, which never changes, of an array of pointers of the instance."""
        where = self._element(array, index)
        return self.f.ins(f"load ptr, ptr {where}, align 8{notes.CONSTANT}")

    # The reference frame.

    def ref_slot(self, offset: str) -> str:
        """Address of a slot of the reference frame."""
        self.uses_refs = True
        return self.f.ins(f"getelementptr i8, ptr %rp, i64 {offset}")

    def read_ref(self, offset: str) -> Value:
        """A reference in the frame."""
        return self.emit("i64", f"load i64, ptr {self.ref_slot(offset)}, align 8{notes.REFERENCE}")

    def write_ref(self, offset: str, value: Value) -> None:
        """Put a reference into the frame."""
        self.f.do(f"store {value}, ptr {self.ref_slot(offset)}, align 8{notes.REFERENCE}")

    def zero_refs(self, slot: Value, size: Value) -> None:
        start = self.ref_slot(slot.text)
        end = self.f.ins(f"getelementptr i8, ptr {start}, {self.zext(I64, size)}")
        limit = self.field_value("ptr", "%ctx", Context, "refs_end")
        self.trap_if(self.emit("i1", f"icmp ugt ptr {end}, {limit}"), TrapCode.STACK_EXHAUSTED)
        self.words(start, end, None)

    def words(self, start: str, end: str, source: str | None) -> None:
        """Fill what is between two addresses, from a source above or with zeros, upward."""
        loop, done, before = self.f.fresh("loop"), self.f.fresh("done"), self.f.fresh("before")
        self.f.label(before)
        at, following = "%" + self.f.fresh("at"), "%" + self.f.fresh("following")
        distance = ""
        if source is not None:
            ends = [self.f.ins(f"ptrtoint ptr {x} to i64") for x in (source, start)]
            distance = self.f.ins(f"sub i64 {ends[0]}, {ends[1]}")
        self.f.label(loop)
        entry = self.f.fresh("entry")
        self.f.do(f"{at} = phi ptr [ {start}, %{before} ], [ {following}, %{entry} ]")
        none = self.f.ins(f"icmp uge ptr {at}, {end}")
        self.f.end(f"br i1 {none}, label %{done}, label %{entry}")
        self.f.label(entry)
        value = "0"
        if distance:
            where = self.f.ins(f"getelementptr i8, ptr {at}, i64 {distance}")
            value = self.f.ins(f"load i64, ptr {where}, align 8{notes.REFERENCE}")
        self.f.do(f"store i64 {value}, ptr {at}, align 8{notes.REFERENCE}")
        self.f.do(f"{following} = getelementptr i8, ptr {at}, i64 8")
        self.f.end(f"br label %{loop}")
        self.f.label(done)

    def enter_big(self, size: Value) -> None:
        end = self.f.ins(f"getelementptr i8, ptr %fp, {self.zext(I64, size)}")
        limit = self.field_value("ptr", "%ctx", Context, "stack_end")
        self.trap_if(self.emit("i1", f"icmp ugt ptr {end}, {limit}"), TrapCode.STACK_EXHAUSTED)

    def ref_frame(self, delta: Value) -> None:
        # Calls restore the frame themselves.
        pass

    # The instance.

    def _cell(self, offset: Value, *, far: bool) -> str:
        cell = self.f.ins(f"getelementptr i8, ptr %inst, {self.zext(I64, offset)}")
        return self.f.ins(f"load ptr, ptr {cell}, align 8{notes.CONSTANT}") if far else cell

    def global_get(self, ty: ValType, cell: Value, *, far: bool) -> Value:
        ir, where = ir_type(ty), self._cell(cell, far=far)
        return self.emit(ir, f"load {ir}, ptr {where}, align 8{notes.GLOBAL}")

    def global_set(self, ty: ValType, cell: Value, value: Value, *, far: bool) -> None:
        where = self._cell(cell, far=far)
        if value.type == "float":
            # Cells are written whole, as the interpreter reads them.
            value = self.emit("i32", f"bitcast {value} to i32")
        if value.type == "i32":
            value = self.zext(I64, value)
        self.f.do(f"store {value}, ptr {where}, align 8{notes.GLOBAL}")

    def memory_size(self, memory: Value) -> Value:
        return Value(
            self.field_value("i64", self.pointee("memories", memory), Memory, "pages"), "i64"
        )

    def table_size(self, table: Value) -> Value:
        return Value(self.field_value("i64", self.pointee("tables", table), Table, "size"), "i64")

    def _table_slot(self, table: Value, index: Value) -> str:
        at = self.pointee("tables", table)
        elements = self.field_value("ptr", at, Table, "elements", notes.CONSTANT)
        return self.f.ins(f"getelementptr i64, ptr {elements}, {index}")

    def table_get(self, table: Value, index: Value) -> Value:
        where = self._table_slot(table, index)
        return self.emit("i64", f"load i64, ptr {where}, align 8{notes.TABLE}")

    def table_set(self, table: Value, index: Value, value: Value) -> None:
        where = self._table_slot(table, index)
        self.f.do(f"store {value}, ptr {where}, align 8{notes.TABLE}")

    def func_ref(self, func: Value) -> Value:
        return self.emit("i64", f"ptrtoint ptr {self.pointee('funcs', func)} to i64")

    def code_of(self, func: Value) -> str:
        """The ``FuncCode`` of a function of the instance's module."""
        return self._element("codes", func, sizeof(FuncCode))

    def check_func(self, ref: Value, type_: Value) -> None:
        at = self.f.ins(f"inttoptr {ref} to ptr")
        found = Value(self.field_value("i32", at, FuncRef, "type"), "i32")
        other, ok = self.f.fresh("other"), self.f.fresh("ok")
        differs = self.ne(found, type_)
        self.f.end(f"br {differs}, label %{other}, label %{ok}{notes.UNLIKELY}")
        self.f.label(other)
        supers = Value(self.field_value("ptr", at, FuncRef, "supers"), "ptr")
        text = f"call i1 @is_among({type_}, {supers}) {notes.RARELY}{self.position}"
        found_there, wrong = self.f.ins(text), self.f.fresh("wrong")
        self.f.end(f"br i1 {found_there}, label %{ok}, label %{wrong}")
        self.f.label(wrong)
        self.on_trap(TrapCode.INDIRECT_CALL_TYPE_MISMATCH)
        self.f.label(ok)

    def charge(self, amount: Value) -> None:
        raise AssertionError("fuel is the business of whoever knows the function")

    # Exceptions in cells.

    def _read_exception(self, cell: str, end: Value) -> Value:
        where = Value(self.ref_slot(end.text), "ptr")
        return self.kernel("i64", "exception_read", Value("%ctx", "ptr"), Value(cell, "ptr"), where)

    def exception_get(self, cell: Value, end: Value, *, far: bool) -> Value:
        return self._read_exception(self._cell(cell, far=far), end)

    def exception_set(self, cell: Value, value: Value, *, far: bool) -> None:
        self.kernel("void", "exception_put", Value(self._cell(cell, far=far), "ptr"), value)

    def table_get_exception(self, table: Value, index: Value, end: Value) -> Value:
        return self._read_exception(self._table_slot(table, index), end)

    def table_set_exception(self, table: Value, index: Value, value: Value) -> None:
        where = Value(self._table_slot(table, index), "ptr")
        self.kernel("void", "exception_put", where, value)

    # Objects.

    def object_get_exception(self, ref: Value, offset: Value, end: Value) -> Value:
        return self._read_exception(self.place(ref, offset), end)

    def object_set_exception(self, ref: Value, offset: Value, value: Value) -> None:
        where = Value(self.place(ref, offset), "ptr")
        self.kernel("void", "exception_put_in_object", where, value)

    # The engine's own places are never compiled.

    def stub(self, name: str) -> None:
        self.on_trap(TrapCode.INTERNAL)
