"""A C++ program with exceptions does what it does natively.

The libraries that come with zig are built without exceptions, so the parts that they concern are
built here, from the sources that come with it too.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.programs import cache

import runwell

SOURCE = Path(__file__).parent / "exceptions.cpp"
WASM = ["-target", "wasm32-wasi", "-O2", "-fwasm-exceptions", "-mexception-handling",
        "-mllvm", "-wasm-use-legacy-eh=false"]  # fmt: skip
TAG = "\t.globl __cpp_exception\n\t.tagtype __cpp_exception i32\n__cpp_exception:\n"


def zig(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this zig cannot build it: {done.stderr[-500:]}")


def build_wasm(folder):
    ziglang = pytest.importorskip("ziglang")
    library = Path(ziglang.__file__).parent / "lib"
    abi, unwind = library / "libcxxabi", library / "libunwind"
    (folder / "tag.s").write_text(TAG)
    zig("cc", *WASM[:2], "-mexception-handling", "-c", folder / "tag.s", "-o", folder / "tag.o")
    includes = [f"-I{abi}/include", f"-I{abi}/src", f"-I{library}/libcxx/src",
                f"-I{unwind}/include", f"-I{unwind}/src"]  # fmt: skip
    defines = ["-D_LIBCXXABI_BUILDING_LIBRARY", "-D_LIBCXXABI_HAS_NO_THREADS",
               "-DLIBCXXABI_USE_LLVM_UNWINDER", "-D_LIBUNWIND_HAS_NO_THREADS",
               "-D_LIBCPP_ENABLE_CXX17_REMOVED_UNEXPECTED_FUNCTIONS"]  # fmt: skip
    objects = [folder / "tag.o"]
    for source in ("cxa_exception", "cxa_personality"):
        objects.append(folder / f"{source}.o")
        flags = [*WASM, *includes, *defines]
        zig("c++", *flags, "-c", abi / "src" / f"{source}.cpp", "-o", objects[-1])
    objects.append(folder / "unwind.o")
    flags = [*WASM, *includes[3:], *defines, "-fdeclspec"]
    zig("cc", *flags, "-c", unwind / "src" / "Unwind-wasm.c", "-o", objects[-1])
    zig("c++", *WASM, "-s", SOURCE, *objects, "-o", folder / "exceptions.wasm")
    return folder / "exceptions.wasm"


@pytest.fixture
def built(tmp_path):
    """The program for WebAssembly and its output when compiled natively, kept between runs."""
    wasm, output = cache() / "exceptions.wasm", cache() / "exceptions.txt"
    newest = max(SOURCE.stat().st_mtime, Path(__file__).stat().st_mtime)
    if not output.exists() or output.stat().st_mtime < newest:
        wasm.write_bytes(build_wasm(tmp_path).read_bytes())
        zig("c++", "-O2", SOURCE, "-o", tmp_path / "native")
        output.write_bytes(subprocess.run([tmp_path / "native"], stdout=-1, check=True).stdout)
    return wasm, output.read_bytes()


def test_a_program_does_what_it_does_natively(built):
    wasm, wanted = built
    output = io.BytesIO()
    module = runwell.Module(os.fspath(wasm))
    instance = runwell.Instance(module, wasi=runwell.WasiConfig(stdout=output))
    assert instance.run() == 0
    assert output.getvalue() == wanted
