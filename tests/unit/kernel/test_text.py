import pytest

from runwell.kernel import Array, Ptr, struct, u8, u32, u64
from runwell.kernel.text import FunctionText, ModuleText, symbol


@struct
class Inner:
    x: u32


@struct
class Outer:
    a: u32
    inner: Inner
    list: Array[u64, 2]
    next: Ptr[u8]


def test_function():
    f = FunctionText("f", [("i32", "a")], "i32", cc="preserve_nonecc")
    slot = f.alloca("i32")
    f.do(f"store i32 %a, ptr {slot}")
    value = f.ins(f"load i32, ptr {slot}")
    done = f.fresh("done")
    f.label(done)
    assert f.block == done
    f.end(f"ret i32 {value}")
    assert f.text() == (
        "define internal preserve_nonecc i32 @f(i32 %a) nounwind {\n"
        "entry:\n"
        "  %slot.1 = alloca i32\n"
        "  store i32 %a, ptr %slot.1\n"
        "  %t1 = load i32, ptr %slot.1\n"
        "  br label %done1\n"
        "done1:\n"
        "  ret i32 %t1\n"
        "}"
    )


def test_nothing_follows_a_terminator():
    f = FunctionText("f", [])
    f.end("ret void")
    f.do("call void @never()")
    f.end("unreachable")
    assert "never" not in f.text()
    assert "unreachable" not in f.text()


def test_names_avoid_parameters():
    f = FunctionText("f", [("i32", "t1"), ("i32", "x2")])
    assert f.fresh("t") == "t2"
    assert [f.fresh("x"), f.fresh("x")] == ["x1", "x3"]


def test_unfinished_function():
    with pytest.raises(ValueError, match="no terminator"):
        FunctionText("f", []).text()


def test_symbols():
    assert symbol("i32.add-x$1") == "@i32.add-x$1"
    assert symbol("a b") == '@"a b"'


def test_module_declares_what_it_does_not_define():
    m = ModuleText()
    m.declare("f", "declare void @f()")
    m.declare("f", "declare void @f()")
    m.declare("g", "declare void @g()")
    assert m.refer("h") == "@h"
    assert m.refer("k") == "@k"
    m.declare("k", "declare void @k()")
    m.add_function("define void @g() {\n  ret void\n}")
    m.add_global("@v = internal global i32 0")
    assert m.defines("g")
    assert not m.defines("f")
    assert m.text("layout", "triple") == (
        'target datalayout = "layout"\n'
        'target triple = "triple"\n'
        "@v = internal global i32 0\n"
        "declare void @f()\n"
        "@h = external global i8\n"
        "declare void @k()\n"
        "define void @g() {\n  ret void\n}\n"
    )


def test_module_refuses_conflicts():
    m = ModuleText()
    m.declare("f", "declare void @f()")
    with pytest.raises(ValueError, match="f is declared twice"):
        m.declare("f", "declare i32 @f()")
    m.add_global("@g = global i32 0")
    with pytest.raises(ValueError, match="g is defined twice"):
        m.add_function("define void @g() {\n  ret void\n}")


def test_metadata_is_shared():
    m = ModuleText()
    assert m.metadata("!{i32 1}") == m.metadata("!{i32 1}") == "!0"
    assert m.metadata("distinct !{}") != m.metadata("distinct !{}")
    assert m.weights(1, 2) == m.weights(1, 2)


def test_alias_classes():
    m = ModuleText()
    a, x = m.alias_field(Outer, "a"), m.alias_field(Inner, "x")
    assert len({a, x, m.alias_field(Outer, "next"), m.alias_element(u32)}) == 4
    assert a == m.alias_field(Outer, "a")
    assert m.alias_element(u8) == ""
    text = m.text()
    assert '!"test_text.Outer"' in text.replace(Outer.source.__module__, "test_text")
