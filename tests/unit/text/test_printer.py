import pytest
from tests.unit.binary.samples import HEADER, sample, section, vector

from runwell.base.errors import MalformedError
from runwell.binary.decoder import decode
from runwell.binary.encoder import encode
from runwell.text.parser import parse
from runwell.text.printer import (
    identifier,
    identifiers,
    print_function,
    print_module,
    quote,
    quote_name,
)


def test_everything_parses_back():
    data = sample()
    printed = print_module(decode(data))
    again = decode(parse(printed))
    assert print_module(again) == printed
    # Names of things that do not exist are dropped, and with them nothing else.
    assert [len(section) for section in (again.elements, again.datas, again.exports)] == [8, 3, 2]


def test_layout():
    text = """(module $m
  (type $t (func (param i32 i32) (result i32)))
  (type (;1;) (func))
  (import "env" "say \\"hi\\"" (func $say (type 1)))
  (func $f (type $t) (param $a i32) (param i32) (result i32)
    (local f32 f32)
    (local $x f32)
    local.get $a
    if (result i32)
      call $say
      i32.const 1
    else
      i32.const -1
    end
  )
  (memory (;0;) 1)
  (global $g (mut i32) (i32.const 7))
  (export "f" (func $f))
  (elem (;0;) declare func $say $f)
  (data (;0;) (i32.const 0) "\\00a\\n")
  (@custom "note" (after last) "x")
)
"""
    assert print_module(decode(parse(text))) == text


def test_one_function():
    m = decode(parse("(module (func) (func $f (nop)))"))
    assert print_function(m, 1) == "(func $f (type 0)\n  nop\n)\n"
    with pytest.raises(ValueError, match="import"):
        print_function(decode(parse('(module (import "" "" (func)))')), 0)


def test_expressions_of_many_instructions():
    text = """(module (global i32 i32.const 1 i32.const 2 i32.add) (memory 1)
    (data (offset i32.const 1 i32.const 2 i32.add)))"""
    data = parse(text)
    assert parse(print_module(decode(data))) == data


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\3\0\xff\x0b", "illegal opcode ff"),
        (b"\3\0\x0b\x0b", "junk after the end"),
        (b"\4\0\2\x40\x0b", "unexpected end"),
        (b"\7\1\xff\xff\xff\x7f\x7f\x0b", "too many locals"),
    ],
)
def test_malformed_bodies(body, message):
    data = HEADER + section(1, vector(b"\x60\0\0")) + section(3, vector(b"\0"))
    with pytest.raises(MalformedError, match=message):
        print_module(decode(data + section(10, vector(body))))


def test_strings():
    assert quote(b'a"\\\n\x00\xff') == '"a\\"\\\\\\n\\00\\ff"'
    assert quote_name("ä\u200b\x07") == '"ä\\e2\\80\\8b\\07"'


def test_identifiers():
    assert identifier("f") == "$f"
    assert identifier("a b") == '$"a b"'
    assert identifier("ä") == '$"ä"'
    assert identifiers({0: "a", 1: "b", 2: "a", 3: "", 9: "c"}, 5) == {1: "$b"}


def test_names_that_are_no_identifiers_are_annotations():
    data = parse('(module (func (@name "f")) (func (@name "f")) (func (@name "")))')
    printed = print_module(decode(data))
    assert printed.count('(@name "f")') == 2
    assert parse(printed) == data


def test_canonical_binaries_survive():
    data = parse('(module (memory 1) (func $f (param $x i32) (data.drop 0)) (data "x"))')
    assert parse(print_module(decode(data))) == encode(decode(data)) == data


def test_labels_keep_their_identifiers():
    text = """(module
  (type (;0;) (func (param i32)))
  (func (;0;) (type 0) (param i32)
    block $a
      loop $b
        block $a
          local.get 0
          br_if $a
          br $b
        end
        br $a
        block
          local.get 0
          br_table 0 $b $a 3
        end
      end
    end
  )
)
"""
    assert print_module(decode(parse(text))) == text
    shadowed = "(module (func (block $a (block $a (br 1)))))"
    assert "br 1" in print_module(decode(parse(shadowed)))
