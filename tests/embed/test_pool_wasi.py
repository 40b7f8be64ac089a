"""Pools of WASI programs: each user has a world of its own."""

import gc
import os
import threading

import pytest

import runwell
from runwell.wasi import MemoryDirectory
from runwell.wasi.preview1 import ProcExit

BADF, SUCCESS, NOENT = 8, 0, 44
TEXT = """(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (global $prepared (export "prepared") (mut i32) (i32.const 0))
  (data (i32.const 16) "hello") (data (i32.const 32) "file")
  (func (export "_initialize") (global.set $prepared (i32.const 7)))
  (func (export "say") (param $fd i32) (param $size i32) (result i32)
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (local.get $size))
    (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "open") (param $how i32) (result i32)
    (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 4) (local.get $how)
      (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 12)))
  (func (export "opened") (result i32) (i32.load (i32.const 12)))
  (func (export "random") (result i64)
    (drop (call $random (i32.const 48) (i32.const 8))) (i64.load (i32.const 48)))
  (func (export "exit") (call $exit (i32.const 3)))
)"""
CREATE = 1


@pytest.fixture(scope="module")
def module():
    return runwell.Module(TEXT)


def in_memory():
    return runwell.WasiConfig(stdout="capture", preopens={"/": MemoryDirectory()})


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_each_user_has_streams_of_its_own(module):
    with module.instantiate_pool(1, wasi=runwell.WasiConfig(stdout="capture")) as pool:
        kept = []
        for n in range(1, 5):
            with pool.acquire() as instance:
                assert instance.wasi.stdout == b""
                assert instance.exports.say(1, n) == SUCCESS
                assert instance.wasi.stdout == b"hello"[:n]
                kept.append((instance.wasi, b"hello"[:n]))
        # What a user had it still has.
        assert [wasi.stdout for wasi, _ in kept] == [text for _, text in kept]
        assert pool.idle == 1


def test_instances_are_used_again(module):
    with module.instantiate_pool(1, wasi=in_memory) as pool:
        addresses = set()
        for _ in range(5):
            with pool.acquire() as instance:
                instance.exports.say(1, 5)
                addresses.add(instance._native.address)
        assert len(addresses) == 1


def test_descriptors_are_closed_and_numbered_anew(module):
    with module.instantiate_pool(1, wasi=in_memory) as pool:
        for _ in range(3):
            with pool.acquire() as instance:
                exports = instance.exports
                assert exports.say(4, 1) == BADF
                assert exports.open(CREATE) == SUCCESS
                assert exports.opened() == 4
                assert exports.say(4, 5) == SUCCESS
            del exports


def test_files_are_each_users_own_if_a_callable_says_so(module):
    shared = runwell.WasiConfig(preopens={"/": MemoryDirectory()})
    for wasi, later in (in_memory, NOENT), (shared, SUCCESS):
        with module.instantiate_pool(1, wasi=wasi) as pool:
            with pool.acquire() as instance:
                assert instance.exports.open(0) == NOENT
                assert instance.exports.open(CREATE) == SUCCESS
            with pool.acquire() as instance:
                assert instance.exports.open(0) == later


def test_directories_of_the_host_are_opened_and_closed(module, tmp_path):
    config = runwell.WasiConfig(preopens={"/": str(tmp_path)})
    before = open_files()
    with module.instantiate_pool(2, wasi=config) as pool:
        for _ in range(20):
            with pool.acquire() as instance:
                assert instance.exports.open(CREATE) == SUCCESS
        gc.collect()
        assert open_files() == before
    assert (tmp_path / "file").exists()


def test_a_directory_that_is_gone(module, tmp_path):
    place = tmp_path / "here"
    place.mkdir()
    config = runwell.WasiConfig(preopens={"/": str(place)})
    with module.instantiate_pool(1, wasi=config) as pool:
        place.rmdir()
        for _ in range(3):
            with pytest.raises(OSError, match="here"):
                pool.acquire(timeout_s=1)
        place.mkdir()
        with pool.acquire(timeout_s=1) as instance:
            assert instance.exports.open(CREATE) == SUCCESS


def test_the_first_one_is_prepared(module):
    seen = []

    def prepare(instance):
        seen.append(instance.exports.prepared.value)
        instance.exports.prepared.value += 1
        instance.exports.say(1, 3)
        seen.append(instance.wasi.stdout)

    with module.instantiate_pool(2, wasi=in_memory, init=prepare) as pool:
        assert seen == [7, b"hel"]
        for _ in range(3):
            with pool.acquire() as instance:
                assert instance.exports.prepared.value == 8
                assert instance.wasi.stdout == b""


def test_imports_go_first(module):
    calls = []

    def write(*args):
        calls.append(args)
        return 77

    imports = {"wasi_snapshot_preview1": {"fd_write": write}}
    with (
        module.instantiate_pool(1, imports, wasi=in_memory) as pool,
        pool.acquire() as instance,
    ):
        assert instance.exports.say(1, 2) == 77
        assert instance.exports.random() != instance.exports.random()
    assert len(calls) == 1


def test_a_seeded_world_is_the_same_for_everybody():
    engine = runwell.Engine(runwell.Config(deterministic=True))
    module = runwell.Module(TEXT, engine=engine)
    with module.instantiate_pool(1, wasi=runwell.WasiConfig()) as pool:
        numbers = []
        for _ in range(3):
            with pool.acquire() as instance:
                numbers.append((instance.exports.random(), instance.exports.random()))
    assert len(set(numbers)) == 1
    assert numbers[0][0] != numbers[0][1]


def test_exits_and_drops(module):
    with module.instantiate_pool(1, wasi=in_memory) as pool:
        instance = pool.acquire()
        with pytest.raises(ProcExit) as caught:
            instance.exports.exit()
        assert caught.value.code == 3
        instance.close()
        instance = pool.acquire()
        say = instance.exports.say
        del instance
        # It is the user's as long as anything of it is.
        assert say(1, 5) == SUCCESS
        with pool.acquire(timeout_s=1) as other:
            assert other.wasi.stdout == b""
        assert say(1, 5) == SUCCESS


def test_threads(module):
    """Nobody sees what another one writes."""
    failed = []

    def use(n):
        try:
            for _ in range(50):
                with pool.acquire() as instance:
                    for _ in range(n):
                        instance.exports.say(1, n)
                    assert instance.wasi.stdout == b"hello"[:n] * n
                    assert instance.exports.open(0) == NOENT
                    assert instance.exports.open(CREATE) == SUCCESS
        except BaseException as e:  # noqa: BLE001 - shown below
            failed.append(e)

    with module.instantiate_pool(2, wasi=in_memory) as pool:
        threads = [threading.Thread(target=use, args=(n,)) for n in range(1, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed
