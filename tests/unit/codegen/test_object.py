import pytest

from runwell.codegen.object import (
    CodegenError,
    _optimised,
    compile_assembly,
    compile_text,
    optimise_text,
)

TEXT = "define i32 @f(i32 %x) {\n  %y = add i32 %x, 2\n  %z = add i32 %y, 3\n  ret i32 %z\n}\n"


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_object(level):
    data = compile_text(TEXT, level)
    assert data[:4] == b"\x7fELF"
    assert data == compile_text(TEXT, level)


def test_text_for_people():
    assert "add i32 %x, 5" in optimise_text(TEXT)
    assert "f:" in compile_assembly(TEXT)
    assert "target datalayout" in optimise_text(TEXT, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("define i32 @f() {\n  ret i64 1\n}\n", "ret i64 1"),
        ("define i32 @f() {\n  %x = frob i32 1\n}\n", "(?s)expected instruction.*define i32 @f"),
        ("define void @f() {\n  ret void\n}\nnonsense", "expected top-level entity"),
    ],
)
def test_errors_show_the_text(text, message):
    with pytest.raises(CodegenError, match=message):
        compile_text(text)


def test_always_inline_is_honoured_without_optimisation():
    text = (
        "define internal i32 @g(i32 %x) alwaysinline {\n  ret i32 %x\n}\n"
        "define i32 @f(i32 %x) {\n  %y = call i32 @g(i32 %x)\n  ret i32 %y\n}\n"
    )
    assert "call" not in optimise_text(text, 0)


def test_few_passes_put_variables_into_registers():
    text = (
        "define i32 @f(i32 %x) {\n  %v = alloca i32\n  store i32 %x, ptr %v\n"
        "  %y = load i32, ptr %v\n  %z = add i32 %y, 0\n  ret i32 %z\n}\n"
    )
    quick, whole = (_optimised(text, 1, is_quick=is_quick) for is_quick in (True, False))
    assert "alloca" not in str(quick)
    assert "add i32 %x, 0" in str(quick)
    assert "= add" not in str(whole)
    assert compile_text(text, 1, is_quick=True)[:4] == b"\x7fELF"
