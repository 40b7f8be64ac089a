"""Function bodies: every instruction to its rule, and the frame around them."""

from typing import NoReturn

from runwell.base.limits import FUNCTION_BYTES
from runwell.isa.op import Rule
from runwell.kernel import Ptr, addr, kernel, null, u8, u32, u64, unlikely
from runwell.runtime.c_library import memmove
from runwell.runtime.layout import FuncCode, ModuleCode
from runwell.translate import tables as rules
from runwell.translate.branches import (
    become_unreachable,
    branch,
    branch_if,
    branch_table,
    return_,
)
from runwell.translate.calls import (
    call,
    call_indirect,
    call_ref,
    function_type,
    return_call,
    return_call_indirect,
    return_call_ref,
)
from runwell.translate.control import (
    clear_types,
    end_block,
    end_function,
    enter_block,
    enter_else,
    open_block,
    use_results,
)
from runwell.translate.determinism import clean_for
from runwell.translate.emit import begin, finish, label_here, set_handler
from runwell.translate.errors import Error, Invalid
from runwell.translate.exceptions import shift_handlers, throw, throw_ref
from runwell.translate.fuel import open_paid
from runwell.translate.heap import heap_op
from runwell.translate.locals import LINK_BYTES, declare_locals, get_local, set_local
from runwell.translate.memory import (
    atomic_access,
    drop_data,
    fence,
    load,
    memory_copy_op,
    memory_fill_op,
    memory_grow_op,
    memory_init_op,
    memory_size,
    mode_of,
    store,
    wait_or_notify,
)
from runwell.translate.nulls import (
    branch_on_non_null,
    branch_on_null,
    ref_as_non_null,
    ref_is_null,
)
from runwell.translate.reading import next_u32, refuse
from runwell.translate.references import (
    drop_elem,
    ref_func,
    ref_null,
    table_copy_op,
    table_fill_op,
    table_get,
    table_grow_op,
    table_init_op,
    table_set,
    table_size,
)
from runwell.translate.simple import constant, plain, wide
from runwell.translate.tables import (
    BYTE,
    FEATURE_SHIFT,
    FIRST_PREFIX,
    ILLEGAL,
    INSTRUCTIONS,
    PREFIX_SIZES,
    PREFIX_STARTS,
    RULE_SHIFT,
    form,
)
from runwell.translate.variables import drop_value, get_global, select, select_typed, set_global
from runwell.translate.vector import access_lane, shuffle, use_lane, vector_constant
from runwell.translate.work import NO_MEMORY, UNKNOWN, Work

UNREACHABLE = form("unreachable")
ZERO, ZERO_REFS, ENTER_BIG = form("zero"), form("zero_refs"), form("enter_big")
# A larger frame may reach beyond the room that calls leave below the end of the stack.
BIG_FRAME = 1 << 19


@kernel
def next_prefixed(w: Work, prefix: u32) -> u64:
    """The row of an instruction whose prefix was read."""
    code = next_u32(w)
    x = prefix - FIRST_PREFIX
    row: u64 = ILLEGAL << RULE_SHIFT
    if code < PREFIX_SIZES[x]:
        row = INSTRUCTIONS[PREFIX_STARTS[x] + code]
    return row


@kernel(inline=True)
def rule_of(row: u64) -> u32:
    """The rule of a row."""
    return u32(row >> RULE_SHIFT & BYTE)


@kernel(inline=True)
def check_feature(w: Work, row: u64) -> None:
    """Fail if the module may not use the instruction."""
    feature = row >> FEATURE_SHIFT & 31
    if unlikely(w.features >> feature & 1 == 0):
        refuse(w, Error.FEATURE_OFF, u32(feature))


@kernel
def refuse_opcode(w: Work) -> NoReturn:
    """The last byte that was read is no instruction's, or the code behind it."""
    refuse(w, Error.ILLEGAL_OPCODE, u32(w.instruction[0]))


@kernel
def translate_rare(w: Work, row: u64) -> None:
    """Translate an instruction with a prefix, or one that is rare."""
    match rule_of(row):
        case Rule.PLAIN:
            plain(w, row)
        case Rule.WIDE:
            wide(w, row)
        case Rule.LOAD:
            load(w, row)
        case Rule.CONST:
            vector_constant(w)
        case Rule.SHUFFLE:
            shuffle(w, row)
        case Rule.LANE:
            use_lane(w, row)
        case Rule.LOAD_LANE | Rule.STORE_LANE:
            access_lane(w, row)
        case Rule.STORE:
            store(w, row)
        case Rule.RETURN_CALL:
            return_call(w)
        case Rule.RETURN_CALL_INDIRECT:
            return_call_indirect(w)
        case Rule.CALL_REF:
            call_ref(w)
        case Rule.RETURN_CALL_REF:
            return_call_ref(w)
        case Rule.MEMORY_SIZE:
            memory_size(w)
        case Rule.MEMORY_GROW:
            memory_grow_op(w)
        case Rule.MEMORY_INIT:
            memory_init_op(w)
        case Rule.MEMORY_COPY:
            memory_copy_op(w)
        case Rule.MEMORY_FILL:
            memory_fill_op(w)
        case Rule.DATA_DROP:
            drop_data(w)
        case Rule.ATOMIC_LOAD | Rule.ATOMIC_STORE | Rule.ATOMIC_RMW | Rule.ATOMIC_CMPXCHG:
            atomic_access(w, row)
        case Rule.ATOMIC_WAIT | Rule.ATOMIC_NOTIFY:
            wait_or_notify(w, row)
        case Rule.ATOMIC_FENCE:
            fence(w)
        case Rule.TABLE_GET:
            table_get(w)
        case Rule.TABLE_SET:
            table_set(w)
        case Rule.TABLE_SIZE:
            table_size(w)
        case Rule.TABLE_GROW:
            table_grow_op(w)
        case Rule.TABLE_FILL:
            table_fill_op(w)
        case Rule.TABLE_COPY:
            table_copy_op(w)
        case Rule.TABLE_INIT:
            table_init_op(w)
        case Rule.ELEM_DROP:
            drop_elem(w)
        case Rule.REF_NULL:
            ref_null(w)
        case Rule.REF_IS_NULL:
            ref_is_null(w)
        case Rule.REF_FUNC:
            ref_func(w)
        case Rule.REF_AS_NON_NULL:
            ref_as_non_null(w)
        case Rule.BR_ON_NULL:
            branch_on_null(w)
        case Rule.BR_ON_NON_NULL:
            branch_on_non_null(w)
        case Rule.THROW:
            throw(w)
        case Rule.THROW_REF:
            throw_ref(w)
        case _:
            if rule_of(row) < Rule.REF_EQ or rule_of(row) > Rule.I31_GET:
                refuse_opcode(w)
            heap_op(w, row, rule_of(row))


@kernel
def open_function(w: Work) -> None:
    """Begin a function: its locals are declared, its outermost block has its type."""
    f = w.controls[0]
    w.frame = w.controls
    w.sp = 1
    w.home = 1
    w.max_top = w.top
    w.max_ref_top = w.ref_top
    w.serial = 0
    w.n_ranges = 0
    w.n_clauses = 0
    w.open_range = 0
    w.brief = 1
    w.height = 1
    w.unclean = 0
    open_block(w, f, u32(Rule.BLOCK))
    w.entry = w.out
    w.n_notes = 0
    w.instruction = w.pc
    label_here(w)
    if w.dead == 0:
        open_paid(w)
    zeroed = w.top - w.link - LINK_BYTES
    if w.dead == 0 and zeroed != 0:
        p = begin(w, ZERO)
        p[0] = w.link + LINK_BYTES
        p[1] = zeroed
        finish(w, p + 2)


@kernel
def translate_body(w: Work) -> None:
    """Translate instructions up to the ``end`` of the function."""
    while True:
        at = w.pc
        w.instruction = at
        if unlikely(at >= w.end):
            raise Invalid(Error.END_EXPECTED)
        if unlikely(w.out > w.limit):
            raise Invalid(Error.OUT_OF_SPACE)
        w.pc = at + 1
        w.count = w.count + 1
        row = INSTRUCTIONS[at[0]]
        check_feature(w, row)
        if unlikely(w.unclean != 0):
            clean_for(w, row)
        match rule_of(row):
            case Rule.LOCAL_GET:
                get_local(w)
            case Rule.LOCAL_SET:
                set_local(w, False)
            case Rule.LOCAL_TEE:
                set_local(w, True)
            case Rule.CONST:
                constant(w, row)
            case Rule.PLAIN:
                plain(w, row)
            case Rule.LOAD:
                load(w, row)
            case Rule.STORE:
                store(w, row)
            case Rule.BLOCK | Rule.LOOP | Rule.IF | Rule.TRY_TABLE:
                enter_block(w, rule_of(row))
            case Rule.ELSE:
                enter_else(w)
            case Rule.END:
                if w.frame == w.controls:
                    end_function(w)
                    break
                end_block(w)
            case Rule.BR:
                branch(w)
            case Rule.BR_IF:
                branch_if(w)
            case Rule.BR_TABLE:
                branch_table(w)
            case Rule.RETURN:
                return_(w)
            case Rule.CALL:
                call(w)
            case Rule.CALL_INDIRECT:
                call_indirect(w)
            case Rule.DROP:
                drop_value(w)
            case Rule.SELECT:
                select(w, UNKNOWN)
            case Rule.SELECT_T:
                select_typed(w)
            case Rule.GLOBAL_GET:
                get_global(w)
            case Rule.GLOBAL_SET:
                set_global(w)
            case Rule.UNREACHABLE:
                if w.dead == 0:
                    finish(w, begin(w, UNREACHABLE))
                become_unreachable(w)
            case Rule.NOP:
                pass
            case rules.PREFIX:
                row = next_prefixed(w, u32(at[0]))
                check_feature(w, row)
                if unlikely(w.unclean != 0):
                    clean_for(w, row)
                translate_rare(w, row)
            case _:
                translate_rare(w, row)
    if w.pc != w.end:
        raise Invalid(Error.CONTENT_AFTER_END)


@kernel
def use_module(w: Work, module: ModuleCode) -> None:
    """Translate code of a module."""
    w.module = addr(module)
    w.features = module.features
    w.metered = 0
    w.deterministic = module.deterministic
    w.paid = null
    w.first_mode = mode_of(w, 0) if module.n_memories != 0 else u32(NO_MEMORY)


@kernel
def add_prologue(w: Work) -> None:
    """Put before the function what it turned out to need: room on the stack, clear references."""
    ref_bytes = w.max_ref_top - w.ref_params
    n: u32 = 0
    if w.max_top > BIG_FRAME:
        n += 3
    if ref_bytes != 0:
        n += 4
    if n == 0:
        return
    size = u64(w.out - w.entry) * 4
    memmove(Ptr[u8](w.entry + n), Ptr[u8](w.entry), size)
    for i in range(w.n_notes):
        w.notes[i].code += 4 * n
    shift_handlers(w, 4 * n)
    w.out = w.out + n
    at = w.entry
    if w.max_top > BIG_FRAME:
        set_handler(at, ENTER_BIG)
        at[2] = w.max_top
        at = at + 3
    if ref_bytes != 0:
        set_handler(at, ZERO_REFS)
        at[2] = w.ref_params
        at[3] = ref_bytes


@kernel
def translate_function(w: Work, module: ModuleCode, code: FuncCode, keep: bool) -> None:
    """Check a function, and translate it to ``out`` if ``keep``.

    Afterwards ``entry`` is its code and ``out`` the end of that.
    """
    use_module(w, module)
    w.body = code.body
    w.pc = code.body
    w.end = code.body_end
    w.instruction = code.body
    w.constant = 0
    w.function = code.index
    w.dead = 0 if keep else 1
    w.metered = module.metered if keep else 0
    if w.end - w.pc > FUNCTION_BYTES:
        refuse(w, Error.SIZE_LIMIT, FUNCTION_BYTES)
    t = function_type(w, code.index)
    declare_locals(w, t)
    f = w.controls[0]
    clear_types(f)
    use_results(f, t)
    open_function(w)
    translate_body(w)
    if keep:
        add_prologue(w)
