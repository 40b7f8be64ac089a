import pytest

from runwell.base.errors import MalformedError
from runwell.base.features import DEFAULT
from runwell.base.types import I32, FuncType
from runwell.isa.imms import encode_op
from runwell.isa.imms_text import Numbers, print_imms
from runwell.isa.table import TABLE
from runwell.module.types import SubType
from runwell.text.body import BodyParser
from runwell.text.cursor import Cursor
from runwell.text.lexer import Tokens
from runwell.text.printer import instructions
from runwell.text.types import TypeParser


def parse(text):
    """What instructions mean, printed flat with numbers for identifiers."""
    cursor = Cursor(Tokens(text + ")"))
    types = TypeParser(cursor, DEFAULT)
    types.add_group([SubType(FuncType((I32,), (I32,)))])
    types.spaces["type"].ids["$t"] = 0
    for word in ("func", "global", "table", "memory", "data segment", "elem segment"):
        types.spaces[word].ids.update({"$a": 0, "$b": 1})
    body = BodyParser(cursor, types)
    body.start_function(["$x", None, "$y"], 3)
    out = bytearray()
    body.expression(out)
    assert cursor.has(")")
    lines = []
    for _, op, values in instructions(bytes(out), 0, len(out)):
        lines.append(f"{op.keyword} {print_imms(op, values, Numbers())}".strip())
    assert lines.pop() == "end"
    return "; ".join(lines)


@pytest.mark.parametrize(
    ("text", "flat"),
    [
        ("nop", "nop"),
        ("(nop)", "nop"),
        ("i32.const 1 i32.const 2 i32.add", "i32.const 1; i32.const 2; i32.add"),
        ("(i32.add (i32.const 1) (i32.const 2))", "i32.const 1; i32.const 2; i32.add"),
        ("(drop (i32.add (local.get $y)(local.get 0)))",
         "local.get 2; local.get 0; i32.add; drop"),
        ("block $l br $l end $l", "block; br 0; end"),
        ("block $l block (br $l) end end", "block; block; br 1; end; end"),
        ("(block $l (loop $m (br $l) (br $m)))", "block; loop; br 1; br 0; end; end"),
        ("(block $l (block $l (br $l)) (br $l))", "block; block; br 0; end; br 0; end"),
        ("(block $l (br_table $l 1 $l))", "block; br_table 0 1 0; end"),
        ("i32.const 1 if $l nop else $l nop end $l", "i32.const 1; if; nop; else; nop; end"),
        ("(if (i32.const 1) (then nop))", "i32.const 1; if; nop; end"),
        ("(if $l (result i32) (i32.const 1) (then (br $l (i32.const 2))) (else (i32.const 3)))",
         "i32.const 1; if (result i32); i32.const 2; br 0; else; i32.const 3; end"),
        ("(block $l (if $m (br $l) (then (br $l))))", "block; br 0; if; br 1; end; end"),
        ("(block (param i32) (result i32) nop)", "block (type 0); nop; end"),
        ("(call $b) (ref.func $a) (global.get $b)", "call 1; ref.func 0; global.get 1"),
        ("i32.load offset=0x10 align=1", "i32.load offset=16 align=1"),
        ("i32.load i64.load8_u align=1", "i32.load; i64.load8_u"),
        ("i32.store $b offset=3", "i32.store 1 offset=3"),
        ("memory.size memory.size $b", "memory.size; memory.size 1"),
        ("memory.copy $b $a memory.copy", "memory.copy 1 0; memory.copy"),
        ("memory.init $b memory.init $b $a", "memory.init 1; memory.init 1 0"),
        ("table.init $b $a table.init 1", "table.init 1 0; table.init 1"),
        ("call_indirect (type $t) call_indirect $b (param i32) (result i32)",
         "call_indirect (type 0); call_indirect 1 (type 0)"),
        ("select select (result i32)", "select; select (result i32)"),
        ("i32.const 0xffff_ffff i64.const -1", "i32.const -1; i64.const -1"),
        ("f32.const 0x1.8p1 f64.const -nan:0x4", "f32.const 3; f64.const -nan:0x4"),
        ("ref.null func ref.null extern", "ref.null func; ref.null extern"),
    ],
)  # fmt: skip
def test_instructions(text, flat):
    assert parse(text) == flat


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frobnicate", "unknown operator frobnicate"),
        ("select_t", "unknown operator select_t"),
        ("(i32.add i32.const 1)", "unexpected token"),
        ("i32.const", "unexpected token"),
        ("i32.const 0x", "unknown operator 0x"),
        ("i32.const 0x1_0000_0000", "constant out of range"),
        ("i32.load align=3", "alignment must be a power of two"),
        ("i32.load align=4 offset=1", "unexpected token"),
        ("i32.load offset=x", "unknown operator offset=x"),
        ("br $l", "unknown label [$]l"),
        ("(block $l) br $l", "unknown label [$]l"),
        ("block $l end $m", "mismatching label [$]m"),
        ("end", "unexpected token"),
        ("else", "unexpected token"),
        ("block", "unexpected token"),
        ("(block", "unexpected token"),
        ("(block end)", "unexpected token"),
        ("block )", "unexpected token"),
        ("(if (then))(else)", "unexpected token"),
        ("(if)", "unexpected token"),
        ("(if (i32.const 1))", "unexpected token"),
        ("(if i32.const 1 (then))", "unexpected token"),
        ("(if (i32.const 1) (then) (nop))", "unexpected token"),
        ("(if (i32.const 1) (then) (else) (else))", "unexpected token"),
        ("(if (i32.const 1) (then) (block))", "unexpected token"),
        ("if else else end", "unexpected token"),
        ("block else end", "unexpected token"),
        ("(then)", "unexpected token"),
        ("local.get $z", "unknown local [$]z"),
        ("call $z", "unknown func [$]z"),
        ("func", "unexpected token"),
        ('"s"', "unexpected token"),
    ],
)
def test_malformed(text, message):
    with pytest.raises(MalformedError, match="^" + message):
        parse(text)


def test_nesting_is_bounded_by_memory_alone():
    depth = 20_000
    text = "(block " * depth + ")" * depth + "(i32.eqz " * depth + "(i32.const 1)" + ")" * depth
    assert parse(text).count("block") == depth


def test_every_row_without_immediates_is_one_word():
    plain = [op for op in TABLE if not op.imms and op.keyword not in ("else", "end", "select")]
    text = " ".join(op.keyword for op in plain)
    assert parse(text) == "; ".join(op.keyword for op in plain)
    assert all(len(encode_op(op)) <= 4 for op in plain)
