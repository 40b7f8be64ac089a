import pickle

import pytest

from runwell.host.builtin import make_builtin
from runwell.host.layout import FuncObject
from runwell.host.native_type import DEALLOC, OBJECT, WORD, make_type, types
from runwell.runtime.native import native


class Template:
    """What it is."""

    CONSTANT = 5

    @property
    def twice(self):
        return 2 * self._ref

    def __len__(self):
        return 9


def test_a_template_becomes_a_type():
    members = {"_ref": ("ref", WORD), "name": ("name", OBJECT)}
    made = make_type(Template, FuncObject, {DEALLOC: "func_dealloc"}, members)
    assert made.__name__ == "Template"
    assert made.__module__ == "runwell"
    assert made.__doc__ == "What it is."
    assert made.CONSTANT == 5
    assert made.__basicsize__ == types.func.__basicsize__
    assert isinstance(made.twice, property)
    with pytest.raises(TypeError):
        type("Sub", (made,), {})


def test_the_native_types_exist_once():
    import runwell
    from runwell.host import func, memory

    assert runwell.Func is func.Func is types.func
    assert runwell.Memory is memory.Memory is types.memory
    with pytest.raises(AttributeError):
        func.Nothing()
    with pytest.raises(AttributeError):
        memory.Nothing()


def test_constructors_take_addresses_and_objects():
    made = make_builtin("new_memory", "object object u64 object", native.address)
    assert made.__name__ == "new_memory"


def test_instances_do_not_pickle():
    import runwell

    for thing in (runwell.Func(abs, "(i32) -> i32"), runwell.Memory(1)):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing)
