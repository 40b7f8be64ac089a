"""Places where the interpreter goes to compiled code, and scouts that count who passes."""

from ctypes import string_at

import pytest

import runwell
from runwell.codegen.target import keep_places
from runwell.elf.movable_maker import make_movable
from runwell.jit.compile import compile_job
from runwell.jit.installed import install
from runwell.jit.job import Job
from runwell.jit.measure import measure
from runwell.jit.places import add_places, passed, read_places
from runwell.jit.prepare import job_function, make_job
from runwell.kernel.types import ctype_of
from runwell.runtime.layout import FuncCode

INDEX = 1
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

    def __init__(self):
        engine = runwell.Engine(runwell.Config(engine="interpreter"))
        self.look = lambda n: None

        def look(n):
            self.look(n)

        imports = {"": {"look": look}}
        self.instance = runwell.Instance(runwell.Module(WAT, engine=engine), imports)
        self.code = self.instance.module.code
        self.where = self.code.code_address(INDEX)
        self.run = self.instance.exports.f
        self.sizes = measure(self.code, INDEX)
        self.outer, self.inner = (header for header, _ in self.sizes.spans)

    @property
    def func(self):
        return ctype_of(FuncCode).from_address(self.where)

    def words(self):
        return string_at(self.func.start, self.func.code_bytes)

    def compile(self, entry):
        job = make_job(self.code, [INDEX])
        function = job.functions[0]._replace(entries=(entry,), is_whole=False)
        keep_places()
        return make_movable(compile_job(Job(job.header, (function,), 1)))


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
