"""``runwell`` as a user meets it: whole processes, their output and their exit codes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def runwell(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "runwell", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def wat(tmp_path, text, name="m.wat"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_hello():
    done = runwell("run", EXAMPLES / "hello.wasm")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello from WebAssembly.\n", "")


def test_arguments_reach_the_guest():
    done = runwell("run", EXAMPLES / "mandelbrot.wasm", "40", "0")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 16
    assert {len(line) for line in lines} == {40}
    assert lines[8].count("@") > 5


def test_the_guest_exit_code_is_the_command_s():
    done = runwell("run", EXAMPLES / "mandelbrot.wasm", "1")
    assert done.returncode == 1
    assert "between 10 and 1000 columns" in done.stderr


def test_a_tool_reads_files_below_its_directory_only(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.txt").write_text("one two two\nthree\n")
    (tmp_path / "b.txt").write_text("secret")
    done = runwell(
        "run", "--dir", f"{tmp_path / 'inside'}::/d", EXAMPLES / "count.wasm", "/d/a.txt"
    )
    assert done.stdout.splitlines()[0] == "/d/a.txt: 2 lines, 4 words (3 distinct so far), 18 bytes"
    assert done.stdout.splitlines()[1] == "       2 two"
    done = runwell(
        "run", "--dir", f"{tmp_path / 'inside'}::/d", EXAMPLES / "count.wasm", "/d/../b.txt"
    )
    assert done.returncode == 1
    assert "secret" not in done.stdout


def test_standard_input_is_read():
    done = runwell("run", EXAMPLES / "count.wasm", input="a b\nc\n")
    assert done.stdout.splitlines()[0].startswith("standard input: 2 lines, 3 words")


def test_invoke():
    done = runwell("run", "--invoke", "gcd", EXAMPLES / "gcd.wat", "1071", "462")
    assert (done.returncode, done.stdout) == (0, "21\n")
    done = runwell("run", "--invoke", "gcd", EXAMPLES / "gcd.wat", "1")
    assert done.returncode == 64
    assert "takes 2 arguments" in done.stderr
    done = runwell("run", "--invoke", "gcd", EXAMPLES / "gcd.wat", "1", "x")
    assert done.returncode == 64
    done = runwell("run", "--invoke", "nothing", EXAMPLES / "gcd.wat")
    assert done.returncode == 64
    assert "nothing" in done.stderr


def test_explicit_bounds_give_the_same():
    done = runwell("run", "--bounds", "explicit", EXAMPLES / "mandelbrot.wasm", "40", "0")
    assert done.stdout == runwell("run", EXAMPLES / "mandelbrot.wasm", "40", "0").stdout


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
def test_a_trap_prints_the_guest_s_stack(tmp_path, bounds):
    path = wat(
        tmp_path,
        """(module (memory 1)
          (func $inner (param i32) (result i32) (i32.load (local.get 0)))
          (func $outer (export "f") (result i32) (call $inner (i32.const 65536))))""",
    )
    done = runwell("run", "--bounds", bounds, "--invoke", "f", path)
    assert done.returncode == 134
    assert "out of bounds memory access" in done.stderr
    # the innermost function first, each with its place in the binary
    first, second = [line for line in done.stderr.splitlines() if " at 0x" in line]
    assert "0:" in first
    assert "1:" in second


def test_an_exception_that_nobody_catches_is_shown(tmp_path):
    path = wat(
        tmp_path,
        """(module (tag $e (param i32))
          (func $inner (throw $e (i32.const 7)))
          (func (export "f") (call $inner)))""",
    )
    done = runwell("run", "--invoke", "f", path)
    assert done.returncode == 134
    assert "uncaught exception (7)" in done.stderr
    assert len([line for line in done.stderr.splitlines() if " at 0x" in line]) == 2


def test_deep_recursion_traps(tmp_path):
    path = wat(tmp_path, '(module (func $f (export "f") (call $f)))')
    done = runwell("run", "--invoke", "f", path)
    assert done.returncode == 134
    assert "call stack exhausted" in done.stderr
    assert len(done.stderr.splitlines()) < 100


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "unexpected end"),
        (b"not a module", "magic header not detected"),
        (b"\0asm\2\0\0\0", "unknown binary version"),
        (b"\0asm\1\0\0\0\1\5\1", "length out of bounds"),
        (bytes.fromhex("0061736d01000000010401600000030201000a06010400410b0b"), "type mismatch"),
    ],
)
def test_a_bad_module_is_one_clear_line(tmp_path, data, words):
    path = tmp_path / "bad.wasm"
    path.write_bytes(data)
    done = runwell("run", path)
    assert done.returncode == 65
    assert len(done.stderr.splitlines()) == 1
    assert str(path) in done.stderr
    if words != "type mismatch":
        assert words in done.stderr


def test_a_missing_file_and_a_directory(tmp_path):
    done = runwell("run", tmp_path / "missing.wasm")
    assert (done.returncode, len(done.stderr.splitlines())) == (66, 1)
    assert "missing.wasm" in done.stderr
    done = runwell("run", tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (66, 1)
    done = runwell("run", "--dir", tmp_path / "nowhere", EXAMPLES / "hello.wasm")
    assert (done.returncode, len(done.stderr.splitlines())) == (66, 1)
    assert "nowhere" in done.stderr


def test_an_import_that_nobody_provides(tmp_path):
    path = wat(tmp_path, '(module (import "env" "f" (func)) (func (export "_start")))')
    done = runwell("run", path)
    assert done.returncode == 65
    assert "unknown import" in done.stderr
    assert "env" in done.stderr


def test_ctrl_c_ends_an_endless_guest(tmp_path):
    path = wat(tmp_path, '(module (func (export "_start") (loop (br 0))))')
    guest = subprocess.Popen([sys.executable, "-m", "runwell", "run", str(path)])
    time.sleep(1.5)
    guest.send_signal(signal.SIGINT)
    assert guest.wait(5) == -signal.SIGINT


def test_a_closed_pipe_ends_quietly():
    guest = subprocess.Popen(
        [sys.executable, "-m", "runwell", "run", str(EXAMPLES / "life.wasm"), "100000", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    guest.stdout.read(100)
    guest.stdout.close()
    assert guest.stderr.read() == b""
    guest.stderr.close()
    assert guest.wait(10) in (0, -signal.SIGPIPE)


def test_validate(tmp_path):
    good, bad = EXAMPLES / "hello.wasm", tmp_path / "bad.wasm"
    bad.write_bytes(b"\0asm")
    done = runwell("validate", good, bad)
    assert done.returncode == 65
    assert done.stdout == f"{good}: valid\n"
    assert done.stderr.startswith(f"{bad}: ")
    assert runwell("validate", good).returncode == 0


def test_the_plugin_example():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "prices.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "total: 1224.67",
        "the rule says: a large order: please check",
        "no such article: 99",
    ]


def test_usage_and_version():
    done = runwell("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("runwell ")
    assert runwell("run").returncode == 2
    assert runwell().returncode == 2


def test_a_full_disk_is_the_guest_s_business():
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "runwell", "run", EXAMPLES / "hello.wasm"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert "Traceback" not in done.stderr


def test_our_own_output_to_a_full_disk_is_one_clear_line():
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-u", "-m", "runwell", "validate", EXAMPLES / "hello.wasm"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 73
    assert len(done.stderr.splitlines()) == 1


ENDLESS = '(module (func (export "_start") (loop $l (br $l))))'


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--fuel", "100000"], "runwell: stopped: it needs more fuel than 100000\n"),
        (["--timeout", "0.1"], "runwell: stopped: it took longer than 0.1 seconds\n"),
    ],
)
def test_limits(tmp_path, options, line):
    done = runwell("run", *options, wat(tmp_path, ENDLESS))
    assert (done.returncode, done.stdout, done.stderr) == (124, "", line)
    done = runwell("run", *options[:1], "100000000", EXAMPLES / "hello.wasm")
    assert (done.returncode, done.stdout) == (0, "Hello from WebAssembly.\n")


@pytest.mark.parametrize("option", ["--fuel", "--timeout"])
@pytest.mark.parametrize("text", ["much", "-1", ""])
def test_limits_that_are_no_numbers(option, text):
    done = runwell("run", f"{option}={text}", EXAMPLES / "hello.wasm")
    assert done.returncode == 64
    assert done.stderr == f"runwell: {option} takes a positive number, not {text!r}\n"


TRAPS = """(module
  (func $g (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "f") (param i32) (result i32) (call $g (local.get 0))))"""


@pytest.mark.parametrize("engine", ["interpreter", "tiered", "jit"])
def test_stats(tmp_path, engine):
    path = wat(tmp_path, TRAPS)
    done = runwell("run", "--stats", "--engine", engine, "--invoke", "f", path, "1")
    assert (done.returncode, done.stdout) == (0, "1\n")
    compiled = 2 if engine == "jit" else 0
    assert done.stderr.splitlines()[0].split(None, 1) == [
        "functions",
        f"2 defined, 2 translated, {compiled} compiled",
    ]
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "functions",
        "time",
        "compiling",
        "code",
    ]


def test_stats_of_guests_that_end_otherwise(tmp_path):
    done = runwell("run", "--stats", "--invoke", "f", wat(tmp_path, TRAPS), "0")
    assert done.returncode == 134
    assert done.stderr.startswith("functions  2 defined")
    assert "integer divide by zero" in done.stderr
    done = runwell("run", "--stats", EXAMPLES / "mandelbrot.wasm", "1")
    assert done.returncode == 1
    assert "\nfunctions  " in done.stderr
    done = runwell("run", "--stats", "--fuel", "1", "--invoke", "f", wat(tmp_path, TRAPS), "0")
    assert done.returncode == 124
    assert "functions  2 defined" in done.stderr


def test_compiled_code_can_be_seen():
    done = runwell("inspect", "--engine", "jit", "--asm", "gcd", EXAMPLES / "gcd.wat")
    assert done.returncode == 0
    assert "\nf0:\n" in done.stdout
    done = runwell("inspect", "--llvm", "gcd", EXAMPLES / "gcd.wat")
    assert "urem i64" in done.stdout
    done = runwell("inspect", "--llvm", "gcd", "--asm", "gcd", EXAMPLES / "gcd.wat")
    assert done.returncode == 2


def test_messages_of_runwell_itself(tmp_path):
    file = wat(tmp_path, '(module $plugin (func (export "f") unreachable))')
    quiet = runwell("run", "--invoke", "f", file)
    assert quiet.stderr == "runwell: trap: unreachable\n  0: plugin!f at 0x1e\n"
    said = runwell("run", "-v", "--invoke", "f", file)
    assert said.returncode == 134
    assert re.search(r"^ +\d+\.\d ms runwell\.module: plugin: 1 functions, ready in", said.stderr)
    assert "runwell.trap" not in said.stderr
    for options in ["--log-level", "debug"], ["--verbose", "--log-level=debug"]:
        said = runwell("run", *options, "--invoke", "f", file)
        assert "ms runwell.trap: stopped: unreachable\n" in said.stderr


TERMINAL = """
import os, pty, sys
code = pty.spawn([sys.executable, "-m", "runwell", *sys.argv[1:]])
sys.exit(os.waitstatus_to_exitcode(code))
"""


def test_a_terminal_sees_how_far_a_long_preparation_is(tmp_path):
    """That of the native core takes seconds."""
    environment = {**os.environ, "RUNWELL_CACHE_DIR": str(tmp_path / "cache")}
    hello = str(EXAMPLES / "hello.wasm")
    outputs = [
        subprocess.run(
            [sys.executable, "-c", TERMINAL, "run", hello],
            capture_output=True, env=environment, stdin=subprocess.DEVNULL, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    line, _, rest = outputs[0].rpartition(b"\r\x1b[K")
    assert b"runwell: building the native core (once)" in line
    assert rest == outputs[1] == b"Hello from WebAssembly.\r\n"


READINGS = """(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "\\00\\00\\00\\00\\18\\00\\00\\00")
  (func $nan (param f64) (result f64) (f64.sub (local.get 0) (local.get 0)))
  (func (export "_start")
    (drop (call $time (i32.const 0) (i64.const 1) (i32.const 0)))
    (drop (call $random (i32.const 8) (i32.const 8)))
    (f64.store (i32.const 16) (call $nan (f64.const inf)))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 48)))))"""


def test_the_same_in_each_run(tmp_path):
    file = wat(tmp_path, READINGS)

    def run(*options):
        line = [sys.executable, "-m", "runwell", "run", *options, file]
        return subprocess.run(line, capture_output=True, check=True, timeout=120).stdout

    first = run("--deterministic")
    assert first == run("--deterministic", "--engine=jit")
    assert int.from_bytes(first[:8], "little") < 10**6
    assert first[16:] == (0x7FF8 << 48).to_bytes(8, "little")
    seeded = run("--deterministic", "--seed", "7")
    assert seeded == run("--deterministic", "--seed", "7", "--engine=interpreter")
    assert (seeded[:8], seeded[16:]) == (first[:8], first[16:])
    assert seeded[8:16] != first[8:16]
    other = run()
    assert int.from_bytes(other[:8], "little") > 10**18
    assert other[8:16] != first[8:16]
