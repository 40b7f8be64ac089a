import pytest

from runwell.base.errors import MalformedError
from runwell.base.features import BIT, DEFAULT
from runwell.base.types import F64, FUNCREF, I32, FuncType, ValType, ref_to_index, ref_type
from runwell.module.types import (
    ArrayType,
    FieldType,
    GlobalType,
    MemoryType,
    StructType,
    SubType,
    TableType,
)
from runwell.text.cursor import Cursor
from runwell.text.lexer import Tokens
from runwell.text.types import TypeParser


def parser(text, features=DEFAULT):
    p = TypeParser(Cursor(Tokens(text)), features)
    p.spaces["type"].ids.update({"$t": 0, "$u": 1})
    return p


@pytest.mark.parametrize(
    ("text", "t"),
    [
        ("i32", I32),
        ("funcref", FUNCREF),
        ("(ref null func)", FUNCREF),
        ("(ref func)", ref_type(0x70, nullable=False)),
        ("(ref $u)", ref_to_index(1, nullable=False)),
        ("(ref null 3)", ref_to_index(3, nullable=True)),
        ("nullexternref", ValType.NULLEXTERNREF),
        ("(ref exn)", ref_type(0x69, nullable=False)),
    ],
)
def test_value_types(text, t):
    assert parser(text).val_type() == t


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("i16", "unexpected token"),
        ("anyfunc", "unknown operator anyfunc"),
        ("(ref bad)", "unknown operator bad"),
        ("(ref $x)", "unknown type [$]x"),
        ("(ref null", "unexpected token"),
    ],
)
def test_malformed_value_types(text, message):
    with pytest.raises(MalformedError, match=message):
        parser(text).val_type()


@pytest.mark.parametrize(
    ("text", "t"),
    [
        ("(func)", SubType(FuncType((), ()))),
        (
            "(func (param $x i32) (param i32 f64) (result i32) (result f64))",
            SubType(FuncType((I32, I32, F64), (I32, F64))),
        ),
        (
            "(struct (field i8 (mut i16)) (field $f (ref $t)))",
            SubType(
                StructType(
                    (
                        FieldType(ValType.I8),
                        FieldType(ValType.I16, mutable=True),
                        FieldType(ref_to_index(0, nullable=False)),
                    )
                )
            ),
        ),
        ("(sub $t (array (mut i32)))",
         SubType(ArrayType(FieldType(I32, mutable=True)), final=False, supers=(0,))),
        ("(sub final 0 $u (struct))", SubType(StructType(()), final=True, supers=(0, 1))),
    ],
)  # fmt: skip
def test_definitions(text, t):
    assert parser(text).definition(0) == t


def test_fields_have_identifiers():
    p = parser("(struct (field $a i32) (field i32 i32) (field $b i32))")
    p.definition(4)
    assert p.fields == {4: {"$a": 0, "$b": 3}}
    with pytest.raises(MalformedError, match=r"duplicate field [$]a"):
        parser("(struct (field $a i32) (field $a i32))").definition(0)


def test_type_uses_add_what_is_missing():
    p = parser("(param i32) ; (type 0) (param i32) ; (result i32) ; (type 9) ;")
    p.add_group([SubType(FuncType((I32,), ()))])
    for expected in (0, 0, 1, 9):
        assert p.type_use() == expected
        p.cursor.expect(";")
    assert p.types[1] == SubType(FuncType((), (I32,)))


def test_a_type_in_a_group_is_no_candidate():
    p = parser("(param i32)")
    p.add_group([SubType(FuncType((I32,), ())), SubType(FuncType((), ()))])
    assert p.type_use() == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(type $t) (param f64)", "inline function type"),
        ("(type 5) (param i32)", "unknown type 5"),
        ("(result i32) (param i32)", "unexpected token"),
        ("(param i32) (type 0)", "unexpected token"),
        ("(param $x i32)", "unexpected token"),
    ],
)
def test_type_use_fails(text, message):
    p = parser(text)
    p.add_group([SubType(FuncType((I32,), ()))])
    with pytest.raises(MalformedError, match=message):
        p.type_use()


@pytest.mark.parametrize(
    ("text", "t"),
    [
        ("", None),
        ("(result i32)", I32),
        ("(type 0)", 0),
        ("(param i32)", 0),
        ("(result i32 i32)", 1),
    ],
)
def test_block_types(text, t):
    p = parser(text)
    p.add_group([SubType(FuncType((I32,), ()))])
    assert p.block_type() == t


def test_limits():
    p = parser("i64 1 2 (ref func)  1 2 shared  0 (pagesize 1)  i32 0xf")
    assert p.table_type(p.address_type()) == TableType(
        ref_type(0x70, nullable=False), 1, 2, is_64=True
    )
    assert p.memory_type(p.address_type()) == MemoryType(1, 2, shared=True)
    assert p.memory_type(p.address_type()) == MemoryType(0, page_bits=0)
    assert p.memory_type(p.address_type()) == MemoryType(15)
    with pytest.raises(MalformedError, match="invalid custom page size"):
        parser("1 (pagesize 3)").memory_type(is_64=False)


def test_limits_are_as_wide_as_addresses_can_be():
    text = "0x1_0000_0000"
    assert parser(text).limits() == (1 << 32, None)
    with pytest.raises(MalformedError, match="i32 constant out of range"):
        parser(text, DEFAULT & ~BIT["memory64"]).limits()


def test_globals():
    assert parser("(mut i32)").global_type() == GlobalType(I32, mutable=True)
    assert parser("funcref").global_type() == GlobalType(FUNCREF)
