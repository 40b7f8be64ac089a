"""Modules loaded in one step, by ``import``, and what passes strings to them."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import runwell

SOURCES = Path(runwell.__file__).parents[1]
GREETER = """
(module
  (import "env" "shout" (func $shout (param i32 i32)))
  (import "env" "class" (global i32))
  (memory (export "memory") 1 2)
  (global $next (mut i32) (i32.const 16))
  (func (export "malloc") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 60000)) (then (return (i32.const 0))))
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "free") (param $address i32) (global.set $next (local.get $address)))
  (func (export "greet-all") (param $address i32) (param $size i32) (result i32)
    (call $shout (local.get $address) (local.get $size))
    (global.get 0))
  (func (export "pair") (param f64) (result f64 i64) (local.get 0) (i64.const -1)))
"""
WASI = """
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "count") (result i32)
    (drop (call $sizes (i32.const 0) (i32.const 4))) (i32.load (i32.const 0))))
"""


def _greeter(shout):
    instance = runwell.load(GREETER, {"env": {"shout": shout, "class": 5}})
    return instance, runwell.Allocator(instance)


def test_load_takes_what_modules_and_instances_take(tmp_path):
    file = tmp_path / "adder.wat"
    file.write_text('(module (func (export "one") (result i32) (i32.const 1)))')
    assert runwell.load(file).exports.one() == 1
    with pytest.raises(runwell.LinkError, match="unknown import"):
        runwell.load(GREETER)


def test_a_loaded_guest_of_wasi_sees_nothing():
    assert runwell.load(WASI).exports.count() == 0
    wasi = runwell.WasiConfig(args=["one", "two"])
    assert runwell.load(WASI, wasi=wasi).exports.count() == 2


def test_texts_go_to_the_guest_and_come_back():
    heard = []
    instance, texts = _greeter(lambda *span: heard.append(texts.text(*span)))
    with texts.lend("héllo") as (address, size):
        assert size == 6
        assert instance.exports["greet-all"](address, size) == 5
    with texts.lend(b"ab", terminated=True) as (address, size):
        assert (texts.text(address), texts.data(address, 3), size) == ("ab", b"ab\0", 2)
        lent = address
    assert heard == ["héllo"]
    assert texts.new(b"") == (lent, 0)  # it was freed


def test_texts_that_do_not_end_or_do_not_fit():
    instance, texts = _greeter(print)
    memory = instance.exports.memory
    memory.write(65530, b"\xff" * 6)
    for address in (65530, 65536, -1):
        with pytest.raises(IndexError):
            texts.text(address)
    memory.write(0, b"x" * 1000 + b"\0")
    assert texts.text(0) == "x" * 1000
    with pytest.raises(MemoryError, match="60001"):
        texts.new(bytes(60001))


@pytest.mark.parametrize(
    ("exports", "error"),
    [
        ("", "no memory"),
        ('(memory (export "memory") 1)', "no allocator"),
    ],
)
def test_a_guest_without_allocator(exports, error):
    with pytest.raises(runwell.RunwellError, match=error):
        runwell.Allocator(runwell.load(f"(module {exports})"))


def test_allocators_of_other_shapes():
    for params, name in (("i32 i32", "alloc"), ("i32 i32 i32 i32", "cabi_realloc")):
        guest = runwell.load(
            f'(module (memory (export "memory") 1)'
            f' (func (export "{name}") (param {params}) (result i32) (i32.const 8)))'
        )
        texts = runwell.Allocator(guest)
        with texts.lend("abc") as (address, size):
            assert (address, texts.data(8, size)) == (8, b"abc")
    with pytest.raises(runwell.RunwellError, match="'release'"):
        runwell.Allocator(guest, "cabi_realloc", "release")


def _python(code, folder):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": f"{SOURCES}:{folder}", "PATH": ""},
    )


def test_import_finds_modules(tmp_path):
    (tmp_path / "greeter.wat").write_text(GREETER)
    (tmp_path / "env.py").write_text("shout = print\n\nglobals()['class'] = 9\n")
    (tmp_path / "broken.wasm").write_bytes(b"\0asm")
    (tmp_path / "lonely.wat").write_text('(module (import "nowhere" "f" (func)))')
    done = _python(
        """
        import runwell.importer
        hook = runwell.importer.install()
        import greeter
        print(greeter.pair(1.5), getattr(greeter, "greet-all")(1, 2), greeter.__instance__.module)
        for name in "broken", "lonely", "missing":
            try:
                __import__(name)
            except ImportError as e:
                print(type(e).__name__, e)
        runwell.importer.uninstall(hook)
        """,
        tmp_path,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:2] == ["1 2", "(1.5, -1) 9 <runwell.Module: 2 imports, 5 exports>"]
    assert "broken.wasm: unexpected end" in lines[2]
    assert "lonely imports 'nowhere'.'f' (func [] -> [])" in lines[3]
    assert lines[4] == "ModuleNotFoundError No module named 'missing'"
