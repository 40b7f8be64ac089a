"""Places where the interpreter goes to compiled code, and scouts that count who passes."""

from ctypes import string_at

import pytest

import runwell
from runwell.codegen.target import keep_places
from runwell.elf.movable_maker import make_movable
from runwell.jit.compile import compile_job
from runwell.jit.installed import install
from runwell.jit.job import Job
from runwell.jit.level import Level
from runwell.jit.measure import measure
from runwell.jit.places import add_places, leave_at, passed, read_places
from runwell.jit.prepare import job_function, make_job
from runwell.kernel.types import ctype_of
from runwell.runtime.layout import FuncCode

INDEX = 1
FUEL = 1 << 40
WAT = """(module
  (import "" "look" (func $look (param i32)))
  (func (export "f") (param $n i32) (param $m i32) (result i32) (local $i i32) (local $s i32)
    (loop $outer
      (call $look (local.get $n))
      (local.set $i (local.get $m))
      (loop $inner
        (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 3)) (local.get $i)))
        (br_if $inner (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s)))"""


def expected(n, m):
    s = 0
    for _ in range(n):
        for i in range(m, 0, -1):
            s = (s * 3 + i) & 0xFFFFFFFF
    return s - (s >> 31 << 32)


class Guest:
    """The module, and what its host function is to do."""

    def __init__(self, *, fuel=False):
        engine = runwell.Engine(runwell.Config(engine="interpreter", fuel=fuel))
        self.look = lambda n: None

        def look(n):
            self.look(n)

        imports = {"": {"look": look}}
        self.instance = runwell.Instance(runwell.Module(WAT, engine=engine), imports)
        self.is_metered = fuel
        if fuel:
            self.instance.fuel = FUEL
        self.code = self.instance.module.code
        self.where = self.code.code_address(INDEX)
        self.run = self.instance.exports.f
        self.sizes = measure(self.code, INDEX)
        self.outer, self.inner = (header for header, _ in self.sizes.spans)

    @property
    def func(self):
        return ctype_of(FuncCode).from_address(self.where)

    def spent(self):
        return FUEL - self.instance.fuel if self.is_metered else 0

    def words(self):
        return string_at(self.func.start, self.func.code_bytes)

    def compile(self, entry, level=Level.BEST):
        job = make_job(self.code, [INDEX])
        function = job.functions[0]._replace(entries=(entry,), is_whole=False)
        keep_places()
        return make_movable(compile_job(Job(job.header, (function,), level)))


@pytest.fixture
def guest():
    return Guest()


def test_scouts_count_and_go(guest):
    before, function = guest.words(), job_function(guest.code, INDEX)
    scouts = add_places(guest.where, {}, [guest.outer])
    assert guest.words() != before
    # Who asks for the code gets it as it was.
    assert job_function(guest.code, INDEX) == function
    assert measure(guest.code, INDEX) == guest.sizes
    assert guest.run(7, 5) == expected(7, 5)
    assert passed(scouts) == {guest.outer: 7}
    none = add_places(guest.where, {})
    assert guest.words() == before
    assert guest.run(7, 5) == expected(7, 5)
    assert passed(scouts) == {guest.outer: 7}
    assert passed(none) == {}


def test_compiled_code_is_entered_where_the_interpreter_comes_first(guest):
    code = guest.compile(guest.outer)

    def look(n):
        if n == 4:
            install(code, guest.code)

    guest.look = look
    before = guest.words()
    assert guest.run(10, 6) == expected(10, 6)
    assert guest.words() != before
    assert list(read_places(guest.func.places)) == [guest.outer]
    # That was at the next turn, and it went on until it returned; now it is at the first turn.
    table = add_places(guest.where, {})
    assert guest.run(3, 2) == expected(3, 2)
    assert passed(table) == {guest.outer: 1}


def test_code_stays_with_its_places_while_scouts_come_and_go(guest):
    install(guest.compile(guest.inner), guest.code)
    known = read_places(guest.func.places)
    assert list(known) == [guest.inner]
    scouts = add_places(guest.where, {}, [guest.outer, guest.inner])
    assert read_places(guest.func.places) == known
    assert guest.run(5, 4) == expected(5, 4)
    # The rest of it was compiled.
    assert passed(scouts) == {guest.outer: 1, guest.inner: 1}
    last = add_places(guest.where, {})
    assert read_places(guest.func.places) == known
    assert guest.run(5, 4) == expected(5, 4)
    assert passed(last) == {guest.inner: 1}


def test_places_that_are_no_instructions_are_not_marked(guest):
    before = guest.words()
    beyond = guest.func.code_bytes
    places = {4: 1, beyond: 1, 1 << 40: 1}
    table = add_places(guest.where, places)
    assert guest.words() == before
    assert read_places(guest.func.places) == places
    assert passed(table) == dict.fromkeys(places, 0)


@pytest.mark.parametrize("level", [Level.FAST, Level.QUICK])
@pytest.mark.parametrize("fuel", [False, True])
def test_lesser_code_is_left_at_its_loop(level, fuel):
    guest = Guest(fuel=fuel)
    lesser, best = (guest.compile(guest.outer, level=x) for x in (level, Level.BEST))

    def look(n):
        if n == 8:
            install(lesser, guest.code)
        if n == 5:
            install(best, guest.code)
            leave_at(guest.where, guest.outer)

    guest.look = look
    assert guest.run(10, 6) == expected(10, 6)
    cost = guest.spent()
    guest.func.leave = 0
    table = add_places(guest.where, {})
    assert guest.run(3, 6) == expected(3, 6)
    # Better code does not leave.
    leave_at(guest.where, guest.outer)
    assert guest.run(3, 6) == expected(3, 6)
    assert passed(table) == {guest.outer: 2}
    other = Guest(fuel=fuel)
    other.run(10, 6)
    assert cost == other.spent()


@pytest.mark.parametrize("level", [Level.FAST, Level.QUICK])
def test_code_that_is_left_at_each_turn(level):
    guest = Guest()
    install(guest.compile(guest.inner, level=level), guest.code)
    leave_at(guest.where, guest.inner)
    table = add_places(guest.where, {})
    assert guest.run(5, 4) == expected(5, 4)
    # It comes to the loop for itself, too, and is left where that goes round.
    assert passed(table) == {guest.inner: 1 + 5 * 3}


def test_all_that_variables_may_hold_is_there_when_code_is_left():
    """Locals and operands of all types, and operands that are of several."""
    text = """(module (memory 1)
      (func (export "f") (param $n i32) (param $v v128) (result i64)
        (local $a i32) (local $b i64) (local $c f32) (local $d f64) (local $e funcref)
        (i64.const 7)
        (f32.const 1.5)
        (drop (i32.add (block (result i32) (i32.const 3)) (local.get $n)))
        (loop $l (param i64 f32) (result i64 f32)
          (local.set $c (f32.add (f32.const 0.25)))
          (local.set $b (i64.add (i64.const 3)))
          (local.set $a (i32.add (local.get $a) (i32.wrap_i64 (local.get $b))))
          (local.set $d (f64.add (local.get $d) (f64.promote_f32 (local.get $c))))
          (local.set $v (i32x4.add (local.get $v) (i32x4.splat (local.get $a))))
          (local.get $b) (local.get $c)
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.set $c)
        (i64.add (i64.extend_i32_u (local.get $a)))
        (i64.add (i64.trunc_sat_f64_s (local.get $d)))
        (i64.add (i64x2.extract_lane 0 (local.get $v)))
        (i64.add (i64.extend_i32_u (i32.reinterpret_f32 (local.get $c))))))"""
    engine = runwell.Engine(runwell.Config(engine="interpreter"))
    instance = runwell.Instance(runwell.Module(text, engine=engine))
    code, value = instance.module.code, bytes(range(16))
    wanted = [instance.exports.f(n, value) for n in (1, 2, 9)]
    ((loop, _),) = measure(code, 0).spans
    for level in (Level.FAST, Level.QUICK):
        job = make_job(code, [0], level)
        job = job._replace(functions=(job.functions[0]._replace(entries=(loop,), is_whole=False),))
        install(make_movable(compile_job(job)), code)
        leave_at(code.code_address(0), loop)
        assert [instance.exports.f(n, value) for n in (1, 2, 9)] == wanted


def test_what_is_entered_at_a_loop_only_calls_itself_from_its_beginning():
    text = """(module
      (func $f (export "f") (param $n i32) (result i32) (local $s i32)
        (local.set $s (i32.const 100))
        (loop $l
          (if (i32.eqz (local.get $n)) (then (return (local.get $s))))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (local.set $s (i32.add (local.get $s) (call $f (local.get $n))))
          (br $l))
        (unreachable)))"""
    engine = runwell.Engine(runwell.Config(engine="interpreter"))
    instance = runwell.Instance(runwell.Module(text, engine=engine))
    code = instance.module.code
    wanted = instance.exports.f(9)
    ((loop, _),) = measure(code, 0).spans
    for level in Level:
        job = make_job(code, [0], level)
        job = job._replace(functions=(job.functions[0]._replace(entries=(loop,), is_whole=False),))
        install(make_movable(compile_job(job)), code)
        assert instance.exports.f(9) == wanted == 100 * 2**9
