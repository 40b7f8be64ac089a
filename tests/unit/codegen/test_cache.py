"""The cache of native code: what it keeps, whom it trusts, and what it survives."""

import ctypes
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import llvmlite.binding as llvm  # noqa: TID251
import pytest

from runwell.codegen import cache as cache_module
from runwell.codegen.cache import CacheWarning, NativeCache, default_directory
from runwell.elf.linker import link

DATA = b"\x7fELF" + bytes(range(256)) * 40


class Builder:
    """Counts how often it is asked."""

    def __init__(self, data: bytes = DATA) -> None:
        self.count, self.data = 0, data

    def __call__(self) -> bytes:
        self.count += 1
        return self.data


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(directory: Path) -> NativeCache:
    return NativeCache(str(directory))


@pytest.fixture
def builder() -> Builder:
    return Builder()


def contents(path: str) -> bytes:
    return Path(path).read_bytes()[: len(DATA)]


def test_builds_once(cache, builder):
    path = cache.load_or_build("core", "key", builder)
    assert contents(path) == DATA
    assert cache.load_or_build("core", "key", builder) == path
    assert NativeCache(cache.directory).load_or_build("core", "key", builder) == path
    assert builder.count == 1


def test_keys_and_names_are_kept_apart(cache):
    a, b, c = Builder(b"a"), Builder(b"b"), Builder(b"c")
    paths = [
        cache.load_or_build("core", "1", a),
        cache.load_or_build("core", "2", b),
        cache.load_or_build("python", "1", c),
    ]
    assert [Path(p).read_bytes()[:1] for p in paths] == [b"a", b"b", b"c"]
    assert len(set(paths)) == 3


def test_equal_hashes_of_different_keys(cache, monkeypatch):
    """The file's name holds a short hash; the file knows its key."""
    monkeypatch.setattr(NativeCache, "path", lambda self, name, key: f"{self.directory}/same.so")
    a, b = Builder(b"a"), Builder(b"b")
    assert Path(cache.load_or_build("core", "1", a)).read_bytes()[:1] == b"a"
    assert Path(cache.load_or_build("core", "2", b)).read_bytes()[:1] == b"b"
    assert Path(cache.load_or_build("core", "1", a)).read_bytes()[:1] == b"a"
    assert (a.count, b.count) == (2, 1)


def test_only_we_can_read_and_write(cache, builder):
    old = os.umask(0)
    try:
        path = cache.load_or_build("core", "key", builder)
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(cache.directory).st_mode) == 0o700


def test_names_are_plain_words(cache, builder):
    for name in ("../x", "a/b", "", "a.b"):
        with pytest.raises(ValueError, match="plain word"):
            cache.load_or_build(name, "key", builder)


def test_a_failing_build_passes_through_and_can_be_repeated(cache, builder):
    def fail() -> bytes:
        raise RuntimeError("no compiler")

    with pytest.raises(RuntimeError, match="no compiler"):
        cache.load_or_build("core", "key", fail)
    cache.load_or_build("core", "key", builder)
    assert builder.count == 1


@pytest.mark.parametrize("size", [0, 1, 10, len(DATA) // 2, len(DATA), len(DATA) + 10])
def test_a_torn_file_is_built_again(cache, builder, size):
    path = cache.load_or_build("core", "key", builder)
    whole = Path(path).read_bytes()
    assert size < len(whole)
    Path(path).write_bytes(whole[:size])
    assert cache.load_or_build("core", "key", builder) == path
    assert Path(path).read_bytes() == whole
    assert builder.count == 2


def test_every_damaged_byte_is_noticed(cache):
    builder = Builder(b"some code")
    path = cache.load_or_build("core", "key", builder)
    whole = Path(path).read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x20
        Path(path).write_bytes(damaged)
        cache.load_or_build("core", "key", builder)
        assert Path(path).read_bytes() == whole
    assert builder.count == 1 + len(whole)


def test_a_file_that_others_can_write_is_not_trusted(cache, builder):
    path = cache.load_or_build("core", "key", builder)
    os.chmod(path, 0o620)
    assert cache.load_or_build("core", "key", builder) == path
    assert builder.count == 2
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_link_is_replaced_not_followed(cache, builder, tmp_path):
    path = cache.load_or_build("core", "key", builder)
    elsewhere = tmp_path / "elsewhere"
    os.rename(path, elsewhere)
    os.symlink(elsewhere, path)
    before = elsewhere.read_bytes()
    assert cache.load_or_build("core", "key", Builder(b"new")) == path
    assert not os.path.islink(path)
    assert elsewhere.read_bytes() == before


def test_a_pipe_in_the_place_of_a_file_does_not_block(cache, builder):
    os.mkdir(cache.directory, 0o700)
    os.mkfifo(cache.path("core", "key"), 0o600)
    path = cache.load_or_build("core", "key", builder)
    assert contents(path) == DATA


def test_a_directory_in_the_place_of_a_file(cache, builder):
    os.makedirs(cache.path("core", "key"), 0o700)
    with pytest.warns(CacheWarning, match="cannot write"):
        path = cache.load_or_build("core", "key", builder)
    assert contents(path) == DATA
    assert builder.count == 1
    left = {os.path.basename(cache.path("core", "key")), "core.lock"}
    assert set(os.listdir(cache.directory)) == left


def private(cache: NativeCache, builder: Builder, message: str) -> None:
    """The cache refuses its directory; the object is there all the same, and nowhere in it."""
    builder.count = 0
    with pytest.warns(CacheWarning, match=message):
        path = cache.load_or_build("core", "key", builder)
    assert contents(path) == DATA
    assert builder.count == 1
    assert not path.startswith(cache.directory)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777, 0o1777])
def test_a_directory_that_others_can_write(cache, builder, directory, mode):
    directory.mkdir()
    directory.chmod(mode)
    private(cache, builder, "can be written by others")
    assert list(directory.iterdir()) == []


def test_a_directory_reached_through_a_link(cache, builder, directory, tmp_path):
    (tmp_path / "real").mkdir(0o700)
    directory.symlink_to(tmp_path / "real")
    private(cache, builder, "is not a directory")


def test_a_file_in_the_place_of_the_directory(cache, builder, directory):
    directory.write_text("")
    private(cache, builder, "is not a directory")
    private(NativeCache(str(directory / "below")), builder, "cannot use")


def test_a_parent_that_everybody_can_write(builder, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    private(NativeCache(str(tmp_path / "open/cache")), builder, "written by everybody")
    (tmp_path / "open").chmod(0o1777)
    cache = NativeCache(str(tmp_path / "open/cache"))
    assert cache.load_or_build("core", "key", builder).startswith(cache.directory)


def test_a_linked_parent_is_followed_and_checked(builder, tmp_path):
    (tmp_path / "target").mkdir(0o777)
    (tmp_path / "target").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    private(NativeCache(str(tmp_path / "link/cache")), builder, "written by everybody")
    (tmp_path / "target").chmod(0o755)
    cache = NativeCache(str(tmp_path / "link/cache"))
    assert cache.load_or_build("core", "key", builder).startswith(cache.directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_what_belongs_to_another_user(cache, builder, directory, tmp_path):
    path = cache.load_or_build("core", "key", builder)
    os.chown(path, 12345, 12345)
    assert cache.load_or_build("core", "key", builder) == path
    assert builder.count == 2
    assert os.stat(path).st_uid == 0
    os.chown(directory, 12345, 12345)
    private(cache, builder, "belongs to another user")
    os.chown(directory, 0, 0)
    os.chown(tmp_path, 12345, 12345)
    private(cache, builder, "belongs to another user")


def run(script: str, *args: str, **environment: str) -> str:
    """Run Python in a process of its own and return what it prints."""
    clean = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    clean.pop("RUNWELL_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_default_directories(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("RUNWELL_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_directory() == "/home/me/.cache/runwell"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert default_directory() == "/home/me/.cache/runwell"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/tmp/caches/")
    assert default_directory() == "/var/tmp/caches/runwell"
    monkeypatch.setenv("RUNWELL_CACHE_DIR", "/opt/there")
    assert default_directory() == NativeCache().directory == "/opt/there"
    monkeypatch.setenv("RUNWELL_CACHE_DIR", "here")
    assert default_directory() == os.path.join(os.getcwd(), "here")


def test_without_home_the_user_database_is_asked():
    import pwd

    script = "from runwell.codegen.cache import *; print(NativeCache().directory)"
    home = pwd.getpwuid(os.geteuid()).pw_dir
    assert run(script) == os.path.join(home, ".cache/runwell")


def test_without_any_home(monkeypatch, builder):
    for name in ("RUNWELL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    cache = NativeCache()
    assert cache.directory == ""
    with pytest.warns(CacheWarning, match="no home directory"):
        assert contents(cache.load_or_build("core", "key", builder)) == DATA
    assert (cache.entries(), cache.size(), cache.clear()) == ([], 0, 0)


READ_ONLY = """
import os, sys, warnings
from runwell.codegen.cache import NativeCache
os.setuid(65534)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    path = NativeCache().load_or_build("core", "key", lambda: b"native")
print(open(path, "rb").read(6).decode(), len(caught), "cannot make" in str(caught[0].message))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_read_only_home():
    """A user without rights, and a home that belongs to root."""
    home = Path("/var/empty-runwell-test")
    home.mkdir(mode=0o755)
    try:
        assert run(READ_ONLY, HOME=str(home)) == "native 1 True"
    finally:
        home.rmdir()


def test_no_permission_to_write(cache, builder, directory, monkeypatch):
    directory.mkdir(0o700)
    real = os.open

    def refuse(path, flags, mode=0o777, **rest):
        if str(path).startswith(str(directory)) and flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, flags, mode, **rest)

    monkeypatch.setattr(os, "open", refuse)
    private(cache, builder, "cannot write .*: Permission denied")


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_full_disk(cache, builder, directory, monkeypatch, call):
    real = getattr(os, call)
    failed = []

    def refuse(*args):
        if not failed:
            failed.append(args)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    monkeypatch.setattr(os, call, refuse)
    private(cache, builder, "cannot write .*: No space left on device")
    assert [p.name for p in directory.iterdir()] == ["core.lock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_full_file_system(builder, tmp_path):
    mount = tmp_path / "small"
    mount.mkdir(0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=8k,mode=700", "none", str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        cache = NativeCache(str(mount / "cache"))
        private(cache, builder, "No space left on device")
        assert [p.name for p in (mount / "cache").iterdir()] == ["core.lock"]
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_file_system_without_execution(builder, tmp_path):
    mount = tmp_path / "noexec"
    mount.mkdir(0o700)
    command = ["mount", "-t", "tmpfs", "-o", "noexec,mode=700", "none", str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        private(NativeCache(str(mount / "cache")), builder, "without execution")
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_without_anonymous_files_a_private_directory_serves(cache, builder, directory, monkeypatch):
    directory.write_text("")

    def refuse(*args):
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(os, "memfd_create", refuse, raising=False)
    import atexit

    registered = []
    monkeypatch.setattr(atexit, "register", registered.append)
    with pytest.warns(CacheWarning):
        path = cache.load_or_build("core", "key", builder)
    assert contents(path) == DATA
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    registered[0]()
    assert not os.path.exists(os.path.dirname(path))


def test_threads_build_once(cache):
    started = threading.Event()
    told: list[str] = []

    class Slow(Builder):
        def __call__(self) -> bytes:
            started.set()
            time.sleep(0.2)
            return super().__call__()

    builder = Slow()
    paths: list[str] = []

    def work() -> None:
        paths.append(cache.load_or_build("core", "key", builder, told.append))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builder.count == 1
    assert len(set(paths)) == 1
    assert told == ["waiting for another process that builds core"] * 5


PROCESS = """
import sys, time
from runwell.codegen.cache import NativeCache
def build():
    open(sys.argv[2], "a").write("built\\n")
    time.sleep(float(sys.argv[3]))
    return b"native"
print(open(NativeCache(sys.argv[1]).load_or_build("core", "key", build), "rb").read(6).decode())
"""


def start(cache: NativeCache, log: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, cache.directory, str(log), str(seconds)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_processes_build_once(cache, tmp_path):
    log = tmp_path / "log"
    processes = [start(cache, log, 0.5) for _ in range(4)]
    assert [p.communicate(timeout=60)[0] for p in processes] == ["native\n"] * 4
    assert log.read_text() == "built\n"


def test_a_killed_builder_blocks_nobody(cache, builder, tmp_path):
    log = tmp_path / "log"
    process = start(cache, log, 60)
    deadline = time.monotonic() + 30
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    waits = []
    assert contents(cache.load_or_build("core", "key", builder, waits.append)) == DATA
    assert not waits


def test_a_hanging_builder_is_not_waited_for_forever(cache, builder, monkeypatch):
    import fcntl

    os.mkdir(cache.directory, 0o700)
    monkeypatch.setattr(cache_module, "_WAIT_S", 0.1)
    with open(os.path.join(cache.directory, "core.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert contents(cache.load_or_build("core", "key", builder)) == DATA


def test_a_file_system_without_locks(cache, builder, monkeypatch):
    import fcntl

    def refuse(*args):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert contents(cache.load_or_build("core", "key", builder)) == DATA


def test_entries_size_and_clear(cache, builder, directory):
    paths = [cache.load_or_build("core", f"key{i}", builder) for i in range(3)]
    for i, path in enumerate(paths):
        os.utime(path, (1000 + i, 1000 + i))
    (directory / "left.123.tmp").write_bytes(b"x")
    Path(paths[0]).write_bytes(b"damaged")
    os.utime(paths[0], (1000, 1000))
    entries = cache.entries()
    assert [(e.name, e.key) for e in entries] == [("core", "key2"), ("core", "key1"), ("core", "")]
    assert cache.size() == sum(e.size for e in entries)
    assert cache.clear() == 3
    assert [p.name for p in directory.iterdir()] == ["core.lock"]


def test_looking_does_not_count_as_using(cache, builder):
    path = cache.load_or_build("core", "key", builder)
    os.utime(path, (1000, 1000))
    assert cache.entries()[0].used_s == 1000
    assert cache.entries()[0].used_s == 1000
    cache.load_or_build("core", "key", builder)
    assert cache.entries()[0].used_s > 1000


def test_old_objects_and_leftovers_are_pruned(cache, builder, directory):
    for i in range(12):
        path = cache.load_or_build("core", f"key{i}", builder)
        os.utime(path, (1000 + i, 1000 + i))
    cache.load_or_build("other", "key", builder)
    old, new = directory / "core.1-2.tmp", directory / "core.3-4.tmp"
    for leftover in (old, new):
        leftover.write_bytes(b"x")
    os.utime(old, (1000, 1000))
    cache.load_or_build("core", "last", builder)
    keys = {e.key for e in cache.entries() if e.name == "core"}
    assert keys == {"last", *(f"key{i}" for i in range(7, 12))}
    assert [e.key for e in cache.entries() if e.name == "other"] == ["key"]
    assert not old.exists()
    assert new.exists()


def test_a_linked_object_loads_with_its_footer(cache):
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(reloc="pic")
    module = llvm.parse_assembly("define i32 @answer() { ret i32 42 }")
    data = link([machine.emit_object(module)])
    assert ctypes.CDLL(cache.load_or_build("answer", "key", lambda: data)).answer() == 42
    with pytest.warns(CacheWarning):
        path = NativeCache("/proc/none").load_or_build("answer", "key", lambda: data)
    assert ctypes.CDLL(path).answer() == 42


def test_a_warm_lookup_takes_no_lock(cache, monkeypatch):
    builder = Builder(bytes(500_000))
    path = cache.load_or_build("core", "key", builder)
    monkeypatch.setattr("runwell.codegen.cache.Lock", None)
    assert cache.load_or_build("core", "key", builder) == path
    assert builder.count == 1


def test_importing_is_cheap():
    script = "import sys, runwell.codegen.cache\nprint(*sys.modules)"
    loaded = set(run(script).split())
    heavy = {"dataclasses", "inspect", "ast", "subprocess", "hashlib", "pathlib", "tempfile",
             "llvmlite", "shutil", "mmap"}  # fmt: skip
    site = set(run("import sys\nprint(*sys.modules)").split())
    assert not (loaded - site) & heavy
