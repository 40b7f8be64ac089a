from array import array

from runwell.base.types import FUNCREF, I32, FuncType
from runwell.module.module import (
    Custom,
    Element,
    Export,
    Import,
    Module,
    Names,
    SegmentMode,
    Span,
)
from runwell.module.types import (
    ExternKind,
    GlobalType,
    MemoryType,
    SubType,
    TableType,
    TagType,
)

UNARY = FuncType((I32,), (I32,))
NONE = FuncType((), ())


def sample():
    return Module(
        b"....contents",
        types=(SubType(UNARY), SubType(NONE)),
        imports=(
            Import("env", "f", ExternKind.FUNC, 0),
            Import("env", "t", ExternKind.TABLE, TableType(FUNCREF, 1)),
            Import("env", "m", ExternKind.MEMORY, MemoryType(1, 2)),
            Import("env", "g", ExternKind.GLOBAL, GlobalType(I32)),
            Import("env", "e", ExternKind.TAG, 1),
        ),
        functions=array("I", [1]),
        globals=((GlobalType(I32, mutable=True), Span(0, 2)),),
        exports=(
            Export("run", ExternKind.FUNC, 1),
            Export("global", ExternKind.GLOBAL, 1),
            Export("tag", ExternKind.TAG, 0),
        ),
        bodies=array("I", [2, 4]),
        customs=(Custom("note", 4, 12, 0),),
        read_names=lambda module: Names(functions={0: "imported"}),
    )


def test_index_spaces_have_imports_first():
    m = sample()
    assert list(m.function_types) == [0, 1]
    assert m.n_imported_functions == m.n_imported_globals == 1
    assert [t.mutable for t in m.global_types] == [False, True]
    assert m.signature(0) == UNARY
    assert m.signature(1) == NONE


def test_bodies():
    assert sample().body(1) == Span(2, 4)
    assert sample().body(0) is None


def test_typed_descriptions():
    m = sample()
    assert [t.type for t in m.import_types()] == [
        UNARY,
        TableType(FUNCREF, 1),
        MemoryType(1, 2),
        GlobalType(I32),
        TagType(NONE),
    ]
    assert [(t.name, t.type) for t in m.export_types()] == [
        ("run", NONE),
        ("global", GlobalType(I32, mutable=True)),
        ("tag", TagType(NONE)),
    ]


def test_function_names_fall_back_to_exports_and_imports():
    m = sample()
    assert m.function_name(0) == "imported"
    assert m.function_name(1) == "run"
    bare = Module(b"", imports=(Import("env", "f", ExternKind.FUNC, 0),), functions=array("I", [0]))
    assert bare.function_name(0) == "env.f"
    assert bare.function_name(1) == ""


def test_custom_sections_by_name():
    assert sample().custom("note") == b"contents"
    assert sample().custom("none") is None


def test_segment_sizes():
    assert Element(SegmentMode.PASSIVE, 0, None, FUNCREF, array("I", [1, 2]), None).size == 2
    assert Element(SegmentMode.PASSIVE, 0, None, FUNCREF, None, (Span(0, 1),)).size == 1
