"""``runwell.Memory``."""

import gc
import weakref

import pytest

import runwell

PAGE = 65536
TEXT = """
(memory (export "memory") 1 3)
(func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
(func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
(data (i32.const 16) "hello")
"""


@pytest.fixture
def exports(make):
    return make(TEXT).exports


def test_sizes(exports):
    memory = exports.memory
    assert memory.size == 1
    assert len(memory) == PAGE
    assert memory.type == runwell.MemoryType(1, 3)
    assert repr(memory) == "<runwell.Memory: memory 1 3>"
    assert memory.grow(1) == 1
    assert memory.size == 2
    assert len(memory) == 2 * PAGE
    assert memory.type == runwell.MemoryType(2, 3)


def test_the_same_memory_is_the_same_object(exports):
    assert exports.memory is exports["memory"]


def test_read_and_write(exports):
    memory = exports.memory
    assert memory.read(16, 5) == b"hello"
    memory.write(16, b"j")
    memory.write(20, bytearray(b"y!"))
    memory.write(22, memoryview(b"-?-")[1:2])
    assert memory.read(16, 8) == b"jelly!?\0"
    assert exports.load(20) == ord("y")
    assert memory.read(PAGE, 0) == b""
    memory.write(PAGE, b"")
    memory.write(PAGE - 1, b"x")


def test_writing_other_buffers(exports):
    from array import array

    exports.memory.write(0, array("I", [1, 2]))
    assert exports.memory.read(0, 8) == b"\1\0\0\0\2\0\0\0"
    with pytest.raises(TypeError):
        exports.memory.write(0, "text")


@pytest.mark.parametrize(
    ("address", "size"),
    [(PAGE, 1), (PAGE - 1, 2), (-1, 1), (0, PAGE + 1), (2**64, 1), (0, -1), (-5, 3)],
)
def test_out_of_bounds(exports, address, size):
    with pytest.raises(IndexError):
        exports.memory.read(address, size)
    if size > 0:
        with pytest.raises(IndexError):
            exports.memory.write(address, bytes(size))


def test_indexing(exports):
    memory = exports.memory
    assert memory[16] == ord("h")
    assert memory[16:21] == b"hello"
    assert memory[20:15:-1] == b"olleh"
    memory[16] = ord("c")
    memory[17:19] = b"up"
    assert memory[16:21] == b"cuplo"
    memory[-1] = 255
    assert memory[-1] == memory[PAGE - 1] == 255
    with pytest.raises(IndexError):
        memory[PAGE]
    with pytest.raises(ValueError, match="different structures"):
        memory[0:2] = b"abc"
    with pytest.raises(ValueError, match="invalid value"):
        memory[0] = 256


def test_a_view_is_the_memory_itself(exports):
    view = memoryview(exports.memory)
    assert (view.nbytes, view.format, view.readonly, view.contiguous) == (PAGE, "B", False, True)
    view[100] = 7
    assert exports.load(100) == 7
    exports.memory[100] = 8
    assert view[100] == 8


def test_a_view_survives_growing(exports):
    view = memoryview(exports.memory)
    assert exports.grow(2) == 1
    assert len(view) == PAGE
    view[5] = 9
    assert exports.load(5) == 9
    assert len(memoryview(exports.memory)) == 3 * PAGE


def test_a_view_keeps_the_memory(make):
    view = memoryview(make(TEXT).exports.memory)
    gc.collect()
    view[:4] = b"abcd"
    assert bytes(view[:4]) == b"abcd"
    assert bytes(view[16:21]) == b"hello"


def test_a_memory_outlives_its_instance(make):
    instance = make(TEXT)
    memory = instance.exports.memory
    gone = weakref.ref(instance)
    del instance
    assert gone() is None
    assert memory.read(16, 5) == b"hello"
    assert memory.grow(1) == 1


def test_limits_of_growing(exports):
    memory = exports.memory
    assert memory.grow(0) == 1
    with pytest.raises(MemoryError):
        memory.grow(3)
    with pytest.raises(MemoryError):
        memory.grow(2**70)
    with pytest.raises(ValueError, match="shrink"):
        memory.grow(-1)
    assert memory.size == 1


def test_made_in_python_and_imported(make):
    memory = runwell.Memory(1, 2)
    text = '(import "m" "m" (memory 1 4)) (func (export "f") (result i32) (i32.load (i32.const 0)))'
    exports = make(text, {"m": {"m": memory}}).exports
    memory.write(0, (12345).to_bytes(4, "little"))
    assert exports.f() == 12345


def test_made_from_an_import_type(make):
    module = runwell.Module('(module (import "m" "m" (memory 2 4)))')
    (wanted,) = module.imports
    memory = runwell.Memory(wanted.type)
    assert memory.type == wanted.type
    runwell.Instance(module, {"m": {"m": memory}})


def test_shared_between_instances(make):
    one = make(TEXT)
    two = make('(import "one" "memory" (memory 1 3)) (export "memory" (memory 0))', {"one": one})
    assert two.exports.memory is one.exports.memory
    two.exports.memory[50] = 77
    assert one.exports.load(50) == 77


@pytest.mark.parametrize("args", [(-1,), (1, -1), (2**50,)])
def test_bad_sizes(args):
    with pytest.raises((ValueError, runwell.LinkError)):
        runwell.Memory(*args)


def test_minimum_above_maximum():
    with pytest.raises(runwell.LinkError):
        runwell.Memory(2, 1)


def test_an_empty_memory():
    memory = runwell.Memory(0)
    assert len(memory) == 0
    assert bytes(memory) == b""
    with pytest.raises(IndexError):
        memory[0]


def test_memories_are_not_for_pickling():
    import pickle

    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(runwell.Memory(1))


def test_numpy_sees_it_without_copying(exports):
    numpy = pytest.importorskip("numpy")
    array = numpy.frombuffer(exports.memory, dtype=numpy.uint8)
    array[3] = 5
    assert exports.load(3) == 5
