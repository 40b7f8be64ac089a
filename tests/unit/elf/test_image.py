"""How objects are merged: kinds of sections, order, what needs an entry in the GOT."""

import pytest

from runwell.elf.format import ElfError
from runwell.elf.image import Image
from runwell.elf.output import Kind


def names(image: Image) -> list[str]:
    return [output.name for output in image.outputs]


def test_sections_are_merged_by_kind_in_input_order(compile_ir):
    text = """
    @constant_{0} = constant i32 {1}, section ".rodata.mine"
    @plain_{0} = global i32 {1}
    @zero_{0} = global i32 0
    @pointer_{0} = constant ptr @f_{0}
    define void @f_{0}() {{ ret void }}
    """
    image = Image([compile_ir(text.format(n, v)) for n, v in (("a", 1), ("b", 2))])
    kinds = [output.kind for output in image.outputs]
    assert kinds == sorted(kinds)
    assert names(image) == [".rodata", ".eh_frame", ".text", ".data.rel.ro", ".data", ".bss"]
    outputs = {output.kind: output for output in image.outputs}
    assert bytes(outputs[Kind.DATA].data) == b"\1\0\0\0\2\0\0\0"
    assert bytes(outputs[Kind.RODATA].data) == b"\1\0\0\0\2\0\0\0"
    assert (outputs[Kind.BSS].size, len(outputs[Kind.BSS].data)) == (8, 0)
    assert [(c.output.kind, c.target.name) for c in image.cells] == [
        (Kind.RELRO, "f_a"),
        (Kind.RELRO, "f_b"),
    ]


def test_references_inside_need_no_entry(compile_ir):
    use = """
    @data = external global i32
    declare i32 @f()
    define i32 @use() {
      %a = call i32 @f()
      %b = load i32, ptr @data
      %c = add i32 %a, %b
      ret i32 %c
    }
    """
    definition = "@data = global i32 5\ndefine i32 @f() { ret i32 4 }"
    alone = Image([compile_ir(use, "x86_64-unknown-linux-gnu")])
    assert {".plt", ".got"} <= set(names(alone))
    assert {cell.target.name for cell in alone.cells} == {"f", "data"}
    both = Image([compile_ir(t, "x86_64-unknown-linux-gnu") for t in (use, definition)])
    assert not {".plt", ".got"} & set(names(both))
    assert both.cells == []


def test_one_entry_serves_code_and_calls(compile_ir):
    text = """
    declare i32 @f()
    define ptr @use() {
      %a = call i32 @f()
      ret ptr @f
    }
    """
    image = Image([compile_ir(text, "x86_64-unknown-linux-gnu")])
    assert len(image.cells) == 1
    assert image.symbols["f"].plt >= 0
    assert image.symbols["f"].got > 0


def test_alignment_beyond_a_page_is_refused(compile_ir):
    item = compile_ir("@x = global i32 1, align 8192", "x86_64-unknown-linux-gnu")
    with pytest.raises(ElfError, match="alignment 8192 exceeds a page"):
        Image([item])


def test_writable_code_is_refused(compile_c):
    source = '__asm__(".section evil,\\"awx\\"\\n.byte 0\\n.text");'
    with pytest.raises(ElfError, match="section evil: code must not be writable"):
        Image([compile_c(source)])


def test_static_images_need_values(compile_ir):
    item = compile_ir("declare void @f()\ndefine void @g() { call void @f()\nret void }")
    with pytest.raises(ElfError, match="symbol f is not defined"):
        Image([item], static=True)
    image = Image([item], static=True, values={"f": 0x1234})
    assert image.cells == []
    assert image.symbols["f"].address == 0x1234
