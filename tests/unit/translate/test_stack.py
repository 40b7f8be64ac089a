"""Operand types: what pops, what does not; and that no instruction costs more than it is worth."""

import pytest
from translate_harness import function

from runwell.base.leb128 import encode_unsigned
from runwell.text.parser import parse

VALID = {
    "polymorphic": "(func (result i32) unreachable i32.add)",
    "polymorphic below known": "(func (result i32) unreachable (i32.const 1) i32.add)",
    "unknown stays unknown": "(func (result i64) unreachable select drop (i64.const 1))",
    "unknown becomes i64": "(func (result i64) unreachable select)",
    "select of unknown and known": """
        (func (result f32) unreachable (f32.const 1) (i32.const 1) select)""",
    "drop in dead code": "(func (br 0) drop drop)",
    "labels that agree on unknown": """
        (func (block (result f64) (block (result f32) unreachable (br_table 0 1 1 (i32.const 1)))
        drop (f64.const 0)) drop)""",
    "dead block with parameters": "(func unreachable (block (type $t) unreachable) drop)",
    "block in dead code": "(func unreachable (block (param i32) drop))",
    "br_if gives the types of the label": "(func (result i32) unreachable (br_if 0))",
    "call in dead code": "(func (result i64) unreachable (call 1))",
    "results of an endless loop": "(func (result i32) (loop (result i32) (br 0)))",
    "tee in dead code": "(func (local i64) unreachable (local.tee 0) drop)",
    "local of a reference": "(func (local externref) (local.set 0 (ref.null extern)))",
}

INVALID = {
    "underflow": "(func i32.add drop)",
    "underflow of a block": "(func (i32.const 1) (block drop))",
    "wrong type": "(func (i32.add (i32.const 1) (i64.const 1)) drop)",
    "leftover": "(func (i32.const 1))",
    "leftover in a block": "(func (block (i32.const 1)))",
    "leftover in dead code": "(func unreachable (i32.const 1))",
    "missing result": "(func (result i32))",
    "wrong result": "(func (result i32) (i64.const 1))",
    "wrong result of a block": "(func (block (result i32) (f32.const 1)) drop)",
    "wrong type in dead code": "(func unreachable (i64.const 1) i32.eqz drop)",
    "known after br_if in dead code": "(func (result i32) unreachable (br_if 0) i64.eqz drop)",
    "if without else": "(func (if (result i32) (i32.const 1) (then (i32.const 1))) drop)",
    "arms that differ": """
        (func (if (result i32) (i32.const 1) (then (i32.const 1)) (else (i64.const 1))) drop)""",
    "select of two types": "(func (select (i32.const 1) (i64.const 1) (i32.const 1)) drop)",
    "select of references": "(func (select (ref.null func) (ref.null func) (i32.const 1)) drop)",
    "select of unknown and a reference": "(func unreachable (ref.null func) select drop)",
    "labels of different arity": """
        (func (block (block (result i32) (br_table 0 1 (i32.const 1) (i32.const 0))) drop))""",
    "labels of different types": """
        (func (block (result i64) (block (result i32) (br_table 0 1 (i32.const 1) (i32.const 0)))
        drop (i64.const 0)) drop)""",
    "unknown arity in dead code": """
        (func (block (result i32) (block unreachable (br_table 0 1 (i32.const 0))) (i32.const 0))
        drop)""",
    "branch without its value": "(func (result i32) (br 0))",
    "loop label takes parameters": """
        (func (drop (loop (param i32) (result i32) (br_if 0 (i32.const 1)) unreachable)))""",
    "ref.is_null of a number": "(func (drop (ref.is_null (i32.const 1))))",
    "store of a wrong type": "(func (i32.store (i32.const 0) (f32.const 0)))",
}


@pytest.mark.parametrize("name", VALID)
def test_valid(name, refusal):
    assert refusal(VALID[name]) == ""


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name, refusal):
    assert refusal(INVALID[name]).startswith("type mismatch")


def test_mismatch_is_told(translator):
    module = translator.prepare(parse("(module (func (i32.add (i32.const 1) (i64.const 2)) drop))"))
    trouble = translator.validate(module)
    assert list(trouble.wanted[: trouble.n_wanted]) == [0x7F]
    assert list(trouble.found[: trouble.n_found]) == [0x7E]


def test_height_is_limited(translator):
    body = b"\x00" + b"\x41\x00" * 100_001 + b"\x1a" * 100_001 + b"\x0b"
    assert translator.verdict(function(body)).startswith("too many operands")


# Each makes a body of about ``n`` bytes.


def pending_reads(n):
    """A tall stack of reads, and writes to another local."""
    return b"\x01\x02\x7f" + b"\x20\x00" * n + b"\x41\x00\x21\x01" * n + b"\x1a" * n + b"\x0b"


def reads_of_many_locals(n):
    """Each write concerns one read below many others."""
    n = min(n, 20_000)
    reads = b"".join(b"\x20" + encode_unsigned(i) for i in range(n))
    writes = b"".join(b"\x41\x00\x21" + encode_unsigned(i) for i in range(n))
    return b"\x01" + encode_unsigned(n) + b"\x7f" + reads + writes + b"\x1a" * n + b"\x0b"


def blocks_above_a_tall_stack(n):
    """Every block looks below itself."""
    return b"\x00" + b"\x41\x01" * n + b"\x02\x40\x0b" * n + b"\x1a" * n + b"\x0b"


def deep_nesting(n):
    """Branches out of everything."""
    n = min(n, 40_000)
    branches = b"".join(b"\x41\x00\x0d" + encode_unsigned(i) for i in range(n))
    return b"\x00" + b"\x02\x40" * n + branches + b"\x0b" * (n + 1)


def wide_tables(n):
    """Tables with many targets, one after the other in dead code."""
    n = max(n // 256, 1)
    table = b"\x41\x00\x0e" + encode_unsigned(255) + b"\x00" * 256
    return b"\x00" + (b"\x02\x40" + table + b"\x0b") * n + b"\x0b"


def loops_in_loops(n):
    """Loops whose ends are not labels."""
    n = min(n, 40_000)
    return b"\x00" + b"\x03\x40" * n + b"\x0b" * (n + 1)


def many_tees(n):
    """One local, read and written in turn, with the reads pending."""
    return b"\x01\x01\x7f" + b"\x41\x00" + b"\x22\x00\x20\x00" * n + b"\x1a" * (n + 1) + b"\x0b"


def many_declarations(n):
    """Locals in groups of none."""
    return encode_unsigned(n) + b"\x00\x7f" * n + b"\x0b"


@pytest.mark.parametrize(
    "make",
    [
        pending_reads,
        reads_of_many_locals,
        blocks_above_a_tall_stack,
        deep_nesting,
        wide_tables,
        loops_in_loops,
        many_tees,
        many_declarations,
    ],
)
def test_work_is_linear(make, translator):
    """Inner loops together run a few times a byte at most, whatever the size."""
    for n in (1_000, 16_000):
        body = make(n)
        module = translator.prepare(function(body))
        trouble = translator.validate(module)
        assert trouble is None, trouble.code
        checked = translator.work.steps
        words = translator.words(module, 0)
        assert translator.work.steps - checked <= 4 * len(body)
        assert checked <= 4 * len(body)
        assert len(words) <= 16 * len(body)
        translator.work.steps = 0


def many_values(arity, count, instruction):
    """Branches that carry ``arity`` values from one place to another."""
    body = b"\x00\x41\x00\x02\x01" + b"\x41\x00" + b"\x41\x07" * arity
    return body + instruction * count + b"\x00\x0b" + b"\x1a" * (arity + 1) + b"\x0b"


@pytest.mark.parametrize("instruction", [b"\x41\x00\x0d\x00"], ids=["br_if"])
def test_code_is_linear_in_branches_with_many_values(instruction, translator):
    arity, count = 900, 2_000
    body = many_values(arity, count, instruction)
    binary = function(body)
    types = b"\x02\x60\x00\x00\x60\x00" + encode_unsigned(arity) + b"\x7f" * arity
    at = binary.index(b"\x01\x04\x01\x60\x00\x00")
    section = b"\x01" + encode_unsigned(len(types)) + types
    binary = binary[:at] + section + binary[at + 6 :]
    module = translator.prepare(binary)
    trouble = translator.validate(module)
    assert trouble is None, trouble.code
    words = translator.words(module, 0)
    assert len(words) <= 16 * len(body)
