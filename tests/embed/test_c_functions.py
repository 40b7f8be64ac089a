"""C functions as imports: pointers of ctypes and cffi, functions of Numba; no Python in between."""

import ctypes
import gc
import platform
import random
import subprocess
import sys

import pytest

import runwell
from runwell.host import native_function, native_kernels
from runwell.host.function import HostFunction
from runwell.host.native_function import NativeFunction

C = {
    "i": ("int32_t", ctypes.c_int32, "i32"),
    "I": ("uint32_t", ctypes.c_uint32, "i32"),
    "l": ("int64_t", ctypes.c_int64, "i64"),
    "L": ("uint64_t", ctypes.c_size_t, "i64"),
    "p": ("void *", ctypes.c_void_p, "i64"),
    "f": ("float", ctypes.c_float, "f32"),
    "d": ("double", ctypes.c_double, "f64"),
    "b": ("int8_t", ctypes.c_int8, "i32"),
    "B": ("uint8_t", ctypes.c_uint8, "i32"),
    "h": ("int16_t", ctypes.c_int16, "i32"),
    "H": ("uint16_t", ctypes.c_uint16, "i32"),
    "?": ("_Bool", ctypes.c_bool, "i32"),
}
FIXED = ["_", "i_i", "ii_i", "dd_d", "f_f", "l_l", "ii_", "ili_i", "b_b", "B_B", "h_h", "H_H",
         "?_?", "I_I", "p_p", "bbbbbbbb_i", "dddddddddd_d", "iiiiiiiiii_l",
         "fdfdfdfdfdfdf_f"]  # fmt: skip


def random_keys(count, seed=1):
    r = random.Random(seed)
    return [
        "".join(r.choices("iIlLfdbBhH?", k=r.choice([1, 3, 7, 12, 20, 60])))
        + "_"
        + r.choice("ilfd")
        for _ in range(count)
    ]


KEYS = [*FIXED, *random_keys(40)]


def source():
    lines = ["#include <stdint.h>", "#include <errno.h>"]
    for n, key in enumerate(KEYS):
        params, result = key.split("_")
        declared = ", ".join(f"{C[p][0]} a{i}" for i, p in enumerate(params)) or "void"
        total = " + ".join(f"{i + 1} * (double)(int64_t)a{i}" for i in range(len(params))) or "0"
        if len(params) == 1 and params == result:
            total = "a0"
        kind = C[result][0] if result else "void"
        body = f"return ({kind})({total});" if result else f"last = {total};"
        lines.append(f"extern double last; {kind} f{n}({declared}) {{ {body} }}")
    lines += [
        "double last;",
        "int again(int (*f)(int), int n) { return f(n) + 1; }",
        "static int (*kept)(int);",
        "void keep(int (*f)(int)) { kept = f; }",
        "int call_kept(int n) { return kept(n) + 1; }",
        "int fail(int n) { errno = n; return -1; }",
    ]
    return "\n".join(lines)


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    pytest.importorskip("ziglang", reason="ziglang compiles the library")
    folder = tmp_path_factory.mktemp("c")
    (folder / "f.c").write_text(source())
    command = [sys.executable, "-m", "ziglang", "cc", "-O1", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", folder / "f.so", folder / "f.c"], check=True)
    return ctypes.CDLL(str(folder / "f.so"))


def typed(library, name, params, result):
    f = library[name]
    f.argtypes = [C[p][1] for p in params]
    f.restype = C[result][1] if result else None
    return f


def importing(function, params, result):
    types = [C[p][2] for p in params]
    gets = " ".join(f"(local.get {i})" for i in range(len(types)))
    type_ = f"(param {' '.join(types)})" + (f" (result {C[result][2]})" if result else "")
    text = f"""(module (import "c" "f" (func $f {type_}))
      (func (export "call") {type_} {gets} (call $f)))"""
    return runwell.Instance(runwell.Module(text), {"c": {"f": function}}).exports.call


def values(r, params):
    found = []
    for p in params:
        if p in "fd":
            found.append(float(r.randrange(-1000, 1000)))
        else:
            kind = C[p][1]
            bits = 8 * ctypes.sizeof(kind)
            n = r.randrange(1 << min(bits, 40))
            found.append(kind(n).value if p not in "?p" else n & 1)
    return found


@pytest.mark.parametrize("n", range(len(KEYS)), ids=KEYS)
def test_every_signature(library, n):
    params, result = KEYS[n].split("_")
    f = typed(library, f"f{n}", params, result)
    call = importing(f, params, result)
    r = random.Random(n)
    for _ in range(5):
        args = values(r, params)
        wanted = f(*args)
        found = call(*args)
        if result in ("I", "p", "?"):
            wanted = int(wanted or 0)
            found &= 0xFFFFFFFF if result != "p" else ~0
        assert found == wanted


def test_python_is_not_in_between(library):
    f = typed(library, "fail", "i", "i")
    assert type(runwell.Func(f, "(i32) -> i32").native.owner) is NativeFunction
    assert type(runwell.Func(lambda n: n, "(i32) -> i32").native.owner) is HostFunction


def test_results_may_be_dropped_and_functions_return_nothing(library):
    call = importing(typed(library, f"f{KEYS.index('ii_')}", "ii", ""), "ii", "")
    assert call(2, 3) is None
    assert ctypes.c_double.in_dll(library, "last").value == 8


@pytest.mark.parametrize(
    ("params", "result", "import_params", "import_result"),
    [("ii", "i", "i", "i"), ("i", "i", "l", "i"), ("i", "i", "i", ""), ("d", "d", "f", "d"),
     ("i", "", "i", "i"), ("l", "l", "i", "i")],
)  # fmt: skip
def test_types_are_compared(library, params, result, import_params, import_result):
    f = typed(library, "again", params, result)
    with pytest.raises(runwell.LinkError, match=r"incompatible import type for .*found C function"):
        importing(f, import_params, import_result)


def test_references_and_several_results_are_not_for_c(library):
    f = typed(library, "fail", "i", "i")
    for type_ in "(param externref) (result i32)", "(param i32) (result i32 i32)":
        module = runwell.Module(f'(module (import "c" "f" (func {type_})))')
        with pytest.raises(runwell.LinkError, match="incompatible import type"):
            runwell.Instance(module, {"c": {"f": f}})


def test_function_types_of_ctypes(library):
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    assert importing(kind(("fail", library)), "i", "i")(3) == -1
    assert importing(kind(lambda n: n * 2), "i", "i")(21) == 42


def test_untyped_pointers_are_called_by_ctypes(library):
    f = ctypes.CDLL(library._name).fail
    assert f.argtypes is None
    assert importing(f, "i", "i")(3) == -1


def test_what_ctypes_does_more_than_call_is_done(library):
    f = typed(ctypes.CDLL(library._name, use_errno=True), "fail", "i", "i")
    ctypes.set_errno(0)
    assert importing(f, "i", "i")(33) == -1
    assert ctypes.get_errno() == 33
    checked = typed(ctypes.CDLL(library._name), "fail", "i", "i")
    checked.errcheck = lambda result, function, args: result + 100
    assert importing(checked, "i", "i")(3) == 99


def test_the_pointer_is_kept(library):
    call = importing(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1), "i", "i")
    gc.collect()
    assert call(1) == 2


def test_c_functions_that_call_python_that_calls_the_guest(library):
    """The interpreter lock is taken by ctypes, between two guests of the same thread."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    text = """(module (import "c" "f" (func $f (param i32) (result i32)))
      (import "c" "g" (func $g (param i32) (result i32)))
      (func (export "call") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1000))
          (else (i32.add (call $g (local.get 0)) (call $f (local.get 0)))))))"""
    holder = []

    def back(n):
        gc.collect()
        return holder[0].exports.call(n - 1)

    pointer = kind(back)
    library.keep(pointer)
    imports = {"c": {"f": typed(library, "call_kept", "i", "i"), "g": lambda n: n}}
    holder.append(runwell.Instance(runwell.Module(text), imports))
    assert holder[0].exports.call(3) == 1000 + 3 + 2 + 1 + 3


def test_as_functions_of_python(library):
    f = runwell.Func(typed(library, f"f{KEYS.index('ii_i')}", "ii", "i"), "(i32, i32) -> i32")
    assert f(3, 4) == 11
    assert f.name == f"f{KEYS.index('ii_i')}"
    table = runwell.Table("funcref", 1, init=f)
    text = """(module (import "m" "t" (table 1 funcref))
      (type $t (func (param i32 i32) (result i32)))
      (func (export "call") (result i32)
        (call_indirect (type $t) (i32.const 5) (i32.const 6) (i32.const 0))))"""
    instance = runwell.Instance(runwell.Module(text), {"m": {"t": table}})
    del f
    gc.collect()
    assert instance.exports.call() == 17
    with pytest.raises(runwell.LinkError):
        runwell.Func(typed(library, "fail", "i", "i"), "(i64) -> i64")


def test_functions_of_the_interpreter_keep_its_lock():
    """``PyDLL`` functions are called by Python, which has the lock."""
    f = ctypes.PYFUNCTYPE(ctypes.c_long)(("PyGILState_Check", ctypes.pythonapi))
    f.argtypes = []
    assert importing(f, "", "l")() == 1


def test_cffi(library):
    cffi = pytest.importorskip("cffi", reason="cffi is not installed")
    ffi = cffi.FFI()
    ffi.cdef("""int fail(int n); double mix(float, double, int8_t); enum e { A, B };
        extern int (*pointer)(int); void nothing(void); int many(int, ...);""")
    opened = ffi.dlopen(library._name)
    assert importing(opened.fail, "i", "i")(3) == -1
    twice = ffi.callback("int(int)", lambda n: 2 * n)
    assert importing(twice, "i", "i")(21) == 42
    mixed = ffi.callback("double(float, double, int8_t)", lambda a, b, c: a + b + c)
    text = """(module (import "c" "f" (func $f (param f32 f64 i32) (result f64)))
      (func (export "call") (param f32 f64 i32) (result f64)
        (call $f (local.get 0) (local.get 1) (local.get 2))))"""
    instance = runwell.Instance(runwell.Module(text), {"c": {"f": mixed}})
    assert instance.exports.call(0.5, 2.0, 0x1FF) == 1.5
    pointers = ffi.callback("uint64_t(void *, uint16_t, enum e, bool)", lambda p, h, e, b: 5)
    text = """(module (import "c" "f" (func (param i64 i32 i32 i32) (result i64)))
      (export "f" (func 0)))"""
    instance = runwell.Instance(runwell.Module(text), {"c": {"f": pointers}})
    assert instance.exports.f(1, 2, 3, 4) == 5
    with pytest.raises(runwell.LinkError, match="found C function"):
        importing(opened.fail, "l", "i")


def test_numba():
    numba = pytest.importorskip("numba", reason="Numba is not installed")

    @numba.cfunc("float64(float64, int32)")
    def scaled(x, n):
        return x * n

    text = """(module (import "c" "f" (func $f (param f64 i32) (result f64)))
      (func (export "call") (param f64 i32) (result f64) (call $f (local.get 0) (local.get 1))))"""
    instance = runwell.Instance(runwell.Module(text), {"c": {"f": scaled}})
    assert instance.exports.call(1.5, 4) == 6.0
    with pytest.raises(runwell.LinkError, match="found C function"):
        importing(scaled, "i", "i")


def test_the_registers_are_those_of_the_machine():
    assert native_function.integer_registers() == native_kernels.INTEGERS
    assert native_function.FLOAT_REGISTERS == native_kernels.FLOATS
    assert (native_function.FEW, native_function.MANY) == (native_kernels.FEW, native_kernels.MANY)
    assert native_function.integer_registers() == (8 if platform.machine() == "aarch64" else 6)
