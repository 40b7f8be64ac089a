"""Every world behaves as the host's own directories do."""

import random
import struct
import subprocess
import sys

import pytest
from tests.wasi.building import CONFORMANCE, conformance
from tests.wasi.guest import (
    ALL,
    CREATE,
    DATA,
    DIRECTORY,
    EXCLUSIVE,
    FOLLOW,
    RESULT,
    ROOT,
    SUCCESS,
    TRUNCATE,
    Guest,
)

from runwell.wasi import HostDirectory, MemoryDirectory, Overlay, Quota

ENDS = {"process": 33}  # exit codes other than 0
THEMES = sorted(p.stem for p in CONFORMANCE.glob("*.c") if p.stem not in ("connection", "posix"))
OPTIONS = {
    "memory": ["--tmpfs", "/"],
    "overlay": ["--overlay", "{a}::/"],
    "kept overlay": ["--overlay", "{a}::/:upper={b}"],
    "quota": ["--dir", "{a}::/:bytes=64M,files=1000"],
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("world", OPTIONS)
def test_the_conformance_programs_find_no_difference(world, theme, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    options = [o.format(a=tmp_path / "a", b=tmp_path / "b") for o in OPTIONS[world]]
    line = [sys.executable, "-m", "runwell", "run", *options, "--arg0", "process"]
    line += ["--env", "A=1", "--env", "EMPTY=", "--env", "PHRASE=x = y"]
    done = subprocess.run(
        [*line, conformance(theme), "second one", "", "é"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert (done.returncode, done.stderr) == (ENDS.get(theme, 0), "")
    if "overlay" in world:
        assert list((tmp_path / "a").iterdir()) == []


NAMES = ["a", "b", "c", "d/a", "d/b", "d/e/a", "d", "d/e", "l", "d/l", "c/", "d/", "l/a", "d/e/"]
TARGETS = ["a", "d", "../a", "e", "nothing", "l", "d/e", "../d/"]


def populate(root):
    """What is there at first."""
    (root / "d" / "e").mkdir(parents=True)
    (root / "a").write_bytes(b"lower a")
    (root / "d" / "b").write_bytes(b"lower b" * 20000)
    (root / "d" / "e" / "a").write_bytes(b"")
    (root / "l").symlink_to("d")
    (root / "d" / "l").symlink_to("../a")


class Player:
    """Makes moves in one world, and says all that can be seen of what they did."""

    def __init__(self, world):
        self.guest = Guest(preopens={"/": world})
        self.open = {}

    def move(self, what, *args):
        return getattr(self, what)(*args)

    def create(self, path, oflags, lookup, key):
        error = self.guest.path_open(ROOT, lookup, path, oflags, ALL & ~(1 << 14), ALL, 0, RESULT)
        if error == SUCCESS:
            if key in self.open:
                self.guest.fd_close(self.open[key])
            self.open[key] = self.guest.u32()
        return error, oflags

    def write(self, key, size, offset):
        if key not in self.open:
            return None
        data = bytes([size % 251]) * size
        self.guest.memory[DATA : DATA + size] = data
        at = self.guest.vectors((DATA, size))
        return self.guest.fd_pwrite(self.open[key], at, 1, offset, RESULT), self.guest.u32()

    def read(self, key, size, offset):
        if key not in self.open:
            return None
        at = self.guest.vectors((DATA, size))
        error = self.guest.fd_pread(self.open[key], at, 1, offset, RESULT)
        return error, bytes(self.guest.memory[DATA : DATA + self.guest.u32()])

    def resize(self, key, size):
        return key in self.open and self.guest.fd_filestat_set_size(self.open[key], size)

    def close(self, key):
        return key in self.open and self.guest.fd_close(self.open.pop(key))

    def make(self, path):
        return self.guest.path_create_directory(ROOT, path)

    def remove(self, path):
        return self.guest.path_remove_directory(ROOT, path)

    def unlink(self, path):
        return self.guest.path_unlink_file(ROOT, path)

    def rename(self, path, new):
        return self.guest.path_rename(ROOT, path, ROOT, new)

    def link(self, path, new):
        return self.guest.path_link(ROOT, 0, path, ROOT, new)

    def symlink(self, target, path):
        return self.guest.path_symlink(target, ROOT, path)

    def touch(self, path, lookup, seconds):
        ns = seconds * 10**9
        return self.guest.path_filestat_set_times(ROOT, lookup, path, ns, ns, 5)

    def look(self, path, lookup):
        error = self.guest.path_filestat_get(ROOT, lookup, path, RESULT)
        if error != SUCCESS:
            return error
        kind, links, size = struct.unpack_from("<B7xQQ", self.guest.memory, RESULT + 16)
        # a file system has its own idea of the size of a directory, and an overlay of its links
        return kind, *((links, size) if kind != 3 else ())

    def read_link(self, path):
        error = self.guest.path_readlink(ROOT, path, DATA, 100, RESULT)
        return error, error == SUCCESS and bytes(self.guest.memory[DATA : DATA + self.guest.u32()])

    def everything(self, path="."):
        """What is below."""
        error = self.guest.path_open(ROOT, 0, path, DIRECTORY, 1 << 14, 0, 0, RESULT)
        if error != SUCCESS:
            return error
        fd, size = self.guest.u32(), 8192
        assert self.guest.fd_readdir(fd, DATA, size, 0, RESULT) == SUCCESS
        data, seen = bytes(self.guest.memory[DATA : DATA + self.guest.u32()]), {}
        assert len(data) < size
        while data:
            length, kind = struct.unpack_from("<IB", data, 16)
            name = data[24 : 24 + length].decode()
            data = data[24 + length :]
            if name not in (".", ".."):
                below = f"{path}/{name}"
                seen[name] = self.everything(below) if kind == 3 else (kind, self.content(below))
        assert self.guest.fd_close(fd) == SUCCESS
        return seen

    def content(self, path):
        if self.guest.path_open(ROOT, 0, path, 0, 2, 0, 0, RESULT) != SUCCESS:
            return self.read_link(path)
        fd, parts = self.guest.u32(), []
        while True:
            error = self.guest.fd_read(fd, self.guest.vectors((DATA, 65536)), 1, RESULT)
            if error != SUCCESS or not self.guest.u32():
                break
            parts.append(bytes(self.guest.memory[DATA : DATA + self.guest.u32()]))
        self.guest.fd_close(fd)
        return b"".join(parts)


def moves(seed, count):
    """A game: moves that make sense now and then."""
    rng = random.Random(seed)

    def path():
        return rng.choice(NAMES)

    for _ in range(count):
        lookup = rng.choice((0, FOLLOW))
        key = rng.randrange(3)
        flags = rng.choice((0, 0, CREATE, CREATE, CREATE | EXCLUSIVE, TRUNCATE, CREATE | TRUNCATE))
        yield rng.choice(
            (
                ("create", path(), flags, lookup, key),
                ("write", key, rng.choice((1, 10, 5000, 60000)), rng.choice((0, 3, 70000, 200000))),
                ("read", key, rng.choice((1, 100, 60000)), rng.choice((0, 5, 65530, 100000))),
                ("resize", key, rng.choice((0, 7, 4096, 65536, 100001))),
                ("close", key),
                ("make", path()),
                ("remove", path()),
                ("unlink", path()),
                ("rename", path(), path()),
                ("rename", path(), path()),
                ("link", path(), path()),
                ("symlink", rng.choice(TARGETS), path()),
                ("touch", path(), lookup, rng.randrange(1000)),
                ("look", path(), lookup),
                ("read_link", path()),
                ("everything",),
            )
        )


def in_memory(root):
    made = MemoryDirectory()
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            head, _, last = name.rpartition("/")
            place = made.open(head, 0) if head else made
            place.make_link(last, str(path.readlink()))
        elif path.is_file():
            made.write_bytes(name, path.read_bytes())
    return made


def worlds(tmp_path):
    """The same content in each world, the host's first."""
    roots = {}
    for name in ("host", "quota", "lower", "memory"):
        roots[name] = tmp_path / name
        roots[name].mkdir()
        populate(roots[name])
    (tmp_path / "upper").mkdir()
    return {
        "host": HostDirectory(roots["host"]),
        "memory": in_memory(roots["memory"]),
        "quota": Quota(roots["quota"], 1 << 30, 10000),
        "overlay": Overlay(roots["lower"]),
        "overlay of memory": Overlay(in_memory(roots["memory"]), tmp_path / "upper"),
    }


OUT = [
    "..",
    "../a",
    "d/../..",
    "/a",
    "d/e/../../../lower",
    "out",
    "out/a",
    "d/up",
    "absolute",
    "./..",
]


@pytest.mark.parametrize("path", OUT)
@pytest.mark.parametrize("name", ["host", "memory", "quota", "overlay", "overlay of memory"])
def test_no_path_leads_out_of_a_world(name, path, tmp_path):
    guest = Guest(preopens={"/": worlds(tmp_path)[name]})
    for target, link in (("..", "out"), ("../../lower", "d/up"), ("out", "absolute")):
        assert guest.path_symlink(target, ROOT, link) == SUCCESS
    seen = {
        guest.path_open(ROOT, FOLLOW, path, 0, 0, 0, 0, RESULT),
        guest.path_open(ROOT, FOLLOW, path, CREATE, 1 << 6, 0, 0, RESULT),
        guest.path_open(ROOT, FOLLOW, path + "/", DIRECTORY, 0, 0, 0, RESULT),
        guest.path_filestat_get(ROOT, FOLLOW, path, RESULT),
        guest.path_filestat_set_times(ROOT, FOLLOW, path, 0, 0, 5),
        guest.path_create_directory(ROOT, path + "/x"),
        guest.path_remove_directory(ROOT, path + "/x"),
        guest.path_unlink_file(ROOT, path + "/x"),
        guest.path_rename(ROOT, path + "/x", ROOT, "y"),
        guest.path_rename(ROOT, "a", ROOT, path + "/x"),
        guest.path_link(ROOT, 0, path + "/x", ROOT, "y"),
        guest.path_link(ROOT, 0, "a", ROOT, path + "/x"),
        guest.path_symlink("a", ROOT, path + "/x"),
        guest.path_readlink(ROOT, path + "/x", DATA, 100, RESULT),
    }
    assert seen == {"NOTCAPABLE"}
    assert guest.path_symlink("/etc", ROOT, "y") == "NOTCAPABLE"


@pytest.mark.parametrize("name", ["host", "memory", "quota", "overlay", "overlay of memory"])
def test_a_listing_goes_on_when_what_was_seen_is_removed(name, tmp_path):
    guest = Guest(preopens={"/": worlds(tmp_path)[name]})
    names = [f"file{i:03}" for i in range(100)]
    for each in names:
        guest.make(f"d/e/{each}")
    fd = guest.open("d/e", DIRECTORY, 1 << 14)[1]
    seen, cookie = [], 0
    while True:
        assert guest.fd_readdir(fd, DATA, 100, cookie, RESULT) == SUCCESS
        used = guest.u32()
        if used < 24:
            break
        cookie, _, length, kind = struct.unpack_from("<QQIB", guest.memory, DATA)
        if 24 + length > used:
            break
        entry = bytes(guest.memory[DATA + 24 : DATA + 24 + length]).decode()
        seen.append(entry)
        if kind == 4:
            assert guest.path_unlink_file(ROOT, f"d/e/{entry}") == SUCCESS
            guest.make(f"d/e/new-{entry}")
    assert seen == [".", "..", "a", *names]


@pytest.mark.parametrize("seed", range(12))
def test_games_go_alike_in_every_world(seed, tmp_path):
    players = {name: Player(world) for name, world in worlds(tmp_path).items()}
    original = list(players["host"].everything().items())
    for number, move in enumerate(moves(seed, 300)):
        seen = {name: player.move(*move) for name, player in players.items()}
        expected = seen["host"]
        assert seen == dict.fromkeys(seen, expected), (number, move)
    seen = {name: player.everything() for name, player in players.items()}
    assert seen == dict.fromkeys(seen, seen["host"])
    lower = Player(HostDirectory(tmp_path / "lower"))
    assert list(lower.everything().items()) == original
