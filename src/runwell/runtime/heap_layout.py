"""The structs of the garbage-collected heap, and of what its objects refer to.

A heap is made of regions of address space, aligned to their size, so that an address says which
region it is in.  A region begins with its description and a bitmap of marks, and is divided into
blocks; a block has cells of one size, or is the beginning of an object of several blocks.  An
object that is larger than a region has one of its own.

The first word of a cell that is free is 0, or odd: the address of the next free cell plus 1.
"""

from runwell.base.light import Literal
from runwell.kernel.types import Array, Ptr, struct, u32, u64

REGION = 1 << 20
BLOCK = 1 << 14
BLOCKS = REGION // BLOCK
# The region's own: description and marks.
OWN_BLOCKS = 2
MARKS_AT = BLOCK
MARK_BYTES = REGION // 64
# Cells of 8-byte steps up to here, then eight sizes for each power of two.
STEP, LAST_STEP = 8, 128
MOST_IN_CELLS = 8192


def size_classes() -> tuple[int, ...]:
    """The sizes of cells."""
    sizes = list(range(2 * STEP, LAST_STEP + 1, STEP))
    while sizes[-1] < MOST_IN_CELLS:
        power = 1 << (sizes[-1].bit_length() - 1)
        sizes.append(sizes[-1] + max(power // 4, STEP))
    return tuple(sizes)


CLASSES = len(size_classes())


@struct
class FieldCode:
    """Where a field of a structure is."""

    offset: u32  # from the beginning of the object
    storage: u32  # base.objects.Storage


@struct
class HeapType:
    """A structure or array type as objects refer to it.

    The canonical numbers of its supertypes follow, that of the highest first, then its own.
    """

    number: u32  # canonical
    kind: u32  # base.objects.IS_STRUCT, IS_ARRAY or IS_HOST
    depth: u32  # how many supertypes it has
    size: u32  # of a structure, in bytes
    stride: u32  # of an array: bytes from element to element
    storage: u32  # of an array's elements
    n_fields: u32
    n_references: u32  # fields that the collector follows
    n_exceptions: u32  # fields that count exceptions
    spare: u32
    # Of a structure: the fields, then the offsets of references, then of exceptions.
    fields: Ptr[FieldCode]


@struct
class Block:
    """A block, or the first of several."""

    next: Ptr["Block"]  # in the list of blocks to be swept
    cell_bytes: u64  # 0 if it is free, or not the first
    n_cells: u32
    n_marked: u32
    span: u32  # how many blocks
    is_unswept: u32
    has_exceptions: u32  # an object in it may have fields that count exceptions
    size_class: u32


@struct
class Region:
    """The beginning of a region."""

    heap: Ptr["Heap"]
    bytes: u64  # of address space
    free: u64  # bit set of the free blocks
    blocks: Array[Block, Literal[64]]


@struct
class Bin:
    """Free cells of one size."""

    free: Ptr[u64]  # linked
    fresh: Ptr[u64]  # cells that were never used, up to ``end``
    end: Ptr[u64]


@struct
class Root:
    """Something outside of the heap that has references to its objects."""

    kind: u32
    spare: u32
    address: u64
    plan: u64  # Ptr[InstancePlan] of an instance


ROOT_INSTANCE, ROOT_TABLE, ROOT_CELL = 0, 1, 2


@struct
class Handle:
    """A reference that Python holds."""

    heap: Ptr["Heap"]  # null once that is gone
    word: u64
    next: Ptr["Handle"]
    previous: Ptr["Handle"]
    dying: u32  # let go while the heap is being collected


@struct
class Extern:
    """An object of the host that a heap holds, because guests may refer to it."""

    next: Ptr["Extern"]
    cell: u64  # address of the object of the heap that stands for it
    object: u64  # PyObject*, of which it has a reference


@struct
class MarkEntry:
    """An object whose references are to be followed, from an element on."""

    object: Ptr[u64]
    start: u64


@struct
class Heap:
    """The heap of a store."""

    lock: u32  # held while it is collected, joined, or while blocks are taken
    collecting: u32  # nobody who runs its guests may go on
    heir: Ptr["Heap"]  # the one that it has become part of, or null
    owner: u64  # the context whose are ``bins``
    limit: u64  # bytes that may be in use
    used: u64  # bytes of blocks in use
    threshold: u64  # bytes in use from which on it is worth collecting
    live: u64  # bytes of what the last collection found in use
    n_collections: u64
    regions: Ptr[u64]  # addresses, ascending
    n_regions: u64
    region_room: u64
    n_free: u64  # free blocks in them
    turn: u64  # the region where free blocks were found last
    roots: Ptr[Root]
    n_roots: u64
    root_room: u64
    handles: Ptr[Handle]
    stack: Ptr[MarkEntry]
    n_stack: u64
    stack_room: u64
    stack_most: u64  # entries that the stack may have
    overflow: u32  # something could not be put on the stack
    cycle: u32  # number of the collection, in the process
    object: u64  # PyObject* of the Python face
    externs: Ptr[Extern]
    n_externs: u64
    most_externs: u64  # from which on it is worth collecting
    n_looked_at: u64  # references outside of the heap that the last collection has looked at
    face: Ptr[u64]  # where Python's cycle collector learns of the heap, or null
    unswept: Array[Ptr[Block], Literal[64]]
    bins: Array[Bin, Literal[64]]  # used by the owner without the lock
    shared: Array[Bin, Literal[64]]  # used by everybody else, with it


assert CLASSES <= 64
