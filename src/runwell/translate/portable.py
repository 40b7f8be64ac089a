"""Register code for other processes: numbers of forms in place of addresses of handlers.

All else stays, so offsets mean the same; ``decode_code(words, PORTABLE)`` reads it.
"""

from runwell.isa.form import FORMS, Form, FusedForm
from runwell.isa.register import Word
from runwell.kernel import (
    Ptr,
    addr,
    atomic_store,
    const_array,
    extern_data,
    kernel,
    null,
    u8,
    u32,
    u64,
)
from runwell.runtime.code_kernels import find_place
from runwell.runtime.layout import FuncCode, ModuleCode, NativePlace, NativePlaces
from runwell.translate.code import HANDLER_WORDS
from runwell.translate.exports import translate_functions
from runwell.translate.tables import HANDLERS

N_FORMS = len(FORMS)

stub_enter_place = extern_data("stub_enter_place", u64)


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
def handler_at(code: Ptr[FuncCode], at: u32) -> u64:
    """The handler of the instruction at a word of a function, whether it is marked or not."""
    words = Ptr[u32](code.start) + at
    handler = u64(words[0]) | u64(words[1]) << 32
    while handler == stub_enter_place[0]:
        place = find_place(code, 4 * at)
        # If there is none, another thread has just taken the mark away.
        handler = u64(words[0]) | u64(words[1]) << 32 if place == null else place.handler
    return handler


@kernel
def mark(code: Ptr[FuncCode], stub: u64) -> None:
    """Put a stub into the places of a function; or, if that is 0, what was there before.

    Guests may be running: what they see changes in one step, the lower half of an address.
    """
    if code.places == null:
        return
    words = Ptr[u32](code.start)
    place = Ptr[NativePlace](code.places + 1)
    for i in range(code.places.count):
        if place[i].handler != 0:
            handler = stub if stub != 0 else place[i].handler
            atomic_store(addr(words[place[i].offset // 4]), u32(handler & 0xFFFFFFFF))


@kernel(export=True)
def mark_places(code: Ptr[FuncCode], places: Ptr[NativePlaces]) -> None:
    """Say where a translated function can be entered, instead of what was said before.

    The interpreter finds ``stub_enter_place`` there, so that it does not depend on chance, its
    budget running out just there, that it goes to compiled code.  A place whose handler differs
    from the stub by more than the lower half of the address is not marked.
    """
    mark(code, u64(0))
    place = Ptr[NativePlace](places + 1)
    for i in range(places.count):
        place[i].handler = 0
        if place[i].offset + 4 * HANDLER_WORDS <= u64(code.code_bytes):
            handler = handler_at(code, u32(place[i].offset // 4))
            is_one = HANDLERS[form_of(handler)] == handler
            if is_one and handler >> 32 == stub_enter_place[0] >> 32:
                place[i].handler = handler
    atomic_store(addr(code.places), places)
    mark(code, stub_enter_place[0])


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
        form = form_of(handler_at(code, at))
        length = u32(LENGTH[form])
        if TARGETS_AT[form] != 0:
            length += words[at + u32(TARGETS_AT[form])] + 1
        out[at] = form
        out[at + 1] = 0
        for i in range(u32(HANDLER_WORDS), length):
            out[at + i] = words[at + i]
        at += length
    return u64(code.code_bytes)
