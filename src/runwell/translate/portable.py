"""Register code for other processes: numbers of forms in place of addresses of handlers.

All else stays, so offsets mean the same; ``decode_code(words, PORTABLE)`` reads it.
"""

from runwell.isa.form import FORMS, Form, FusedForm
from runwell.isa.register import Word
from runwell.kernel import Ptr, const_array, kernel, null, u8, u32, u64
from runwell.runtime.layout import FuncCode, ModuleCode
from runwell.translate.code import HANDLER_WORDS
from runwell.translate.exports import translate_functions
from runwell.translate.tables import HANDLERS

N_FORMS = len(FORMS)


def _targets_at(form: Form | FusedForm) -> int:
    """Where the number of targets is in an instruction, or 0."""
    at = HANDLER_WORDS
    for part in form.parts:
        at += sum(src.words for src in part.srcs)
        for kind in part.imms:
            if kind == Word.TARGETS:
                return at
            at += kind.words
        at += part.dst.words
    return 0


# By form: length of an instruction in words without its targets, and where their number is.
LENGTH = const_array("portable_lengths", u8, lambda: [HANDLER_WORDS + f.words for f in FORMS])
TARGETS_AT = const_array("portable_targets", u8, lambda: [_targets_at(f) for f in FORMS])


@kernel
def form_of(handler: u64) -> u32:
    """The number of the form of a handler; handlers lie in the order of their forms."""
    low: u32 = 0
    high: u32 = N_FORMS
    while high - low > 1:
        middle = low + (high - low) // 2
        if HANDLERS[middle] <= handler:
            low = middle
        else:
            high = middle
    return low


@kernel
def translated(code: Ptr[FuncCode]) -> bool:
    """Is there register code of a function?  It is translated if it was not."""
    if code.start == null:
        module = Ptr[ModuleCode](code.module)
        return translate_functions(module[0], code.index, code.index + 1) == 0
    return True


@kernel(export=True)
def export_code(code: Ptr[FuncCode], out: Ptr[u32]) -> u64:
    """Write a function's register code; it is translated if it was not.

    Args:
        code: the function.
        out: where to; null to learn how long it is.

    Returns:
        Its bytes; 0 if it cannot be translated.
    """
    if not translated(code):
        return u64(0)
    if out == null:
        return u64(code.code_bytes)
    words = Ptr[u32](code.start)
    n = code.code_bytes // 4
    at: u32 = 0
    while at < n:
        form = form_of(u64(words[at]) | u64(words[at + 1]) << 32)
        length = u32(LENGTH[form])
        if TARGETS_AT[form] != 0:
            length += words[at + u32(TARGETS_AT[form])] + 1
        out[at] = form
        out[at + 1] = 0
        for i in range(u32(HANDLER_WORDS), length):
            out[at + i] = words[at + i]
        at += length
    return u64(code.code_bytes)
