"""Which loops need no look at what is wanted."""

import re

import pytest
from tests.unit.jit.guests import assert_same
from tests.unit.jit.programs import job_of

from runwell.jit.unit import job_text

SET = "(local.set 0 (i32.const 0))"
WORK = "(i32.store (local.get 0) (i32.const 1))"
NEXT = "(local.tee 0 (i32.add (local.get 0) (i32.const 4)))"
LAST = "(br_if $o (local.tee 1 (i32.add (local.get 1) (i32.const -1))))"
AGAIN = f"(br_if $l (i32.ne {NEXT} (i32.const 64)))"
SHORT = {
    "up": f"{SET} (loop $l {WORK} {AGAIN})",
    "down to 0": "(local.set 0 (i32.const 99)) (loop $l "
    "(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))",
    "within each other": f"(local.set 1 (i32.const 9)) (loop $o {SET} (loop $l {WORK} {AGAIN})"
    " (br_if $o (local.tee 1 (i32.add (local.get 1) (i32.const -1)))))",
    "left early": f"(block $out {SET} (loop $l (br_if $out (local.get 1)) {WORK} {AGAIN}))",
    "branches before the addition": f"{SET} (loop $l (if (local.get 1) (then {WORK})) {AGAIN})",
}
LONG = {
    "many times": f"{SET} (loop $l {WORK} (br_if $l (i32.ne {NEXT} (i32.const 400000))))",
    "never": f"{SET} (loop $l (br_if $l (i32.ne {NEXT} (i32.const 63))))",
    "from who knows where": f"(loop $l {WORK} {AGAIN})",
    "from two places": f"{SET} (if (local.get 1) (then (local.set 0 (i32.const 4))))"
    f" (loop $l {WORK} {AGAIN})",
    "changed twice": f"{SET} (loop $l (local.set 0 (i32.sub (local.get 0) (i32.const 4))) {AGAIN})",
    "not changed each time": f"{SET} (loop $l (if (local.get 1) (then (drop {NEXT})))"
    " (br_if $l (i32.ne (local.get 0) (i32.const 64))))",
    "jumped over": f"{SET} (loop $l (block $b (br_if $b (local.get 1)) (drop {NEXT}))"
    " (br_if $l (i32.ne (local.get 0) (i32.const 64))))",
    "two ways back": f"{SET} (loop $l {WORK} (br_if $l (local.get 1)) {AGAIN})",
    "set outside of the outer": f"{SET} (loop $o (loop $l {WORK} {AGAIN})"
    " (br_if $o (local.get 1)))",
    "around one that is long": "(local.set 1 (i32.const 9))"
    f" (loop $o (loop $l {WORK} {AGAIN}) {LAST})",
    "endless": "(loop $l (br $l))",
}


def polls(body):
    text = job_text(job_of(f"(module (memory 1) (func (local i32 i32) {body}))"), "x86_64")
    return len(re.findall(r"^S\d+:", text, re.MULTILINE))


@pytest.mark.parametrize("name", SHORT)
def test_short(name):
    assert polls(SHORT[name]) == 0


@pytest.mark.parametrize("name", LONG)
def test_long(name):
    assert polls(LONG[name]) > 0


def test_they_do_the_same():
    functions = "".join(
        f'(func (export "f{n}") (result i32) (local i32 i32) {body}'
        " (i32.add (local.get 0) (local.get 1)))"
        for n, body in enumerate(SHORT.values())
    )
    text = f'(module (memory (export "memory") 1) {functions})'
    assert_same(text, [(f"f{n}",) for n in range(len(SHORT))])
