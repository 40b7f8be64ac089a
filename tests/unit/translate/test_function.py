"""Whole bodies: opcodes, features, limits; and the same verdict as wasmtime on mutants."""

import ctypes
import random

import pytest
from translate_harness import FORM_AT, PRELUDE, function

from runwell.base.features import BIT, DEFAULT
from runwell.kernel import ctype_of
from runwell.runtime.code import address_of
from runwell.runtime.layout import FuncCode
from runwell.text.parser import parse
from runwell.translate.code import decode_code
from runwell.translate.errors import Error

REFUSED = {
    "unassigned byte": (b"\x00\xff\x0b", "illegal opcode ff"),
    "unassigned code": (b"\x00\xfc\x7f\x0b", "illegal opcode fc"),
    "else without if": (b"\x00\x05\x0b", "END opcode expected"),
    "second else": (b"\x00\x41\x00\x04\x40\x05\x05\x0b\x0b", "END opcode expected"),
    "bytes behind the end": (b"\x00\x0b\x01\x0b", "section size mismatch"),
    "unknown local": (b"\x00\x20\x00\x1a\x0b", "unknown local 0"),
    "unknown label": (b"\x00\x0c\x01\x0b", "unknown label 1"),
    "unknown function": (b"\x00\x10\x07\x0b", "unknown function 7"),
    "unknown global": (b"\x00\x23\x00\x1a\x0b", "unknown global 0"),
    "unknown table": (b"\x00\xfc\x10\x02\x1a\x0b", "unknown table 2"),
    "unknown memory": (b"\x00\x3f\x01\x1a\x0b", "unknown memory 1"),
    "unknown type": (b"\x00\x41\x00\x11\x05\x00\x0b", "unknown type 5"),
    "unknown block type": (b"\x00\x02\x05\x0b\x0b", "unknown type 5"),
    "unknown elements": (b"\x00\xfc\x0d\x03\x0b", "unknown elem segment 3"),
    "no data count": (b"\x00\xfc\x09\x00\x0b", "data count section required"),
    "alignment": (b"\x00\x41\x00\x28\x03\x00\x1a\x0b", "alignment must not be larger"),
    "memory operand": (b"\x00\x41\x00\x28\x80\x01\x00\x1a\x0b", "malformed memop flags"),
    "offset": (b"\x00\x41\x00\x28\x02\x80\x80\x80\x80\x10\x1a\x0b", "offset out of range"),
    "result arity": (b"\x00\x00\x1c\x02\x7f\x7f\x1a\x0b", "invalid result arity"),
    "value type": (b"\x01\x01\x40\x0b", "malformed value type 0x40"),
    "lane": (b"\x00\xfd\x0c" + bytes(16) + b"\xfd\x15\x10\x1a\x0b", "invalid lane index"),
    "shuffled lane": (
        b"\x00\x00\xfd\x0d" + bytes(15) + b"\x20\x1a\x0b",
        "invalid lane index",
    ),
    "too many locals": (
        b"\x02\xff\xff\xff\xff\x0f\x7f\x02\x7f\x0b",
        "too many locals",
    ),
    "beyond the limit of locals": (b"\x01\xd1\x86\x03\x7f\x0b", "too many locals: the limit"),
    "deep": (b"\x00" + b"\x02\x40" * 50_001 + b"\x0b" * 50_002, "blocks nested too deeply"),
    "wide": (b"\x00\x41\x00\x0e\xf1\xff\x03" + bytes(65_522) + b"\x0b", "br_table too large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, translator):
    body, message = REFUSED[name]
    assert translator.verdict(function(body)).startswith(message)


NEEDS = {
    "sign-extension": b"\x00\x41\x00\xc0\x1a\x0b",
    "saturating-truncation": b"\x00\x43\x00\x00\x00\x00\xfc\x00\x1a\x0b",
    "bulk-memory": b"\x00\x41\x00\x41\x00\x41\x00\xfc\x0a\x00\x00\x0b",
    "reference-types": b"\x00\xd0\x70\x1a\x0b",
    "simd": b"\x00\xfd\x0c" + bytes(16) + b"\x1a\x0b",
    "tail-call": b"\x00\x12\x00\x0b",
    "function-references": b"\x01\x01\x63\x00\x0b",
    "multi-memory": b"\x00\x41\x00\x28\x42\x00\x00\x1a\x0b",
}


@pytest.mark.parametrize("feature", NEEDS)
def test_features_can_be_turned_off(feature, translator):
    binary = function(NEEDS[feature])
    assert translator.validate(translator.prepare(binary)) is None
    without = translator.prepare(binary, features=DEFAULT & ~BIT[feature])
    trouble = translator.validate(without)
    assert trouble is not None
    assert Error(trouble.code).is_malformed


def test_locals_beyond_the_near_ones(code):
    text = f"(func (result i64) (local {'i32 ' * 1100} i64 i64) (local.get 1101))"
    assert code(text).split("\n")[-2] == f"  return_value_0 [{16 + 1101 * 8}]"


def test_big_frames_look_at_the_stack(translator):
    body = b"\x00" + b"\x41\x00" * 70_000 + b"\x02\x40\x0b" + b"\x1a" * 70_000 + b"\x0b"
    words = translator.words(translator.prepare(function(body)), 0)
    first = decode_code(words, FORM_AT)[0]
    assert first.form.name == "enter_big"


# Mutants.

SEEDS = [
    f"(module {PRELUDE} {text})"
    for text in (
        """(func (param i32 i64) (result i64) (local f32 f64)
          (block (result i64) (br_if 0 (local.get 1) (i32.eqz (local.get 0)))
            (drop) (local.set 2 (f32.load offset=3 (local.get 0)))
            (call_indirect (type $t) (local.get 0) (i64.const 3) (i32.const 0))))""",
        """(func (param i32) (result i32) (local i32 i32)
          (loop $l (result i32)
            (if (i32.lt_s (local.get 0) (i32.const 9))
              (then (local.set 1 (i32.add (local.tee 2 (local.get 1)) (i32.const 3))))
              (else (br_table 0 1 0 (local.get 0))))
            (global.set $g (i32.xor (local.get 1) (local.get 2)))
            (br_if $l (i32.const 1)) (select (local.get 0) (local.get 1) (local.get 2))))""",
        """(func (param f64 externref funcref) (result f64 externref) (local funcref)
          (table.set 0 (i32.const 1) (local.tee 3 (local.get 2)))
          (if (ref.is_null (table.get 1 (i32.const 0))) (then unreachable))
          (memory.copy (i32.const 1) (i32.const 2) (i32.const 3))
          (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1))
          (drop (table.grow 0 (ref.func 0) (i32.const 2)))
          (global.set $d (f64.mul (local.get 0) (f64.const 2)))
          (f64.add (global.get $d) (local.get 0)) (local.get 1))""",
    )
]
LIKELY = [
    0, 1, 2, 3, 4, 5, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x1A, 0x1B, 0x1C, 0x20, 0x21, 0x22,
    0x23, 0x24, 0x25, 0x26, 0x28, 0x36, 0x3F, 0x40, 0x41, 0x42, 0x45, 0x6A, 0x7C, 0x7D, 0x7E, 0x7F,
    0x70, 0x6F, 0x80, 0xFF, 0xD0, 0xD1, 0xD2, 0xFC,
]  # fmt: skip
MUTANTS = 10_000


@pytest.fixture(scope="module")
def peer():
    """wasmtime's validator with the same features, or none."""
    wasmtime = pytest.importorskip("wasmtime")
    config = wasmtime.Config()
    for name in ("relaxed_simd", "simd", "gc", "function_references", "exceptions", "threads"):
        setattr(config, f"wasm_{name}", False)
    for name in ("tail_call", "multi_memory", "memory64"):
        setattr(config, f"wasm_{name}", False)
    engine = wasmtime.Engine(config)

    def is_valid(data):
        try:
            wasmtime.Module.validate(engine, data)
        except wasmtime.WasmtimeError:
            return False
        return True

    return is_valid


def features():
    """Those that the peer has on."""
    chosen = DEFAULT
    for name in (
        "simd", "relaxed-simd", "gc", "function-references", "exception-handling", "threads",
        "tail-call", "multi-memory", "memory64",
    ):  # fmt: skip
        chosen &= ~BIT[name]
    return chosen


def check_code(translator, module):
    """Every function translates to code whose branches lead to instructions."""
    for x in range(module.module.n_imported_functions, module.n_functions):
        words = translator.words(module, x)
        instructions = decode_code(words, FORM_AT)
        places = {i.at for i in instructions} | {4 * len(words)}
        assert all(target in places for i in instructions for target in i.targets)
        ctype_of(FuncCode).from_address(module.code_address(x)).frame_bytes = 0
    module._native.code_out = module._native.code
    module._native.n_translated = 0


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_mutants_get_the_same_verdict_as_elsewhere(seed, translator, peer):
    rng = random.Random(seed)
    module = translator.prepare(bytes(bytearray(parse(SEEDS[seed]))), features=features())
    original = module.module.data
    start, end = module.module.bodies[0], module.module.bodies[-1]
    assert peer(original)
    assert translator.validate(module) is None
    pristine = bytes(bytearray(original))
    counts = {True: 0, False: 0}
    for _ in range(MUTANTS):
        mutant = bytearray(pristine)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            byte = rng.choice(LIKELY) if rng.random() < 0.7 else rng.randrange(256)
            mutant[rng.randrange(start, end)] = byte
        # In place, so that the module need not be described again.
        ctypes.memmove(address_of(original), bytes(mutant), len(mutant))
        try:
            trouble = translator.validate(module)
            verdict = peer(bytes(mutant))
            assert (trouble is None) == verdict, mutant.hex()
            counts[verdict] += 1
            if verdict:
                check_code(translator, module)
        finally:
            ctypes.memmove(address_of(original), pristine, len(pristine))
    assert min(counts.values()) > MUTANTS // 100
