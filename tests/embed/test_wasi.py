"""Commands and libraries that use WASI."""

import io

import pytest

import runwell

EXIT = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const {})) unreachable))"""
HELLO = r"""(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 8))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))"""


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_codes(code):
    instance = runwell.Instance(runwell.Module(EXIT.format(code)), wasi=runwell.WasiConfig())
    assert instance.run() == code


def test_output():
    out = io.BytesIO()
    instance = runwell.Instance(runwell.Module(HELLO), wasi=runwell.WasiConfig(stdout=out))
    assert instance.run() == 0
    assert out.getvalue() == b"hello\n"


def test_imports_go_before_wasi():
    seen = []

    def write(*args):
        seen.append(args)
        return 0

    imports = {"wasi_snapshot_preview1": {"fd_write": write}}
    module = runwell.Module(HELLO)
    assert runwell.Instance(module, imports, wasi=runwell.WasiConfig()).run() == 0
    assert seen == [(1, 0, 1, 100)]


def test_without_wasi_its_imports_are_unknown():
    with pytest.raises(runwell.LinkError, match=r"^unknown import 'wasi_snapshot_preview1'"):
        runwell.Instance(runwell.Module(HELLO))


def test_traps_of_commands():
    module = runwell.Module('(module (func (export "_start") unreachable))')
    with pytest.raises(runwell.Trap, match=r"^unreachable"):
        runwell.Instance(module, wasi=runwell.WasiConfig()).run()


def test_a_library_prepares_itself():
    module = runwell.Module(
        """(module (global $n (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $n (i32.const 7)))
        (func (export "n") (result i32) (global.get $n)))"""
    )
    assert runwell.Instance(module, wasi=runwell.WasiConfig()).exports.n() == 7
    assert runwell.Instance(module).exports.n() == 0
