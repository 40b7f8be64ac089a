"""What Python sees of the translator."""

import ctypes

import pytest
from translate_harness import function

from runwell.base.errors import InternalError, InvalidError, MalformedError
from runwell.base.types import I32
from runwell.kernel import ctype_of
from runwell.runtime.layout import FuncCode
from runwell.text.parser import parse
from runwell.translate import translator as subject


@pytest.fixture
def prepare(translator, monkeypatch):
    monkeypatch.setattr(subject, "native", translator.native)
    return translator.prepare


def refused(prepare, text):
    with pytest.raises((InvalidError, MalformedError)) as caught:
        subject.validate(prepare(parse(text) if isinstance(text, str) else text))
    return caught.value


def test_a_valid_module(prepare):
    subject.validate(prepare(parse('(module (func (export "f")) (global i32 (i32.const 1)))')))


def test_an_invalid_function(prepare):
    error = refused(prepare, '(module (import "" "" (func)) (func) (func $bad drop))')
    assert isinstance(error, InvalidError)
    assert (error.function, error.name, error.mnemonic) == (2, "bad", "drop")
    assert error.message.startswith("type mismatch: instruction requires [")


def test_types_of_a_mismatch(prepare):
    error = refused(prepare, "(module (func (result i32 i64) (i64.const 1) (f32.const 2)))")
    assert error.message == (
        "type mismatch: instruction requires [i32 i64] but stack has [i64 f32]"
    )


def test_long_lists_of_types_are_cut(prepare):
    error = refused(prepare, f"(module (func (result {'i32 ' * 12})))")
    assert "i32 ...] but stack has []" in error.message


def test_a_malformed_function(prepare):
    binary = function(b"\x00\xff\x0b")
    error = refused(prepare, binary)
    assert isinstance(error, MalformedError)
    assert error.message == "illegal opcode ff"
    assert error.offset == binary.index(b"\xff\x0b")


def test_an_end_that_is_an_immediate(prepare):
    assert refused(prepare, function(b"\x00\x41\x0b")).message.startswith("unexpected end")


def test_one_function(prepare):
    code = prepare(parse("(module (func) (func drop))"))
    subject.validate_function(code, 0)
    with pytest.raises(InvalidError):
        subject.validate_function(code, 1)


@pytest.fixture
def in_parts(monkeypatch):
    monkeypatch.setattr(subject, "_PART_BYTES", 20)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})


def test_parts_cover_all_functions(prepare, in_parts):
    code = prepare(parse('(module (import "" "" (func)) ' + "(func nop nop nop) " * 50 + ")"))
    assert subject._threads(subject.code_bytes(code)) == 3
    parts = subject._parts(code, 3)
    assert [x for part in parts for x in range(*part)] == list(range(1, 51))
    assert max(b - a for a, b in parts) - min(b - a for a, b in parts) <= 2
    subject.validate(code)


@pytest.mark.parametrize("bad", [(7,), (29,), (44,), (21, 44), (3, 29), (17, 18, 49)])
def test_the_first_of_several_errors_is_raised(bad, prepare, in_parts):
    functions = ["(func drop)" if x in bad else "(func nop nop nop)" for x in range(50)]
    text = f"(module {' '.join(functions)})"
    assert refused(prepare, text).function == bad[0]
    with pytest.raises(InvalidError) as caught:
        subject.validate(prepare(parse(text)), lambda done, total: None)
    assert caught.value.function == bad[0]


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_told(threads, prepare, monkeypatch):
    monkeypatch.setattr(subject, "_PART_BYTES", 20)
    monkeypatch.setattr(subject, "_TELL_BYTES", 50)
    monkeypatch.setattr(subject, "_threads", lambda _: threads)
    code = prepare(parse('(module (import "" "" (func)) ' + "(func nop nop nop) " * 50 + ")"))
    steps = []
    subject.validate(code, lambda done, total: steps.append((done, total)))
    size = subject.code_bytes(code)
    assert steps[0] == (0, size)
    assert steps[-1] == (size, size)
    assert steps == sorted(steps)
    assert len(steps) == size // 50 + 2
    with pytest.raises(LookupError):
        subject.validate(code, lambda done, total: {}[done])


CONSTANTS = {
    "global": "(module (global i32 (i64.const 1)))",
    "later global": "(module (global i32 (global.get 1)) (global i32 (i32.const 1)))",
    "offset of data": '(module (memory 1) (data (offset (i64.const 0)) "x"))',
    "offset of elements": "(module (table 1 funcref) (elem (offset (f32.const 0)) func))",
    "element": "(module (elem funcref (item (i32.const 0))))",
    "wide offset": '(module (memory i64 1) (data (offset (i32.const 0)) "x"))',
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_checked(name, prepare):
    error = refused(prepare, CONSTANTS[name])
    assert isinstance(error, InvalidError)
    assert error.function is None


def test_earlier_globals_are_visible(prepare):
    subject.validate(
        prepare(parse("(module (global i32 (i32.const 1)) (global i32 (global.get 0)))"))
    )


def test_a_constant_is_translated_once(prepare):
    code = prepare(parse("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"))
    span = code.module.global_inits[0]
    first = subject.translate_constant(code, *span, I32)
    assert subject.translate_constant(code, *span, I32) == first
    assert ctype_of(FuncCode).from_address(first).entry == code._native.code


def test_a_constant_that_was_not_validated(prepare):
    code = prepare(parse("(module (global i32 (f32.const 1)))"))
    with pytest.raises(InternalError):
        subject.translate_constant(code, *code.module.global_inits[0], I32)


def test_places_in_the_binary(prepare, translator):
    code = prepare(
        parse("(module (memory 1) (func (param i32) (i32.store (local.get 0) (i32.const 1))))")
    )
    translator.words(code, 0)
    entry = ctype_of(FuncCode).from_address(code.code_address(0)).entry
    body = code.module.body(0)
    store = code.module.data.index(b"\x36", body.start)
    assert subject.offset_of(code, 0, entry) == store
    assert subject.offset_of(code, 0, entry + 3) == store
    assert subject.offset_of(code, 0, 0) is None


def test_no_place_in_a_function_that_was_never_called(prepare):
    code = prepare(parse("(module (func))"))
    assert subject.offset_of(code, 0, code._native.code) is None


def test_big_frames_have_a_prologue_that_origins_know(prepare, translator):
    # A frame of 70 000 operands, and references: both are known at the end only.
    body = b"\x00" + b"\x41\x00" * 70_000 + b"\xd0\x70\x1a" + b"\x02\x40\x0b" + b"\x1a" * 70_000
    code = prepare(function(body + b"\x00\x0b"))
    words = translator.words(code, 0)
    entry = ctype_of(FuncCode).from_address(code.code_address(0)).entry
    last = entry + 4 * len(words) - 8
    assert subject.offset_of(code, 0, last) == code.module.body(0).end - 2
    frame = ctype_of(FuncCode).from_address(code.code_address(0)).frame_bytes
    assert frame >= 8 * 70_000
    assert ctypes.c_uint32.from_address(entry + 8).value == frame
