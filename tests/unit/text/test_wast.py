import pytest

from runwell.base.errors import MalformedError
from runwell.base.types import F32, F64, I32, I64
from runwell.text.wast import (
    Action,
    Assertion,
    Broken,
    Define,
    Either,
    Instantiate,
    Number,
    Reference,
    Register,
    Source,
    Thread,
    Vector,
    Wait,
    parse_script,
)

EMPTY = b"\0asm\1\0\0\0"


def script(text):
    return list(parse_script(text))


def test_modules():
    assert script(
        """(module $a) (module binary "\\00asm" "\\01\\00\\00\\00") (module $b quote "(func)" "x")
        (module definition $c) (module instance $d $c) (module instance) (register "m" $d)"""
    ) == [
        Define(1, "$a", Source("text", script("(module $a)")[0].source.data), True),
        Define(1, None, Source("binary", EMPTY), True),
        Define(1, "$b", Source("quote", b"(func)\nx"), True),
        Define(2, "$c", Source("text", script("(module $c)")[0].source.data), False),
        Instantiate(2, "$d", "$c"),
        Instantiate(2, None, None),
        Register(2, "m", "$d"),
    ]


def test_a_script_may_be_one_bare_module():
    (command,) = script('(func) (memory 0) (func (export "f"))')
    assert isinstance(command, Define)
    assert command.source.error is None


def test_actions_and_results():
    assert script(
        """(invoke $m "f" (i32.const -1) (ref.null func) (ref.extern 3))
        (assert_return (get "g") (f32.const nan:canonical))
        (assert_return (invoke "v") (v128.const i64x2 1 -1)(v128.const f32x4 nan:arithmetic 0 1 -0))
        (assert_return (invoke "r") (ref.null) (ref.func) (either (i64.const 1) (f64.const 1.5)))"""
    ) == [
        Action(1, "$m", "f", (Number(I32, 0xFFFFFFFF), Reference("null"), Reference("extern", 3))),
        Assertion(2, "return", Action(2, None, "g", None), (Number(F32, "nan:canonical"),)),
        Assertion(
            3,
            "return",
            Action(3, None, "v", ()),
            (
                Vector(I32, 64, (1, 2**64 - 1)),
                Vector(F32, 32, ("nan:arithmetic", 0, 0x3F800000, 0x80000000)),
            ),
        ),
        Assertion(
            4,
            "return",
            Action(4, None, "r", ()),
            (
                Reference("null"),
                Reference("func"),
                Either((Number(I64, 1), Number(F64, 0x3FF8000000000000))),
            ),
        ),
    ]


def test_other_assertions():
    assert [
        (c.kind, type(c.subject).__name__, c.message)
        for c in script(
            """(assert_trap (invoke "f") "unreachable") (assert_trap (module) "x")
            (assert_exhaustion (invoke "f") "y") (assert_invalid (module) "z")
            (assert_malformed (module quote "(") "u") (assert_unlinkable (module) "v")
            (assert_exception (invoke "f"))"""
        )
    ] == [
        ("trap", "Action", "unreachable"),
        ("trap", "Source", "x"),
        ("exhaustion", "Action", "y"),
        ("invalid", "Source", "z"),
        ("malformed", "Source", "u"),
        ("unlinkable", "Source", "v"),
        ("exception", "Action", ""),
    ]


def test_threads():
    assert script('(thread $t (shared (module $m)) (invoke "f")) (wait $t)') == [
        Thread(1, "$t", ("$m",), (Action(1, None, "f", ()),)),
        Wait(1, "$t"),
    ]


def test_a_module_that_does_not_parse_spoils_nothing_else():
    first, second = script('(module (func frob (nop)))\n(invoke "f")')
    assert isinstance(first.source.error, MalformedError)
    assert second == Action(2, None, "f", ())


def test_a_command_that_does_not_parse_spoils_nothing_else():
    first, second = script('(frob (x))\n(invoke "f")')
    assert isinstance(first, Broken)
    assert first.error.line == 1
    assert isinstance(second, Action)


def test_unbalanced_parentheses_end_the_script():
    with pytest.raises(MalformedError, match="unexpected token"):
        script("(module")
