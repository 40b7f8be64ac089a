"""Structures and arrays: making them, and what works on many elements.

Operands are where the translator left them: numbers from ``values`` on, references from ``refs``
on, each in the order in which they were pushed.  ``end`` is where the references in use end.  The
result is a reference, or 0, or a trap code.
"""

from runwell.base.objects import (
    ELEMENTS_AT,
    FIELDS_AT,
    IS_STRUCT,
    LEAST_RESULT,
    LENGTH_AT,
    TAG,
    Storage,
)
from runwell.base.traps import TrapCode
from runwell.kernel import Ptr, i32, kernel, null, u8, u16, u32, u64
from runwell.runtime.c_library import memmove, memset
from runwell.runtime.exception_kernels import (
    exception_put_in_object,
    exception_release,
    exception_take,
)
from runwell.runtime.heap_kernels import allocate, publish
from runwell.runtime.heap_layout import HeapType
from runwell.runtime.layout import Context, FuncRef, Instance, ModuleCode, Segment
from runwell.runtime.memory_kernels import outside
from runwell.runtime.region_kernels import block_of

I8, I16, I32 = int(Storage.I8), int(Storage.I16), int(Storage.I32)
V128, REF, EXCEPTION = int(Storage.V128), int(Storage.REF), int(Storage.EXCEPTION)
NULL_ARRAY = int(TrapCode.NULL_ARRAY)
OUT_OF_BOUNDS = int(TrapCode.OUT_OF_BOUNDS_ARRAY)
OUT_OF_BOUNDS_DATA = int(TrapCode.OUT_OF_BOUNDS_MEMORY)
OUT_OF_BOUNDS_ELEM = int(TrapCode.OUT_OF_BOUNDS_TABLE)


@kernel(inline=True)
def heap_type(instance: Ptr[Instance], x: u32) -> Ptr[HeapType]:
    """A type of an instance's module."""
    found: Ptr[HeapType] = Ptr[ModuleCode](instance.module).types[x].heap_type
    return found


@kernel(inline=True)
def is_reference(storage: u32) -> bool:
    """Is it stored by a value that was on the stack of references?"""
    return storage >= REF


@kernel(inline=True)
def slots(storage: u32) -> u32:
    """How many slots a value on the stack takes."""
    return u32(2) if storage == V128 else u32(1)


@kernel
def write_item(at: Ptr[u8], storage: u32, value: Ptr[u64]) -> None:
    """Write a field, which holds nothing yet."""
    match storage:
        case Storage.I8:
            at[0] = u8(value[0])
        case Storage.I16:
            Ptr[u16](at)[0] = u16(value[0])
        case Storage.I32:
            Ptr[u32](at)[0] = u32(value[0])
        case Storage.V128:
            Ptr[u64](at)[0] = value[0]
            Ptr[u64](at)[1] = value[1]
        case Storage.EXCEPTION:
            Ptr[u64](at)[0] = 0
            exception_put_in_object(Ptr[u64](at), value[0])
        case _:
            Ptr[u64](at)[0] = value[0]


@kernel(export=True)
def struct_new(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    x: u32,
) -> u64:
    """Meaning of ``struct.new``."""
    type_ = heap_type(instance, x)
    room = allocate(ctx, instance, u64(type_.size), end)
    if room < LEAST_RESULT:
        return room
    mark_counting(type_, room)
    fields = type_.fields
    for i in range(type_.n_fields):
        field = fields + i
        at = Ptr[u8](room) + field.offset
        if is_reference(field.storage):
            write_item(at, field.storage, refs)
            refs = refs + 1
        else:
            write_item(at, field.storage, values)
            values = values + slots(field.storage)
    return publish(Ptr[u64](room), type_)


@kernel(inline=True)
def mark_counting(type_: Ptr[HeapType], room: u64) -> None:
    """Let the collector know of an object that may count exceptions."""
    if type_.n_exceptions != 0 or (type_.kind != IS_STRUCT and type_.storage == EXCEPTION):
        block_of(room).has_exceptions = 1


@kernel(export=True)
def struct_new_default(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    x: u32,
) -> u64:
    """Meaning of ``struct.new_default``."""
    type_ = heap_type(instance, x)
    room = allocate(ctx, instance, u64(type_.size), end)
    if room < LEAST_RESULT:
        return room
    mark_counting(type_, room)
    memset(Ptr[u8](room) + FIELDS_AT, 0, u64(type_.size) - FIELDS_AT)
    return publish(Ptr[u64](room), type_)


# Arrays.


@kernel
def array_room(
    ctx: Ptr[Context], instance: Ptr[Instance], type_: Ptr[HeapType], length: u32, end: Ptr[u64]
) -> u64:
    """Room for an array, with its length; or a trap code."""
    size = u64(ELEMENTS_AT) + u64(length) * u64(type_.stride)
    room = allocate(ctx, instance, size, end)
    if room >= LEAST_RESULT:
        mark_counting(type_, room)
        Ptr[u64](room + LENGTH_AT)[0] = u64(length)
    return room


@kernel(inline=True)
def elements_of(object_: u64) -> Ptr[u8]:
    """Where an array's elements are, by its address."""
    return Ptr[u8](object_ + ELEMENTS_AT)


@kernel
def fill(at: Ptr[u8], storage: u32, value: Ptr[u64], n: u64) -> None:
    """Write elements, which hold nothing yet that counts."""
    match storage:
        case Storage.I8:
            memset(at, i32(value[0] & 0xFF), n)
        case Storage.I16:
            for i in range(n):
                Ptr[u16](at)[i] = u16(value[0])
        case Storage.I32:
            for i in range(n):
                Ptr[u32](at)[i] = u32(value[0])
        case Storage.V128:
            for i in range(n):
                Ptr[u64](at)[2 * i] = value[0]
                Ptr[u64](at)[2 * i + 1] = value[1]
        case Storage.EXCEPTION:
            memset(at, 0, 8 * n)
            for i in range(n):
                exception_put_in_object(Ptr[u64](at) + i, value[0])
        case _:
            for i in range(n):
                Ptr[u64](at)[i] = value[0]


@kernel(export=True)
def array_new(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    x: u32,
) -> u64:
    """Meaning of ``array.new``: copies of one value."""
    type_ = heap_type(instance, x)
    value = values
    if is_reference(type_.storage):
        value = refs
    else:
        values = values + slots(type_.storage)
    length = u32(values[0])
    room = array_room(ctx, instance, type_, length, end)
    if room < LEAST_RESULT:
        return room
    fill(elements_of(room), type_.storage, value, u64(length))
    return publish(Ptr[u64](room), type_)


@kernel(export=True)
def array_new_default(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    x: u32,
) -> u64:
    """Meaning of ``array.new_default``."""
    type_ = heap_type(instance, x)
    length = u32(values[0])
    room = array_room(ctx, instance, type_, length, end)
    if room < LEAST_RESULT:
        return room
    memset(elements_of(room), 0, u64(length) * u64(type_.stride))
    return publish(Ptr[u64](room), type_)


@kernel(export=True)
def array_new_fixed(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    x: u32,
    length: u32,
) -> u64:
    """Meaning of ``array.new_fixed``."""
    type_ = heap_type(instance, x)
    room = array_room(ctx, instance, type_, length, end)
    if room < LEAST_RESULT:
        return room
    at = elements_of(room)
    value = refs if is_reference(type_.storage) else values
    for _ in range(length):
        write_item(at, type_.storage, value)
        at = at + type_.stride
        value = value + slots(type_.storage)
    return publish(Ptr[u64](room), type_)


@kernel(export=True)
def array_new_data(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    x: u32,
    data: u32,
) -> u64:
    """Meaning of ``array.new_data``."""
    type_ = heap_type(instance, x)
    source = u64(u32(values[0]))
    length = u32(values[1])
    size = u64(length) * u64(type_.stride)
    segment = Ptr[Segment](instance.data + data)
    if outside(source, size, segment.size):
        return u64(OUT_OF_BOUNDS_DATA)
    room = array_room(ctx, instance, type_, length, end)
    if room < LEAST_RESULT:
        return room
    memmove(elements_of(room), segment.items + source, size)
    return publish(Ptr[u64](room), type_)


@kernel(export=True)
def array_new_elem(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    x: u32,
    elem: u32,
) -> u64:
    """Meaning of ``array.new_elem``."""
    type_ = heap_type(instance, x)
    source = u64(u32(values[0]))
    length = u32(values[1])
    segment = Ptr[Segment](instance.elements + elem)
    if outside(source, u64(length), segment.size):
        return u64(OUT_OF_BOUNDS_ELEM)
    room = array_room(ctx, instance, type_, length, end)
    if room < LEAST_RESULT:
        return room
    at = Ptr[u64](elements_of(room))
    # Somebody may have dropped it while there was a collection.
    if outside(source, u64(length), segment.size):
        memset(Ptr[u8](at), 0, 8 * u64(length))
        publish(Ptr[u64](room), type_)
        return u64(OUT_OF_BOUNDS_ELEM)
    items = Ptr[u64](segment.items) + source
    if type_.storage == EXCEPTION:
        memset(Ptr[u8](at), 0, 8 * u64(length))
    copy(type_.storage, at, items, u64(length))
    return publish(Ptr[u64](room), type_)


@kernel
def copy(storage: u32, to: Ptr[u64], items: Ptr[u64], n: u64) -> None:
    """Copy references, which may overlap."""
    if storage != EXCEPTION:
        memmove(Ptr[u8](to), Ptr[u8](items), 8 * n)
        return
    for i in range(n):
        x = i if to <= items else n - 1 - i
        e = exception_take(items + x)
        exception_put_in_object(to + x, u64(e))
        exception_release(e)


# What works on elements of an array that is there.


@kernel(inline=True)
def length_at(ref: u64) -> u64:
    """The length of the array that a reference, not null, is to."""
    return u64(Ptr[u32](ref - TAG + LENGTH_AT)[0])


@kernel(inline=True)
def type_at(ref: u64) -> Ptr[HeapType]:
    """The type of the object that a reference, not null, is to."""
    return Ptr[HeapType](Ptr[u64](ref - TAG)[0])


@kernel(inline=True)
def element_at(ref: u64, index: u64) -> Ptr[u8]:
    """Where an element is."""
    return elements_of(ref - TAG) + index * u64(type_at(ref).stride)


@kernel(export=True)
def array_fill(
    ctx: Ptr[Context], instance: Ptr[Instance], values: Ptr[u64], refs: Ptr[u64], end: Ptr[u64]
) -> u64:
    """Meaning of ``array.fill``."""
    array = refs[0]
    if array == 0:
        return u64(NULL_ARRAY)
    storage = type_at(array).storage
    index = u64(u32(values[0]))
    value = values + 1
    n = value
    if is_reference(storage):
        value = refs + 1
    else:
        n = value + slots(storage)
    size = u64(u32(n[0]))
    if outside(index, size, length_at(array)):
        return u64(OUT_OF_BOUNDS)
    at = element_at(array, index)
    if storage == EXCEPTION:
        for i in range(size):
            exception_put_in_object(Ptr[u64](at) + i, value[0])
    else:
        fill(at, storage, value, size)
    return u64(0)


@kernel(export=True)
def array_copy(
    ctx: Ptr[Context], instance: Ptr[Instance], values: Ptr[u64], refs: Ptr[u64], end: Ptr[u64]
) -> u64:
    """Meaning of ``array.copy``."""
    to = refs[0]
    source = refs[1]
    if to == 0 or source == 0:
        return u64(NULL_ARRAY)
    index = u64(u32(values[0]))
    from_ = u64(u32(values[1]))
    size = u64(u32(values[2]))
    if outside(index, size, length_at(to)) or outside(from_, size, length_at(source)):
        return u64(OUT_OF_BOUNDS)
    type_ = type_at(to)
    if type_.storage == EXCEPTION:
        cells = Ptr[u64](element_at(to, index))
        copy(type_.storage, cells, Ptr[u64](element_at(source, from_)), size)
    else:
        memmove(element_at(to, index), element_at(source, from_), size * u64(type_.stride))
    return u64(0)


@kernel(export=True)
def array_init_data(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    data: u32,
) -> u64:
    """Meaning of ``array.init_data``."""
    array = refs[0]
    if array == 0:
        return u64(NULL_ARRAY)
    index = u64(u32(values[0]))
    from_ = u64(u32(values[1]))
    size = u64(u32(values[2]))
    if outside(index, size, length_at(array)):
        return u64(OUT_OF_BOUNDS)
    bytes_ = size * u64(type_at(array).stride)
    segment = Ptr[Segment](instance.data + data)
    if outside(from_, bytes_, segment.size):
        return u64(OUT_OF_BOUNDS_DATA)
    memmove(element_at(array, index), segment.items + from_, bytes_)
    return u64(0)


@kernel(export=True)
def array_init_elem(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    values: Ptr[u64],
    refs: Ptr[u64],
    end: Ptr[u64],
    elem: u32,
) -> u64:
    """Meaning of ``array.init_elem``."""
    array = refs[0]
    if array == 0:
        return u64(NULL_ARRAY)
    index = u64(u32(values[0]))
    from_ = u64(u32(values[1]))
    size = u64(u32(values[2]))
    if outside(index, size, length_at(array)):
        return u64(OUT_OF_BOUNDS)
    segment = Ptr[Segment](instance.elements + elem)
    if outside(from_, size, segment.size):
        return u64(OUT_OF_BOUNDS_ELEM)
    items = Ptr[u64](segment.items) + from_
    copy(type_at(array).storage, Ptr[u64](element_at(array, index)), items, size)
    return u64(0)


# Casts.


@kernel(export=True)
def is_function_of(instance: Ptr[Instance], ref: u64, number: u32) -> u32:
    """Is a function of a canonical type or one below it?  Null is not."""
    func = Ptr[FuncRef](ref)
    if func == null:
        return u32(0)
    if func.type == number:
        return u32(1)
    supers = func.supers
    while supers[0] != 0:
        if supers[0] == number:
            return u32(1)
        supers = supers + 1
    return u32(0)
