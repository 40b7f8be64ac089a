from tests.unit.jit.programs import job_of

from runwell.jit.handlers import clauses

TEXT = """(module (tag $e (param i32))
  (func (block $b
    (block $a (result i32) (try_table (catch $e $a) (catch_all $b)) (i32.const 1)) drop)))"""


def test_clauses():
    first, second = clauses(job_of(TEXT).functions[0].handlers)
    assert (first.kind, first.tag, second.kind) == (0, 0, 2)
    assert first.target != 0


def test_no_handlers():
    assert clauses(b"") == []
