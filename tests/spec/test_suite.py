"""The official test suite, but for what is listed with a reason in ``expected_failures.txt``."""

import pytest
from tests.spec.suite import SUITE, expected_failures, scripts

EXPECTED = expected_failures()
SCRIPTS = scripts()

needs_suite = pytest.mark.skipif(
    not SCRIPTS, reason=f"the official suite is not at {SUITE}: set RUNWELL_SPEC_TESTS"
)


@needs_suite
@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name, worker, count):
    assertions, failures = worker.run(name)
    count(name.rpartition("/")[0], assertions)
    if name in EXPECTED:
        assert failures, f"passes, though {EXPECTED[name]!r} was expected to make it fail"
        pytest.xfail(f"{len(failures)} failures: {EXPECTED[name]}")
    assert not failures, "\n".join(f"{name}:{line}: {message}" for line, message in failures[:20])


@needs_suite
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in EXPECTED])
def test_script_with_explicit_bounds(name, worker, count):
    assertions, failures = worker.run(name, bounds="explicit")
    count(f"{name.rpartition('/')[0]} with explicit bounds", assertions)
    assert not failures, "\n".join(f"{name}:{line}: {message}" for line, message in failures[:20])


@needs_suite
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in EXPECTED])
def test_script_compiled(name, worker, count):
    assertions, failures = worker.run(name, engine="jit")
    count(f"{name.rpartition('/')[0]} compiled", assertions)
    assert not failures, "\n".join(f"{name}:{line}: {message}" for line, message in failures[:20])


@needs_suite
def test_expected_failures_exist():
    assert EXPECTED.keys() <= set(SCRIPTS)
    assert all(EXPECTED.values())
