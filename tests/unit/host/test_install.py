import threading

from runwell.host.install import install
from runwell.host.layout import THREAD_SLOTS, Hooks, ThreadSlot
from runwell.host.native_type import types
from runwell.kernel.types import ctype_of
from runwell.runtime.context import current_context, on_context_end
from runwell.runtime.native import native


def contexts():
    address = native.address("python_threads")
    slots = (ctype_of(ThreadSlot) * THREAD_SLOTS).from_address(address)
    return {slot.context for slot in slots if slot.thread_state}


def test_installing_twice_is_installing_once():
    before = len(on_context_end)
    install()
    assert len(on_context_end) == before


def test_hooks_are_set():
    import runwell.runtime.reference  # its types are set when there may be values of them

    assert runwell.runtime.reference.Ref is runwell.Ref
    hooks = ctype_of(Hooks).from_address(native.address("python_hooks"))
    for name, _ in ctype_of(Hooks)._fields_:
        assert getattr(hooks, name) != 0
    assert hooks.func_type == id(types.func)


def test_contexts_are_remembered_while_their_thread_lives():
    import runwell

    f = runwell.Func(lambda: None, "() -> ()")
    f()
    assert current_context().address in contexts()
    found = []

    def run():
        f()
        found.append(current_context().address)
        found.append(found[0] in contexts())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found[1]
    assert found[0] not in contexts()
