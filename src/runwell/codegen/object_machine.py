"""The verbs that look into objects, which are the same in every engine that compiles."""

from runwell.codegen.machine import LlvmMachine, Value, ir_type
from runwell.isa.machine import ControlMachine, Type

# The symbol of zeros that stand for the type of what is no object.
NO_OBJECT = "no_object"


class ObjectMachine(LlvmMachine, ControlMachine[Value]):
    """The part of a ``ControlMachine`` that needs no more than addresses."""

    def place(self, at: Value, offset: Value) -> str:
        """Where a reference or address plus an offset says, an LLVM ``ptr``."""
        base = self.f.ins(f"inttoptr {at} to ptr")
        return self.f.ins(f"getelementptr i8, ptr {base}, {offset}")

    def peek(self, ty: Type, at: Value, offset: Value) -> Value:
        ir = ir_type(ty)
        return self.emit(ir, f"load {ir}, ptr {self.place(at, offset)}, align {_align(ir)}")

    def poke(self, ty: Type, at: Value, offset: Value, value: Value) -> None:
        cell = self._narrow(ty, value)
        self.f.do(f"store {cell}, ptr {self.place(at, offset)}, align {_align(cell.type)}")

    def zeros(self) -> Value:
        self.module.declare(NO_OBJECT, f"@{NO_OBJECT} = external global i64")
        return self.emit("i64", f"ptrtoint ptr @{NO_OBJECT} to i64")


def _align(ir: str) -> int:
    """How a value of an LLVM type is aligned in an object."""
    return {"i8": 1, "i16": 2, "i32": 4, "float": 4}.get(ir, 8)
