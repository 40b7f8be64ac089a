"""Many units at once."""

import pytest
from tests.unit.interp.compiled import ATTRIBUTES, CC, HEAD, RESULT, give
from tests.unit.jit.jobs import FUNCTION, job

import runwell
from runwell.elf.format import ElfError
from runwell.jit.batch import Batch, Unit
from runwell.jit.cache import CodeCache
from runwell.jit.compiler import Status
from runwell.jit.thread import ThreadCompiler
from runwell.jit.workers import Workers

COUNT = 30
WAT = "(module {})".format(
    "".join(f'(func (export "{n}") (result i64) i64.const {n})' for n in range(COUNT))
)


class Units:
    """Units of one function each, which give another number than the interpreter."""

    def __init__(self, what: str = "compile", level: int = 2) -> None:
        self.made = 0
        self.what, self.level = what, level

    def make(self, n: int) -> bytes:
        self.made += 1
        body = f"define {CC} {RESULT} @f{n}({HEAD}) {ATTRIBUTES} {{\n{give(str(1000 + n))}\n}}"
        return job(self.what, body.encode())

    def __iter__(self):
        for n in range(COUNT):
            yield Unit((f"f{n}",), self.level, 100.0, lambda n=n: self.make(n))


@pytest.fixture
def cache(tmp_path):
    return CodeCache(str(tmp_path / "cache"))


@pytest.fixture(scope="module", params=["process", "thread"])
def compiler(request):
    compiler = Workers(FUNCTION, 2) if request.param == "process" else ThreadCompiler(FUNCTION)
    yield compiler
    compiler.close()


def results(instance) -> list[int]:
    return [instance.exports[str(n)]() for n in range(COUNT)]


def test_all_is_compiled_and_then_kept(compiler, cache):
    instance = runwell.Instance(runwell.Module(WAT))
    assert results(instance) == list(range(COUNT))
    units = Units()
    report = Batch(instance.module.code, compiler, cache).run(units)
    assert report[:3] == (0, COUNT, ())
    assert units.made == COUNT
    assert results(instance) == list(range(1000, 1000 + COUNT))
    again, units = runwell.Instance(runwell.Module(WAT)), Units()
    assert Batch(again.module.code, compiler, cache).run(units) == (COUNT, 0, (), 0)
    assert units.made == 0
    assert results(again) == results(instance)
    # At a lower level there is nothing to do, at a higher one there is.
    assert Batch(again.module.code, compiler, cache).run(Units(level=1)).compiled == 0
    assert Batch(again.module.code, compiler, cache).run(Units(level=3)).compiled == COUNT


def test_what_fails_stays_as_it_was(compiler, cache):
    instance = runwell.Instance(runwell.Module(WAT))
    report = Batch(instance.module.code, compiler, cache).run(Units("refuse"))
    assert report.compiled == 0
    assert {outcome.status for outcome in report.failed} == {Status.REFUSED}
    assert len(report.failed) == COUNT
    assert results(instance) == list(range(COUNT))
    units = Units()
    assert Batch(instance.module.code, compiler, cache).run(units).compiled == 0
    assert units.made == 0  # nobody tries again
    assert Batch(instance.module.code, compiler, cache).run(Units(level=1)).compiled == COUNT


def test_nothing_to_compile(compiler):
    module = runwell.Module(WAT)
    units = [Unit(("f0",), 2, 1.0, lambda: None)]
    assert Batch(module.code, compiler, None).run(units) == (0, 0, (), 0)


def test_bad_code_stops_it(compiler):
    module = runwell.Module(WAT)
    text = b"declare void @nowhere()\ndefine void @f0() {\n call void @nowhere()\n ret void\n}"
    bad = Unit(("f0",), 2, 100.0, lambda: job(text=text))
    with pytest.raises(ElfError, match="nowhere"):
        Batch(module.code, compiler, None).run([bad, *Units()])
    assert Batch(module.code, compiler, None).run(Units()).compiled == COUNT
