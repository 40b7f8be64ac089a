"""Constant tables of the translator, derived from the rows and the forms.

Nothing is spelled here that the instruction set knows.  Only kernel sources import this module.

``FORM`` answers: which form has an operation, given where its sources come from?  The forms of an
operation begin at its *base*; the kinds of its sources are the digits, first source lowest, of a
number to base ``KINDS`` that is added.  Form 0 means that there is none.
"""

from itertools import product

from runwell.base.features import FEATURES
from runwell.base.types import F32, F64, FEATURE_OF_TYPE, HEAP_NAMES, I32, I64, V128
from runwell.isa.facts import facts
from runwell.isa.form import FORMS, Dst, Form, FusedForm, Mode, Src, form_by_key, form_by_name
from runwell.isa.op import Op, Rule
from runwell.isa.register import BY_NAME, NEAR_LINKS, REG_OPS, Kind
from runwell.isa.table import TABLE
from runwell.kernel import const_array, extern_data, u8, u16, u32, u64
from runwell.module.subtyping import TypeStore

KINDS = len(Src)

# By form: the address of its handler; the interpreter defines it.
HANDLERS = extern_data("handler_table", u64)


# Forms.


def _primary(name: str, srcs: tuple[Src, ...], mode: Mode) -> int:
    """The form that stores its result, or jumps forward, or branches forward on it; or 0."""
    for dst in (Dst.NONE, Dst.SLOT, Dst.REF, Dst.JUMP, Dst.IF):
        found = form_by_key().get((name, srcs, dst, mode))
        if found is not None:
            return found.index
    return 0


def _lay_out_forms() -> tuple[dict[str, int], list[int]]:
    bases: dict[str, int] = {}
    cells: list[int] = []
    for op in REG_OPS:
        bases[op.name] = len(cells)
        for mode in Mode if op.kind in (Kind.LOAD, Kind.STORE) else (Mode.GUARD,):
            combinations = product(Src, repeat=len(op.params))
            cells += [_primary(op.name, digits[::-1], mode) for digits in combinations]
    return bases, cells


_BASES, _FORM_CELLS = _lay_out_forms()
FORM = const_array("translate_forms", u16, lambda: _FORM_CELLS)


def base(name: str) -> int:
    """Where the forms of a register operation begin in ``FORM``."""
    return _BASES[name]


def form(name: str) -> int:
    """The number of a form, by its name."""
    return form_by_name()[name].index


def _acc_form(f: Form | FusedForm) -> int:
    found = f.acc_form
    return found.index if found is not None else 0


# By number of value parameters, if they are few: the form that returns without a result.
NEAR_RETURN = const_array(
    "translate_near_returns", u16, lambda: [form(f"return_{link}") for link in NEAR_LINKS]
)

# By form: the one that leaves its result in the accumulator only, or 0.
ACC_FORM = const_array("translate_acc_forms", u16, lambda: [_acc_form(f) for f in FORMS])

# Columns of ``BRANCH_FORM``.
IF, UNLESS, LOOP = 0, 1, 2  # LOOP is added to either, and to 0 for a jump
SENSES = (Dst.IF, Dst.UNLESS, Dst.LOOP_IF, Dst.LOOP_UNLESS)
_NEGATED = {Dst.UNLESS: Dst.IF, Dst.LOOP_UNLESS: Dst.LOOP_IF}
_INVERSE = {**_NEGATED, **{dst: negated for negated, dst in _NEGATED.items()}}


def _branch_form(f: Form | FusedForm, sense: Dst) -> int:
    if f.dst == Dst.JUMP:
        found = f.with_dst(Dst.LOOP) if sense == Dst.LOOP_IF else None
    elif isinstance(f, Form) and f.op.name == "i32.eqz" and f.dst in (Dst.SLOT, Dst.IF):
        # One way to say it, so that it fuses with more.
        found = form_by_key().get(("br_if", f.srcs, _INVERSE[sense], f.mode))
    elif f.dst in (Dst.SLOT, Dst.IF):
        found = f.with_dst(sense)
        if found is None and isinstance(f, Form) and f.op.opposite and sense in _NEGATED:
            key = (f.op.opposite, f.srcs, _NEGATED[sense], f.mode)
            found = form_by_key().get(key)
    else:
        found = None
    return found.index if found is not None else 0


# By form, four columns: the one that branches on the result instead of storing it, or 0.
BRANCH_FORM = const_array(
    "translate_branch_forms", u16, lambda: [_branch_form(f, s) for f in FORMS for s in SENSES]
)


def _is_movable(f: Form | FusedForm) -> bool:
    return isinstance(f, Form) and Src.ACC not in f.srcs


# By form: can copies be put before it, which change the accumulator?  Not before fused ones: the
# first part may write what the copies read.
IS_MOVABLE = const_array("translate_is_movable", u8, lambda: [int(_is_movable(f)) for f in FORMS])


# Fusion: a matrix of the forms that are first in some pair and those that are second.


def _lay_out_pairs() -> tuple[list[int], list[int], list[int]]:
    """By form where its row begins, by form its column, and the cells; the first are empty."""
    pairs = [f for f in FORMS if isinstance(f, FusedForm)]
    rows, columns = [0] * len(FORMS), [0] * len(FORMS)
    for n, index in enumerate(dict.fromkeys(f.second.index for f in pairs)):
        columns[index] = n + 1
    width = max(columns) + 1
    for n, index in enumerate(dict.fromkeys(f.first.index for f in pairs)):
        rows[index] = (n + 1) * width
    cells = [0] * (max(rows) + width)
    for f in pairs:
        cells[rows[f.first.index] + columns[f.second.index]] = f.index
    return rows, columns, cells


_ROWS, _COLUMNS, _PAIRS = _lay_out_pairs()
FUSION_ROW = const_array("translate_fusion_rows", u32, lambda: _ROWS)
FUSION_COLUMN = const_array("translate_fusion_columns", u16, lambda: _COLUMNS)
FUSION = const_array("translate_fusion", u16, lambda: _PAIRS)


# Instructions: a row of bits each.

# Types of three operands and of the result take a byte each; then follow the rule, the exponent of
# the alignment, the number of operands (0 may be 4), the feature and the instruction's number.
RESULT_SHIFT, RULE_SHIFT, ALIGN_SHIFT, ARITY_SHIFT, FEATURE_SHIFT, OP_SHIFT = 24, 32, 40, 44, 46, 51
BYTE = 0xFF
# Rules of bytes that are no instruction of their own.
PREFIX, ILLEGAL = 0xFE, 0xFF
FIRST_PREFIX, LAST_PREFIX = 0xFB, 0xFE


def _instruction(op: Op) -> int:
    row = sum(int(t) << 8 * i for i, t in enumerate(op.params[:3]))
    row |= sum(int(t) << RESULT_SHIFT for t in op.results[:1])
    align = max(op.width.bit_length() - 1, 0)
    row |= op.rule << RULE_SHIFT | align << ALIGN_SHIFT | (len(op.params) & 3) << ARITY_SHIFT
    return row | FEATURES.index(op.feature) << FEATURE_SHIFT | op.index << OP_SHIFT


def _lay_out_opcodes() -> tuple[list[int], list[int], list[int]]:
    """The rows by byte, then by code of each prefix; where each prefix's begin; how many it has."""
    starts: list[int] = []
    sizes: list[int] = []
    rows: list[int] = []
    for prefix in (0, *range(FIRST_PREFIX, LAST_PREFIX + 1)):
        codes = {op.code: _instruction(op) for op in TABLE if op.prefix == prefix}
        if prefix == 0:
            for byte in range(FIRST_PREFIX, LAST_PREFIX + 1):
                codes[byte] = PREFIX << RULE_SHIFT
        starts.append(len(rows))
        sizes.append(256 if prefix == 0 else max(codes, default=-1) + 1)
        rows += [codes.get(code, ILLEGAL << RULE_SHIFT) for code in range(sizes[-1])]
    return rows, starts[1:], sizes[1:]


_ROWS_BY_CODE, _STARTS, _SIZES = _lay_out_opcodes()
INSTRUCTIONS = const_array("translate_instructions", u64, lambda: _ROWS_BY_CODE)
PREFIX_STARTS = const_array("translate_prefix_starts", u32, lambda: _STARTS)
PREFIX_SIZES = const_array("translate_prefix_sizes", u32, lambda: _SIZES)


def _mirror(op: Op) -> int:
    found = BY_NAME.get(op.mnemonic)
    return _BASES[found.mirror] if found is not None and found.mirror else 0


# By instruction: the base of its forms, and that of the one that does the same with its operands
# swapped, or 0.
BASES = const_array("translate_bases", u32, lambda: [_BASES.get(op.mnemonic, 0) for op in TABLE])
MIRRORS = const_array("translate_mirrors", u32, lambda: [_mirror(op) for op in TABLE])


def _canonical(op: Op) -> int:
    width = facts(op).nan_width
    if not width:
        return 0
    # Only plain instructions look.
    assert op.rule == Rule.PLAIN, op.mnemonic
    lanes = f"x{128 // width}" if op.results == (V128,) else ""
    return _BASES[f"canonical_f{width}{lanes}"]


CANONICAL_F32, CANONICAL_F64 = _BASES["canonical_f32"], _BASES["canonical_f64"]
CANONICAL_F32X4, CANONICAL_F64X2 = _BASES["canonical_f32x4"], _BASES["canonical_f64x2"]


def _is_careless(op: Op) -> bool:
    """Does it not matter to the result which NaN a float operand is?"""
    if op.rule != Rule.PLAIN or not {F32, F64, V128} & {*op.params}:
        return False
    found = facts(op)
    if found.nan_width:
        # Lanes of another width are other values.
        return V128 not in op.params or found.verbs.isdisjoint(("demote", "promote"))
    return op.results in ((I32,), (I64,)) and V128 not in op.params and "bitcast" not in found.verbs


# By instruction: the base of what makes a NaN in its result canonical, 0 if it makes none; and is
# any NaN among its operands as good as another?
CARELESS = const_array("translate_careless", u8, lambda: [int(_is_careless(op)) for op in TABLE])
CANONICAL = const_array("translate_canonical", u32, lambda: [_canonical(op) for op in TABLE])


def _lanes(op: Op) -> int:
    """How many lanes the immediate may choose from."""
    if op.rule == Rule.LANE:
        return int(op.mnemonic.partition(".")[0].partition("x")[2])
    return 16 // op.width if op.rule in (Rule.LOAD_LANE, Rule.STORE_LANE) else 0


# By instruction: the number of lanes, for those with a lane as immediate.
LANES = const_array("translate_lanes", u8, lambda: [_lanes(op) for op in TABLE])


# Types.


def _type_features() -> list[int]:
    features = [0] * 256
    for code in (I32, I64, F32, F64, *FEATURE_OF_TYPE):
        features[code] = FEATURES.index(FEATURE_OF_TYPE.get(code, "mvp")) + 1
    return features


def _heap_matches() -> list[int]:
    matches = TypeStore().relation.heap_matches
    return [int(matches(a, b)) for a in sorted(HEAP_NAMES) for b in sorted(HEAP_NAMES)]


# By byte: the number of the feature that the type of this code belongs to, plus 1; 0 for no type.
TYPE_FEATURE = const_array("translate_type_features", u8, _type_features)
# By two abstract heap types: is the first a subtype of the second?
FIRST_HEAP, HEAPS = min(HEAP_NAMES), len(HEAP_NAMES)
HEAP_MATCHES = const_array("translate_heap_matches", u8, _heap_matches)


# Operations that only move a value, and their variants: in general as an integer of 64 bits, and by
# type where the value is in the accumulator of floats or has no such form.
VARIANTS = ("", "_f32", "_f64", "_v128", "_ref")


def _variants(stem: str) -> list[int]:
    return [_BASES[stem + suffix] for suffix in VARIANTS]


# Rows of ``MOVES``.
COPY, GLOBAL_SET, GLOBAL_SET_FAR, RETURN_VALUE = range(0, 4 * len(VARIANTS), len(VARIANTS))
# Behind it one for each of ``NEAR_LINKS``, which are the first multiples of 8.
NEAR_RETURN_VALUE = RETURN_VALUE + len(VARIANTS)
_MOVE_STEMS = (
    *("copy", "global.set", "global.set_far", "return_value"),
    *(f"return_value_{link}" for link in NEAR_LINKS),
)
MOVES = const_array("translate_moves", u32, lambda: [b for s in _MOVE_STEMS for b in _variants(s)])
# Rows of ``TYPED``, whose result is of the type.
GLOBAL_GET, GLOBAL_GET_FAR, SELECT = range(0, 3 * len(VARIANTS), len(VARIANTS))
_TYPED_STEMS = ("global.get", "global.get_far", "select")
TYPED = const_array("translate_typed", u32, lambda: [b for s in _TYPED_STEMS for b in _variants(s)])
