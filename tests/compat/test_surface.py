"""What wasmtime-py has that is public, and what of it is here.

What is missing on purpose is listed with its reason; the list is held to be exact both ways.
"""

import enum
import inspect
import pkgutil
import sys
from importlib.util import find_spec

import pytest

real = pytest.importorskip("wasmtime", reason="wasmtime-py, to compare with, is not installed")

from runwell.compat import wasmtime as ours  # noqa: E402

POINTER = "addresses of wasmtime's own objects, for its C library"
COMPONENTS = "components are not here"
# By name, or by class and name.
ABSENT = {
    "ptr": POINTER,
    "Store.set_wasi_http": COMPONENTS,
}
# Public modules of the package, beside the names of the package itself.
MODULES = {"component": COMPONENTS}

WAT = """(module
  (import "m" "f" (func)) (memory (export "memory") 1) (table (export "table") 1 funcref)
  (global (export "global") i32 (i32.const 1)) (tag (export "tag"))
  (func (export "fail") unreachable))"""


def samples(w):
    """Things of each class of a package, to see also what only instances have."""
    engine = w.Engine()
    store = w.Store(engine)
    seen = []
    func = w.Func(store, w.FuncType([], []), seen.append, access_caller=True)
    module = w.Module(engine, WAT)
    linker = w.Linker(engine)
    linker.define(store, "m", "f", func)
    instance = w.Instance(store, module, [func])
    exports = instance.exports(store)
    try:
        exports["fail"](store)
    except w.Trap as trap:
        caught = trap
    found = [
        engine, store, func, module, linker, instance, caught, caught.frames[0],
        linker.instantiate_pre(module), module.imports[0], module.exports[0],
        *exports.values(), exports["global"].type(store), exports["memory"].type(store),
        exports["table"].type(store), func.type(store), exports["tag"].type(store),
        w.ValType.i32(), w.Limits(1, 2), w.Config(), w.WasiConfig(), w.Val.i32(1),
        w.WasmtimeError("text"),
    ]  # fmt: skip
    return {type(thing).__name__: thing for thing in found}


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def is_absent(cls, name):
    return name in ABSENT or f"{cls}.{name}" in ABSENT


def classes():
    return [name for name in real.__all__ if inspect.isclass(getattr(real, name))]


def test_names():
    names = set(real.__all__) | {n for n in public(real) if not inspect.ismodule(getattr(real, n))}
    assert {name for name in names if not hasattr(ours, name)} == set()


@pytest.mark.parametrize("name", classes())
def test_attributes(name):
    theirs, mine = getattr(real, name), getattr(ours, name)
    made, found = samples(real).get(name), samples(ours).get(name)
    missing = {
        attribute
        for attribute in public(theirs) | (public(made) if made is not None else set())
        if not (attribute in public(mine) or (found is not None and attribute in public(found)))
    }
    assert {attribute for attribute in missing if not is_absent(name, attribute)} == set()
    if issubclass(theirs, enum.Enum):
        assert {e.name: e.value for e in theirs} == {e.name: e.value for e in mine}


@pytest.mark.parametrize("name", classes())
def test_signatures(name):
    """Whatever a call of theirs passes, by position or by name, ours takes."""
    theirs, mine = getattr(real, name), getattr(ours, name)
    for attribute in sorted(public(theirs) & public(mine)):
        wanted, found = getattr(theirs, attribute), getattr(mine, attribute)
        if not callable(wanted) or inspect.isclass(wanted):
            continue
        try:
            params = list(inspect.signature(wanted).parameters.values())
            offered = inspect.signature(found).parameters
        except ValueError:
            continue
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in params):
            continue
        names = [p.name for p in params]
        assert list(offered)[: len(names)] == names, f"{name}.{attribute}"
        for p in params:
            is_optional = p.default is not p.empty
            assert (offered[p.name].default is not p.empty) == is_optional, f"{name}.{attribute}"


def test_modules():
    there = {module.name for module in pkgutil.iter_modules(real.__path__)}
    here = {module.name for module in pkgutil.iter_modules(ours.__path__)}
    assert {name for name in there if not name.startswith("_")} - here == MODULES.keys()
    assert find_spec("runwell.compat.wasmtime.loader")  # of earlier versions


def test_nothing_is_called_absent_that_is_here():
    for entry in ABSENT:
        cls, _, name = entry.rpartition(".")
        where = [cls] if cls else classes()
        assert any(hasattr(getattr(real, c), name) for c in where), entry
        assert not any(hasattr(getattr(ours, c), name) for c in where), entry


def test_the_real_one_is_not_replaced():
    assert sys.modules["wasmtime"] is real
