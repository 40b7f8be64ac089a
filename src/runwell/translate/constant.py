"""Constant expressions: a few instructions, translated as a function without parameters."""

from runwell.base.features import FEATURES
from runwell.base.types import V128
from runwell.isa.op import Rule
from runwell.isa.table import TABLE
from runwell.kernel import Ptr, const_array, kernel, u8, u32, u64
from runwell.runtime.layout import ModuleCode
from runwell.translate import tables as rules
from runwell.translate.control import end_function, use_single
from runwell.translate.errors import Error, Invalid
from runwell.translate.function import (
    add_prologue,
    check_feature,
    next_prefixed,
    open_function,
    refuse_opcode,
    rule_of,
    translate_rare,
    use_module,
)
from runwell.translate.locals import LINK_BYTES, clear_frame
from runwell.translate.reading import need_feature
from runwell.translate.simple import constant, result_type
from runwell.translate.tables import INSTRUCTIONS, OP_SHIFT
from runwell.translate.variables import get_global
from runwell.translate.vector import vector_constant
from runwell.translate.work import Work

_RULES = (
    Rule.CONST, Rule.END, Rule.GLOBAL_GET, Rule.REF_NULL, Rule.REF_FUNC, Rule.REF_I31,
    Rule.STRUCT_NEW, Rule.STRUCT_NEW_DEFAULT, Rule.ARRAY_NEW, Rule.ARRAY_NEW_DEFAULT,
    Rule.ARRAY_NEW_FIXED, Rule.ANY_CONVERT_EXTERN, Rule.EXTERN_CONVERT_ANY,
)  # fmt: skip
_ARITHMETIC = tuple(f"{ty}.{name}" for ty in ("i32", "i64") for name in ("add", "sub", "mul"))
PLAIN, EXTENDED = 1, 2
EXTENDED_CONST = FEATURES.index("extended-const")

# By instruction: may constant expressions have it, or only extended ones?
IS_CONSTANT = const_array(
    "translate_is_constant",
    u8,
    lambda: [
        PLAIN if op.rule in _RULES else EXTENDED if op.mnemonic in _ARITHMETIC else 0
        for op in TABLE
    ],
)


@kernel
def check_constant(w: Work, row: u64) -> None:
    """Fail unless a constant expression may have the instruction."""
    kind = IS_CONSTANT[row >> OP_SHIFT]
    if kind == 0:
        raise Invalid(Error.CONSTANT_REQUIRED)
    if kind == EXTENDED:
        need_feature(w, EXTENDED_CONST)


@kernel
def translate_expression(
    w: Work, module: ModuleCode, start: Ptr[u8], end: Ptr[u8], t: u32, globals_: u32, keep: bool
) -> None:
    """Check a constant expression of a type, and translate it to ``out`` if ``keep``.

    It may read the first ``globals_`` globals.  Its code is that of a function without parameters
    that returns the value.
    """
    use_module(w, module)
    w.body = start
    w.pc = start
    w.end = end
    w.constant = 1
    w.visible_globals = globals_
    w.dead = 0 if keep else 1
    clear_frame(w)
    w.top = LINK_BYTES
    use_single(w.controls[0], t)
    open_function(w)
    while True:
        at = w.pc
        w.instruction = at
        if at >= w.end:
            raise Invalid(Error.END_EXPECTED)
        w.pc = at + 1
        row = INSTRUCTIONS[at[0]]
        if rule_of(row) == rules.PREFIX:
            row = next_prefixed(w, u32(at[0]))
        check_feature(w, row)
        if rule_of(row) == rules.ILLEGAL:
            refuse_opcode(w)
        check_constant(w, row)
        if rule_of(row) == Rule.END:
            end_function(w)
            break
        match rule_of(row):
            case Rule.CONST:
                if result_type(row) == V128:
                    vector_constant(w)
                else:
                    constant(w, row)
            case Rule.GLOBAL_GET:
                get_global(w)
            case _:
                translate_rare(w, row)
    if w.pc != w.end:
        raise Invalid(Error.CONTENT_AFTER_END)
    if keep:
        add_prologue(w)
