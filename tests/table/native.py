"""The rows' bodies compiled by LLVM, each as a function of its own, run in a worker process."""

import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from runwell.base.traps import TrapCode
from runwell.base.types import I64, ValType
from runwell.codegen.machine import LlvmMachine, Value, ir_type
from runwell.codegen.object import compile_text
from runwell.codegen.target import host_target
from runwell.elf.linker import link
from runwell.isa.op import Op
from runwell.kernel.text import FunctionText, ModuleText

WORKER = Path(__file__).with_name("worker.py")
PARAMS = [("ptr", "inputs"), ("ptr", "result"), ("ptr", "memory"), ("i64", "size")]


class RowMachine(LlvmMachine):
    """Traps by returning the code; memory is a parameter."""

    def on_trap(self, code: TrapCode) -> None:
        self.f.end(f"ret i32 {int(code)}")

    def memory_base(self) -> str:
        return "%memory"

    def memory_bytes(self) -> str:
        return "%size"


def symbol(op: Op, suffix: str = "") -> str:
    return f"row_{op.index}{suffix}"


def wide_inputs(op: Op) -> tuple[ValType, ...]:
    """As ``op.inputs`` where the memory has 64-bit addresses."""
    assert op.inputs is not None
    return (I64, I64, *op.inputs[2:]) if op.width else op.inputs


def function(
    module: ModuleText, name: str, op: Op, inputs: tuple[ValType, ...], arch: str
) -> FunctionText:
    """``i32 name(inputs, result, memory, size)``: the trap code or 0."""
    f = FunctionText(name, PARAMS, "i32", linkage="")
    m = RowMachine(f, module, arch=arch, checked=True)
    values = []
    for i, ty in enumerate(inputs):
        at = f.ins(f"getelementptr i8, ptr %inputs, i64 {16 * i}")
        values.append(Value(f.ins(f"load {ir_type(ty)}, ptr {at}, align 1"), ir_type(ty)))
    result = op.body(m, op.ty, *values)
    if result is not None:
        result = m.flag(result) if op.is_compare else result
        f.do(f"store {result}, ptr %result, align 1")
    f.end("ret i32 0")
    return f


def compile_rows(ops: Iterable[Op]) -> bytes:
    """A shared object with the function of every row."""
    module = ModuleText()
    arch = host_target().triple.partition("-")[0]
    for op in ops:
        module.add_function(function(module, symbol(op), op, op.inputs or (), arch))
        if op.width:
            name = symbol(op, "_wide")
            module.add_function(function(module, name, op, wide_inputs(op), arch))
    return link([compile_text(module.text(), 1)], soname="rows.so")


class Worker:
    """A process that runs the compiled rows; a new one is started after a crash."""

    def __init__(self, library: Path) -> None:
        self.library = library
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, str(WORKER), str(self.library)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, name: str, cases: list, memory: bytes) -> list[tuple[int, int, bytes]]:
        """Trap code, result and memory afterwards of each case.

        Raises:
            AssertionError: the process died.
        """
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            pickle.dump((name, cases, memory), stdin)
            stdin.flush()
            return pickle.load(stdout)
        except (EOFError, BrokenPipeError):
            code = self.process.wait()
            self.close()
            self.process = self._start()
            raise AssertionError(f"{name} ended the process with {code}") from None

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.wait()
