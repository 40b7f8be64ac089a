"""Random signatures: values pass through guests, callbacks and other instances unharmed."""

import random

import pytest

import runwell

SIMPLE = ["i32", "i64", "f32", "f64", "externref", "funcref"]


def value_of(r, kind, functions):
    if kind in ("i32", "i64"):
        bits = int(kind[1:])
        edge = r.choice([0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))])
        return r.choice([edge, r.randrange(-(2 ** (bits - 1)), 2 ** (bits - 1))])
    if kind in ("f32", "f64"):
        return r.choice([0.0, -0.5, 1.0, 2.0**100, float("inf")])
    if kind == "v128":
        return r.randbytes(16)
    if kind == "externref":
        return r.choice([None, object(), [], "x"])
    return r.choice([None, *functions])


def text_of(params, results, order):
    types = f"(param {' '.join(params)}) (result {' '.join(results)})"
    gets = " ".join(f"(local.get {i})" for i in order)
    return f"""(module
      (import "m" "f" (func $f {types}))
      (func $straight (export "straight") {types} {gets})
      (func (export "out") {types} {" ".join(f"(local.get {i})" for i in range(len(params)))}
        (call $f))
      (func (export "down") {types} {" ".join(f"(local.get {i})" for i in range(len(params)))}
        (call $straight)))"""


@pytest.mark.parametrize("seed", range(60))
def test_a_random_signature(make, seed):
    r = random.Random(seed)
    kinds = [*SIMPLE, "v128"]
    params = [r.choice(kinds) for _ in range(r.choice([1, 2, 3, 5, 9, 17, 40]))]
    order = [r.randrange(len(params)) for _ in range(r.choice([1, 2, 3, 8, 20]))]
    results = [params[i] for i in order]
    module = runwell.Module(text_of(params, results, order))

    def f(*args):
        found = tuple(args[i] for i in order)
        return found if len(found) > 1 else found[0]

    one = runwell.Instance(module, {"m": {"f": f}})
    other = runwell.Instance(module, {"m": {"f": one.exports.straight}})
    third = runwell.Instance(module, {"m": {"f": one.exports.out}})
    functions = [one.exports.straight, other.exports.out, runwell.Func(abs, "(i32) -> i32")]
    calls = [
        one.exports.straight,
        one.exports.down,
        one.exports.out,
        other.exports.out,
        third.exports.out,
        runwell.Func(f, one.exports.out.type),
    ]
    for _ in range(5):
        args = [value_of(r, kind, functions) for kind in params]
        wanted = f(*args)
        for call in calls:
            found = call(*args)
            assert found == wanted, call
            for a, b in zip(found, wanted, strict=True) if len(order) > 1 else ():
                assert a is b or not isinstance(b, runwell.Func)
