"""Which pairs of forms have a fused form: a tuning file, which cannot affect correctness.

A line names two forms; braces stand for each of the alternatives within.
"""

PAIRS = """
i32.shl SK->ACC + i32.add AS->{SLOT,ACC}
i32.shl SK->ACC + i32.{or,xor} AS->SLOT
i32.shr_u SK->ACC + i32.{or,xor,and} AS->SLOT
i32.{shr_u,shr_s} SK->ACC + i32.and AK->{SLOT,ACC}
i64.{shl,shr_u} SK->ACC + i64.{add,or,xor} AS->SLOT
i64.shr_u SK->ACC + i64.and AK->{SLOT,ACC}
i32.{and,xor} SS->ACC + i32.{and,xor,add} AS->{SLOT,ACC}
i32.add {SS,SK,AS,AK}->{SLOT,ACC} + i32.{load,load8_u,load8_s,load16_u} A->{SLOT,ACC}
i32.add {SS,SK,AS}->{SLOT,ACC} + {i64,f32,f64}.load A->{SLOT,ACC}
i32.add {SS,SK,AS}->SLOT + i32.add {SS,SK,AS,AK}->SLOT
i32.add {SS,AS}->ACC + i32.add {AS,AK}->{SLOT,ACC}
i32.mul {SS,SK}->ACC + i32.add {AS,AK}->{SLOT,ACC}
i64.mul {SS,SK,SL}->ACC + i64.add {AS,AK,AL}->SLOT
i32.add {SK,SS}->SLOT + i32.{eq,ne,lt_s,lt_u,le_s,le_u,gt_s,gt_u,ge_s,ge_u} {AS,AK}->LOOP_IF
i64.add SK->SLOT + i64.{eq,ne,lt_s,lt_u,gt_s,gt_u} {AS,AK,AL}->LOOP_IF
i32.add SK->SLOT + br_if A->LOOP_IF
i32.{sub,and} SS->ACC + br_if A->{IF,UNLESS}
i32.and {SK,AK}->ACC + br_if A->{IF,UNLESS,LOOP_IF}
i32.add SK->SLOT + br ->{LOOP,JUMP}
i32.load S->{SLOT,ACC} + i32.{add,and,shl,sub} AK->{SLOT,ACC}
i32.load S->{SLOT,ACC} + i32.{add,and,or,xor,mul} AS->{SLOT,ACC}
i32.load S->{SLOT,ACC} + i32.load A->{SLOT,ACC}
i32.load S->{SLOT,ACC} + i32.{eq,ne,lt_s,lt_u,gt_s,gt_u} {AS,AK}->{IF,LOOP_IF}
i32.load S->{SLOT,ACC} + br_if A->{IF,UNLESS,LOOP_IF,LOOP_UNLESS}
i32.{load8_u,load8_s} S->{SLOT,ACC} + i32.{eq,ne} {AS,AK}->{IF,LOOP_IF}
i32.{load8_u,load8_s} S->{SLOT,ACC} + br_if A->{IF,UNLESS,LOOP_IF,LOOP_UNLESS}
i32.load8_u S->ACC + i32.{add,shl,and,xor} {AS,AK}->{SLOT,ACC}
i64.load S->ACC + i64.{add,xor,and} {AS,AK}->{SLOT,ACC}
i32.{add,sub,and,or,xor} {AS,AK,SS,SK}->ACC + i32.store SA
i64.{add,xor} {AS,AK,SS}->ACC + i64.store SA
i32.load S->ACC + i32.store SA
i64.load S->ACC + i64.store SA
i32.load8_u S->ACC + i32.store8 SA
f64.load S->ACC + f64.{add,mul} AS->{SLOT,ACC}
f64.load S->ACC + f64.{sub,div} {AS,SA}->{SLOT,ACC}
f32.load S->ACC + f32.{add,mul} AS->{SLOT,ACC}
f32.load S->ACC + f32.{sub,div} {AS,SA}->{SLOT,ACC}
f64.mul {SS,AS}->ACC + f64.add AS->{SLOT,ACC}
f64.mul {SS,AS}->ACC + f64.sub {AS,SA}->{SLOT,ACC}
f32.mul {SS,AS}->ACC + f32.add AS->{SLOT,ACC}
f32.mul {SS,AS}->ACC + f32.sub {AS,SA}->{SLOT,ACC}
f64.{add,sub,mul} {SS,AS}->ACC + f64.store SA
f32.{add,sub,mul} {SS,AS}->ACC + f32.store SA
f64.load S->ACC + f64.store SA
copy S->SLOT + copy S->SLOT
copy S->SLOT + br ->{JUMP,LOOP}
global.get ->ACC + i32.sub AK->SLOT
i32.sub AK->SLOT + global.set A
"""


def pairs() -> list[tuple[str, str]]:
    """Names of the first and second form of every pair, in order, without repetition."""
    lines = [line for line in PAIRS.splitlines() if line]
    found = dict.fromkeys(name for line in lines for name in _expand(line))
    return [(first, second) for first, _, second in (name.partition(" + ") for name in found)]


def _expand(text: str) -> list[str]:
    before, brace, rest = text.partition("{")
    if not brace:
        return [text]
    choices, _, after = rest.partition("}")
    tails = _expand(after)
    return [before + choice + tail for choice in choices.split(",") for tail in tails]
