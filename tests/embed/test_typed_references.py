"""References of narrow types between Python and guests, and between modules."""

import pytest

import runwell

GUEST = """(module
  (type $unary (func (param i32) (result i32)))
  (func $double (export "double") (type $unary) (i32.add (local.get 0) (local.get 0)))
  (func (export "nothing"))
  (func (export "apply") (param (ref $unary) i32) (result i32)
    (call_ref $unary (local.get 1) (local.get 0)))
  (func (export "maybe") (param (ref null $unary)) (result i32) (ref.is_null (local.get 0)))
  (func (export "make") (result (ref $unary)) (ref.func $double))
  (func (export "extern") (param (ref extern)) (result (ref extern)) (local.get 0))
  (func (export "any") (param anyref) (result i32) (ref.is_null (local.get 0)))
  (table (export "table") 2 (ref null $unary))
  (global (export "global") (mut (ref $unary)) (ref.func $double)))"""


@pytest.fixture
def guest():
    return runwell.Instance(runwell.Module(GUEST)).exports


def test_functions_of_the_type_pass(guest):
    assert guest.apply(guest.double, 21) == 42
    assert guest.make() is guest.double
    assert guest.apply(runwell.Func(lambda n: n + 1, "(i32) -> i32"), 1) == 2
    assert guest.maybe(None) == 1
    assert guest.maybe(guest.double) == 0


@pytest.mark.parametrize("wrong", [None, 5, "nothing", "apply"])
def test_others_are_refused(guest, wrong):
    value = guest[wrong] if isinstance(wrong, str) else wrong
    with pytest.raises(TypeError, match="argument 1"):
        guest.apply(value, 1)
    with pytest.raises(TypeError):
        guest["global"].value = value


def test_tables_and_globals_hold_to_their_type(guest):
    guest.table[0] = guest.double
    assert guest.table[0] is guest.double
    guest.table[0] = None
    with pytest.raises(TypeError, match="type"):
        guest.table[1] = guest.nothing
    assert guest["global"].value is guest.double


def test_external_references_that_are_never_null(guest):
    thing = object()
    assert guest.extern(thing) is thing
    with pytest.raises(TypeError, match="an object"):
        guest.extern(None)


def test_internal_references_are_anything(guest):
    assert guest.any(None) == 1
    assert guest.any(5) == guest.any("x") == 0


def test_host_functions_return_what_they_say():
    module = runwell.Module("""(module
      (type $t (func (result i32)))
      (import "m" "f" (func $f (result (ref $t))))
      (func (export "run") (result i32) (call_ref $t (call $f))))""")
    seven = runwell.Func(lambda: 7, "() -> i32")
    assert runwell.Instance(module, {"m": {"f": lambda: seven}}).exports.run() == 7
    for wrong in None, runwell.Func(lambda: None, "() -> ()"):
        bad = runwell.Instance(module, {"m": {"f": lambda wrong=wrong: wrong}})
        with pytest.raises(TypeError, match=r"result of m\.f"):
            bad.exports.run()


SUBTYPES = """
  (type $a (sub (func (result (ref null func)))))
  (type $b (sub $a (func (result (ref func)))))"""


def test_imports_match_by_subtyping():
    exporter = runwell.Instance(
        runwell.Module(f"""(module {SUBTYPES}
      (func $a (export "a") (type $a) (ref.null func))
      (func $b (export "b") (type $b) (ref.func $b)))""")
    ).exports
    wants = runwell.Module(f"""(module {SUBTYPES}
      (import "m" "f" (func $f (type $a))) (table funcref (elem $f))
      (func (export "run") (result i32)
        (ref.is_null (call_indirect (type $a) (i32.const 0)))))""")
    assert runwell.Instance(wants, {"m": {"f": exporter.a}}).exports.run() == 1
    assert runwell.Instance(wants, {"m": {"f": exporter.b}}).exports.run() == 0
    wants_b = runwell.Module(f'(module {SUBTYPES} (import "m" "f" (func (type $b))))')
    with pytest.raises(runwell.LinkError, match="incompatible import type"):
        runwell.Instance(wants_b, {"m": {"f": exporter.a}})


def test_callables_have_the_declared_type_of_the_import():
    wants = runwell.Module(f"""(module {SUBTYPES}
      (import "m" "f" (func $f (type $b))) (table funcref (elem $f))
      (func (export "run") (result i32)
        (ref.is_null (call_indirect (type $a) (i32.const 0)))))""")
    nothing = runwell.Func(lambda: None, "() -> ()")
    assert runwell.Instance(wants, {"m": {"f": lambda: nothing}}).exports.run() == 0


def test_a_type_means_nothing_without_its_module(guest):
    type_ = guest.apply.type
    runwell.Func(lambda f, n: n, type_)
    params = (type_.params[0].__class__(1 << 40), type_.params[1])
    with pytest.raises(ValueError, match="outside of its module"):
        runwell.Func(lambda f, n: n, (params, ()))


def test_objects_need_the_feature():
    engine = runwell.Engine(runwell.Config(features="-gc"))
    with pytest.raises(runwell.MalformedError, match="needs the feature 'gc'"):
        runwell.Module("(module (func (drop (ref.i31 (i32.const 1)))))", engine=engine)
