"""Programs in worlds: what a user of the Python API sees."""

import os

import pytest

import runwell
from runwell.wasi import MemoryDirectory, Overlay, Quota, VirtualClock

# Appends its standard input to log.txt, and says how it went in its exit code.
APPEND = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "log.txt")
  (data (i32.const 32) "\\00\\01\\00\\00\\00\\00\\01\\00")
  (func $check (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
  (func (export "_start")
    (call $check (call $open (i32.const 3) (i32.const 1) (i32.const 16) (i32.const 7)
      (i32.const 1) (i64.const 70) (i64.const 0) (i32.const 1) (i32.const 0)))
    (call $check (call $read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 36)))
    (call $check (call $write (i32.load (i32.const 0)) (i32.const 32) (i32.const 1) (i32.const 8)))
    (call $check (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 8)))))"""
DRAW = """(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "draw") (result i64)
    (drop (call $time (i32.const 0) (i64.const 0) (i32.const 0)))
    (drop (call $random (i32.const 8) (i32.const 8)))
    (i64.xor (i64.load (i32.const 0)) (i64.load (i32.const 8)))))"""


def run(world, text, **options):
    wasi = runwell.WasiConfig(preopens={"/": world}, stdin=text, stdout="capture", **options)
    instance = runwell.Instance(runwell.Module(APPEND), wasi=wasi)
    return instance.run(), instance


def test_what_one_guest_leaves_another_finds():
    world = MemoryDirectory()
    for text in (b"one\n", b"two\n"):
        code, instance = run(world, text)
        assert (code, instance.wasi.stdout) == (0, text)
    assert world.read_bytes("log.txt") == b"one\ntwo\n"


def test_a_host_s_directory_is_not_changed_by_what_is_above(tmp_path):
    (tmp_path / "log.txt").write_bytes(b"kept\n")
    world = Overlay(tmp_path)
    assert run(world, b"new\n")[0] == 0
    assert world.read_bytes("log.txt") == b"kept\nnew\n"
    assert (tmp_path / "log.txt").read_bytes() == b"kept\n"


def test_a_quota(tmp_path):
    world = Quota(tmp_path, max_bytes=6)
    assert run(world, b"12345")[0] == 0
    code, _ = run(world, b"6789")  # of which one byte is written
    assert code == 0
    assert run(world, b"x")[0] == 19
    assert (tmp_path / "log.txt").read_bytes() == b"123456"


def test_descriptors_can_be_read_after_the_run(tmp_path):
    _, instance = run(tmp_path, b"written")
    with instance.wasi.open(4) as file:
        file.seek(0)
        assert file.read() == b"written"


def test_descriptors_are_closed_with_the_instance(tmp_path):
    run(tmp_path, b"")
    before = len(os.listdir("/proc/self/fd"))
    _, instance = run(tmp_path, b"")
    assert len(os.listdir("/proc/self/fd")) > before
    instance.wasi.close()
    assert len(os.listdir("/proc/self/fd")) == before
    _, instance = run(tmp_path, b"")
    del instance
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_instance_without_wasi_has_none():
    assert runwell.Instance(runwell.Module("(module)")).wasi is None


def draw(**options):
    instance = runwell.Instance(runwell.Module(DRAW), wasi=runwell.WasiConfig(**options))
    return [instance.exports.draw() for _ in range(3)]


def test_runs_can_be_the_same():
    def again():
        return draw(clock=VirtualClock(10**18), random=7)

    assert again() == again()
    assert draw(clock="virtual", random=7) == draw(clock="virtual", random=7) != again()
    assert draw() != draw()


def test_a_user_s_own_clock_and_source():
    class Still:
        def now(self, clock):
            return 5

    assert draw(clock=Still(), random=bytes) == [5, 5, 5]


def test_one_configuration_serves_many(tmp_path):
    wasi = runwell.WasiConfig(preopens={"/": tmp_path}, stdin=b"x", stdout="capture")
    module = runwell.Module(APPEND)
    instances = [runwell.Instance(module, wasi=wasi) for _ in range(3)]
    assert [instance.run() for instance in instances] == [0, 0, 0]
    assert [instance.wasi.stdout for instance in instances] == [b"x", b"x", b"x"]
    assert (tmp_path / "log.txt").read_bytes() == b"xxx"


def test_what_a_user_s_code_raises_comes_out_as_it_is():
    class MineError(Exception):
        pass

    raised = MineError("stop")

    def refuse(_data):
        raise raised

    wasi = runwell.WasiConfig(preopens={"/": MemoryDirectory()}, stdin=b"x", stdout=refuse)
    with pytest.raises(MineError) as info:
        runwell.Instance(runwell.Module(APPEND), wasi=wasi).run()
    assert info.value is raised
