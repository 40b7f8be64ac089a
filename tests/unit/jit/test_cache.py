"""Compiled code on disk."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import runwell
from runwell.codegen.cache import CacheWarning
from runwell.jit import cache as cache_module
from runwell.jit import kept as kept_module
from runwell.jit.cache import CodeCache, Record, merge

WAT = "(module (func) (func (result i32) i32.const {}))"


def code_of(number: int = 1, **config):
    engine = runwell.Engine(runwell.Config(**config))
    return runwell.Module(WAT.format(number), engine=engine).code


def record(*names: str, level: int = 1, code: bytes = b"code") -> Record:
    return Record(level, names, code)


@pytest.fixture
def directory(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(directory) -> CodeCache:
    return CodeCache(str(directory))


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.code"))


def test_what_was_saved_is_loaded(cache, directory):
    records = [record("f0", "f0_at_12"), record("f1", level=2, code=bytes(range(256)) * 100)]
    module = code_of()
    assert not cache.is_known(module)
    assert cache.load(module) == []
    for r in records:
        cache.add(module, r)
    assert files(directory) == []
    del module
    cache.save()
    assert len(files(directory)) == 1
    # Another process, and another module of the same bytes.
    other, again = CodeCache(str(directory)), code_of()
    assert other.is_known(again)
    assert other.load(again) == records


def test_nothing_is_written_for_nothing(cache, directory):
    cache.save()
    assert not directory.exists()


@pytest.mark.parametrize(
    "other",
    [
        {"number": 2},
        {"bounds": "explicit"},
        {"fuel": True},
        {"deterministic": True},
        {"features": "-simd"},
    ],
)
def test_other_modules_and_options(cache, other):
    cache.add(code_of(), record("f0"))
    cache.save()
    assert cache.load(code_of(**other)) == []
    assert cache.load(code_of()) == [record("f0")]


def test_other_surroundings(cache, directory, monkeypatch):
    module = code_of()
    cache.add(module, record("f0"))
    cache.save()
    monkeypatch.setattr(cache_module, "_known", ["another LLVM"])
    other = CodeCache(str(directory))
    assert other.load(module) == []
    other.add(module, record("f1"))
    other.save()
    assert other.load(module) == [record("f1")]
    assert cache.load(module) == []


def test_the_quick_check_decides_nothing(cache, directory, monkeypatch):
    """Modules of which it is the same are told apart by what they are."""
    monkeypatch.setattr(kept_module, "_sample", lambda data: 7)
    cache.add(code_of(1), record("f0"))
    cache.save()
    assert cache.is_known(code_of(2))
    assert cache.load(code_of(2)) == []
    cache.add(code_of(2), record("f1"))
    cache.save()
    assert cache.load(code_of(2)) == [record("f1")]
    assert cache.load(code_of(1)) == []
    assert len(files(directory)) == 1


def test_several_processes_add_to_one_file(cache, directory):
    module, other = code_of(), CodeCache(str(directory))
    cache.add(module, record("f0"))
    other.add(module, record("f1"))
    cache.save()
    other.save()
    assert {r.names for r in cache.load(module)} == {("f0",), ("f1",)}


def test_many_hosts_at_once(directory):
    program = (
        "import runwell, sys\n"
        "from runwell.jit.cache import CodeCache, Record\n"
        f"cache = CodeCache({str(directory)!r})\n"
        f"code = runwell.Module({WAT.format(1)!r}).code\n"
        "for n in range(5):\n"
        "    name = f'f{int(sys.argv[1]) * 5 + n}'\n"
        "    cache.add(code, Record(1, (name,), name.encode() * 1000))\n"
        "    cache.save()\n"
    )
    hosts = [subprocess.Popen([sys.executable, "-c", program, str(n)]) for n in range(4)]
    assert [host.wait(100) for host in hosts] == [0] * 4
    found = CodeCache(str(directory)).load(code_of())
    assert {r.names[0] for r in found} == {f"f{n}" for n in range(20)}
    assert all(r.code == r.names[0].encode() * 1000 for r in found)


def test_a_host_killed_while_it_writes(directory):
    """What is there is whole, from before or from after."""
    program = (
        "import runwell\n"
        "from runwell.jit.cache import CodeCache, Record\n"
        f"cache = CodeCache({str(directory)!r})\n"
        f"code = runwell.Module({WAT.format(1)!r}).code\n"
        "for n in range(100000):\n"
        "    cache.add(code, Record(n, ('f0',), bytes([n % 256]) * 3000000))\n"
        "    cache.save()\n"
    )
    for _ in range(3):
        host = subprocess.Popen([sys.executable, "-c", program])
        deadline = time.monotonic() + 60
        while not files(directory):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)
        host.send_signal(signal.SIGKILL)
        host.wait()
        (found,) = CodeCache(str(directory)).load(code_of())
        assert found.code == bytes([found.level % 256]) * 3000000


@pytest.mark.parametrize("damage", ["torn", "changed", "empty", "replaced"])
def test_damaged_files(cache, directory, damage):
    module = code_of()
    cache.add(module, record("f0", code=bytes(10000)))
    cache.save()
    (path,) = files(directory)
    data = bytearray(path.read_bytes())
    if damage == "torn":
        del data[5000:]
    elif damage == "changed":
        data[5000] ^= 1
    elif damage == "empty":
        data.clear()
    path.write_bytes(data)
    if damage == "replaced":
        target = directory / "target"
        path.rename(target)
        path.symlink_to(target)
    assert cache.load(module) == []
    cache.add(module, record("f1"))
    cache.save()
    assert cache.load(module) == [record("f1")]


def test_files_that_others_may_write(cache, directory):
    module = code_of()
    cache.add(module, record("f0"))
    cache.save()
    files(directory)[0].chmod(0o666)
    assert cache.load(module) == []


def test_a_directory_that_others_may_write(cache, directory):
    module = code_of()
    cache.add(module, record("f0"))
    cache.save()
    directory.chmod(0o777)
    other = CodeCache(str(directory))
    with pytest.warns(CacheWarning, match="can be written by others; the next run compiles again"):
        assert other.load(module) == []
    # One warning is enough.
    assert other.load(module) == []
    other.add(module, record("f1"))
    other.save()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing(cache, directory, monkeypatch, error):
    def refuse(*_):
        raise OSError(error, os.strerror(error))

    directory.mkdir(0o700)
    module = code_of()
    cache.add(module, record("f0"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.warns(CacheWarning, match=os.strerror(error)):
            cache.save()
    assert [p.name for p in directory.iterdir() if p.suffix != ".lock"] == []


def test_without_a_home(monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME", "RUNWELL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    cache = CodeCache()
    assert not cache.is_known(code_of())
    cache.add(code_of(), record("f0"))
    cache.save()


def test_the_least_recently_used_goes_first(directory):
    cache = CodeCache(str(directory), max_bytes=40_000)
    modules = [code_of(n) for n in range(5)]
    for age, module in enumerate(modules):
        cache.add(module, record("f0", code=bytes(9000)))
        cache.save()
        for path in files(directory):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 1000))
        if age == 3:
            assert len(cache.load(modules[0])) == 1
            os.utime(cache._path(modules[0]))
    assert [len(cache.load(module)) for module in modules] == [1, 0, 1, 1, 1]


def test_there_are_not_too_many_files(directory, monkeypatch):
    monkeypatch.setattr(cache_module, "MAX_FILES", 2)
    cache = CodeCache(str(directory))
    for n in range(4):
        cache.add(code_of(n), record("f0"))
        cache.save()
        for path in files(directory):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 1000))
    assert [len(cache.load(code_of(n))) for n in range(4)] == [0, 0, 1, 1]


def test_one_module_does_not_take_all(directory):
    cache = CodeCache(str(directory), max_bytes=3600)
    module = code_of()
    for n in range(4):
        cache.add(module, record(f"f{n}", level=n % 2, code=bytes(400)))
    cache.save()
    assert [r.names for r in cache.load(module)] == [("f1",), ("f3",)]


def test_another_that_holds_the_lock_is_not_waited_for_long(cache, directory, monkeypatch):
    import fcntl

    monkeypatch.setattr(cache_module, "_WAIT_S", 0.05)
    directory.mkdir(0o700)
    module = code_of()
    cache.add(module, record("f0"))
    with open(directory / "code.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        cache.save()
    assert cache.load(module) == []


def test_threads(cache):
    module = code_of()

    def work(n: int) -> None:
        for m in range(20):
            cache.add(module, record(f"f{n * 20 + m}"))
            if m % 5 == 0:
                cache.save()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.save()
    assert len(cache.load(module)) == 80


def test_a_forked_child_leaves_writing_to_its_parent(cache, directory):
    module = code_of()
    cache.add(module, record("f0"))
    pid = os.fork()
    if pid == 0:
        cache.save()
        os._exit(len(files(directory)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    cache.save()
    assert cache.load(module) == [record("f0")]


def test_merging():
    old, new = record("f0", "f1", code=b"old"), record("f0", code=b"new")
    assert merge([old, new], 100) == [old, new]  # f1 is in the old one only
    assert merge([new, old], 100) == [old]
    better = record("f0", "f1", level=3)
    assert merge([better, old, new], 100) == [better]
    assert merge([old, better], 5) == [better]
    failed = record("f0", level=2, code=b"")
    assert merge([failed, old, failed], 100) == [old, failed]
    assert merge([failed, better], 100) == [failed, better]
    assert merge([], 100) == []
