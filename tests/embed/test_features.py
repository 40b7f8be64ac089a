"""Features are switches: what needs one that is off is refused, and the error names it."""

import pytest

import runwell
from runwell.base.features import ALL, BIT, DEFAULT, FEATURES
from runwell.base.leb128 import encode_unsigned
from runwell.isa.table import TABLE

# They change what tools keep, not which modules are accepted.
ABOUT_CUSTOM_SECTIONS = {"branch-hinting", "custom-annotations"}
# Modules that need a feature for something other than an instruction, or for its operands.
MODULES = [
    ("multi-value", "(func (result i32 i32) unreachable)"),
    ("multi-value", "(func i32.const 1 (block (param i32) drop))"),
    ("mutable-globals", '(global (export "g") (mut i32) (i32.const 0))'),
    ("mutable-globals", '(import "m" "g" (global (mut i32)))'),
    ("bulk-memory", '(data "x")'),
    ("bulk-memory", "(func) (elem func 0)"),
    ("reference-types", "(func (param externref))"),
    ("reference-types", "(table 1 externref)"),
    ("reference-types", "(func (local funcref))"),
    ("reference-types", "(table 1 funcref) (table 1 funcref)"),
    ("reference-types", "(func $f) (elem declare func $f)"),
    ("simd", "(func (param v128))"),
    ("simd", "(func (local v128))"),
    ("simd", "(global v128 (v128.const i64x2 0 0))"),
    ("extended-const", "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
    ("multi-memory", "(memory 1) (memory 1)"),
    ("memory64", "(memory i64 1)"),
    ("memory64", "(table i64 1 funcref)"),
    ("tail-call", "(func $f (return_call $f))"),
    ("exception-handling", "(tag)"),
    ("exception-handling", "(func (param exnref))"),
    ("function-references", "(type $t (func)) (func (param (ref null $t)))"),
    ("function-references", "(type $t (func)) (func (local (ref null $t)))"),
    ("function-references", "(func (param (ref extern)))"),
    ("function-references", "(table 1 (ref null func) (ref.null func))"),
    ("gc", "(type (struct))"),
    ("gc", "(type (array i8))"),
    ("gc", "(rec (type (func)) (type (func)))"),
    ("gc", "(type (sub (func)))"),
    ("gc", "(func (param anyref))"),
    ("gc", "(func (local (ref null i31)))"),
    ("threads", "(memory 1 1 shared)"),
    ("custom-page-sizes", "(memory 1 (pagesize 1))"),
]  # fmt: skip


def module(text_or_bytes, features):
    return runwell.Module(text_or_bytes, engine=runwell.Engine(runwell.Config(features=features)))


def message(name):
    return f"needs? the feature '{name}', which is off"


@pytest.mark.parametrize(("name", "text"), MODULES)
def test_what_a_module_needs(name, text):
    text = f"(module {text})"
    module(text, name)
    with pytest.raises(runwell.RunwellError, match=message(name)):
        module(text, f"-{name}")


def body_with(op):
    """A module of one function that begins with an instruction."""
    code = bytes([op.code]) if not op.prefix else bytes([op.prefix]) + encode_unsigned(op.code)
    body = b"\0" + code + b"\x0b"
    section = b"\1" + encode_unsigned(len(body)) + body
    return b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a" + encode_unsigned(len(section)) + section


@pytest.mark.parametrize("name", [name for name in FEATURES if name != "mvp"])
def test_instructions_of_a_feature(name):
    """All of them are refused without it, each by that name."""
    for op in TABLE:
        if op.feature == name:
            with pytest.raises(runwell.MalformedError, match=message(name)):
                module(body_with(op), f"-{name}")


def test_every_feature_is_tested():
    tested = {name for name, _ in MODULES} | {op.feature for op in TABLE}
    assert tested == set(FEATURES) - ABOUT_CUSTOM_SECTIONS


def test_defaults():
    beyond = {"wide-arithmetic", "custom-page-sizes"}
    assert {name for name in FEATURES if not DEFAULT & BIT[name]} == beyond
    for name, text in MODULES:
        if name not in beyond:
            runwell.Module(f"(module {text})")
    assert runwell.Config(features=",".join(beyond)).feature_bits == ALL


def test_an_old_module_needs_nothing():
    off = ",".join(f"-{name}" for name in FEATURES if name != "mvp")
    text = """(module (memory 1) (table 1 funcref) (global i32 (i32.const 5))
        (func (export "f") (param i32) (result i32)
          (if (result i32) (local.get 0) (then (memory.size)) (else (i32.const 7)))))"""
    exports = runwell.Instance(module(text, off)).exports
    assert (exports.f(1), exports.f(0)) == (1, 7)


def test_an_unknown_feature():
    with pytest.raises(ValueError, match="unknown feature 'x'; features are sign-extension, "):
        runwell.Config(features="-x")


# What is beyond WebAssembly 3.0.

WIDE = """(module
  (func (export "add") (param i64 i64 i64 i64) (result i64 i64)
    (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "sub") (param i64 i64 i64 i64) (result i64 i64)
    (i64.sub128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "mul_s") (param i64 i64) (result i64 i64)
    (i64.mul_wide_s (local.get 0) (local.get 1)))
  (func (export "mul_u") (param i64 i64) (result i64 i64)
    (i64.mul_wide_u (local.get 0) (local.get 1)))
  (func (export "chain") (param i64 i64) (result i64 f64)
    (local $low i64) (local $high i64)
    (f64.add (f64.const 1.5) (f64.const 2))
    (i64.mul_wide_u (i64.add (local.get 0) (i64.const 1)) (local.get 1))
    (local.set $high) (local.set $low)
    (i64.add128 (i64.const 5) (i64.const 0) (local.get $low) (local.get $high))
    (drop) (drop) (drop)
    (i64.sub (local.get $low) (local.get $high)) (f64.const 3.5))
  (func (export "dead") (result i64 i64) unreachable i64.add128))"""


def test_wide_arithmetic():
    exports = runwell.Instance(module(WIDE, "wide-arithmetic")).exports
    top = (1 << 64) - 1

    def halves(n):
        parts = (n & top, n >> 64 & top)
        return tuple(part - (1 << 64) if part >> 63 else part for part in parts)

    numbers = (0, 1, -1, 5, 1 << 62, -(1 << 63), (1 << 63) - 1, 0x0123456789ABCDEF)
    for a in numbers:
        for b in numbers:
            assert exports.mul_s(a, b) == halves(a * b)
            assert exports.mul_u(a, b) == halves((a & top) * (b & top))
            x, y = (a & top) | (b & top) << 64, (b & top) | 7 << 64
            assert exports.add(a, b, b, 7) == halves(x + y)
            assert exports.sub(a, b, b, 7) == halves(x - y)
            product = ((a + 1) & top) * (b & top)
            low, high = product & top, product >> 64
            assert exports.chain(a, b) == (halves(low - high)[0], 3.5)


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
@pytest.mark.parametrize("address", ["i32", "i64"])
def test_custom_page_sizes(address, bounds):
    """Pages of one byte: sizes and bounds are exact."""
    text = f"""(module (memory (export "m") {address} 10 20 (pagesize 1)) (data "abc")
        (func (export "load") (param {address}) (result i32) (i32.load8_u (local.get 0)))
        (func (export "load4") (param {address}) (result i32) (i32.load offset=2 (local.get 0)))
        (func (export "store") (param {address}) (i32.store16 (local.get 0) (i32.const 0x4142)))
        (func (export "size") (result {address}) (memory.size))
        (func (export "grow") (param {address}) (result {address}) (memory.grow (local.get 0)))
        (func (export "fill") (param {address} {address})
          (memory.fill (local.get 0) (i32.const 9) (local.get 1)))
        (func (export "init") (param {address})
          (memory.init 0 (local.get 0) (i32.const 0) (i32.const 3))))"""
    config = runwell.Config(features="custom-page-sizes", bounds=bounds)
    e = runwell.Instance(runwell.Module(text, engine=runwell.Engine(config))).exports
    assert e.size() == e.m.size == len(e.m) == 10
    for call in (lambda: e.load(10), lambda: e.load4(5), lambda: e.store(9),
                 lambda: e.fill(8, 3), lambda: e.init(8)):  # fmt: skip
        with pytest.raises(runwell.Trap, match="out of bounds memory access"):
            call()
    e.store(8)
    e.init(7)
    assert bytes(e.m) == bytes(7) + b"abc"
    assert e.load4(4) == int.from_bytes(b"\0abc", "little")
    assert e.grow(10) == 10
    assert e.grow(1) == -1
    assert e.size() == 20
    e.fill(0, 20)
    assert bytes(e.m) == b"\x09" * 20
    with pytest.raises(runwell.Trap, match="out of bounds memory access"):
        e.load(20)


def test_invalid_page_sizes():
    for size, word in ((2, "invalid custom page size"), (3, "invalid custom page size")):
        with pytest.raises(runwell.RunwellError, match=word):
            module(f"(module (memory 1 (pagesize {size})))", "custom-page-sizes")
    module("(module (memory 1 (pagesize 65536)))", "custom-page-sizes")


def test_page_sizes_must_match():
    text = '(module (memory (export "m") 1 (pagesize 1)))'
    m = runwell.Instance(module(text, "custom-page-sizes")).exports.m
    other = module('(module (import "e" "m" (memory 0)))', "custom-page-sizes")
    with pytest.raises(runwell.LinkError, match="incompatible import type"):
        runwell.Instance(other, {"e": {"m": m}})
    same = module('(module (import "e" "m" (memory 0 (pagesize 1))))', "custom-page-sizes")
    runwell.Instance(same, {"e": {"m": m}})
