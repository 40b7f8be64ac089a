from runwell.base.traps import TrapCode
from runwell.isa.facts import facts, register_facts
from runwell.isa.machine import ControlMachine
from runwell.isa.op import Rule
from runwell.isa.register import BY_NAME, REG_OPS, Kind
from runwell.isa.table import TABLE


def test_bodies_are_said_in_verbs():
    for op in REG_OPS:
        found = register_facts(op)
        assert found.verbs <= set(dir(ControlMachine))
        if op.kind != Kind.BRANCH:
            assert found.leaves == (op.kind == Kind.LEAVE), op.name


def test_memory_access_shows():
    for op in TABLE:
        if op.rule == Rule.LOAD:
            assert facts(op).reads_memory
        if op.rule == Rule.STORE:
            assert facts(op).writes_memory
        if op.rule in (Rule.LOAD, Rule.STORE):
            assert facts(op).traps == {TrapCode.OUT_OF_BOUNDS_MEMORY}
            assert not facts(op).is_pure


def test_purity():
    assert facts(TABLE["i32.add"]).is_pure
    assert not facts(TABLE["i32.div_s"]).is_pure
    assert not register_facts(BY_NAME["global.get"]).is_pure


def test_nan_payloads():
    assert facts(TABLE["f32.add"]).nan_width == 32
    assert facts(TABLE["f64.promote_f32"]).nan_width == 64
    assert facts(TABLE["f32.copysign"]).nan_width == 0
    assert facts(TABLE["i32.trunc_f64_s"]).nan_width == 0
