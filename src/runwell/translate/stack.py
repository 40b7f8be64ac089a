"""The operand stack: types, and in code that is wanted entries that know where the values are.

In dead code only the types are kept: no entry above the height at which it died means anything.
A loop over operands here costs a constant time for each of them and is paid for by the instruction
that pushed it: a pending read is brought home at most once, and finding those of one local takes
no search.
"""

from runwell.base.limits import OPERAND_HEIGHT
from runwell.kernel import Ptr, addr, i64, kernel, likely, u32, u64, unlikely
from runwell.translate.emit import class_of, is_number, is_ref, made, move
from runwell.translate.errors import Error, Invalid
from runwell.translate.reading import refuse
from runwell.translate.value_types import is_match
from runwell.translate.work import Entry, Where, Work

HOME, LOCAL, CONSTANT = int(Where.HOME), int(Where.LOCAL), int(Where.CONSTANT)
SHOWN = 8  # types of a mismatch that the error tells


@kernel
def take_other_slot(w: Work, e: Entry, t: u32) -> None:
    """Give a reference or vector its slot."""
    if is_ref(t):
        e.home = w.ref_top
        w.ref_top += 8
        if w.ref_top > w.max_ref_top:
            w.max_ref_top = w.ref_top
    else:
        e.home = w.top
        w.top += 16
        if w.top > w.max_top:
            w.max_top = w.top


@kernel(inline=True)
def push_value(w: Work, t: u32) -> Entry:
    """Push an operand that is at home."""
    i = w.sp
    if unlikely(i > OPERAND_HEIGHT):
        refuse(w, Error.HEIGHT_LIMIT, OPERAND_HEIGHT)
    w.sp = i + 1
    w.types[i] = t
    e = w.entries[i]
    e.kind = HOME
    if likely(is_number(t)):
        top = w.top
        e.home = top
        w.top = top + 8
        if top + 8 > w.max_top:
            w.max_top = top + 8
    else:
        take_other_slot(w, e, t)
    e.place = e.home
    return e


@kernel(inline=True)
def push_type(w: Work, t: u32) -> None:
    """Push an operand in dead code."""
    i = w.sp
    if unlikely(i > OPERAND_HEIGHT):
        refuse(w, Error.HEIGHT_LIMIT, OPERAND_HEIGHT)
    w.types[i] = t
    w.sp = i + 1


@kernel(inline=True)
def push_constant(w: Work, t: u32, value: i64) -> None:
    """Push a constant."""
    if w.sp < w.home:
        w.home = w.sp
    e = push_value(w, t)
    e.kind = CONSTANT
    e.value = value


@kernel(inline=True)
def push_local(w: Work, t: u32, slot: u32, local: u32) -> None:
    """Push a read of a local that is still to be made."""
    i = w.sp
    if i < w.home:
        w.home = i
    e = push_value(w, t)
    e.kind = LOCAL
    e.place = slot
    e.value = i64(local)
    e.next = w.heads[local]
    w.heads[local] = i


@kernel(inline=True)
def result(w: Work, dest: Ptr[u32], t: u32) -> None:
    """Push the result of the last instruction; ``dest`` is its destination word."""
    e = push_value(w, t)
    made(w, dest, class_of(t), e.home, addr(e))


@kernel(inline=True)
def release(w: Work, i: u32) -> None:
    """Operand ``i``, the highest, leaves the stack: free its slot, forget its pending read."""
    e = w.entries[i]
    if likely(is_number(w.types[i])):
        w.top = e.home
    elif is_ref(w.types[i]):
        w.ref_top = e.home
    else:
        w.top = e.home
    if e.kind == LOCAL:
        w.heads[e.value] = e.next


@kernel
def underflow(w: Work, want: u32) -> None:
    """There is no operand: fine in unreachable code, else an error."""
    if w.frame.unreachable == 0:
        w.n_wanted = 1
        w.wanted[0] = want
        w.n_found = 0
        raise Invalid(Error.TYPE_MISMATCH)


@kernel(inline=True)
def pop_number(w: Work, want: u32) -> u32:
    """Pop an operand; gives its number, 0 if the stack is polymorphic; ``want`` is for errors."""
    i = w.sp
    if unlikely(i == w.height):
        underflow(w, want)
        return u32(0)
    i -= 1
    w.sp = i
    if w.dead == 0:
        release(w, i)
    return i


@kernel
def check_type(w: Work, found: u32, want: u32) -> None:
    """Fail unless an operand of type ``found`` may be used as ``want``."""
    if is_match(w, found, want):
        return
    w.n_wanted = 1
    w.wanted[0] = want
    w.n_found = 1
    w.found[0] = found
    raise Invalid(Error.TYPE_MISMATCH)


@kernel(inline=True)
def pop_value(w: Work, want: u32) -> Entry:
    """Pop an operand of a type; the entry means nothing in dead code."""
    i = pop_number(w, want)
    if unlikely(w.types[i] != want):
        check_type(w, w.types[i], want)
    return w.entries[i]


@kernel(inline=True)
def settle(w: Work, i: u32) -> None:
    """Bring operand ``i`` home; if it is a pending read, no higher one is of the same local."""
    e = w.entries[i]
    if e.kind != HOME:
        if e.kind == LOCAL:
            w.heads[e.value] = e.next
        move(w, e, w.types[i], e.home, addr(e))
        e.kind = HOME
        e.place = e.home


@kernel
def settle_from(w: Work, low: u32) -> None:
    """Bring all operands from number ``low`` home, the highest first."""
    start = w.home if w.home > low else low
    i = w.sp
    while i > start:
        i -= 1
        settle(w, i)
        w.steps += 1
    if w.home >= low:
        w.home = w.sp


@kernel(inline=True)
def settle_top(w: Work, n: u32) -> None:
    """Bring the highest ``n`` operands home."""
    if n != 0:
        settle_from(w, w.sp - n)


@kernel
def settle_local(w: Work, local: u32) -> None:
    """Before a write to a local: bring the pending reads of it home."""
    i = w.heads[local]
    while i != 0:
        e = w.entries[i]
        move(w, e, w.types[i], e.home, addr(e))
        e.kind = HOME
        e.place = e.home
        i = e.next
        w.steps += 1
    w.heads[local] = 0


@kernel
def truncate(w: Work, height: u32) -> None:
    """Drop all operands above a height."""
    if w.dead != 0:
        w.sp = height
    while w.sp > height:
        w.sp -= 1
        release(w, w.sp)
        w.steps += 1


@kernel
def push_types(w: Work, types: Ptr[u32], n: u32) -> None:
    """Push operands; those that have a value are at home."""
    for i in range(n):
        if w.dead != 0:
            push_type(w, types[i])
        else:
            push_value(w, types[i])
    w.steps += u64(n)


@kernel
def show_mismatch(w: Work, types: Ptr[u32], n: u32) -> None:
    """Record the types that were wanted and those on the stack, for the error."""
    have = w.sp - w.height
    if have > n:
        have = n
    w.n_wanted = n
    w.n_found = have
    for i in range(n if n < SHOWN else u32(SHOWN)):
        w.wanted[i] = types[i]
    for i in range(have if have < SHOWN else u32(SHOWN)):
        w.found[i] = w.types[w.sp - have + i]


@kernel
def show_types(w: Work, wanted: Ptr[u32], n_wanted: u32, found: Ptr[u32], n_found: u32) -> None:
    """Record two lists of types that do not match, for the error."""
    w.n_wanted = n_wanted
    w.n_found = n_found
    for i in range(n_wanted if n_wanted < SHOWN else u32(SHOWN)):
        w.wanted[i] = wanted[i]
    for i in range(n_found if n_found < SHOWN else u32(SHOWN)):
        w.found[i] = found[i]


@kernel
def check_many(w: Work, types: Ptr[u32], n: u32) -> None:
    """The highest ``n`` operands must have these types; they stay, with these types."""
    have = w.sp - w.height
    w.steps += u64(n)
    if have >= n:
        low = w.sp - n
        different: u32 = 0
        for i in range(n):
            different |= w.types[low + i] ^ types[i]
        if different == 0:
            return
    match_label(w, types, n)
    if have < n:
        # In unreachable code what is missing is supposed to be what was wanted.
        w.sp = w.height
        push_types(w, types, n)
    else:
        for i in range(n):
            w.types[w.sp - n + i] = types[i]


@kernel
def match_label(w: Work, types: Ptr[u32], n: u32) -> None:
    """The highest operands must match these types; unknown and missing ones match all."""
    have = w.sp - w.height
    wrong = False
    if have < n:
        wrong = w.frame.unreachable == 0
    else:
        have = n
    missing = n - have
    low = w.sp - have
    for i in range(have):
        found = w.types[low + i]
        wrong |= not is_match(w, found, types[missing + i])
    w.steps += u64(have)
    if wrong:
        show_mismatch(w, types, n)
        raise Invalid(Error.TYPE_MISMATCH)


@kernel(inline=True)
def check_top(w: Work, types: Ptr[u32], n: u32) -> None:
    """The highest ``n`` operands must have these types; they stay, with these types."""
    if n == 0:
        return
    if likely(n == 1 and w.sp > w.height and w.types[w.sp - 1] == types[0]):
        return
    check_many(w, types, n)
