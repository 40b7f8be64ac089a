import gc
from array import array

import pytest

from runwell.base.types import EXTERNREF, F32, FUNCREF, I32, I64, V128, FuncType
from runwell.kernel.types import ctype_of, sizeof, u64
from runwell.module.module import Module
from runwell.module.types import SubType
from runwell.runtime import layout
from runwell.runtime.code import REF_FUNC, ModuleCode, slot_bytes
from runwell.runtime.func import object_at
from runwell.runtime.native import native
from runwell.runtime.types import TypeNumber, type_of_number

SOME = """(module
  (type $t (func (param i32 f64 externref) (result v128 i32)))
  (type $n (func))
  (import "a" "f" (func $f (type $t)))
  (import "a" "g" (global $g (mut i64)))
  (memory 1) (memory i64 1) (memory 1 2 shared)
  (table 3 funcref) (table i64 3 externref)
  (global $h f32 (f32.const 1))
  (global $r funcref (ref.func $d))
  (func $a (type $n))
  (func $b (export "b") (param i64))
  (func $c (type $n) (local i32) i32.const 1 drop)
  (func $d (type $n))
  (func $e (type $n))
  (func $s (type $n))
  (elem (i32.const 0) $a)
  (elem funcref (ref.func $e))
  (elem declare func $c)
  (data "abc")
  (start $s))"""


def fields(code, of, address):
    return ctype_of(of).from_address(address)


def words_at(address, count):
    return list(array("I", at(address, 4 * count)))


def at(address, count):
    from ctypes import string_at

    return string_at(address, count)


def test_slot_bytes():
    assert slot_bytes(()) == (0, 0)
    assert slot_bytes((I32, F32, V128, EXTERNREF, FUNCREF, I64)) == (40, 16)


def test_types(prepare):
    code = prepare(SOME)
    n = fields(code, layout.ModuleCode, code.address)
    assert n.n_types == 3
    t = fields(code, layout.TypeCode, n.types)
    assert words_at(t.params, t.n_params) == [I32, 0x7C, EXTERNREF]
    assert words_at(t.results, t.n_results) == [V128, I32]
    assert (t.kind, t.canon, t.parent) == (0, 0, 0)
    assert (t.param_bytes, t.ref_param_bytes, t.result_bytes, t.ref_result_bytes) == (16, 8, 24, 0)
    assert type_of_number(t.number) == code.module.func_type(0)
    u = fields(code, layout.TypeCode, n.types + sizeof(layout.TypeCode))
    assert (u.n_params, u.n_results, u.param_bytes) == (0, 0, 0)
    assert u.number == TypeNumber(FuncType((), ()))


def test_descriptors(prepare):
    code = prepare(SOME)
    n = fields(code, layout.ModuleCode, code.address)
    assert (n.n_functions, n.n_imported_functions) == (7, 1)
    assert (n.n_globals, n.n_imported_globals, n.n_memories, n.n_tables) == (3, 1, 3, 2)
    assert (n.n_elements, n.n_data, n.explicit_bounds) == (3, -1, 0)
    assert words_at(n.global_types, 6) == [I64, 1, F32, 0, FUNCREF, 0]
    assert at(n.memory_flags, 3) == bytes([0, 1 | 4, 2])
    assert words_at(n.table_types, 4) == [FUNCREF, 0, EXTERNREF, 1]
    assert words_at(n.element_types, 3) == [REF_FUNC, FUNCREF, REF_FUNC]
    assert at(n.source, 4) == b"\0asm"
    assert object_at(n.object) is code
    assert n.code == n.code_out < n.code_end


def test_explicit_bounds(prepare):
    code = prepare(SOME, explicit=True)
    n = fields(code, layout.ModuleCode, code.address)
    assert at(n.memory_flags, 3) == bytes([4, 1 | 4, 2 | 4])
    assert n.explicit_bounds == 1


def test_declared_are_the_functions_named_outside_of_bodies(prepare):
    code = prepare(SOME)
    n = fields(code, layout.ModuleCode, code.address)
    assert list(at(n.declared, 7)) == [0, 1, 1, 1, 1, 1, 0]
    assert list(code.referenced) == [1, 2, 3, 4, 5, 6]


def test_functions(prepare):
    code = prepare(SOME)
    module = code.module
    for index in range(7):
        f = fields(code, layout.FuncCode, code.code_address(index))
        assert f.index == index
        assert f.module == code.address
        if index == 0:
            assert (f.entry, f.body) == (0, 0)
            assert (f.param_bytes, f.ref_param_bytes) == (16, 8)
        else:
            span = module.body(index)
            assert f.entry == native.address("stub_translate")
            assert at(f.body, f.body_end - f.body) == module.data[span.start : span.end]
            assert f.param_bytes == (8 if index == 2 else 0)


def test_finding_functions_by_code_address(prepare):
    code = prepare(SOME)
    n = fields(code, layout.ModuleCode, code.address)
    assert native.find_code(code.address, n.code) == 0
    for index, offset in ((3, 0), (1, 100), (6, 200)):
        fields(code, layout.FuncCode, code.code_address(index)).start = n.code + offset
        ctype_of(u64).from_address(n.translated + 8 * n.n_translated).value = code.code_address(
            index
        )
        n.n_translated += 1

    def find(ip):
        found = native.find_code(code.address, ip)
        return fields(code, layout.FuncCode, found).index if found else None

    assert [find(n.code + x) for x in (0, 99, 100, 199, 200)] == [3, 3, 1, 1, 6]
    assert find(n.code - 1) is None
    assert find(n.code_end) is None
    assert find(native.address("stub_translate")) is None
    assert code.contains(n.code)
    assert not code.contains(n.code_end)


def test_an_empty_module(prepare):
    code = prepare("(module)")
    assert code.n_functions == 0
    assert code.numbers == ()


def test_a_module_need_not_be_valid(prepare):
    prepare('(module (elem func 5) (global funcref (ref.func 9)) (export "a" (func 3)) (start 7))')


def test_types_that_are_not_of_functions(core):
    from runwell.module.types import FieldType, StructType

    types = (SubType(StructType((FieldType(I32),))), SubType(FuncType((), ())))
    code = ModuleCode(Module(b"", types=types))
    assert code.numbers[0] > 0
    assert code.numbers[1] == TypeNumber(FuncType((), ()))


@pytest.mark.parametrize("functions", [46_000])
def test_many_functions_are_described(core, functions):
    body = b"\0\x0b"
    bodies = array("I", [x for i in range(functions) for x in (2 * i, 2 * i + 2)])
    module = Module(
        body * functions,
        types=(SubType(FuncType((), ())),),
        functions=array("I", [0]) * functions,
        bodies=bodies,
    )
    code = ModuleCode(module)
    assert code.n_functions == functions
    for x in (0, functions // 2, functions - 1):
        described = fields(code, layout.FuncCode, code.code_address(x))
        assert at(described.body, 2) == body


def test_modules_are_given_back(prepare):
    import weakref

    code = prepare(SOME)
    alive = weakref.ref(code)
    numbers = [int(n) for n in code.numbers]
    gc.disable()
    try:
        del code
        assert alive() is None
    finally:
        gc.enable()
    from runwell.runtime import types

    assert numbers[2] not in types._by_number
    for _ in range(2000):
        prepare("(module (func))")
