"""Deterministic engines: canonical NaNs, and a world that is the same in each run."""

import os
import pickle
from collections.abc import Callable
from itertools import product
from random import Random

import pytest

import runwell
from runwell.base.types import F32, F64, V128
from runwell.isa.evaluate import Bits, Evaluator
from runwell.isa.floats import FORMATS
from runwell.isa.op import Op, Rule
from runwell.isa.table import TABLE

ENGINES = list(product(("interpreter", "jit"), ("guard", "explicit")))
# The specification's operations that make NaNs; others that take floats only hand them on.
MAKERS = (
    *("add", "sub", "mul", "div", "sqrt", "min", "max", "ceil", "floor", "trunc", "nearest"),
    *("demote_f64", "promote_f32", "demote_f64x2_zero", "promote_low_f32x4"),
    *("relaxed_madd", "relaxed_nmadd", "relaxed_min", "relaxed_max"),
)
HANDED_ON = ("abs", "neg", "copysign", "pmin", "pmax")
# Quiet and signalling NaNs of odd payloads, infinities, zeros, numbers.
NUMBERS = {
    32: (0xFFC12345, 0x7F800001, 0x7FC00000, 0xFFC00000, 0x7F800000, 0xFF800000, 0x80000000,
         0, 0x3FC00000, 0xC0000000),
    64: (0xFFF8000012345678, 0x7FF0000000000001, 0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0 << 48,
         0xFFF0 << 48, 1 << 63, 0, 0x3FF8 << 48, 0xC000 << 48),
}  # fmt: skip


def split(op: Op) -> tuple[str, str]:
    """Type and name."""
    ty, _, name = op.mnemonic.partition(".")
    return ty, name


def rows(names: tuple[str, ...]) -> list[Op]:
    """The float instructions of these names."""
    shapes = ("f32", "f64", "f32x4", "f64x2")
    return [op for op in TABLE if split(op)[0] in shapes and split(op)[1] in names]


ROWS = rows(MAKERS + HANDED_ON)


def width_of(ty: str) -> int:
    """Bits of a float or lane."""
    return 32 if ty.startswith("f32") else 64


def source_width(op: Op) -> int:
    """Bits of the operands' lanes."""
    ty, name = split(op)
    if "mote" in name:
        return 96 - width_of(ty)
    return width_of(ty)


def function(op: Op) -> str:
    """Applies an instruction to integers, and gives its result as integers."""
    params, operands = [], []
    for ty in op.params:
        at = len(params)
        if ty == V128:
            params += ["i64", "i64"]
            operands.append(
                f"(i64x2.replace_lane 1 (i64x2.splat (local.get {at})) (local.get {at + 1}))"
            )
        else:
            same = "i32" if ty == F32 else "i64"
            params.append(same)
            operands.append(f"({ty.text}.reinterpret_{same} (local.get {at}))")
    value = f"({op.mnemonic} {' '.join(operands)})"
    head = f'(func (export "{op.mnemonic}") (param {" ".join(params)})'
    if op.results == (V128,):
        return f"""{head} (result i64 i64) (local $v v128) (local.set $v {value})
            (i64x2.extract_lane 0 (local.get $v)) (i64x2.extract_lane 1 (local.get $v)))"""
    same = "i32" if op.results == (F32,) else "i64"
    return f"{head} (result {same}) ({same}.reinterpret_{op.results[0].text} {value}))"


def canonical(value: int, ty: str) -> int:
    """A value whose NaNs are canonical, lane by lane."""
    width = width_of(ty)
    form = FORMATS[width]
    lanes = Bits([value], 128 if "x" in ty else width).value
    count = 128 // width if "x" in ty else 1
    mask = (1 << width) - 1
    made = [lanes >> width * i & mask for i in range(count)]
    return sum((form.nan if form.is_nan(x) else x) << width * i for i, x in enumerate(made))


def cases(op: Op) -> list[tuple[int, ...]]:
    """Operands, as numbers; each vector holds several that are interesting."""
    width = source_width(op)
    numbers = NUMBERS[width]
    scalars = list(product(numbers, repeat=min(len(op.params), 2)))
    if len(op.params) == 3:
        scalars = [
            (a, b, numbers[(i + j) % 10]) for j in (0, 3) for i, (a, b) in enumerate(scalars)
        ]
    if op.params[0] != V128:
        return scalars
    lanes, found = 128 // width, []
    for at in range(0, len(scalars), lanes):
        group = [scalars[(at + i) % len(scalars)] for i in range(lanes)]
        found.append(
            tuple(
                sum(group[i][k] << width * i for i in range(lanes)) for k in range(len(op.params))
            )
        )
    return found


def expected(op: Op, operands: tuple[int, ...]) -> int:
    """What the deterministic profile says."""
    bits = [Bits([x], ty.bits) for x, ty in zip(operands, op.params, strict=True)]
    value: int = op.body(Evaluator(), op.ty, *bits).value
    ty, name = split(op)
    return canonical(value, ty) if name in MAKERS else value


def unsigned(result: object) -> int:
    """A result's bits."""
    if isinstance(result, tuple):
        return sum((x & (1 << 64) - 1) << 64 * i for i, x in enumerate(result))
    assert isinstance(result, int)
    return result


def engine(how: str = "interpreter", bounds: str = "guard", **more: object) -> runwell.Engine:
    return runwell.Engine(
        runwell.Config(engine=how, bounds=bounds, deterministic=True, **more)  # type: ignore[arg-type]
    )


def instance(wat: str, *how: str, **more: object) -> runwell.Instance:
    return runwell.Instance(runwell.Module(wat, engine=engine(*how, **more)))


def test_the_rows_are_all_there() -> None:
    assert len(rows(MAKERS)) == 2 * 11 + 2 + 2 * 11 + 2 + 2 * 4
    assert len(rows(HANDED_ON)) == 2 * 3 + 2 * 4
    assert all(op.rule == Rule.PLAIN for op in ROWS)


@pytest.mark.parametrize(("how", "bounds"), ENGINES)
def test_every_nan_is_the_canonical_one(how: str, bounds: str) -> None:
    guest = instance(f"(module {''.join(map(function, ROWS))})", how, bounds)
    for op in ROWS:
        call = guest.exports[op.mnemonic]
        is_vector = op.params[0] == V128
        size = 128 if is_vector else op.params[0].bits
        mask = (1 << (128 if op.results == (V128,) else op.results[0].bits)) - 1
        for operands in cases(op):
            given: list[int] = []
            for x in operands:
                assert x < 1 << size
                given += [x & (1 << 64) - 1, x >> 64] if is_vector else [x]
            found = unsigned(call(*given)) & mask
            want = expected(op, operands)
            assert found == want, (op.mnemonic, [hex(x) for x in operands], hex(found), hex(want))


PROGRAM = """
(module (memory (export "memory") 1) (global $g (mut f64) (f64.const 0))
  (func $callee (param f64) (result f64) (f64.add (local.get 0) (f64.const 1)))
  (func (export "f") (param $a f64) (param $n i32) (result i64) (local $x f64) (local $y f32)
    ;; fused, from constants, into locals, globals, memory, calls, conditions, loops
    (local.set $x (f64.add (f64.mul (local.get $a) (f64.const 2)) (local.get $a)))
    (f64.store (i32.const 0) (local.get $x))
    (f64.store (i32.const 8) (f64.sub (f64.const nan:0xdead) (local.get $a)))
    (f64.store (i32.const 16) (f64.div (local.get $a) (f64.const -nan:0x8000000000001)))
    (global.set $g (f64.sqrt (f64.neg (f64.sqrt (local.get $a)))))
    (f64.store (i32.const 24) (global.get $g))
    (f64.store (i32.const 32) (call $callee (f64.neg (global.get $g))))
    (f64.store (i32.const 40)
      (if (result f64) (f64.lt (f64.add (local.get $a) (local.get $a)) (f64.const 0))
        (then (f64.const 1)) (else (f64.max (local.get $a) (f64.const 3)))))
    (local.set $y (f32.demote_f64 (local.get $a)))
    (loop $l
      (local.set $y (f32.mul (f32.neg (local.get $y)) (local.get $y)))
      (local.set $x (f64.sub (local.get $x) (f64.promote_f32 (f32.neg (local.get $y)))))
      (f32.store (i32.const 48) (local.get $y))
      (f64.store (i32.const 56) (local.get $x))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (drop (f64.add (local.get $a) (local.get $a)))
    (f32.store (i32.const 52) (f32.neg (f32.ceil (local.get $y))))
    (i64.reinterpret_f64
      (block $b (result f64)
        (br_if $b (f64.floor (local.get $a)) (f64.ne (local.get $a) (local.get $a)))
        (drop) (f64.const 0)))))
"""
NAN_32, NAN_64 = FORMATS[32].nan, FORMATS[64].nan


@pytest.mark.parametrize(("how", "bounds"), ENGINES)
@pytest.mark.parametrize("fuel", [False, 1000])
def test_nans_of_programs(how: str, bounds: str, fuel: object) -> None:
    guest = instance(PROGRAM, how, bounds, fuel=fuel)
    assert guest.exports.f(float("nan"), 4) == NAN_64
    memory = bytes(guest.exports.memory)[:64]
    words = [int.from_bytes(memory[i : i + 8], "little") for i in range(0, 64, 8)]
    assert words == [*[NAN_64] * 6, (NAN_32 | 1 << 31) << 32 | NAN_32, NAN_64]


def expression(random: Random, depth: int) -> tuple[str, Callable[[Evaluator, list[int]], Bits]]:
    """A random one of type f64 over three parameters, as text and as what it means."""
    if depth == 0 or random.random() < 0.1:
        at = random.randrange(3)
        return f"(local.get {at})", lambda m, values: Bits([values[at]], 64)
    op = random.choice(SCALARS)
    parts = [expression(random, depth - 1) for _ in op.params]
    text = f"({op.mnemonic} {' '.join(text for text, _ in parts)})"
    is_maker = split(op)[1] in MAKERS

    def meaning(m: Evaluator, values: list[int]) -> Bits:
        made = op.body(m, op.ty, *[part(m, values) for _, part in parts])
        return Bits([canonical(made.value, "f64")], 64) if is_maker else made

    if random.random() < 0.2:

        def narrow(m: Evaluator, values: list[int]) -> Bits:
            single = canonical(m.demote(F32, meaning(m, values)).value, "f32")
            negated = m.fneg(Bits([single], 32))
            return Bits([canonical(m.promote(F64, negated).value, "f64")], 64)

        return f"(f64.promote_f32 (f32.neg (f32.demote_f64 {text})))", narrow
    return text, meaning


SCALARS = [op for op in ROWS if op.params[0] == F64 and op.results == (F64,)]


@pytest.mark.parametrize("how", ["interpreter", "jit"])
def test_random_expressions(how: str) -> None:
    random = Random(7)
    made = [expression(random, 4) for _ in range(60)]
    functions = [
        f'(func (export "{i}") (param f64 f64 f64) (result f64) {text})'
        for i, (text, _) in enumerate(made)
    ]
    # In memory: a caller's floats have no payload to speak of.
    loads = " ".join(f"(f64.load (i32.const {8 * i}))" for i in range(3))
    calls = [
        f'(func (export "call {i}") (f64.store (i32.const 24) (call {i} {loads})))'
        for i in range(len(made))
    ]
    text = f'(module (memory (export "memory") 1) {" ".join(functions + calls)})'
    guest = instance(text, how)
    memory = guest.exports.memory
    view = memoryview(memory)
    for i, (text, meaning) in enumerate(made):
        for _ in range(40):
            values = [random.choice(NUMBERS[64]) for _ in range(3)]
            view[:24] = b"".join(value.to_bytes(8, "little") for value in values)
            guest.exports[f"call {i}"]()
            found = int.from_bytes(view[24:32], "little")
            want = meaning(Evaluator(), values).value
            assert found == want, (text, [hex(x) for x in values], hex(found), hex(want))


def vectors(random: Random, depth: int) -> tuple[str, Callable[[Evaluator, list[int]], Bits]]:
    """A random expression of vectors, whose lanes are taken now as of one width, now of another."""
    if depth == 0 or random.random() < 0.1:
        at = random.randrange(2)
        return f"(local.get {at})", lambda m, values: Bits([values[at]], 128)
    op = random.choice(VECTORS)
    parts = [vectors(random, depth - 1) for _ in op.params]
    text = f"({op.mnemonic} {' '.join(text for text, _ in parts)})"

    def meaning(m: Evaluator, values: list[int]) -> Bits:
        made = op.body(m, op.ty, *[part(m, values) for _, part in parts])
        is_maker = split(op)[1] in MAKERS
        return Bits([canonical(made.value, split(op)[0])], 128) if is_maker else made

    return text, meaning


VECTORS = [op for op in ROWS if op.results == (V128,)]


@pytest.mark.parametrize("how", ["interpreter", "jit"])
def test_random_expressions_of_vectors(how: str) -> None:
    random = Random(8)
    made = [vectors(random, 4) for _ in range(40)]
    functions = [
        f'(func (export "{i}") (param v128 v128) (result v128) {text})'
        for i, (text, _) in enumerate(made)
    ]
    guest = instance(f"(module {' '.join(functions)})", how)
    for i, (text, meaning) in enumerate(made):
        for _ in range(30):
            values = [
                sum(random.choice(NUMBERS[32]) << 32 * lane for lane in range(4)) for _ in range(2)
            ]
            given = [value.to_bytes(16, "little") for value in values]
            found = int.from_bytes(guest.exports[str(i)](*given), "little")
            want = meaning(Evaluator(), values).value
            assert found == want, (text, [hex(x) for x in values], hex(found), hex(want))


# Each leaves NaNs on the operand stack for something else to find; N is one that was just made.
OBSERVERS = {
    "a store": "(f64.store (i32.const 0) N)",
    "a store below others": "(i32.const 0) N N (f64.store offset=8 (i32.const 0) N) (local.set $x)"
                            " (f64.store) (f64.store offset=16 (i32.const 0) (local.get $x))",
    "bits": "(i64.store (i32.const 0) (i64.reinterpret_f64 N))",
    "a local": "(local.set $x N) (f64.store (i32.const 0) (local.get $x))",
    "a local that is kept": "(drop (local.tee $x N)) (f64.store (i32.const 0) (local.get $x))",
    "a global": "(global.set $g N) (f64.store (i32.const 0) (global.get $g))",
    "a call": "(f64.store (i32.const 0) (call $same (f64.const 1) N))",
    "an indirect call": "(f64.store (i32.const 0)"
                        " (call_indirect (type $two) (f64.const 1) N (i32.const 0)))",
    "a result": "(f64.store (i32.const 0) (call $made (local.get $a)))",
    "several results": "(call $several (local.get $a)) (local.set $x) (f64.store)"
                       " (f64.store offset=8 (i32.const 0) (local.get $x))",
    "a choice": "(f64.store (i32.const 0) (select N (f64.const 1) (i32.const 1)))",
    "a block": "(f64.store (i32.const 0) (block (result f64) N))",
    "what is below a block": "(i32.const 0) N (block) (f64.store)",
    "a branch": "(f64.store (i32.const 0) (block (result f64) (br 0 N)))",
    "a table of branches": "(f64.store (i32.const 0) (block (result f64)"
                           " (br_table 0 0 0 N (i32.const 1))))",
    "a branch that is not taken": "(f64.store (i32.const 0) (block (result f64)"
                                  " (br_if 0 N (i32.eqz (local.get $n)))))",
    "a parameter of a block": "N (block (param f64) (local.set $x))"
                              " (f64.store (i32.const 0) (local.get $x))",
    "a parameter of both ways": "N (if (param f64) (local.get $n) (then (local.set $x))"
                                " (else (local.set $x))) (f64.store (i32.const 0) (local.get $x))",
    "a loop": "N (loop (param f64) (local.set $x) N"
              " (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))"
              " (f64.store (i32.const 0) (local.get $x)) drop)",
    "a vector": "(v128.store (i32.const 0) (f64x2.splat N))",
    "a lane": "(v128.store (i32.const 0) (f64x2.replace_lane 1 (v128.const i64x2 0 0) N))",
    "a single": "(f32.store (i32.const 0) (f32.neg (f32.demote_f64 N)))",
    "signs": "(f64.store (i32.const 0) (f64.neg N)) (f64.store (i32.const 8) (f64.abs N))"
             " (f64.store (i32.const 16) (f64.copysign N (f64.const -1)))"
             " (f64.store (i32.const 24) (f64.copysign (f64.const 1) N))",
    "an exception": "(block $b (result f64) (try_table (catch $e $b) (throw $e N)) unreachable)"
                    " (local.set $x) (f64.store (i32.const 0) (local.get $x))",
    "a deep stack": f"{'N ' * 70} {'(f64.add) (f64.neg) ' * 69} (local.set $x)"
                    " (f64.store (i32.const 0) (local.get $x))",
    "all of a deep stack": f"{'N ' * 70} {'(local.set $x) ' * 69} (local.set $x)"
                           " (f64.store (i32.const 0) (local.get $x))",
}  # fmt: skip


@pytest.mark.parametrize("name", OBSERVERS)
def test_whoever_looks_sees_canonical_nans(name: str) -> None:
    """Deterministic code does what plain code does in which each NaN is made canonical at once."""
    made = "(f64.sub (f64.mul (local.get $a) (f64.const 2)) (local.get $a))"
    at_once = f"(call $clean {made})"
    seen = []
    for how, text in (("interpreter", at_once), ("interpreter", made), ("jit", made)):
        # In what others are compared with, calls do nothing to NaNs but make them canonical.
        several = " ".join([text.replace("$a", "0")] * 2)
        wat = f"""(module (memory (export "memory") 1) (global $g (mut f64) (f64.const 0))
          (type $two (func (param f64 f64) (result f64))) (table funcref (elem $same))
          (tag $e (param f64))
          (func $clean (param f64) (result f64) (select (f64.const nan) (local.get 0)
            (f64.ne (local.get 0) (local.get 0))))
          (func $same (type $two) (local.get 1))
          (func $made (param f64) (result f64) {text.replace("$a", "0")})
          (func $several (param f64) (result i32 f64 f64)
            (i32.const 0) {several})
          (func (export "f") (param $a f64) (param $n i32) (local $x f64)
            {OBSERVERS[name].replace("N", text)}))"""
        guest = instance(wat, how)
        for value in (float("nan"), float("inf"), -float("inf"), 2.5):
            guest.exports.f(value, 2)
            seen.append(bytes(guest.exports.memory)[:32])
    assert seen[:4] == seen[4:8] == seen[8:]
    assert seen[0] != seen[3]


def test_fuel_is_the_same() -> None:
    left = []
    for deterministic in (False, True):
        config = runwell.Config(fuel=1000, deterministic=deterministic)
        guest = runwell.Instance(runwell.Module(PROGRAM, engine=runwell.Engine(config)))
        guest.exports.f(1.0, 9)
        left.append(guest.fuel)
    assert left[0] == left[1] < 1000


def test_others_hand_payloads_on() -> None:
    wat = """(module (func (export "f") (param i64) (result i64)
      (i64.reinterpret_f64 (f64.add (f64.reinterpret_i64 (local.get 0)) (f64.const 1)))))"""
    odd = 0x7FF8000012345678
    assert runwell.Instance(runwell.Module(wat)).exports.f(odd) == odd
    assert instance(wat).exports.f(odd) == NAN_64


WASI = """
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "time") (result i64)
    (drop (call $time (i32.const 0) (i64.const 0) (i32.const 0))) (i64.load (i32.const 0)))
  (func (export "random") (result i64)
    (drop (call $random (i32.const 0) (i32.const 8))) (i64.load (i32.const 0))))
"""


def readings(config: runwell.WasiConfig, *, deterministic: bool = True) -> list[int]:
    """What a fresh guest is told: two times, two numbers."""
    made = runwell.Engine(runwell.Config(deterministic=deterministic))
    guest = runwell.Instance(runwell.Module(WASI, engine=made), wasi=config)
    exports = guest.exports
    return [exports.time(), exports.time(), exports.random(), exports.random()]


def test_wasi_is_the_same_in_each_run() -> None:
    config = runwell.WasiConfig()
    first = readings(config)
    assert first == readings(config) == readings(runwell.WasiConfig(clock="virtual", random=0))
    assert first[:2] == [1000, 2000]
    assert first[2] != first[3]
    # Nothing of that in other engines, which use the same configuration.
    other = readings(config, deterministic=False)
    assert other[0] > 1_600_000_000 * 10**9
    assert other[2:] != first[2:]


def test_a_wasi_configuration_may_have_others() -> None:
    first = readings(runwell.WasiConfig())
    real = readings(runwell.WasiConfig(clock="real", random=os.urandom))
    assert real[0] > 1_600_000_000 * 10**9
    assert real[2:] != first[2:]
    seeded = readings(runwell.WasiConfig(random=7))
    assert seeded[:2] == first[:2]
    assert seeded[2:] != first[2:]


def test_configurations_know_it() -> None:
    config = runwell.Config(deterministic=True)
    plain = runwell.Config()
    assert config.deterministic
    assert not plain.deterministic
    assert eval(repr(config), {"runwell": runwell}) == config != plain  # noqa: S307
    assert pickle.loads(pickle.dumps(config)) == config
    assert config.code_key() != plain.code_key()
    with pytest.raises(TypeError, match="deterministic is a bool, not int"):
        runwell.Config(deterministic=1)  # type: ignore[arg-type]


def test_serialized_modules_keep_it() -> None:
    wat = """(module (func (export "f") (result i64)
      (i64.reinterpret_f64 (f64.add (f64.const nan:0x8000000000123) (f64.const 1)))))"""
    data = runwell.Module(wat, engine=engine()).serialize()
    kept = runwell.Module.deserialize(data)
    assert kept.engine.config.deterministic
    assert runwell.Instance(kept).exports.f() == NAN_64
    with pytest.raises(runwell.DeserializeError, match="differs"):
        runwell.Module.deserialize(data, engine=runwell.Engine())
