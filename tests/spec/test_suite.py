"""The official test suite, but for what is listed with a reason in ``expected_failures.txt``."""

import pytest
from tests.spec.suite import COMPILED, SUITE, expected_failures, scripts

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


# Scripts in which much is done with floats.
FLOATS = ("f32", "f64", "float", "conversions", "simd_f", "simd_conv", "relaxed", "i32x4_relaxed")
WITH_FLOATS = [n for n in SCRIPTS if n.rpartition("/")[2].startswith(FLOATS) and n not in EXPECTED]


@needs_suite
@pytest.mark.parametrize("engine", ["interpreter", "jit"])
@pytest.mark.parametrize("name", WITH_FLOATS)
def test_script_in_a_deterministic_engine(name, engine, worker, count):
    assertions, failures = worker.run(name, engine=engine, deterministic=True)
    count(f"{name.rpartition('/')[0]} deterministic", assertions)
    assert not failures, "\n".join(f"{name}:{line}: {message}" for line, message in failures[:20])


@needs_suite
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in EXPECTED])
def test_script_compiled_meanwhile(name, eager_worker, count):
    """What was called once is compiled before it is called again."""
    assertions, failures, compiled = eager_worker.run(name, engine="tiered")
    count(f"{name.rpartition('/')[0]} compiled meanwhile", assertions)
    count(COMPILED, compiled)
    assert not failures, "\n".join(f"{name}:{line}: {message}" for line, message in failures[:20])


@needs_suite
def test_functions_are_compiled_meanwhile(eager_worker):
    # Large functions and small ones.
    for name, least in (("core/call.wast", 80), ("core/i32.wast", 20)):
        _, _, compiled = eager_worker.run(name, engine="tiered")
        assert compiled > least, name


@needs_suite
def test_expected_failures_exist():
    assert EXPECTED.keys() <= set(SCRIPTS)
    assert all(EXPECTED.values())
