"""What the translator does for others: kernels that engines and Python call."""

from runwell.base.traps import TrapCode
from runwell.kernel import (
    Ptr,
    addr,
    atomic_store,
    kernel,
    null,
    u8,
    u16,
    u32,
    u64,
)
from runwell.runtime.layout import REF_FRAME_UNIT, Context, FuncCode, ModuleCode
from runwell.runtime.lock_kernels import give_lock, take_lock
from runwell.translate.constant import translate_expression
from runwell.translate.control import unset_from
from runwell.translate.errors import Error, Invalid
from runwell.translate.exceptions import keep_handlers
from runwell.translate.function import translate_function
from runwell.translate.layout import Span, Trouble
from runwell.translate.pool import give_work_back, take_work
from runwell.translate.stack import truncate
from runwell.translate.tables import FIRST_PREFIX, LAST_PREFIX
from runwell.translate.work import SLACK, Note, Work

INVALID_FUNCTION, INTERNAL = int(TrapCode.INVALID_FUNCTION), int(TrapCode.INTERNAL)


@kernel
def lock_module(module: ModuleCode) -> None:
    """Wait until nobody else translates code of the module."""
    take_lock(addr(module.lock))


@kernel
def use_output(w: Work, start: Ptr[u8], end: Ptr[u8]) -> None:
    """Translate into the memory from ``start``, rounded up, to ``end``."""
    w.out = Ptr[u32]((u64(start) + 3) & ~u64(3))
    w.limit = Ptr[u32](end) - SLACK


@kernel
def discard_output(w: Work) -> None:
    """Translate nothing, only check."""
    w.out = null
    w.limit = null


@kernel
def forget(w: Work) -> None:
    """After a failure: leave nothing behind that the next translation does not expect."""
    truncate(w, 1)
    unset_from(w, 0)


@kernel
def opcode_of(w: Work) -> u32:
    """The opcode of the last instruction, with its prefix << 16."""
    at = w.instruction
    if at >= w.end:
        return u32(0)
    first = u32(at[0])
    if first < FIRST_PREFIX or first > LAST_PREFIX or at + 1 >= w.end:
        return first
    code = u32(at[1])
    if code >= 0x80 and at + 2 < w.end:
        code = code & 0x7F | u32(at[2]) << 7
    return first << 16 | code


@kernel
def report(w: Work, code: u32, function: u32, trouble: Trouble) -> None:
    """Say what was wrong."""
    trouble.code = code
    trouble.function = function
    trouble.opcode = opcode_of(w)
    trouble.detail = w.detail
    trouble.offset = u64(w.instruction - w.module.source)
    trouble.n_wanted = w.n_wanted
    trouble.n_found = w.n_found
    for i in range(u32(8)):
        trouble.wanted[i] = w.wanted[i]
        trouble.found[i] = w.found[i]


@kernel(export=True)
def translate_on_demand(ctx: Context, code: FuncCode) -> u32:
    """Translate a function at its first call; 0, or a trap code.

    Its entry is set last, so that another thread sees either the stub or all of the code.
    """
    module = Ptr[ModuleCode](code.module)
    ctx.culprit = u64(addr(code))
    return translate_functions(module[0], code.index, code.index + 1)


@kernel
def enlist(module: ModuleCode, code: FuncCode) -> None:
    """Add a function to the list of those that have code, which is in the order of that."""
    n = module.n_translated
    # Benchmarks translate functions again.
    if n < module.n_functions:
        module.translated[n] = addr(code)
        atomic_store(addr(module.n_translated), n + 1)


@kernel
def ref_frame_units(w: Work) -> u16:
    """How large the reference frame is, as ``FuncCode`` says it."""
    return u16((w.max_ref_top + (REF_FRAME_UNIT - 1)) // REF_FRAME_UNIT)


@kernel
def translate_for_keeps(w: Work, module: ModuleCode, code: FuncCode) -> u32:
    """Translate a function into its module's arena; 0, or a trap code."""
    use_output(w, module.code_out, module.code_end)
    trap: u32 = 0
    try:
        translate_function(w, module, code, True)
        module.code_out = Ptr[u8](w.out)
        code.frame_bytes = w.max_top
        code.ref_frame = ref_frame_units(w)
        code.brief = u16(w.brief)
        module.handlers[code.index] = keep_handlers(w, module)
        code.start = Ptr[u8](w.entry)
        code.code_bytes = u32(w.out - w.entry) * 4
        atomic_store(addr(code.entry), code.start)
        enlist(module, code)
    except Invalid as failure:
        forget(w)
        trap = u32(INTERNAL) if failure.code == Error.OUT_OF_SPACE else u32(INVALID_FUNCTION)
    return trap


@kernel(export=True)
def translate_functions(module: ModuleCode, first: u32, last: u32) -> u32:
    """Translate the functions from index ``first`` up to but not ``last``; 0, or a trap code."""
    piece = take_work()
    if piece == null:
        return u32(INTERNAL)
    w = piece[0]
    lock_module(module)
    trap: u32 = 0
    for i in range(first, last):
        if trap == 0 and module.codes[i].frame_bytes == 0:
            trap = translate_for_keeps(w, module, module.codes[i])
    give_lock(addr(module.lock))
    give_work_back(w)
    return trap


@kernel(export=True)
def validate_code(module: ModuleCode, first: u32, last: u32, trouble: Trouble) -> u32:
    """Check the functions from index ``first`` up to but not ``last``; an ``Error`` or 0."""
    piece = take_work()
    if piece == null:
        return u32(Error.OUT_OF_SPACE)
    w = piece[0]
    found: u32 = 0
    for i in range(first, last):
        discard_output(w)
        try:
            translate_function(w, module, module.codes[i], False)
        except Invalid as failure:
            found = u32(failure.code)
            report(w, found, i, trouble)
            forget(w)
            break
    give_work_back(w)
    return found


@kernel(export=True)
def validate_constants(module: ModuleCode, spans: Ptr[Span], n: u32, trouble: Trouble) -> u32:
    """Check constant expressions; an ``Error`` or 0; the trouble has the number of one."""
    piece = take_work()
    if piece == null:
        return u32(Error.OUT_OF_SPACE)
    w = piece[0]
    found: u32 = 0
    for i in range(n):
        span = spans[i]
        discard_output(w)
        start = module.source + span.start
        end = module.source + span.end
        try:
            translate_expression(w, module, start, end, span.type, span.globals, False)
        except Invalid as failure:
            found = u32(failure.code)
            report(w, found, i, trouble)
            forget(w)
            break
    give_work_back(w)
    return found


@kernel(export=True)
def translate_constant(module: ModuleCode, span: Span, code: FuncCode) -> u32:
    """Translate a valid constant expression into the arena, as the function ``code``.

    The value is 0 or a trap code.
    """
    piece = take_work()
    if piece == null:
        return u32(INTERNAL)
    w = piece[0]
    lock_module(module)
    use_output(w, module.code_out, module.code_end)
    start = module.source + span.start
    end = module.source + span.end
    trap: u32 = 0
    try:
        translate_expression(w, module, start, end, span.type, span.globals, True)
        module.code_out = Ptr[u8](w.out)
        code.module = Ptr[u8](addr(module))
        code.ref_bytes = 8
        code.frame_bytes = w.max_top
        code.ref_frame = ref_frame_units(w)
        code.brief = u16(w.brief)
        code.start = Ptr[u8](w.entry)
        code.code_bytes = u32(w.out - w.entry) * 4
        code.entry = code.start
    except Invalid as failure:
        forget(w)
        trap = u32(INTERNAL) if failure.code == Error.OUT_OF_SPACE else u32(INVALID_FUNCTION)
    give_lock(addr(module.lock))
    give_work_back(w)
    return trap


@kernel(export=True)
def map_offsets(
    module: ModuleCode, code: FuncCode, out: Ptr[u8], end: Ptr[u8], notes: Ptr[Note]
) -> u32:
    """Translate a valid function once more, noting where its instructions come from.

    Args:
        module: its module.
        code: the function.
        out: memory for the code, which is the same as before but for its place.
        end: the end of that.
        notes: room for one note for each four bytes of code.

    Returns:
        The number of notes.
    """
    piece = take_work()
    if piece == null:
        return u32(0)
    w = piece[0]
    use_output(w, out, end)
    w.notes = notes
    n: u32 = 0
    try:
        translate_function(w, module, code, True)
        n = w.n_notes
    except Invalid:
        forget(w)
    w.notes = null
    give_work_back(w)
    return n
