"""The structs that native code and Python share.

Handlers, kernels and Python's ctypes twins all read these declarations, so that an offset is
written nowhere.  Python owns every struct: native code never frees one.
"""

from runwell.base.light import IntEnum, Literal
from runwell.kernel.types import Array, Fn, Ptr, i32, i64, struct, u8, u16, u32, u64
from runwell.runtime.heap_layout import HeapType


class ResultClass(IntEnum):
    """Where compiled code leaves a function's results."""

    INTEGER = 0  # in a register; also if there are none
    FLOAT = 1  # in a vector register
    MEMORY = 2  # where the interpreter leaves them


@struct
class Memory:
    """A linear memory.  ``base`` never changes: address space is reserved once."""

    base: Ptr[u8]
    bytes: u64  # current size
    pages: u64
    max_pages: u64  # the lower of the declared maximum and the engine's limit
    page_shift: u32
    is_64: u32
    shared: u32
    guarded: u32  # the reservation covers every 32-bit address plus offset
    reserved: u64  # bytes of address space from ``base``, guard included
    capacity: u64  # bytes that may be committed
    lock: u32  # held while growing
    slot: u32  # in the fault handler's table of guest memories, plus 1; or 0
    # What it is put back to, if it is.
    image: u64  # bytes
    image_at: Ptr[u8]  # where they are, unless they come from a file
    is_mapped: u32  # it begins with a file
    spare: u32


@struct
class Table:
    """A table of references; ``elements`` never moves (address space is reserved once)."""

    elements: Ptr[u64]  # Ptr[FuncRef] or an external handle; 0 is null
    size: u64
    max_size: u64
    type: u32
    is_64: u32
    reserved: u64  # bytes of address space from ``elements``; 0 if they are not a mapping
    committed: u64  # bytes of it that are accessible


@struct
class Segment:
    """A data segment of bytes, or an element segment of u64; ``size`` is 0 once dropped."""

    items: Ptr[u8]
    size: u64


@struct
class HostFunc:
    """A function outside the guest.

    ``entry(ctx, host, frame, refs)`` finds the arguments at ``frame`` and ``refs``, leaves the
    results there, and returns 0 or a trap code.
    """

    entry: Fn[[Ptr[u8], Ptr[u8], Ptr[u64], Ptr[u64]], u32]
    data: u64  # for the entry, e.g. a PyObject*
    signature: Ptr[u8]  # n_params, n_results, then one value type byte each
    frame_bytes: u32  # room that arguments or results need on the value stack
    ref_bytes: u32
    # ``discard(ctx)``: the exception that the entry failed with was caught; null if it never offers
    # one in ``Context.exception``.
    discard: Fn[[Ptr[u8]], None]


@struct
class Tag:
    """An exception tag; which one it is, its address says."""

    holders: u32  # exceptions of this tag, and 1 for Python
    value_bytes: u32  # what an exception carries
    ref_bytes: u32
    n_exceptions: u32  # how many of the references are to exceptions again
    is_exception: Ptr[u8]  # by reference: is it?
    n_objects: u32  # how many of the references may be to objects of a heap


@struct
class ExceptionObject:
    """A thrown exception.  The values follow the struct, the references follow those."""

    tag: Ptr[Tag]
    next: Ptr[u8]  # while it is being freed: the one to be freed next
    # Cells of tables and globals, contexts, Python objects, and exceptions that refer to it.
    holders: u32
    heap_holders: u32  # those of them that are fields of objects of a heap
    cycle: u32  # number of the last collection that followed its references
    spare: u32
    # In the list of those that may refer to objects of a heap.
    before: Ptr[u8]
    behind: Ptr[u8]


@struct
class TryRange:
    """Register code whose exceptions are caught; those within follow the one around them."""

    start: u32  # byte offset from the function's entry
    end: u32
    parent: u32  # number of the range around it, plus 1; 0 if there is none
    first: u32  # its clauses
    last: u32  # behind them


@struct
class CatchClause:
    """Where an exception goes on."""

    kind: u32  # as in the binary: bit 0: with a reference to the exception, bit 1: of any tag
    tag: u32
    target: u32  # byte offset from the function's entry
    slot: u32  # where the values go in the frame
    ref_slot: u32  # where the references go, and behind them that to the exception


@struct
class HandlerTable:
    """A function's handlers; ranges, in the order of their start, and then clauses follow."""

    n_ranges: u32
    n_clauses: u32


@struct
class NativePlace:
    """A place of a function at which its compiled code can be entered."""

    offset: u64  # of the register code there
    entry: Ptr[u8]  # of compiled code, or null
    handler: u64  # that ``stub_enter_place`` is in the place of there, or 0; see ``mark_places``
    passed: u64  # how often the interpreter came there


@struct
class NativePlaces:
    """The places follow, in ascending order."""

    count: u64


REF_FRAME_UNIT = 64  # bytes
FUEL_UNSEEN = (1 << 63) - 1


@struct
class FuncCode:
    """One function body: a module's, shared by its instances, or a host function's."""

    entry: Ptr[u8]  # where the interpreter goes: register code, or a stub
    module: Ptr[u8]  # Ptr[ModuleCode]; null for host functions
    host: Ptr[HostFunc]  # null for Wasm functions
    body: Ptr[u8]  # first byte of the body (its locals)
    body_end: Ptr[u8]
    heat: i32  # turns until somebody looks at whether it should be compiled; see ``heat_kernels``
    index: u32  # in its module's function index space
    param_bytes: u32  # value parameters: where the link is
    ref_param_bytes: u32
    frame_bytes: u32  # whole value frame, known once translated
    ref_frame: u16  # the same of references, in units of ``REF_FRAME_UNIT``
    brief: u16  # translated, and has neither loop nor call
    start: Ptr[u8]  # register code, once translated
    # Where compiled code goes: compiled code, or `native_interpret`, or `native_host`; see
    # ``interp.native``.
    native: Ptr[u8]
    places: Ptr[NativePlaces]  # inside of the compiled code where it can be entered, or null
    code_bytes: u32  # of register code
    float_mask: u32  # bit s: the parameter in slot s is of the class of floats and vectors
    v128_mask: u32  # bit s: it is a vector
    result_class: u32  # a ``ResultClass``
    ref_bytes: u32  # room that arguments or results need on the reference stack
    leave: u32  # offset, plus 1, of the loop at which there is better code than some are in; or 0


@struct
class HotFunction:
    """A function that has been running for a while."""

    code: Ptr[FuncCode]
    module: Ptr[u8]  # Ptr[ModuleCode]
    at: u32  # offset in the register code of the loop that it is in, plus 1; or 0
    heat: i32  # that was left


# Added to the numbers of types, to tell them from functions.
INDIRECT = 1 << 31


@struct
class CodeSizes:
    """What a function consists of; see ``measure_code``."""

    branches: u32  # that do not go through a table
    fan_out: u32  # targets of tables
    vectors: u32  # operations on vectors
    headers: u32  # branches back
    callees: u32  # calls whose function, or type, is named


@struct
class FuncRef:
    """What a ``funcref`` points to."""

    code: Ptr[FuncCode]
    instance: Ptr[u8]  # Ptr[Instance]; null for host functions
    type: u32  # canonical type number
    flags: u32
    object: u64  # PyObject* of the Python face, or 0
    supers: Ptr[u32]  # canonical numbers of the type's supertypes, nearest first, and a 0


@struct
class Turn:
    """Which context runs in some instances, and how many calls from the host deep."""

    holder: u64  # ``Context.holder``, 0 for nobody
    depth: u64


@struct
class Instance:
    """An instance; its global cells (16 bytes each) follow the struct."""

    memory_base: Ptr[u8]  # of memory 0
    codes: Ptr[FuncCode]  # by function index; entries of imports are unused
    funcs: Ptr[Ptr[FuncRef]]  # by function index
    memories: Ptr[Ptr[Memory]]
    tables: Ptr[Ptr[Table]]
    data: Ptr[Segment]
    elements: Ptr[Segment]
    module: Ptr[u8]  # Ptr[ModuleCode]
    object: u64  # PyObject* of the Python face, or 0
    tags: Ptr[Ptr[Tag]]
    exception_cells: Ptr[u32]  # byte offsets of the cells that hold exceptions
    n_exception_cells: u64
    fuel: i64  # what its code may still consume, if that is metered; never negative
    # A loop of compiled code that has less looks whether somebody wants the guest; ``FUEL_UNSEEN``
    # if that is not known because the fuel was changed.
    fuel_floor: i64
    time_limit: u64  # nanoseconds that a call from the host may take; 0 for no limit
    # Both are changed with the interpreter lock held.
    active: u32  # calls from Python that are going on
    closed: u32  # to be freed when ``active`` is 0
    turn: Ptr[Turn]  # of it and those that it is connected with
    own_turn: Turn
    heap: Ptr[u8]  # Ptr[Heap]; null if no reference to an object can get here


@struct
class NativeFrame:
    """What a native frame's frame pointer points to, on every processor."""

    caller: Ptr[u8]  # its frame pointer
    pc: u64  # where the function returns to


@struct
class NativeSegment:
    """Compiled code that the interpreter has entered: what the interpreter goes on with.

    It lies in the frame of the handler that entered it.
    """

    previous: Ptr[u8]  # Ptr[NativeSegment]
    ip: Ptr[u8]  # the link of the function that was entered
    fp: Ptr[u8]
    rp: Ptr[u8]
    instance: Ptr[Instance]
    code: Ptr[FuncCode]  # that function, and its frame
    frame: Ptr[u8]
    handlers: Ptr[u8]  # ``Context.handlers`` before
    sp: u64  # native stack of the interpreter, and the return address where that is in a register
    lr: u64
    inner: u64  # all bits are set if the interpreter is on the guest's native stack, too; else 0
    native_top: u64  # ``Context.native_top`` before
    left: i32  # frames left for the callees of the function


@struct
class NativeHandler:
    """A compiled function that may catch exceptions, while it is active; in its native frame."""

    previous: Ptr[u8]  # Ptr[NativeHandler]
    code: Ptr[FuncCode]
    fp: Ptr[u8]
    rp: Ptr[u8]
    instance: Ptr[Instance]
    frame: Ptr[NativeFrame]
    sp: u64  # at the function's entry
    left: i32
    at: u32  # a byte offset in the register code, in the innermost range that it is in now


@struct
class Context:
    """What one thread of execution owns: its stacks, its limits, why it stopped."""

    stack_limit: Ptr[u8]  # calls beyond go to the slow path; an interrupter stores 0 here
    frames_left: i32
    budget: i32  # backward branches until the slow path
    trap: u32  # TrapCode, 0 while all is well
    interrupt: u32  # TrapCode to stop with, set by another thread or a signal handler
    ip: Ptr[u8]  # where it stopped, or the caller of a host function
    fp: Ptr[u8]
    rp: Ptr[u8]
    instance: Ptr[Instance]
    top: Ptr[u8]  # first free byte of the value stack, for entries from the host
    ref_top: Ptr[u8]
    native_sp: u64  # to leave native code on a fault
    native_lr: u64
    stack: Ptr[u8]  # bottom of the value stack
    stack_end: Ptr[u8]  # the true limit behind ``stack_limit``
    refs: Ptr[u8]  # bottom of the reference stack
    refs_end: Ptr[u8]
    fault_address: u64
    max_frames: i32
    thread_state: u64  # PyThreadState* while the GIL is released, else 0
    object: u64  # PyObject* of the Python face
    culprit: u64  # Ptr[FuncCode] of what was translated last, for INVALID_FUNCTION
    # An exception on its way out of a guest, or offered by a host function; held.
    exception: Ptr[ExceptionObject]
    # Those that references on this context's stack may be to; each held.
    exceptions: Ptr[Ptr[ExceptionObject]]
    n_exceptions: u64
    exception_room: u64
    # What ``ip`` to ``instance`` were when the guest that trapped last was entered.
    caller_ip: Ptr[u8]
    caller_fp: Ptr[u8]
    caller_rp: Ptr[u8]
    caller_instance: Ptr[Instance]
    wakings: u32  # counts reasons to look why it waits, while it does
    due: u32  # bit set of what the guest should see to; see ``interrupt_kernels``
    is_main: u32  # it was made by the process's first thread
    known_at: u64  # its number among the known contexts, plus 1
    deadline: u64  # when the guest is to stop, on the monotonic clock; 0 for never
    holder: u64  # who it is where only one may run
    # Where a guest stopped that may go on, and what it needs for that: ``resume_guest``.
    parked_ip: Ptr[u8]  # null if it may not
    parked_fp: Ptr[u8]
    parked_rp: Ptr[u8]
    parked_instance: Ptr[Instance]
    acc: u64
    facc: Array[u64, Literal[2]]
    parked_left: i32  # ``frames_left``
    suspendable: u32  # may a host function stop it so?
    # The same if it has frames on its native stack: where that ends, 0 if it has none; what the
    # context said of compiled code; and what ``native_park`` returns when it goes on.
    parked_sp: u64
    parked_segment: Ptr[NativeSegment]
    parked_handlers: Ptr[NativeHandler]
    parked_outer: Ptr[NativeSegment]  # the outermost, which the thread's own stack leads to
    parked_code: u32
    # The host function that did, and where its results belong.
    pending_host: Ptr[HostFunc]
    pending_frame: Ptr[u64]
    pending_refs: Ptr[u64]
    pending: u64  # PyObject* that will give the result, until somebody takes it
    # Compiled code.
    native_rp: Ptr[u8]  # the callee's frame on the reference stack
    segment: Ptr[u8]  # innermost Ptr[NativeSegment]
    handlers: Ptr[u8]  # innermost Ptr[NativeHandler]
    host_sp: u64  # stack pointer to call the host with; 0 while on the thread's own stack
    native_top: u64  # where the guest's native stack is free, for entries from the host
    tail_code: Ptr[FuncCode]  # what to interpret instead of the compiled function that returned
    leave_ip: Ptr[u8]  # where to go on in that, if it was left in the middle
    fault_frame: NativeFrame  # in place of the frame of a native function that faulted
    native_low: u64  # the mapping of the guest's native stack, guard included
    native_high: u64
    native_open: u32  # the guard was opened for a kernel to end its work
    land_entry: Ptr[u8]  # compiled code to go on in, or null for the interpreter
    land_code: Ptr[FuncCode]
    land_sp: u64  # 0 if the native stack stays as it is
    land_fp: u64
    land_lr: u64
    # Ptr[Heap] that the running guest may use, or ALL_HEAPS; null while no guest runs, or only
    # those that cannot refer to objects, and while it waits.
    heap: u64
    # While ``heap`` is null: references in use end here.
    ref_end: Ptr[u8]
    parked_heap: u64  # what ``heap`` was when the last guest trapped


@struct
class TypeCode:
    """A type of a module as the translator sees it.

    Value types are words, as ``base.types`` says; a defined type goes by the lowest index of an
    equal one, so that types are equal if their words are.  The parameters of a structure type are
    its fields, those of an array type its element, unpacked.
    """

    params: Ptr[u32]
    results: Ptr[u32]
    n_params: u32
    n_results: u32
    number: u32  # canonical: equal for equal types of all modules
    param_bytes: u32  # value parameters, 8 bytes each (v128: 16)
    ref_param_bytes: u32
    result_bytes: u32
    ref_result_bytes: u32
    kind: u32  # 0: function, 1: structure, 2: array
    canon: u32  # lowest index of an equal type in the module
    parent: u32  # ``canon`` of the declared supertype plus 1, or 0
    fields: Ptr[u32]  # of a structure or array type: storage type and mutability of each
    supers: Ptr[u32]  # canonical numbers of the supertypes, nearest first, and a 0
    heap_type: Ptr[HeapType]  # null for functions


@struct
class ModuleCode:
    """A module as the translator and the stubs see it."""

    types: Ptr[TypeCode]
    function_types: Ptr[u32]  # type index by function index
    global_types: Ptr[u32]  # value type, mutability, by global index
    memory_flags: Ptr[u8]  # bit 0: 64-bit, bit 1: shared, bit 2: accesses need explicit checks
    table_types: Ptr[u32]  # reference type, flags (bit 0: 64-bit), by table index
    element_types: Ptr[u32]
    declared: Ptr[u8]  # by function index: may `ref.func` name it?
    codes: Ptr[FuncCode]
    n_types: u32
    n_functions: u32
    n_imported_functions: u32
    n_globals: u32
    n_imported_globals: u32
    n_memories: u32
    n_tables: u32
    n_elements: u32
    n_data: i64  # from the data count section, or -1
    features: u64  # bit set of base.features
    code: Ptr[u8]  # arena of register code: start, next free byte, end
    code_out: Ptr[u8]
    code_end: Ptr[u8]
    lock: u32  # held while translating
    explicit_bounds: u32
    object: u64
    source: Ptr[u8]  # first byte of the binary, for offsets in errors
    tag_types: Ptr[u32]  # type index by tag index
    n_tags: u32
    n_translated: u32
    translated: Ptr[Ptr[FuncCode]]  # functions that have code, in its order
    handlers: Ptr[Ptr[HandlerTable]]  # by function index; null if it catches nothing
    heat: i32  # the heat that functions begin with; 0 if nobody wants to know
    metered: u32  # its code consumes fuel
    deterministic: u32  # its code makes canonical NaNs only


@struct
class InstancePlan:
    """How a module's instances are laid out: byte offsets from the ``Instance`` struct."""

    module: Ptr[ModuleCode]
    refs: Ptr[u32]  # indices of the functions that need a ``FuncRef`` of their own
    cells: Ptr[u8]  # initial contents of the global cells, as far as they are constant
    spans: Ptr[u64]  # address and size of each data segment
    n_refs: u32
    n_globals: u32
    n_data: u32
    n_elements: u32
    n_imported_functions: u32
    n_imported_globals: u32
    n_memories: u32
    n_tables: u32
    n_tags: u32
    n_exception_cells: u32
    exception_cells: Ptr[u32]  # byte offsets of the own global cells that hold exceptions
    object_cells: Ptr[u32]  # and of those that may refer to objects of a heap
    n_object_cells: u32
    memories: u32  # offset of the array
    tables: u32
    data: u32
    elements: u32
    func_refs: u32
    funcs: u32
    tags: u32
    cells_at: u32  # of ``exception_cells``
    size: u64


@struct
class TableImage:
    """What a table is put back to."""

    table: Ptr[Table]
    elements: Ptr[u64]
    size: u64


@struct
class Snapshot:
    """A state that an instance is put back to."""

    instance: Ptr[Instance]
    state: Ptr[u8]  # what the instance has from ``start``: cells, pointers, segments
    start: u64
    size: u64
    memories: Ptr[u64]  # addresses
    n_memories: u64
    tables: Ptr[TableImage]
    n_tables: u64
    fuel: i64
    time_limit: u64


@struct
class SwitchRecord:
    """Between the frames of a caller and a callee of another instance: what the return restores.

    The callee's link names it instead of the caller's frame.
    """

    ip: Ptr[u8]  # as in the link of any frame
    fp: Ptr[u8]
    instance: Ptr[Instance]
    results: Ptr[u8]  # where the caller expects them
    result_bytes: u64


@struct
class FrameRecord:
    """A frame in a backtrace."""

    ip: u64  # in register code; of a native frame an address inside of the instruction
    function: u64  # index
    module: u64  # ModuleCode.object; 0 of a native frame


@struct
class GuestTimes:
    """Nanoseconds that a thread spent in each place, as far as samples tell."""

    host: u64
    interpreter: u64
    compiled: u64
    is_over: u32  # stop looking
