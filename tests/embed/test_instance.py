"""``runwell.Instance``: linking, exports, running."""

import copy
import gc
import pickle

import pytest

import runwell

F = '(import "env" "f" (func (param i32) (result i32)))'


def test_exports_by_attribute_and_item(make):
    exports = make('(func (export "a")) (func (export "a b")) (memory (export "m") 1)').exports
    assert list(exports) == ["a", "a b", "m"]
    assert len(exports) == 3
    assert "a b" in exports
    assert "c" not in exports
    assert exports.a is exports["a"]
    assert exports["a b"]() is None
    assert {"a", "a b", "m"} <= set(dir(exports))
    assert repr(exports) == "<runwell.Exports: a, a b, m>"
    with pytest.raises(AttributeError, match="'c'"):
        exports.c()
    with pytest.raises(KeyError):
        exports["c"]
    assert not hasattr(exports, "c")


def test_exports_cannot_be_changed(make):
    exports = make('(func (export "f"))').exports
    with pytest.raises(AttributeError):
        exports.f = 1
    with pytest.raises(AttributeError):
        exports.g = 1
    with pytest.raises(AttributeError):
        del exports.f


@pytest.mark.parametrize("first", ["a", "_native", "keys"])
def test_exports_with_the_names_of_attributes(make, first):
    names = ["a", "_native", "_entries", "__class__", "__dict__", "__init__", "keys", ""]
    text = "".join(
        f'(func (export "{name}") (result i32) (i32.const {i}))' for i, name in enumerate(names)
    )
    exports = make(text).exports
    getattr(exports, first)
    assert [exports[name]() for name in names] == list(range(len(names)))
    assert list(exports) == names
    assert isinstance(exports, runwell.Exports)


def test_many_exports(make):
    text = "".join(f'(func (export "f{i}") (result i32) (i32.const {i}))' for i in range(300))
    exports = make(text).exports
    assert exports.f299() == 299
    assert exports["f298"]() == 298
    assert exports.f299 is exports["f299"]
    with pytest.raises(AttributeError):
        exports.f300()


def test_an_export_under_two_names_is_one_object(make):
    exports = make('(func $f (export "a") (export "b"))').exports
    assert exports.a is exports.b


@pytest.mark.parametrize(
    ("imports", "message"),
    [
        (None, "unknown import 'env'.'f'"),
        ({}, "unknown import 'env'.'f'"),
        ({"env": {}}, "unknown import 'env'.'f'"),
        ({"other": {"f": abs}}, "unknown import 'env'.'f'"),
        ({"env": {"f": 5}}, "incompatible import type for 'env'.'f'"),
    ],
)
def test_missing_or_wrong_imports(make, imports, message):
    with pytest.raises(runwell.LinkError, match=rf"^{message}"):
        make(F, imports)


def test_externs_of_the_wrong_kind_or_type(make):
    for value in (
        runwell.Memory(1),
        runwell.Table("funcref", 1),
        runwell.Global("i32", 1),
        runwell.Func(abs, "(i64) -> i32"),
    ):
        with pytest.raises(runwell.LinkError, match=r"^incompatible import type for 'env'.'f'"):
            make(F, {"env": {"f": value}})
    with pytest.raises(runwell.LinkError, match=r"^incompatible import type"):
        make('(import "m" "m" (memory 2))', {"m": {"m": runwell.Memory(1)}})
    with pytest.raises(runwell.LinkError, match=r"^incompatible import type"):
        make('(import "m" "m" (memory 1))', {"m": {"m": abs}})
    with pytest.raises(runwell.LinkError, match=r"^incompatible import type"):
        make('(import "m" "g" (global (mut i32)))', {"m": {"g": runwell.Global("i32", 1)}})


def test_namespaces(make):
    provider = make('(func (export "f") (param i32) (result i32) (i32.const 9))')
    text = F + '(export "g" (func 0))'
    for namespace in (provider, provider.exports, {"f": provider.exports.f}):
        assert make(text, {"env": namespace}).exports.g(1) == 9
    for namespace in (5, "f", [abs]):
        with pytest.raises((TypeError, runwell.LinkError)):
            make(text, {"env": namespace})


def test_an_imported_function_stays_the_same_object(make):
    provider = make('(func (export "f") (param i32) (result i32) (i32.const 9))')
    importer = make(F + '(export "g" (func 0))', {"env": provider})
    assert importer.exports.g is provider.exports.f
    host = runwell.Func(abs, "(i32) -> i32")
    assert make(F + '(export "g" (func 0))', {"env": {"f": host}}).exports.g is host


def test_calls_between_instances(make):
    one = make(
        """(memory 1) (data (i32.const 0) "\\07")
        (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0)))"""
    )
    two = make(
        F
        + """(memory 1) (data (i32.const 0) "\\09")
        (func (export "g") (param i32) (result i32)
          (i32.add (i32.mul (call 0 (local.get 0)) (i32.const 10))
                   (i32.load8_u (local.get 0))))""",
        {"env": one},
    )
    assert two.exports.g(0) == 79
    assert two.exports.g(1) == 0


def test_traps_in_other_instances_name_all_frames(make):
    one = make(
        """(func $inner (export "f") (param i32) (result i32)
        (i32.div_s (i32.const 1) (local.get 0)))"""
    )
    two = make(
        F + '(func $outer (export "g") (param i32) (result i32) (call 0 (local.get 0)))',
        {"env": one},
    )
    with pytest.raises(runwell.Trap, match=r"^integer divide by zero") as caught:
        two.exports.g(0)
    assert [frame.name for frame in caught.value.backtrace] == ["inner", "outer"]


def test_start_functions(make):
    seen = []
    text = """(import "env" "log" (func $log (param i32)))
    (start $s) (func $s (call $log (i32.const 3)))"""
    make(text, {"env": {"log": seen.append}})
    assert seen == [3]
    with pytest.raises(runwell.Trap, match=r"^unreachable"):
        make("(start $s) (func $s unreachable)")

    def fail(x):
        raise KeyError(x)

    with pytest.raises(KeyError):
        make(text, {"env": {"log": fail}})


def test_segments_out_of_bounds(make):
    with pytest.raises(runwell.Trap, match=r"^out of bounds memory access"):
        make('(memory 1) (data (i32.const 65536) "x")')
    with pytest.raises(runwell.Trap, match=r"^out of bounds table access"):
        make("(table 1 funcref) (func $f) (elem (i32.const 1) $f)")


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"module must be a runwell.Module, not bytes"):
        runwell.Instance(b"\0asm\1\0\0\0")


def test_running_what_is_no_command(make):
    with pytest.raises(runwell.RunwellError, match="does not export _start"):
        make("").run()


def test_running_a_command_without_wasi(make):
    assert make('(func (export "_start"))').run() == 0


def test_instances_are_not_for_pickling(make):
    instance = make('(func (export "f"))')
    for thing in (instance, instance.exports, instance.exports.f):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing)
        with pytest.raises(TypeError):
            copy.copy(thing)
        with pytest.raises(TypeError):
            copy.deepcopy(thing)


def test_unbounded_recursion_is_an_exhaustion(make):
    exports = make(
        '(func $f (export "f") (call $f)) (func (export "g") (result i32) (i32.const 1))'
    )
    for _ in range(2):
        with pytest.raises(runwell.ExhaustionError, match=r"^call stack exhausted") as caught:
            exports.exports.f()
        assert len(caught.value.backtrace) < 100
        assert exports.exports.g() == 1


def test_a_backtrace_outlives_the_instance(make):
    instance = make('$m (func $inner unreachable) (func (export "outer") (call $inner))')
    with pytest.raises(runwell.Trap) as caught:
        instance.exports.outer()
    del instance
    gc.collect()
    frames = caught.value.backtrace
    assert [(frame.module, frame.name) for frame in frames] == [("m", "inner"), ("m", "outer")]
    assert all(frame.offset for frame in frames)


def test_imports_in_order():
    module = runwell.Module(
        '(module (import "a" "f" (func (result i32))) (import "a" "f" (global i32))'
        ' (export "f" (func 0)) (export "g" (global 0)))'
    )
    exports = runwell.Instance(module, [lambda: 3, 5]).exports
    assert (exports.f(), exports.g.value) == (3, 5)
    with pytest.raises(runwell.LinkError, match="2 imports wanted, 1 given"):
        runwell.Instance(module, [lambda: 3])
    with pytest.raises(runwell.LinkError, match="unknown import"):
        runwell.Instance(module, [lambda: 3, None])
