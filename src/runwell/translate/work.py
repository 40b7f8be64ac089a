"""The state of one translation, as native structs.

The operand stack records *where* each value is: in the slot that its height gives it (``HOME``),
still in a local, or a constant.  ``local.get`` and constants therefore emit nothing; a write to a
local first saves the pending reads of it, and where control flow joins all is brought home.

Operands are numbered from 1: number 0 is the value that a pop from the polymorphic stack of
unreachable code gives.
"""

from typing import Literal

from runwell.base.light import IntEnum
from runwell.base.limits import CONTROL_DEPTH, LOCALS, OPERAND_HEIGHT
from runwell.kernel import Array, Ptr, i64, struct, u8, u32, u64
from runwell.runtime.layout import CatchClause, ModuleCode, TryRange

# A type that matches all types; no value type has this code.
UNKNOWN = 0x80
# No slot has this offset.
NOWHERE = 0xFFFF_FFFF
# Locals whose types are spelled out; those behind are searched for, so that a function that
# declares fifty thousand locals in four bytes costs no more than its bytes deserve.
NEAR_LOCALS = 1024
# In place of the mode of a memory that does not exist.
NO_MEMORY = 0xFF
# Values that a branch carries one by one; more are moved at once.
CARRY_SINGLY = 4
# Words that one instruction may emit, but for br_table, which asks for more.
SLACK = 1 << 20


class Where(IntEnum):
    """Where an operand's value is."""

    HOME = 0
    LOCAL = 1
    CONSTANT = 2


class Class(IntEnum):
    """Which accumulator a type's values pass through."""

    INT = 0
    FLOAT = 1
    REF = 2


@struct
class Entry:
    """One operand."""

    kind: u32  # Where
    home: u32  # the slot of its own
    place: u32  # HOME, LOCAL: the slot that holds the value now
    next: u32  # LOCAL: the next lower pending read of the same local, or 0
    value: i64  # CONSTANT: the value; LOCAL: the local's index


@struct
class Control:
    """One enclosing block."""

    params: Ptr[u32]
    results: Ptr[u32]
    label_types: Ptr[u32]  # what a branch to it carries
    start: Ptr[u32]  # code of a loop
    fixups: Ptr[u32]  # branch words to patch at the end, chained; null if none
    otherwise: Ptr[u32]  # the branch word of an `if`, until its `else`; null if none
    stub: Ptr[u32]  # code that takes a target of br_table number ``stub_of`` here
    stub_of: u32
    n_params: u32
    n_results: u32
    n_label: u32
    param_bytes: u32
    param_ref_bytes: u32
    label_bytes: u32
    label_ref_bytes: u32
    height: u32  # operands below the block's own
    top: u32  # first slot of the block's own operands
    ref_top: u32
    rule: u32
    unreachable: u32  # the operand stack is polymorphic
    single: u32  # the result type, if the block type is one
    n_set: u32  # how many locals had been set before
    catches: u32  # clauses to patch at the end, chained: number of the first plus 1, or 0
    range: u32  # of a try_table, plus 1; 0 if it catches nothing


@struct
class Local:
    """A local's type and slot."""

    type: u32
    slot: u32


@struct
class Run:
    """Consecutive locals of one type."""

    first: u32  # index of the first
    type: u32
    slot: u32  # of the first


@struct
class Note:
    """Where an instruction of register code came from."""

    code: u32  # byte offset from the function's first instruction
    offset: u32  # of the Wasm instruction from the first byte of the body


@struct
class Work:
    """All that a translation reads and writes."""

    pc: Ptr[u8]
    end: Ptr[u8]
    out: Ptr[u32]
    frame: Ptr[Control]
    entries: Ptr[Entry]
    types: Ptr[u32]  # of the operands
    sp: u32  # number of the next operand
    top: u32  # next free slot of the value frame
    ref_top: u32  # of the reference frame
    home: u32  # operands below are all HOME
    height: u32  # of the innermost block
    dead: u32  # the code is unreachable, or nobody wants it: only types are kept, and checked
    features: u64
    acc: u32  # slot whose value is in the integer accumulator too
    facc: u32  # in that of floats
    old_acc: u32  # what ``acc`` was before the last instruction
    # The last instruction, while it may be changed; null after a label.
    last: Ptr[u32]
    last_dest: Ptr[u32]  # its destination word; null if that must stay as it is
    last_entry: Ptr[Entry]  # the operand that it made
    last_form: u32
    last_class: u32
    moved_class: u32  # of the source of the last move
    # The one before it, if control passes from there to here only.
    before: Ptr[u32]
    before_form: u32
    limit: Ptr[u32]
    heads: Ptr[u32]  # by local: the highest operand that is a pending read of it, or 0
    near: Ptr[Local]
    far: Local
    is_set: Ptr[u8]  # by local: has it a value, though it has none to begin with?
    set_list: Ptr[u32]  # the locals of which that holds, in order
    n_set: u32
    n_params: u32
    n_locals: u32
    n_runs: u32
    runs: Ptr[Run]
    module: Ptr[ModuleCode]
    controls: Ptr[Control]
    instruction: Ptr[u8]  # the one being translated
    body: Ptr[u8]
    entry: Ptr[u32]  # first instruction of the function
    notes: Ptr[Note]  # null unless origins are recorded
    n_notes: u32
    serial: u32  # of the last br_table
    max_top: u32
    max_ref_top: u32
    link: u32  # byte offset of the return link
    frame_start: u32  # slot of the first operand
    ref_frame_start: u32
    ref_params: u32
    brief: u32
    steps: u64  # iterations of inner loops, for the test of linearity
    operands: Array[Ptr[Entry], Literal[4]]  # of the instruction being chosen
    operand_types: Array[u32, Literal[4]]
    table: u32  # of an indirect call
    table_64: u32
    first_mode: u32  # Mode of memory 0, or NO_MEMORY
    memory: u32  # of the last memory operand: index, Mode and offset
    mode: u32
    offset: u64
    visible_globals: u32  # those that a constant expression may read
    constant: u32  # a constant expression is being translated
    function: u32  # index of the function
    ranges: Ptr[TryRange]  # handlers found so far
    clauses: Ptr[CatchClause]
    n_ranges: u32
    n_clauses: u32
    open_range: u32  # the innermost, plus 1; or 0
    deterministic: u32  # the code is to make canonical NaNs only
    unclean: u64  # operands that may be other NaNs: a bit for each of the first ones
    unclean_64: u64  # of those that are vectors: are they of 64-bit lanes?
    metered: u32  # the code is to consume fuel
    count: u32  # instructions of the paid block so far
    paid: Ptr[u32]  # where that is to be written; null outside of such blocks
    is_paid_fixed: u32
    detail: u32  # what an error is about
    n_wanted: u32
    n_found: u32
    wanted: Array[u32, Literal[8]]
    found: Array[u32, Literal[8]]


ENTRIES = OPERAND_HEIGHT + 2
CONTROLS = CONTROL_DEPTH + 1
RUNS = LOCALS + 1
