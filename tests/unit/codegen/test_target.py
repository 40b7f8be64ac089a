"""The target, and that LLVM lays structs out as the kernel language does."""

import os
import platform
import subprocess
import sys

import llvmlite.binding as llvm  # noqa: TID251
import pytest

from runwell.codegen.target import host_target, target_machine
from runwell.kernel.types import ArrayType, StructType, Type
from runwell.runtime import layout

STRUCTS = [s for s in vars(layout).values() if isinstance(s, StructType)]


def body(of: Type) -> str:
    """The type as LLVM would lay it out by itself."""
    if isinstance(of, StructType):
        return f"{{ {', '.join(body(f.type) for f in of.fields.values())} }}"
    if isinstance(of, ArrayType):
        return f"[{of.count} x {body(of.of)}]"
    return of.memory_ir


@pytest.mark.parametrize("struct", STRUCTS, ids=str)
def test_layout(struct):
    target, name = host_target(), f"of.{struct}"  # the names of types are global to LLVM
    text = (
        f'target datalayout = "{target.datalayout}"\n'
        f"%{name} = type {body(struct)}\n@x = global %{name} zeroinitializer\n"
    )
    of = llvm.parse_assembly(text).get_struct_type(name)
    data = target_machine(2).target_data
    for field in struct.fields.values():
        assert data.get_element_offset(of, field.position) == field.offset
    assert data.get_abi_size(of) == struct.size
    assert data.get_abi_alignment(of) == struct.align


def test_host():
    target = host_target()
    assert target.triple.split("-")[0] in target.triple
    assert target.datalayout.startswith("e-")


COUNT = (
    """
from runwell.codegen.object import compile_text
text = """
    + """'''
declare i64 @llvm.ctpop.i64(i64)
define i64 @f(i64 %x) {
  %y = call i64 @llvm.ctpop.i64(i64 %x)
  ret i64 %y
}
'''
print(compile_text(text, 2).hex())
"""
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names processors of x86-64")
def test_another_processor_of_the_environment():
    objects = {}
    for cpu in ("x86-64", "x86-64-v2"):
        environment = os.environ | {"RUNWELL_CPU": cpu}
        command = [sys.executable, "-c", COUNT]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        objects[cpu] = done.stdout
    popcnt = "f3480fb8"
    assert popcnt not in objects["x86-64"]
    assert popcnt in objects["x86-64-v2"]
