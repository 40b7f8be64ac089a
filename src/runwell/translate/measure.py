"""How big functions are, in what makes compiling them dear: one pass over their register code."""

from collections.abc import Callable

from runwell.kernel import Ptr, const_array, kernel, null, u8, u32, u64
from runwell.runtime.layout import INDIRECT, CodeSizes, FuncCode
from runwell.translate.portable import form_of, handler_at, translated
from runwell.translate.shapes import Shape, shapes


def _by_form(place: Callable[[Shape], int]) -> Callable[[], list[int]]:
    return lambda: [place(shape) for shape in shapes()]


WORDS = const_array("measure_words", u8, _by_form(lambda s: s.words))
FORWARD = const_array("measure_forward", u8, _by_form(lambda s: s.forward))
BACKWARD = const_array("measure_backward", u8, _by_form(lambda s: s.backward))
CALLEE = const_array("measure_callees", u8, _by_form(lambda s: s.callee))
THROUGH = const_array("measure_through", u8, _by_form(lambda s: s.through))
TABLE = const_array("measure_tables", u8, _by_form(lambda s: s.table))
VECTORS = const_array("measure_vectors", u8, _by_form(lambda s: s.vectors))


@kernel(export=True)
def measure_code(code: Ptr[FuncCode], out: Ptr[CodeSizes], places: Ptr[u32]) -> u64:
    """Measure a function; it is translated if it was not.

    Args:
        code: the function.
        out: filled in, if ``places`` is.
        places: room for as many words as the function has.  From the beginning, in pairs: where a
            branch back leads, the header of a loop, and where it is.  From the end: functions that
            are called and, with ``INDIRECT`` added, types of indirect calls, each as often as the
            code names it.  Null to learn how long the function is.

    Returns:
        Its bytes; 0 if it cannot be translated.
    """
    if not translated(code):
        return u64(0)
    if places == null:
        return u64(code.code_bytes)
    words = Ptr[u32](code.start)
    n = code.code_bytes // 4
    branches: u32 = 0
    fan_out: u32 = 0
    vectors: u32 = 0
    headers: u32 = 0
    callees: u32 = 0
    at: u32 = 0
    while at < n:
        form = form_of(handler_at(code, at))
        branches += u32(FORWARD[form])
        if BACKWARD[form] != 0:
            branches += 1
            place = at + u32(BACKWARD[form])
            places[2 * headers] = place - words[place] // 4
            places[2 * headers + 1] = place
            headers += 1
        if CALLEE[form] != 0:
            callees += 1
            places[n - callees] = words[at + u32(CALLEE[form])]
        if THROUGH[form] != 0:
            callees += 1
            places[n - callees] = words[at + u32(THROUGH[form])] | u32(INDIRECT)
        vectors += u32(VECTORS[form])
        if TABLE[form] != 0:
            targets = words[at + u32(TABLE[form])] + 1
            fan_out += targets
            at += targets
        at += u32(WORDS[form])
    out.branches = branches
    out.fan_out = fan_out
    out.vectors = vectors
    out.headers = headers
    out.callees = callees
    return u64(code.code_bytes)
