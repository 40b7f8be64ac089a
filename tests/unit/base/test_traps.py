from runwell.base.traps import TrapCode


def test_every_code_has_a_message():
    assert all(code.message for code in TrapCode)
