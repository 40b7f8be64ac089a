import random

import pytest

from runwell.base.errors import InvalidError, MalformedError
from runwell.binary.decoder import decode
from runwell.text.parser import decode_text, parse

SAMPLE = """(module $m ;; a module
  (import "env" "f" (func $f (param i32 f64) (result i32)))
  (memory (export "memory") 1) (data (i32.const 8) "hello\\n\\00")
  (table 4 funcref) (elem (i32.const 1) $f $g)
  (global $x (mut i64) (i64.const -5))
  (func $g (export "g") (param $a i32) (result i32) (local $b f32)
    (block $out (result i32)
      (br_if $out (i32.const 1) (local.get $a))
      (drop)
      (if (result i32) (i32.load offset=4 (local.get $a))
        (then (call $f (i32.const 1) (f64.const 0x1p-3)))
        (else (call_indirect (param i32) (result i32) (i32.const 2) (i32.const 1)))))
  )
  (start 2) (func)
)
"""


def test_fields_need_no_module_around_them():
    assert parse('(func (export "f"))') == parse('(module (func (export "f")))')
    assert parse("") == b"\0asm\1\0\0\0"


@pytest.mark.parametrize(
    "text", ["(module) (module)", "(module", "module", "(module))", "(func) x"]
)
def test_exactly_one_module(text):
    with pytest.raises(MalformedError, match=r"unexpected token|unknown operator"):
        parse(text)


def test_text_is_utf8():
    assert decode_text("ä".encode()) == "ä"
    with pytest.raises(MalformedError, match="malformed UTF-8 encoding") as caught:
        parse(b"(module\n \xff)")
    assert (caught.value.line, caught.value.column) == (2, 2)


def test_errors_show_the_line():
    with pytest.raises(MalformedError) as caught:
        parse(SAMPLE.replace("i32.load", "i32.laod"))
    error = caught.value
    assert (error.message, error.line, error.column) == ("unknown operator i32.laod", 10, 25)
    assert error.source.strip().startswith("(if (result i32) (i32.laod")


def test_damaged_text_raises_only_what_it_should():
    rng = random.Random(5)
    words = SAMPLE.split(" ")
    for _ in range(1500):
        copy = list(words)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(copy))
            match rng.randrange(4):
                case 0:
                    del copy[at]
                case 1:
                    copy[at] = rng.choice(words)
                case 2:
                    copy.insert(at, rng.choice(["(", ")", '"', "$", "(@", "\x01", "0x", "(;"]))
                case _:
                    copy[at] = copy[at][: rng.randrange(len(copy[at]) + 1)]
        try:
            decode(parse(" ".join(copy)))
        except (MalformedError, InvalidError):
            continue
