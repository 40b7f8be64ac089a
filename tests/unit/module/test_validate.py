from array import array

import pytest

from runwell.base.errors import InvalidError
from runwell.base.features import BIT, DEFAULT
from runwell.base.types import (
    EXTERNREF,
    FUNCREF,
    I32,
    NON_NULL,
    FuncType,
    ValType,
    ref_to_index,
)
from runwell.module.module import Data, Element, Export, Import, Module, SegmentMode, Span
from runwell.module.types import (
    ExternKind,
    FieldType,
    GlobalType,
    MemoryType,
    StructType,
    SubType,
    TableType,
)
from runwell.module.validate import validate_module

NONE = SubType(FuncType((), ()))
STRUCT = StructType((FieldType(I32),))
OFFSET = Span(0, 1)


def active(table=0, functions=(), t=FUNCREF, expressions=None):
    items = None if expressions is not None else array("I", functions)
    return Element(SegmentMode.ACTIVE, table, OFFSET, t, items, expressions)


def memory(*args, **kwargs):
    return {"memories": (MemoryType(*args, **kwargs),)}


def table(*args, init=None):
    return {"tables": ((TableType(*args), init),)}


def func(type_index=0):
    return {"functions": array("I", [type_index]), "bodies": array("I", [0, 1])}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"types": (NONE,), **func(), "start": 0},
        memory(0, 65536),
        memory(0, 1 << 48, is_64=True),
        memory(1, 2, shared=True),
        memory((1 << 32) - 1, page_bits=0),
        table(FUNCREF, 1, 2),
        table(FUNCREF, 0, 1 << 63, True),
        table(ValType(FUNCREF | NON_NULL), 1, init=OFFSET),
        {**table(FUNCREF, 1), "elements": (active(),)},
        {"types": (SubType(STRUCT, final=False), SubType(STRUCT, supers=(0,)))},
        {"types": (SubType(FuncType((ref_to_index(0, nullable=True),), ())),)},
        {"types": (NONE,), **func(), **table(ref_to_index(0, nullable=True), 1),
         "elements": (active(t=ref_to_index(0, nullable=False), expressions=()),)},
    ],
)  # fmt: skip
def test_valid(parts):
    validate_module(Module(b"", **parts))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (func(3), "unknown type 3"),
        ({"types": (SubType(STRUCT),), **func()}, "unknown type"),
        ({"imports": (Import("", "", ExternKind.FUNC, 1),)}, "unknown type 1"),
        ({"imports": (Import("", "", ExternKind.TAG, 1),)}, "unknown type 1"),
        ({"types": (SubType(FuncType((), (I32,))),), "tags": (0,)}, "non-empty tag result type"),
        ({"types": (SubType(STRUCT),), "tags": (0,)}, "unknown type"),
        ({"types": (SubType(FuncType((ref_to_index(1, nullable=True),), ())),)}, "unknown type 1"),
        ({"types": (SubType(STRUCT), SubType(STRUCT, supers=(0,)))}, "sub type"),
        ({"types": (SubType(STRUCT, supers=(0,)),)}, "unknown type 0"),
        (
            {"types": (SubType(STRUCT, final=False), SubType(StructType(()), supers=(0,)))},
            "sub type",
        ),
        ({"globals": ((GlobalType(ref_to_index(0, nullable=True)), OFFSET),)}, "unknown type 0"),
        (memory(2, 1), "size minimum must not be greater than maximum"),
        (memory(65537), r"memory size must be at most 65536 pages \(4GiB\)"),
        (memory(0, 65537), "memory size"),
        (memory((1 << 48) + 1, is_64=True), "memory size"),
        (memory(1, shared=True), "shared memory must have maximum"),
        (memory(1, page_bits=3), "invalid custom page size"),
        (table(FUNCREF, 2, 1), "size minimum must not be greater than maximum"),
        (table(FUNCREF, 1 << 32), "table size"),
        (table(ValType(FUNCREF | NON_NULL), 1), "type mismatch"),
        ({"exports": (Export("f", ExternKind.FUNC, 0),)}, "unknown function 0"),
        ({"exports": (Export("g", ExternKind.GLOBAL, 0),)}, "unknown global 0"),
        ({"exports": (Export("m", ExternKind.MEMORY, 0),)}, "unknown memory 0"),
        ({"exports": (Export("t", ExternKind.TABLE, 0),)}, "unknown table 0"),
        ({"exports": (Export("t", ExternKind.TAG, 0),)}, "unknown tag 0"),
        (
            {**memory(1), "exports": (Export("m", ExternKind.MEMORY, 0),) * 2},
            "duplicate export name 'm'",
        ),
        ({"start": 0}, "unknown function 0"),
        ({"types": (SubType(FuncType((I32,), ())),), **func(), "start": 0}, "start function"),
        ({"elements": (active(),)}, "unknown table 0"),
        ({**table(FUNCREF, 1), "elements": (active(functions=(5,)),)}, "unknown function 5"),
        ({**table(EXTERNREF, 1), "elements": (active(),)}, "type mismatch"),
        ({"datas": (Data(0, OFFSET, 0, 0),)}, "unknown memory 0"),
    ],
)
def test_invalid(parts, message):
    with pytest.raises(InvalidError, match="^" + message):
        validate_module(Module(b"", **parts))


@pytest.mark.parametrize(
    ("feature", "message", "parts"),
    [
        ("multi-memory", "multiple memories", {"memories": (MemoryType(1),) * 2}),
        ("reference-types", "multiple tables", {"tables": ((TableType(FUNCREF, 1), None),) * 2}),
    ],
)
def test_more_than_one_is_a_feature(feature, message, parts):
    two = Module(b"", **parts)
    validate_module(two)
    with pytest.raises(InvalidError, match=f"{message} need the feature '{feature}'"):
        validate_module(two, DEFAULT & ~BIT[feature])
