import pytest

from runwell.base.errors import MalformedError
from runwell.base.types import FUNCREF, I32, FuncType, ref_to_index
from runwell.binary.decoder import decode
from runwell.module.module import SegmentMode
from runwell.module.types import ExternKind, MemoryType, StructType, TableType
from runwell.text.parser import parse
from runwell.text.printer import print_module


def module(text):
    return decode(parse(f"(module {text})"))


def same(a, b):
    return parse(f"(module {a})", names=False) == parse(f"(module {b})", names=False)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ('(func (export "a") (export "b"))',
         '(func) (export "a" (func 0)) (export "b" (func 0))'),
        ('(func $f (import "m" "n") (param i32))', '(import "m" "n" (func $f (param i32)))'),
        ('(memory (export "a") (import "m" "n") 1 2)',
         '(import "m" "n" (memory 1 2)) (export "a" (memory 0))'),
        ('(table (import "m" "n") 1 funcref)', '(import "m" "n" (table 1 funcref))'),
        ('(global (import "m" "n") (mut i32))', '(import "m" "n" (global (mut i32)))'),
        ('(tag (import "m" "n") (param i32))', '(import "m" "n" (tag (param i32)))'),
        ('(memory (data "ab" "c"))', '(memory 1 1) (data (i32.const 0) "abc")'),
        ('(memory (data))', '(memory 0 0) (data (i32.const 0))'),
        ('(memory i64 (data "x"))', '(memory i64 1 1) (data (i64.const 0) "x")'),
        ("(func) (table funcref (elem 0 0))",
         "(func) (table 2 2 funcref) (elem (table 0) (i32.const 0) func 0 0)"),
        ("(func) (table funcref (elem (ref.func 0) (item ref.null func)))",
         "(func) (table 2 2 funcref) (elem (i32.const 0) funcref (ref.func 0) (ref.null func))"),
        ("(type (func)) (func) (table (ref null 0) (elem 0))",
         "(type (func)) (func) (table 1 1 (ref null 0)) "
         "(elem (table 0) (i32.const 0) (ref null 0) (ref.func 0))"),
        ("(table 1 funcref) (elem (offset i32.const 0))",
         "(table 1 funcref) (elem (i32.const 0) func)"),
        ("(func (param i32 i64) (local i32 i32))",
         "(func (param i32) (param $x i64) (local $y i32) (local i32))"),
        ("(func (param i32))", "(type (func (param i32))) (func (type 0))"),
        ("(rec (type (func)))", "(type (func))"),
    ],
)  # fmt: skip
def test_abbreviations(short, long):
    assert same(short, long)


def test_identifiers_may_be_used_before_they_are_bound():
    m = module(
        """(export "f" (func $f)) (start $g) (func $f (call $g) (drop (global.get $x)))
        (func $g) (global $x i32 (i32.const 1)) (elem declare func $g)
        (type $later (func (param (ref null $t)))) (type $t (struct))"""
    )
    assert m.exports[0].item == 0
    assert m.start == 1
    assert m.types[0].composite == FuncType((ref_to_index(1, nullable=True),), ())


def test_implicit_types_follow_the_explicit_ones_in_the_order_of_use():
    m = module(
        """(func (result i64) (block (param i64) (result i64 i64) (unreachable)) (unreachable))
        (func (param f64)) (type (func (param i32)))"""
    )
    shapes = [str(t.composite) for t in m.types]
    assert shapes == ["[i32] -> []", "[] -> [i64]", "[i64] -> [i64 i64]", "[f64] -> []"]
    assert list(m.function_types) == [1, 3]


def test_recursive_groups_and_subtypes():
    m = module(
        """(rec (type $a (sub (struct (field (ref null $b))))) (type $b (sub $a (struct
        (field (ref null $b)) (field i32)))))"""
    )
    assert m.rec_groups == (2,)
    assert m.types[1].supers == (0,)
    assert isinstance(m.types[0].composite, StructType)


def test_segments():
    m = module(
        """(func $f) (memory $m 1) (table $t 1 funcref) (table $u 1 funcref)
        (elem $e (table $u) (i32.const 0) func $f) (elem func) (elem declare funcref)
        (elem funcref (ref.func $f)) (elem (ref null func)) (elem (i32.const 0) $f)
        (elem 1 (i32.const 0) $f)
        (data (memory $m) (i32.const 0) "a") (data "b") (data $d) (data 0 (i32.const 1))"""
    )
    modes = [SegmentMode.ACTIVE, SegmentMode.PASSIVE, SegmentMode.DECLARED, SegmentMode.PASSIVE,
             SegmentMode.PASSIVE, SegmentMode.ACTIVE, SegmentMode.ACTIVE]  # fmt: skip
    assert [e.mode for e in m.elements] == modes
    assert [e.table for e in m.elements] == [1, 0, 0, 0, 0, 0, 1]
    assert [d.offset is None for d in m.datas] == [False, True, True, False]
    assert m.names.elements == {0: "e"}
    assert m.names.data == {2: "d"}


def test_segments_of_tables_and_memories_are_numbered():
    m = module('(table funcref (elem)) (elem $e func) (memory (data)) (data $d "x")')
    assert m.names.elements == {1: "e"}
    assert m.names.data == {1: "d"}


def test_data_count_is_written_when_an_instruction_needs_it():
    assert module('(memory 1) (data "x")').data_count is None
    assert module('(memory 1) (data "x") (func (data.drop 0))').data_count == 1


def test_tables_with_an_initial_element():
    m = module("(func) (table i64 1 2 (ref func) (ref.func 0))")
    assert m.table_types[0].is_64
    assert m.table_inits[0] is not None


def test_imports():
    m = module(
        """(import "a" "f" (func $f (param i32))) (import "a" "t" (table 1 funcref))
        (import "a" "m" (memory i64 1 2 shared)) (import "a" "e" (tag (param i32)))"""
    )
    kinds = [ExternKind.FUNC, ExternKind.TABLE, ExternKind.MEMORY, ExternKind.TAG]
    assert [entry.kind for entry in m.imports] == kinds
    assert m.imports[1].desc == TableType(FUNCREF, 1)
    assert m.imports[2].desc == MemoryType(1, 2, is_64=True, shared=True)
    assert m.types[0].composite == FuncType((I32,), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(func $f) (func $f)", "duplicate func [$]f"),
        ("(func (param $x i32) (local $x i32))", "duplicate local [$]x"),
        ("(func (param $x i32) (param $x i32))", "duplicate local [$]x"),
        ("(start 0) (start 0)", "multiple start sections"),
        ('(func) (import "" "" (func))', "import after function"),
        ('(memory 0) (func (import "" ""))', "import after memory"),
        ("(frob)", "unknown operator frob"),
        ("func", "unexpected token"),
        ('(import "" "" (type))', "unexpected token"),
        ('(export "" (elem 0))', "unexpected token"),
        ("(elem)", "unexpected token"),
        ("(memory)", "unexpected token"),
        ("(table 1)", "unexpected token"),
        ("(type (frob))", "unknown operator frob"),
        ("(type func)", "unexpected token"),
        ("(global i32 (i32.const 0) drop (nop x))", "unknown operator x"),
        ("(func (nop) (local i32))", "unexpected token"),
        ("(func (local $x i32 i32))", "unexpected token"),
        ("(type $t (func)) (type $t (func))", "duplicate type [$]t"),
    ],
)
def test_malformed(text, message):
    with pytest.raises(MalformedError, match="^" + message):
        module(text)


def test_identifiers_become_the_name_section():
    m = module("$M")
    assert m.names.module == "M"
    m = module(
        """(type $t (struct (field $f i32))) (func $f (param $x i32) (local $"y z" i32))
        (table $tab 1 funcref) (memory $m 1) (global $g i32 (i32.const 0)) (tag $e)"""
    )
    n = m.names
    assert n.functions == {0: "f"}
    assert n.locals == {0: {0: "x", 1: "y z"}}
    assert n.types == {0: "t"}
    assert n.fields == {0: {0: "f"}}
    assert (n.tables, n.memories, n.globals, n.tags) == (
        {0: "tab"}, {0: "m"}, {0: "g"}, {0: "e"},
    )  # fmt: skip
    assert not decode(parse("(module (func $f))", names=False)).customs


def test_text_of_everything_is_stable():
    m = module("(func $f (param $x i32) (result i32) (local.get $x))")
    assert decode(parse(print_module(m))).data == m.data
