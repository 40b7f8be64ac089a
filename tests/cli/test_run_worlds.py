"""The options of ``runwell run`` that make the guest's world."""

import signal
import socket
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

# Makes the file out.txt in the first directory, writes as many bytes to it as it has pages of
# memory, and exits with the error, if there is one.
WRITER = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "out.txt")
  (data (i32.const 32) "\\40\\00\\00\\00\\0a\\00\\00\\00" "\\00\\00\\00\\00" "hello")
  (data (i32.const 64) "hello\\nyou\\n")
  (func $check (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
  (func (export "_start")
    (call $check (call $open (i32.const 3) (i32.const 1) (i32.const 16) (i32.const 7)
      (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
    (call $check
      (call $write (i32.load (i32.const 0)) (i32.const 32) (i32.const 1) (i32.const 8)))
    (if (i32.ne (i32.load (i32.const 8)) (i32.const 10)) (then (call $exit (i32.const 99))))))"""

# Writes the time and eight random bytes, as they are.
DRAW = """(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "\\40\\00\\00\\00\\10\\00\\00\\00")
  (func (export "_start")
    (drop (call $time (i32.const 0) (i64.const 0) (i32.const 64)))
    (drop (call $random (i32.const 72) (i32.const 8)))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 8)))))"""

# Sleeps for a day, and exits with 7.
SLEEPER = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\\01")
  (func (export "_start")
    (i64.store (i32.const 24) (i64.const 86400000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
    (call $exit (i32.const 7))))"""

# Greets whoever connects first.
GREETER = """(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "\\40\\00\\00\\00\\05\\00\\00\\00")
  (data (i32.const 64) "hello")
  (func (export "_start")
    (drop (call $accept (i32.const 3) (i32.const 0) (i32.const 0)))
    (drop (call $write (i32.load (i32.const 0)) (i32.const 32) (i32.const 1) (i32.const 8)))))"""

BADF, DQUOT, NOSPC, ROFS = 8, 19, 51, 69


def command(*args):
    return [sys.executable, "-m", "runwell", "run", *map(str, args)]


def run(*args):
    return subprocess.run(command(*args), capture_output=True, timeout=120)


@pytest.fixture
def program(tmp_path):
    def write(text):
        path = tmp_path / "program.wat"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "folder"
    made.mkdir()
    (made / "a.txt").write_text("one two two\n")
    return made


def test_a_directory_that_can_be_written(folder, program):
    assert run("--dir", f"{folder}::/", program(WRITER)).returncode == 0
    assert (folder / "out.txt").read_bytes() == b"hello\nyou\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (":ro", ROFS),
        (":files=0", DQUOT),
        (":bytes=0", DQUOT),
        (":bytes=9", 99),
        (":bytes=10,files=1", 0),
        (":bytes=1K", 0),
    ],
)
def test_directories_with_limits(folder, program, options, code):
    done = run("--dir", f"{folder}::/data{options}", program(WRITER))
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.parametrize(
    ("options", "code"),
    [("", 0), (":bytes=4K,files=1", 0), (":bytes=0", NOSPC), (":files=0", NOSPC)],
)
def test_a_directory_in_memory(program, options, code):
    assert run("--tmpfs", f"/tmp{options}", program(WRITER)).returncode == code


def test_a_directory_of_which_a_copy_is_changed(folder, program, tmp_path):
    assert run("--overlay", f"{folder}::/", program(WRITER)).returncode == 0
    assert run("--overlay", f"{folder}::/:bytes=0", program(WRITER)).returncode == NOSPC
    assert [p.name for p in folder.iterdir()] == ["a.txt"]
    upper = tmp_path / "upper"
    upper.mkdir()
    options = f"upper={upper},files=10"
    assert run("--overlay", f"{folder}::/:{options}", program(WRITER)).returncode == 0
    assert [p.name for p in folder.iterdir()] == ["a.txt"]
    assert (upper / "out.txt").read_bytes() == b"hello\nyou\n"
    done = run("--overlay", f"{folder}::/d:{options}", EXAMPLES / "count.wasm", "/d/out.txt")
    assert done.stdout.startswith(b"/d/out.txt: 2 lines")


def test_a_zip_archive(tmp_path, program):
    path = tmp_path / "texts.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("texts/a.txt", "one two two\n" * 1000)
    done = run("--zip", path, EXAMPLES / "count.wasm", "/texts/a.txt")
    assert done.stdout.startswith(b"/texts/a.txt: 1000 lines, 3000 words")
    done = run("--zip", f"{path}::/z", EXAMPLES / "count.wasm", "/z/texts/a.txt")
    assert done.stdout.startswith(b"/z/texts/a.txt: 1000 lines, 3000 words")
    assert run("--zip", path, program(WRITER)).returncode == ROFS
    done = run("--zip", EXAMPLES / "count.wasm", EXAMPLES / "hello.wasm")
    assert (done.returncode, len(done.stderr.splitlines())) == (66, 1)
    assert b"not a zip archive" in done.stderr


def test_several_worlds(folder, program):
    done = run(
        *("--tmpfs", "/tmp", "--dir", f"{folder}::/d:ro", "--overlay", f"{folder}::/o"),
        *(EXAMPLES / "count.wasm", "/d/a.txt", "/o/a.txt"),
    )
    assert done.returncode == 0
    assert done.stdout.count(b": 1 lines, 3 words") == 2


def test_names_with_colons(tmp_path, program):
    odd = tmp_path / "a:b"
    odd.mkdir()
    assert run("--dir", f"{odd}::/", program(WRITER)).returncode == 0
    assert (odd / "out.txt").exists()


def test_input_from_a_file(folder):
    done = run("--stdin", folder / "a.txt", EXAMPLES / "count.wasm")
    assert done.stdout.startswith(b"standard input: 1 lines, 3 words")
    done = run("--stdin", folder / "missing", EXAMPLES / "count.wasm")
    assert (done.returncode, len(done.stderr.splitlines())) == (66, 1)


def test_time_and_chance_can_be_the_same_each_time(program):
    path = program(DRAW)
    options = ["--clock", "virtual:2024-02-29,tick=5", "--seed", "7"]
    first, second = run(*options, path).stdout, run(*options, path).stdout
    assert first == second
    assert struct.unpack("<Q", first[:8])[0] == 1709164800 * 10**9 + 5
    assert run("--seed", "8", path).stdout[8:] != first[8:]
    assert run("--seed", "7", path).stdout[8:] == first[8:]
    now = struct.unpack("<Q", run("--clock", "real", path).stdout[:8])[0]
    assert abs(now - time.time_ns()) < 60 * 10**9
    assert struct.unpack("<Q", run("--clock", "virtual", path).stdout[:8])[0] == 1000


def test_virtual_time_passes_at_once(program):
    assert run("--clock", "virtual:1000", program(SLEEPER)).returncode == 7


def test_a_socket_to_listen_on(program):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    guest = subprocess.Popen(command("--listen", f"127.0.0.1:{port}", program(GREETER)))
    try:
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", port)) as peer:
                    assert peer.recv(100) == b"hello"
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        assert guest.wait(10) == 0
    finally:
        guest.kill()
        guest.wait()


def test_ctrl_c_ends_a_guest_that_sleeps(program):
    guest = subprocess.Popen(command(program(SLEEPER)))
    time.sleep(1.5)
    guest.send_signal(signal.SIGINT)
    assert guest.wait(5) == -signal.SIGINT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tmpfs", "/a", "--tmpfs", "/a"], "two directories cannot both be '/a'"),
        (["--tmpfs", "/a:bytes=much"], "bytes= takes a number of bytes"),
        (["--dir", ".::/a:files=many"], "files= takes a number"),
        (["--clock", "sun"], "--clock takes real or virtual"),
        (["--clock", "virtual,tick=x"], "--clock takes real or virtual"),
        (["--clock", "virtual:yesterday"], "such as 2024-02-29"),
        (["--seed", "x"], "--seed takes a number"),
        (["--listen", "here"], "HOST:PORT"),
    ],
)
def test_options_that_cannot_be_understood(options, words):
    done = run(*options, EXAMPLES / "hello.wasm")
    assert (done.returncode, len(done.stderr.splitlines())) == (64, 1)
    assert words in done.stderr.decode()


@pytest.mark.parametrize("option", ["--dir", "--overlay", "--zip"])
def test_what_is_missing(option):
    done = run(option, "nowhere::/", EXAMPLES / "hello.wasm")
    assert (done.returncode, len(done.stderr.splitlines())) == (66, 1)
    assert b"nowhere" in done.stderr


def test_closed_streams_are_closed_to_the_guest_too(folder, program):
    """A file that the guest opens may get the host's number of its stream, and not its part."""
    text = WRITER.replace("(i32.load (i32.const 0)) (i32.const 32)", "(i32.const 1) (i32.const 32)")
    line = " ".join(f'"{part}"' for part in command("--dir", f"{folder}::/", program(text)))
    assert subprocess.run(f"{line} >&- 2>&-", shell=True).returncode == BADF
    assert (folder / "out.txt").read_bytes() == b""
