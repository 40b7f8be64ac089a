"""``runwell.Linker``."""

import io

import pytest

import runwell

USER = """(module (import "math" "add" (func $add (param i32 i32) (result i32)))
  (import "env" "base" (global $base i32)) (import "env" "memory" (memory 1))
  (func (export "f") (param i32) (result i32) (call $add (local.get 0) (global.get $base))))"""
MATH = """(module (func (export "add") (param i32 i32) (result i32)
  (i32.add (local.get 0) (local.get 1))) (func (export "zero") (result i32) (i32.const 0)))"""


@pytest.fixture
def linker():
    linker = runwell.Linker()
    linker.define("env", "base", 40)
    linker.define("env", "memory", runwell.Memory(1))
    linker.define_instance("math", runwell.Instance(runwell.Module(MATH)))
    return linker


def test_modules_get_what_is_defined(linker):
    assert linker.instantiate(runwell.Module(USER)).exports.f(2) == 42
    instance = runwell.Instance(runwell.Module(USER), linker.imports)
    assert instance.exports.f(3) == 43


def test_names(linker):
    assert list(linker) == [("env", "base"), ("env", "memory"), ("math", "add"), ("math", "zero")]
    assert len(linker) == 4
    assert linker["env", "base"] == 40
    assert linker["math", "add"](1, 2) == 3
    assert linker.get("math", "add") is linker["math", "add"]
    assert linker.get("math", "sub") is None
    assert linker.get("x", "y", 5) == 5
    assert ("env", "base") in linker
    assert ("env", "x") not in linker
    assert "env" not in linker
    for key in ("env", "x"), ("x", "base"):
        with pytest.raises(KeyError):
            linker[key]
    assert repr(linker) == "<runwell.Linker: 4 names>"


def test_functions_by_decorator(linker):
    @linker.function("math", "sub")
    def subtract(a, b):
        return a - b

    @linker.function("math")
    def twice(a):
        return 2 * a

    assert linker["math", "sub"] is subtract
    text = """(module (import "math" "twice" (func (param i32) (result i32)))
      (export "f" (func 0)))"""
    assert linker.instantiate(runwell.Module(text)).exports.f(4) == 8


def test_names_are_defined_once(linker):
    with pytest.raises(runwell.LinkError, match=r"'env'.'base' is defined already"):
        linker.define("env", "base", 41)
    with pytest.raises(runwell.LinkError, match=r"'math'.'add' is defined already"):
        linker.define("math", "add", max)
    with pytest.raises(runwell.LinkError, match=r"'math'.'add' is defined already"):
        linker.define_instance("math", linker._namespaces["math"].instances[0])
    linker.define_wasi(runwell.WasiConfig())
    with pytest.raises(runwell.LinkError, match="WASI is defined already"):
        linker.define_wasi(runwell.WasiConfig())
    assert linker["env", "base"] == 40


def test_the_latest_definition_counts_if_that_is_allowed(linker):
    linker.allow_shadowing = True
    linker.define("env", "base", 1)
    linker.define("math", "add", lambda a, b: a * b)
    first = linker.instantiate(runwell.Module(USER))
    assert first.exports.f(7) == 7
    linker.define_instance("math", runwell.Instance(runwell.Module(MATH)))
    assert linker.instantiate(runwell.Module(USER)).exports.f(7) == 8
    assert first.exports.f(7) == 7
    assert len(linker) == 4


def test_all_that_is_missing_is_named():
    linker = runwell.Linker()
    linker.define("env", "base", 40)
    with pytest.raises(runwell.LinkError) as caught:
        linker.instantiate(runwell.Module(USER))
    assert str(caught.value) == (
        "unknown imports, 2 of them:\n"
        "  'math'.'add': func [i32 i32] -> [i32]\n"
        "  'env'.'memory': memory 1"
    )


def test_wasi():
    text = """(module (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 16) "hi\\n")
      (data (i32.const 0) "\\10\\00\\00\\00\\03")
      (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
    out = io.BytesIO()
    linker = runwell.Linker()
    linker.define_wasi(runwell.WasiConfig(stdout=out))
    module = runwell.Module(text)
    assert [linker.instantiate(module).run() for _ in range(2)] == [0, 0]
    assert out.getvalue() == b"hi\nhi\n"


@pytest.mark.parametrize("value", [None, "text", [], {}])
def test_what_nothing_can_import(linker, value):
    with pytest.raises(TypeError, match=r"'a'.'b' cannot be a"):
        linker.define("a", "b", value)


def test_instances_only():
    with pytest.raises(TypeError, match=r"must be a runwell.Instance, not dict"):
        runwell.Linker().define_instance("a", {})
