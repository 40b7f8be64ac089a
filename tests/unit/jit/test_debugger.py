"""What a debugger sees of compiled code (how it is told: ``test_installed``)."""

import os
import re
import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
import runwell
from runwell.codegen.object import compile_text
from runwell.elf.movable_maker import make_movable
from runwell.jit.installed import install
from tests.unit.jit.jobs import debug_text

BODY = '''
@number = internal constant i64 7
define i64 @f1(i64 %x) nounwind noinline !dbg !10 {
  %a = mul i64 %x, 7, !dbg !20
  %b = call i64 @f0(i64 %a), !dbg !21
  %c = add i64 %b, %x, !dbg !22
  ret i64 %c, !dbg !22
}
define i64 @f0(i64 %x) alwaysinline nounwind !dbg !11 {
  %d = load volatile i64, ptr @number, !dbg !23
  store volatile i64 %d, ptr inttoptr (i64 16 to ptr), !dbg !24
  ret i64 %d, !dbg !25
}
define i64 @f2(i64 %x) nounwind !dbg !12 {
  %b = call i64 @f1(i64 %x), !dbg !26
  %c = add i64 %b, %x, !dbg !26
  ret i64 %c, !dbg !26
}
'''
LINES = {'f1': {20: 102, 21: 103, 22: 104}, 'f0': {23: 12, 24: 13, 25: 14}, 'f2': {26: 1001}}
module = runwell.Module('(module (func) (func) (func))')
code = install(make_movable(compile_text(debug_text(BODY, LINES))), module.code)
ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(code.address_of('f2'))(10)
"""


def test_a_backtrace_through_inlined_functions():
    gdb = shutil.which("gdb")
    if gdb is None:
        pytest.skip("gdb is not installed: nobody to ask")
    command = [
        gdb, "-nx", "-batch", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off",
        "-ex", "run", "-ex", "backtrace 5",
        "--args", sys.executable, "-c", PROGRAM,
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL,
        env={**os.environ, "RUNWELL_GDB": "1"},
    )  # fmt: skip
    if "SIGSEGV" not in done.stdout:
        assert "ptrace" in done.stderr, done.stdout + done.stderr
        pytest.skip("gdb may not trace processes here")
    frames = re.findall(r"^#\d .*?(f\d) \(.*\) at m:(\d+)$", done.stdout, re.MULTILINE)
    assert frames == [("f0", "13"), ("f1", "103"), ("f2", "1001")], done.stdout + done.stderr
    assert "Unsupported JIT protocol" not in done.stdout + done.stderr
