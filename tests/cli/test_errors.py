"""What is wrong with a command line, a file or the machine is one line, and an exit code."""

import gzip
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "examples" / "hello.wasm"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
GO = """(module
  (func (export "add") (param i32 i64) (result i64) (local.get 1))
  (func (export "take") (param externref))
  (global (export "g") i32 (i32.const 3)))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with files that are wrong in their ways."""
    made = tmp_path_factory.mktemp("files")
    (made / "directory.wasm").mkdir()
    hello = HELLO.read_bytes()
    for name, data in {
        "hello.wasm": hello,
        "cut.wasm": hello[:1000],
        "empty.wasm": b"",
        "hello.wasm.gz": gzip.compress(hello),
        "notes.txt": b"buy milk",
        "component.wasm": b"\0asm\x0d\0\1\0",
        "go.wat": GO.encode(),
        "wrong.wat": b"(module (func (i32.addd)))",
        "bytes.wat": b'(module (func (export "\xff")))',
        "invalid.wat": b"(module (func $f (result i32) (i64.const 1)))",
        "imports.wat": b'(module (import "env" "f" (func (param i32))))',
        "trap.wat": b'(module $m (func $f (export "_start") unreachable))',
    }.items():
        (made / name).write_bytes(data)
    return made


def runwell(folder, *args, **options):
    return subprocess.run(
        [sys.executable, "-m", "runwell", *args], cwd=folder, text=True, check=False, timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT} | options,
    )  # fmt: skip


CASES = {
    "run none.wasm": (66, "none.wasm: No such file or directory"),
    "run directory.wasm": (66, "directory.wasm: Is a directory"),
    "run cut.wasm": (65, "cut.wasm: length out of bounds (at byte 0x"),
    "run empty.wasm": (65, "empty.wasm: unexpected end: it is empty (at byte 0x0)"),
    "run hello.wasm.gz": (65, "hello.wasm.gz: magic header not detected: it is compressed by gzip"),
    "run notes.txt": (65, "notes.txt: magic header not detected: it is text; "),
    "run component.wasm": (65, "component.wasm: unknown binary version: it is a component, "),
    "run bytes.wat": (65, "bytes.wat: malformed UTF-8 encoding (at 1:24)"),
    "run invalid.wat": (65, "invalid.wat: type mismatch: instruction requires [i32] but "),
    "run imports.wat": (65, "imports.wat: unknown import 'env'.'f': func [i32] -> []"),
    "run go.wat": (65, "go.wat: it is no command, as it does not export _start; --invoke NAME "
                       "calls a function: its functions are add, take"),
    "run --invoke sub go.wat": (64, "no function is exported as 'sub': its functions are add, "),
    "run --invoke g go.wat": (64, "no function is exported as 'g': its functions are add, "),
    "run --invoke add go.wat 1": (64, "add takes 2 arguments: [i32 i64] -> [i64]"),
    "run --invoke add go.wat one 2": (64, "add: argument 1 must be of type i32, not 'one'"),
    "run --invoke add go.wat 1 99999999999999999999": (64, "add: argument 2 must be of type i64, "),
    "run --invoke take go.wat x": (64, "take: argument 1, of type externref, cannot be given on "),
    "run --fuel much hello.wasm": (64, "--fuel takes a positive number, not 'much'"),
    "run --timeout 0 hello.wasm": (64, "--timeout takes a positive number, not '0'"),
    "run --seed x hello.wasm": (64, "--seed takes a number, not 'x'"),
    "run --clock never hello.wasm": (64, "--clock takes real or virtual[:START][,tick=NS], not "),
    "run --dir none hello.wasm": (66, "none: No such file or directory"),
    "run --dir go.wat hello.wasm": (66, "go.wat: Not a directory"),
    "run --zip go.wat hello.wasm": (66, "go.wat: not a zip archive"),
    "run --stdin none hello.wasm": (66, "none: No such file or directory"),
    "run --tmpfs /t:bytes=lots hello.wasm": (64, "bytes= takes a number of bytes, such as 64M, "),
    "run --listen here hello.wasm": (64, "an address to listen on is HOST:PORT, not 'here'"),
    "inspect --ir none hello.wasm": (64, "hello.wasm: there is no function 'none'"),
    "bindgen --output none hello.wasm": (66, "none/hello.py: No such file or directory"),
}  # fmt: skip
USAGE = {
    "": "runwell: the following arguments are required: COMMAND; see runwell --help",
    "walk": "runwell: argument COMMAND: invalid choice: 'walk' (choose from 'run', 'validate', ",
    "run": "runwell run: the following arguments are required: FILE, ARGS; see runwell run --help",
    "run --lazi hello.wasm": "runwell run: unknown option --lazi: is --lazy meant?; see runwell",
    "run --quick hello.wasm": "runwell run: unknown option --quick; see runwell run --help",
    "run --engine fast hello.wasm": "runwell run: argument --engine: invalid choice: 'fast' (",
    "inspect --wat --ir 0 hello.wasm": "runwell inspect: argument --ir: not allowed with ",
    "inspect hello.wasm more": "runwell inspect: unexpected argument 'more'; see runwell inspect",
    "cache drop": "runwell cache: argument action: invalid choice: 'drop' (choose from 'list', ",
}


@pytest.mark.parametrize("line", CASES)
def test_one_line(folder, line):
    code, message = CASES[line]
    done = runwell(folder, *line.split())
    assert done.returncode == code
    assert done.stderr.startswith(f"runwell: {message}"), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("line", USAGE)
def test_usage(folder, line):
    done = runwell(folder, *line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(USAGE[line]), done.stderr
    assert done.stderr.count("\n") == 1


def test_text_is_shown_where_it_is_wrong(folder):
    done = runwell(folder, "run", "wrong.wat")
    assert done.returncode == 65
    assert done.stderr == (
        "runwell: wrong.wat: unknown operator i32.addd (at 1:16)\n  (module (func (i32.addd)))\n"
    )


def test_traps_show_the_frames_of_the_guest(folder):
    done = runwell(folder, "run", "trap.wat")
    assert done.returncode == 134
    assert done.stderr == "runwell: trap: unreachable\n  0: m!f at 0x23\n"


@pytest.mark.parametrize("command", ["validate", "inspect"])
def test_a_full_disk(folder, command):
    with open("/dev/full", "w") as full:
        done = runwell(folder, command, "hello.wasm", stdout=full)
    assert (done.returncode, done.stderr) == (
        73, "runwell: cannot write: No space left on device\n",
    )  # fmt: skip


def test_a_file_that_is_full(folder, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    (tmp_path / "m.wat").write_text('(module (func (export "f")))')
    done = runwell(tmp_path, "bindgen", "m.wat", preexec_fn=limit)
    assert (done.returncode, done.stderr) == (73, "runwell: m.py: File too large\n")


def test_a_reader_that_has_gone(folder):
    read, write = os.pipe()
    os.close(read)
    done = runwell(folder, "inspect", "hello.wasm", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (73, "")


def test_too_little_address_space(folder):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (150 << 20, 150 << 20))

    runwell(folder, "run", "hello.wasm")  # which builds what is not in the cache
    done = runwell(folder, "run", "hello.wasm", preexec_fn=limit)
    assert done.returncode == 71
    assert done.stderr.startswith("runwell: out of memory or of address space (see ulimit -v): ")
    assert done.stderr.count("\n") == 1


def test_a_cache_that_cannot_be_used(folder, tmp_path):
    """What it costs is time, which is said in one line."""
    (tmp_path / "file").touch()
    environment = {**ENVIRONMENT, "RUNWELL_CACHE_DIR": str(tmp_path / "file")}
    done = runwell(folder, "run", "hello.wasm", env=environment)
    assert (done.returncode, done.stdout) == (0, "Hello from WebAssembly.\n")
    assert done.stderr.startswith("runwell: the cache of native code cannot be used: ")
    assert done.stderr.count("\n") == 1


def test_nobody_to_compile(folder, tmp_path):
    """Without LLVM native code cannot be built."""
    (tmp_path / "llvmlite.py").write_text(
        "raise ModuleNotFoundError('no module named llvmlite', name='llvmlite')"
    )
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    environment = {**os.environ, "RUNWELL_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": path}
    done = runwell(folder, "run", "hello.wasm", env=environment)
    assert done.returncode == 70
    assert done.stderr == (
        "runwell: no module named llvmlite: it is needed to build native code; "
        "pip install llvmlite\n"
    )
