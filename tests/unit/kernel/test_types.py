"""Sizes, offsets and ctypes twins; LLVM is asked for its opinion in codegen's tests."""

import ctypes
import subprocess
import sys
from typing import Literal, Never

import pytest

from runwell.kernel import (
    Array,
    Fn,
    KernelError,
    Ptr,
    ctype_of,
    f32,
    f64,
    i8,
    i16,
    i64,
    offsetof,
    sizeof,
    struct,
    types,
    u8,
    u16,
    u32,
    u64,
)


@struct
class Inner:
    a: u8
    b: u32


@struct
class Everything:
    flag: bool
    half: i16
    inner: Inner
    bytes: Array[u8, 5]
    words: Array[u32, Literal[3]]
    inners: Array[Inner, 2]
    entry: Fn[[Ptr[u8], "Everything"], u32]
    small: f32
    wide: f64
    tiny: i8
    next: "Ptr[Everything]"
    other: Ptr["Later"]
    last: u8


@struct
class Later:
    x: i64


def test_layout_is_that_of_c():
    twin = ctype_of(Everything)
    assert ctypes.sizeof(twin) == sizeof(Everything)
    assert ctypes.alignment(twin) == Everything.align
    for name, field in Everything.fields.items():
        assert getattr(twin, name).offset == field.offset == offsetof(Everything, name)
        assert ctypes.sizeof(field.type.ctype) == field.type.size


def test_values_of_a_twin():
    twin = ctype_of(Everything)()
    twin.flag, twin.half, twin.inner.b = True, -3, 7
    twin.bytes[4] = 255
    twin.inners[1].a = 9
    assert (twin.flag, twin.half, twin.inner.b, twin.bytes[4], twin.inners[1].a) == (
        True, -3, 7, 255, 9,
    )  # fmt: skip
    assert twin.next == 0  # an address is an int, also null


def test_types_are_made_once():
    assert Ptr[u8] is Ptr[u8]
    assert Fn[[u8], u32] is Fn[[u8], u32]
    assert Array[u8, 3] is Array[u8, 3] is not Array[u8, 4]
    assert Everything.fields["next"].type is Ptr[Everything]
    assert Everything.fields["other"].type is Ptr[Later]


def test_names():
    assert str(Ptr[Ptr[u8]]) == "Ptr[Ptr[u8]]"
    assert str(Fn[[u8, bool], None]) == "Fn[[u8, bool], None]"
    assert str(Array[Inner, 2]) == "Array[Inner, 2]"


def test_resolve():
    assert types.resolve(None, {}) is types.VOID
    assert types.resolve(bool, {}) is types.BOOL
    assert types.resolve(Never, {}) is types.NEVER
    assert types.resolve("Ptr[X]", {"Ptr": Ptr, "X": Inner}) is Ptr[Inner]
    with pytest.raises(KernelError, match="is not a kernel type"):
        types.resolve(int, {})
    with pytest.raises(KernelError, match="cannot resolve the type 'Nothing'"):
        types.resolve("Nothing", {})


def test_struct_refused():
    @struct
    class Empty:
        pass

    @struct
    class Wrong:
        x: int

    @struct
    class Endless:
        x: "Endless"

    for bad, message in (
        (Empty, "Empty: a struct needs a field"),
        (Wrong, r"Wrong.x: <class 'int'> is not a kernel type"),
        (Endless, "Endless.x: a field cannot be Endless"),
    ):
        with pytest.raises(KernelError, match=message):
            _ = bad.fields
    with pytest.raises(KernelError, match="is not a struct"):
        offsetof(u16, "x")


def test_types_convert_only_in_kernels():
    for of in (u32, u64, Ptr[u8]):
        with pytest.raises(TypeError, match="only inside a kernel"):
            of(1)
    with pytest.raises(KernelError, match="None has no size"):
        _ = types.VOID.size
    with pytest.raises(KernelError, match="None has no ctypes twin"):
        _ = types.VOID.ctype


def test_import_is_light():
    code = (
        "import sys, runwell.kernel; "
        "print(sorted({'ast', 'inspect', 'dataclasses', 'ctypes', 'llvmlite'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
