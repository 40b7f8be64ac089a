"""``runwell inspect`` on small modules."""

import argparse
import sys

import pytest

from runwell.base.errors import InvalidError, MalformedError
from runwell.cli.inspect import run
from runwell.codegen.object import compile_text
from runwell.text.parser import parse

TEXT = """(module $m
  (import "env" "log" (func $log (param i32)))
  (func $add (export "sum") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.add)
  (func $start (call $log (i32.const 1)))
  (memory (export "memory") 1 2)
  (global (export "g") (mut i64) (i64.const 0))
  (table 1 funcref)
  (start $start))
"""


@pytest.fixture
def inspect(tmp_path, capsys):
    def do(text=TEXT, *, binary=True, **options):
        path = tmp_path / "m"
        path.write_bytes(parse(text) if binary else text.encode())
        functions = dict.fromkeys(["disassemble", "ir", "llvm", "asm"])
        arguments = {"wat": False, **functions, **options}
        code = run(argparse.Namespace(file=str(path), **arguments))
        captured = capsys.readouterr()
        return code, captured.out.replace(str(path), "m"), captured.err.replace(str(path), "m")

    return do


def test_summary(inspect):
    code, out, _ = inspect()
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"m: {len(parse(TEXT))} bytes"
    assert lines[3].split() == ["type", "0xa", "14", "3"]
    assert any(line.startswith('custom "name"') for line in lines)
    assert lines[-7:] == [
        "imports",
        "  env.log: func [i32] -> []",
        "",
        "exports",
        "  sum: func [i32 i32] -> [i32]",
        "  memory: memory 1 2",
        "  g: global (mut i64)",
    ]
    assert "start: function 2 (start)" in lines


def test_text_is_accepted_too(inspect):
    assert inspect(binary=False)[1] == inspect()[1]


@pytest.mark.parametrize("name", ["1", "sum", "add", "$add"])
def test_disassembly(inspect, name):
    assert inspect(disassemble=name)[1] == (
        "(func $add (type 1) (param i32 i32) (result i32)\n"
        "  local.get 0\n"
        "  local.get 1\n"
        "  i32.add\n"
        ")\n"
    )


def test_register_code(inspect):
    code, out, _ = inspect(ir="add")
    assert code == 0
    assert "i32.add" in out
    assert "return_value" in out


def test_assembly_is_of_this_function_alone(inspect):
    code, out, _ = inspect(asm="add")
    assert code == 0
    lines = out.splitlines()
    assert "f1:" in lines
    assert any("ret" in line for line in lines)
    assert not any(".cfi_" in line or ".debug" in line for line in lines)
    assert not any(line.startswith(("f2:", "check_limit:", "is_among:")) for line in lines)
    assert lines[-1].startswith("\t.size")


def test_assembly_keeps_constants_and_later_entries(inspect):
    text = """(module (tag $t)
      (func (export "f") (param v128) (result v128) (i8x16.swizzle (local.get 0)
        (v128.const i32x4 0x08030201 0x01020304 5 6)))
      (func (export "g") (param i32) (result i32)
        (block $h (try_table (catch $t $h) (throw $t)))
        (i32.const 77)))"""
    constants = inspect(text, asm="f")[1]
    assert ".rodata" in constants
    entries = inspect(text, asm="g")[1]
    assert entries.count("\nf1_at_") == 1
    assert "\nf1:" in entries


def test_llvm_text_compiles_again(inspect):
    code, out, _ = inspect(llvm="sum")
    assert code == 0
    assert " @f1(" in out
    assert " add i" in out
    assert compile_text(out).startswith(b"\x7fELF")


def test_compiled_code_without_a_compiler(inspect, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "llvmlite"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "runwell.codegen.object", raising=False)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    code, out, err = inspect(asm="add")
    assert (code, out) == (69, "")
    assert "pip install llvmlite" in err


def test_wat_parses_back(inspect):
    assert parse(inspect(wat=True)[1]) == parse(TEXT)


@pytest.mark.parametrize(
    ("name", "message"),
    [("9", "no function '9'"), ("nothing", "no function"), ("log", "function 'log' is imported")],
)
@pytest.mark.parametrize("view", ["disassemble", "ir", "llvm", "asm"])
def test_wrong_function(inspect, view, name, message):
    code, _, err = inspect(**{view: name})
    assert code == 64
    assert message in err


def test_bad_modules(inspect):
    with pytest.raises(InvalidError):
        inspect('(module (export "f" (func 0)))')
    with pytest.raises(MalformedError):
        inspect("(module", binary=False)
