import gc

from runwell.host import memory
from runwell.host.memory import face
from runwell.module.types import MemoryType
from runwell.runtime.memory import Memory


def test_one_face_for_a_memory():
    native = Memory(MemoryType(1, 2))
    one = face(native)
    assert face(native) is one
    assert one._owner is native


def test_faces_go_with_their_last_use():
    gc.collect()
    before = len(memory._memories)
    made = face(Memory(MemoryType(1)))
    view = memoryview(made)
    del made
    assert len(memory._memories) == before + 1
    del view
    assert len(memory._memories) == before
