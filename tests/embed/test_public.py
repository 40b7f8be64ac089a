"""The public names: they are there, documented, and cost nothing until they are used."""

import inspect
import re
import subprocess
import sys

import pytest

import runwell

NAMES = [name for name in runwell.__all__ if not name.startswith("__")]
CLASSES = [name for name in NAMES if inspect.isclass(getattr(runwell, name))]


def test_all_names_exist():
    assert runwell.__version__
    assert set(dir(runwell)) == set(runwell.__all__)
    for name in NAMES:
        assert getattr(runwell, name) is getattr(runwell, name)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        runwell.Nothing()


def test_names_for_type_checkers_are_the_same():
    source = inspect.getsource(runwell)
    checked = set(re.findall(r"^    from [\w.]+ import (\w+) as \1$", source, re.MULTILINE))
    assert checked == set(NAMES)


@pytest.mark.parametrize("name", CLASSES)
def test_documentation(name):
    cls = getattr(runwell, name)
    assert cls.__doc__
    assert len(cls.__doc__.splitlines()[0]) > 10
    for attribute, value in vars(cls).items():
        if attribute.startswith("_"):
            continue
        function = value.__func__ if isinstance(value, staticmethod) else value
        if inspect.isfunction(function):
            check_docstring(f"{name}.{attribute}", function)
        elif isinstance(value, property):
            assert value.__doc__, f"{name}.{attribute}"


@pytest.mark.parametrize("name", CLASSES)
def test_signatures(name):
    cls = getattr(runwell, name)
    if issubclass(cls, BaseException) and "__init__" not in vars(cls):
        return  # as of the errors that Python has
    signature = inspect.signature(cls)
    if (cls.__doc__ or "").count("\nArgs:"):
        assert signature.parameters


def test_signatures_of_functions():
    assert list(inspect.signature(runwell.Func).parameters) == ["function", "type"]
    function = runwell.Func(max, "(i32, f64, externref) -> (i64, v128)")
    assert str(inspect.signature(function)) == (
        "(arg0: int, arg1: float, arg2: Any, /) -> tuple[int, bytes]"
    )
    assert "max(i32, f64, externref) -> (i64, v128)" in function.__doc__


def test_texts_say_the_type():
    module = runwell.Module(
        """(module (memory (export "m") 1 9) (table (export "t") 2 9 funcref)
        (global (export "g") (mut i64) (i64.const 5)) (tag (export "e") (param i32 f64))
        (func (export "f") (param i32 externref) (result f64) (f64.const 0)))"""
    )
    exports = runwell.Instance(module).exports
    assert [repr(exports[name]) for name in exports] == [
        "<runwell.Memory: memory 1 9>",
        "<runwell.Table: table 2 9 funcref>",
        "<runwell.Global: global (mut i64) = 5>",
        "<runwell.Tag: i32 f64>",
        "<runwell.Func f: (i32, externref) -> f64>",
    ]


def check_docstring(name, function):
    doc = function.__doc__ or ""
    assert doc, name
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters if p not in ("self", "cls")]
    if parameters:
        assert "Args:" in doc, name
        for parameter in parameters:
            assert re.search(rf"^\s+\*?{parameter}: ", doc, re.MULTILINE), f"{name}: {parameter}"
    if signature.return_annotation not in (None, "None", inspect.Signature.empty) and parameters:
        assert "Returns:" in doc, name
    if re.search(r"^\s+raise \w", inspect.getsource(function), re.MULTILINE):
        assert "Raises:" in doc, name


@pytest.mark.parametrize("name", ["Config", "Engine", "Func", "Global", "Instance", "Memory",
                                  "Module", "Table"])  # fmt: skip
def test_constructors_are_documented(name):
    cls = getattr(runwell, name)
    make = cls.__init__ if name not in ("Func", "Memory") else cls.__new__
    for parameter in list(inspect.signature(make).parameters)[1:]:
        assert re.search(rf"^\s+{parameter}: ", cls.__doc__, re.MULTILINE), f"{name}: {parameter}"
    assert "Raises:" in cls.__doc__


def test_errors_derive_from_one():
    errors = [getattr(runwell, name) for name in CLASSES if name.endswith("Error")]
    for error in [*errors, runwell.Trap, runwell.OutOfFuel, runwell.WasmException]:
        assert issubclass(error, runwell.RunwellError) == (error is not runwell.InternalError)


def test_importing_costs_next_to_nothing():
    code = "import sys; a = set(sys.modules); import runwell; print(*set(sys.modules) - a)"
    assert run_python(code) == ["runwell"]


HEAVY = {"llvmlite", "inspect", "ast", "re", "dataclasses", "subprocess", "hashlib", "pathlib"}


def test_a_run_without_compiling_needs_no_heavy_modules():
    runwell.Memory(1)  # so that the core is in the cache
    code = f"""
import sys
import typing  # which imports some of them itself
before = set(sys.modules)
import runwell
data = bytes.fromhex("0061736d010000000105016000017f03020100070501016600000a06010400412a0b")
print(runwell.Instance(runwell.Module(data)).exports.f())
print(*(set(sys.modules) - before) & {HEAVY})
"""
    found = run_python(code)
    assert found == ["42", ""]


def run_python(code):
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()
