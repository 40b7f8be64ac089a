"""Finding handlers, by programs that throw from many places."""

from itertools import combinations

import pytest
from tests.unit.interp.compiled_exceptions import OUTER, THROWER, run

import runwell

# Function f(n) throws $a if n is 0 (mod 3), $b if 1, else nothing.
MANY = """(module (tag $a (param i32)) (tag $b (param i32))
  (func $f (param i32)
    (if (i32.eq (i32.rem_u (local.get 0) (i32.const 3)) (i32.const 0))
      (then (throw $a (local.get 0))))
    (if (i32.eq (i32.rem_u (local.get 0) (i32.const 3)) (i32.const 1))
      (then (throw $b (local.get 0)))))
  {functions})"""


def nested(depth, seed):
    """Blocks in blocks, each catching one tag; what it adds says which one caught."""
    tag = "ab"[seed * 7 % 2]
    inner = f"(call $f (i32.add (local.get 0) (i32.const {seed})))"
    if depth:
        inner = nested(depth - 1, 2 * seed) + inner + nested(depth - 1, 2 * seed + 1)
    return f"""(block $h{depth} (result i32)
        (try_table (catch ${tag} $h{depth}) {inner})
        (i32.const 0))
      (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 31)) (i32.const {seed})))
      (local.set 1 (i32.add (local.get 1)))"""


def model(depth, seed, n, total):
    """The same in Python: the new total, or the tag and value that are thrown."""
    tag = "ab"[seed * 7 % 2]

    def body(total):
        if depth:
            total = model(depth - 1, 2 * seed, n, total)
        if (n + seed) % 3 < 2:
            raise Thrown("ab"[(n + seed) % 3], n + seed, total)
        if depth:
            total = model(depth - 1, 2 * seed + 1, n, total)
        return total

    value = 0
    try:
        total = body(total)
    except Thrown as e:
        if e.tag != tag:
            raise
        value, total = e.value, e.total
    return (total * 31 + seed + value) & 0xFFFFFFFF


class Thrown(Exception):
    def __init__(self, tag, value, total):
        super().__init__()
        self.tag, self.value, self.total = tag, value, total


def test_the_innermost_handler_catches():
    trees = [(4, 1), (3, 2), (1, 1), (1, 2), (0, 1)]
    functions = [
        f"""(func (export "{x}") (param i32) (result i32) (local i32)
        {nested(*tree)} (local.get 1))"""
        for x, tree in enumerate(trees)
    ]
    source = MANY.format(functions="\n".join(functions))
    exports = runwell.Instance(runwell.Module(source)).exports
    uncaught = 0
    for n in range(30):
        for x, tree in enumerate(trees):
            try:
                wanted = model(*tree, n, 0)
            except Thrown as thrown:
                wanted = -thrown.value
                uncaught += 1
            try:
                found = exports[str(x)](n) & 0xFFFFFFFF
            except runwell.WasmException as error:
                found = -error.values[0]
            assert found == wanted
    assert 0 < uncaught < 150


REFERENCES = """(module (tag $e (param externref i32))
  (func $down (param i32 externref) (result externref) (local $a externref) (local $b exnref)
    (local.set $a (local.get 1))
    (if (i32.eqz (local.get 0)) (then (throw $e (local.get $a) (i32.const 3))))
    (local.get $a)
    (call $down (i32.sub (local.get 0) (i32.const 1)) (local.get $a))
    drop)
  (func (export "run") (param externref i32) (result externref i32 externref) (local $x externref)
    (local.set $x (local.get 0))
    (local.get $x)
    (block $h (result externref i32 exnref)
      (try_table (catch_ref $e $h) (drop (call $down (local.get 1) (ref.null extern))))
      unreachable)
    drop
    (drop) (drop)
    (block $h (result externref i32)
      (try_table (catch $e $h) (drop (call $down (local.get 1) (local.get $x))))
      unreachable)
    (local.get $x)
    (call $last))
  (func $last (param externref externref i32 externref) (result externref i32 externref)
    (local.get 0) (local.get 2) (local.get 3)))"""


def test_the_reference_frame_is_the_handlers_again():
    exports = runwell.Instance(runwell.Module(REFERENCES)).exports
    thing = object()
    for depth in (0, 1, 2, 50):
        assert exports.run(thing, depth) == (thing, 3, thing)


@pytest.fixture(scope="module")
def interpreted(worker):
    return worker.run(run, ())


def test_what_is_compared(interpreted):
    assert interpreted[:10] == [1001, 1077, 1003, "four", 1005, 1070, 1007, 1005, 1009, 20]
    assert interpreted[20] == -9


ALL = range(THROWER, OUTER + 1)
SOME = [which for n in (1, 2, 5, 6) for which in combinations(ALL, n)]


@pytest.mark.parametrize("part", range(8))
def test_every_mix_of_compiled_functions(worker, interpreted, part):
    for which in SOME[part::8]:
        assert worker.run(run, which) == interpreted, which


AFTER = """(module (import "m" "host" (func $host (result i32))) (tag (export "e"))
  (func (export "run") (param externref externref) (result externref i32)
    (local $i i32) (local $r externref)
    (local.set $r (local.get 1))
    (block $h (try_table (catch_all $h) {what}))
    (local.get $r) (local.get $i)))"""


@pytest.mark.parametrize(
    "what",
    [
        "(local.set $i (call $host))",
        "(drop (call $host))",
        "(local.set $i (i32.add (call $host) (i32.const 1)))",
        "(drop (call $host)) (br $h)",
    ],
)
def test_the_reference_frame_whatever_follows_the_call(what):
    """What moves it back may be part of a fused instruction."""

    def host():
        raise runwell.WasmException(exports.e, ())

    text = AFTER.replace("{what}", what)
    exports = runwell.Instance(runwell.Module(text), {"m": {"host": host}}).exports
    thing = object()
    assert exports.run(object(), thing) == (thing, 0)
