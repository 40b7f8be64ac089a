"""A hostile guest on the real file system: nothing that it tries leads out.

Beside the directory that the guest is given lies another with a canary.  After each attack the
canary is as it was, nothing has been added, and its words are nowhere in the guest's memory.
"""

import ctypes
import os
import resource
import subprocess
import sys
import threading
import time

import pytest
from tests.wasi.guest import (
    ALL,
    CREATE,
    DATA,
    DIRECTORY,
    EXCLUSIVE,
    FOLLOW,
    READ,
    RESULT,
    RIGHT,
    ROOT,
    SUCCESS,
    TRUNCATE,
    VECTORS,
    WRITE,
    Guest,
)

from runwell.wasi import HostDirectory, Quota, host

SECRET = b"the canary sings: " + os.urandom(8).hex().encode()
HOSTILE_SECONDS = 0.4  # for which a race is run


def photograph(folder):
    """All that can be changed of a directory."""
    seen = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        seen[path] = (status.st_ino, status.st_mode, status.st_nlink, status.st_mtime_ns, content)
    return seen


class Place:
    """Where the attack happens."""

    def __init__(self, tmp_path):
        self.outside, self.root = tmp_path / "outside", tmp_path / "root"
        (self.outside / "folder").mkdir(parents=True)
        (self.outside / "canary").write_bytes(SECRET)
        (self.root / "sub" / "deep").mkdir(parents=True)
        (self.root / "file").write_text("inside")
        (self.root / "sub" / "file").write_text("inside")
        self.before = photograph(self.outside)
        self.guest = Guest(preopens={"/": self.root}, stdin=None, stdout=None, stderr=None)
        self.guests = [self.guest]

    def link(self, name, target):
        (self.root / name).symlink_to(target)

    def check(self):
        assert photograph(self.outside) == self.before
        for guest in self.guests:
            assert SECRET not in bytes(guest.memory)


@pytest.fixture(params=["the kernel walks", "paths are walked here"])
def place(tmp_path, request, monkeypatch):
    if request.param == "paths are walked here":
        monkeypatch.setattr(host, "_probed", [None])
    made = Place(tmp_path)
    yield made
    made.check()


def everything(guest, path):
    """Every call that takes a path, on this one; the errors by name."""
    fd = guest.open
    return {
        "open": fd(path)[0],
        "open, not followed": fd(path, follow=0)[0],
        "open to write": fd(path, 0, WRITE)[0],
        "create": fd(path, CREATE, WRITE)[0],
        "create exclusively": fd(path, CREATE | EXCLUSIVE, WRITE)[0],
        "truncate": fd(path, TRUNCATE, WRITE)[0],
        "open a directory": fd(path, DIRECTORY)[0],
        "stat": guest.path_filestat_get(ROOT, FOLLOW, path, DATA),
        "set times": guest.path_filestat_set_times(ROOT, FOLLOW, path, 1, 1, 5),
        "make a directory": guest.path_create_directory(ROOT, path),
        "remove a directory": guest.path_remove_directory(ROOT, path),
        "unlink": guest.path_unlink_file(ROOT, path),
        "rename from": guest.path_rename(ROOT, path, ROOT, "taken"),
        "rename to": guest.path_rename(ROOT, "file", ROOT, path),
        "link from": guest.path_link(ROOT, 0, path, ROOT, "taken"),
        "link to": guest.path_link(ROOT, 0, "file", ROOT, path),
        "symlink": guest.path_symlink("x", ROOT, path),
        "read link": guest.path_readlink(ROOT, path, DATA, 1000, RESULT),
    }


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../",
        "./..",
        "../.",
        "../..",
        "../outside/canary",
        "../root",
        "../root/file",
        "sub/../..",
        "sub/../../outside/canary",
        "sub/deep/../../../outside/canary",
        "sub//deep//..//..//..//outside//canary",
        "./sub/./../.././outside/./canary",
        "sub/../sub/../../outside/canary",
        "/",
        "//",
        "/etc/passwd",
        "//etc/passwd",
        "/../outside/canary",
        "/proc/self/root",
        "/proc/self/cwd",
        "/proc/self/fd/0",
        "/dev/null",
        "{outside}/canary",
        "{root}/file",
    ],
)
def test_paths_that_lead_out(place, path):
    path = path.format(outside=place.outside, root=place.root)
    assert set(everything(place.guest, path).values()) == {"NOTCAPABLE"}


@pytest.mark.parametrize(
    ("links", "path"),
    [
        ({"out": "../outside"}, "out/canary"),
        ({"out": "../outside/"}, "out//canary"),
        ({"out": ".."}, "out/outside/canary"),
        ({"out": "sub/../../outside"}, "out/canary"),
        ({"out": "{outside}"}, "out/canary"),
        ({"out": "/"}, "out/etc/passwd"),
        ({"out": "{root}"}, "out/file"),
        ({"sub/out": "../../outside"}, "sub/out/canary"),
        ({"one": "two", "two": "three", "three": "../outside"}, "one/canary"),
        ({"one": "sub/two", "sub/two": "deep/three", "sub/deep/three": "../../../outside"},
         "one/canary"),
        ({"here": "."}, "here/../outside/canary"),
        ({"down": "sub/deep"}, "down/../../../outside/canary"),
        ({"up": "sub/.."}, "up/../outside/canary"),
        ({"sub/parent": ".."}, "sub/parent/../outside/canary"),
        ({"proc": "/proc/self/root"}, "proc/etc/passwd"),
        ({"proc": "/proc/self/cwd"}, "proc/x"),
    ],
)  # fmt: skip
def test_links_on_the_way_that_lead_out(place, links, path):
    for name, target in links.items():
        place.link(name, target.format(outside=place.outside, root=place.root))
    assert set(everything(place.guest, path).values()) == {"NOTCAPABLE"}


@pytest.mark.parametrize("slash", ["", "/", "/."])
@pytest.mark.parametrize("target", ["../outside/canary", "../outside", "{outside}/canary", "/etc"])
def test_links_at_the_end_that_lead_out(place, target, slash):
    place.link("out", target.format(outside=place.outside))
    guest, path = place.guest, "out" + slash
    for oflags, rights in ((0, READ), (0, WRITE), (TRUNCATE, WRITE), (DIRECTORY, READ)):
        assert guest.open(path, oflags, rights)[0] == "NOTCAPABLE"
    assert guest.open(path, CREATE, WRITE)[0] in ("NOTCAPABLE", "ISDIR")
    assert guest.path_filestat_get(ROOT, FOLLOW, path, DATA) == "NOTCAPABLE"
    assert guest.path_filestat_set_times(ROOT, FOLLOW, path, 1, 1, 5) == "NOTCAPABLE"
    if not slash:
        assert guest.open(path, follow=0)[0] == "LOOP"
        assert guest.open(path, CREATE | EXCLUSIVE, WRITE)[0] == "EXIST"
        assert guest.path_filestat_set_times(ROOT, 0, path, 1, 1, 5) == SUCCESS
        assert guest.path_link(ROOT, FOLLOW, path, ROOT, "hard") == "INVAL"
        assert guest.path_link(ROOT, 0, path, ROOT, "hard") == SUCCESS
        assert guest.open("hard")[0] == "NOTCAPABLE"
        assert guest.path_rename(ROOT, "file", ROOT, path) == SUCCESS
        assert guest.stat(path)[1] == 6
    else:
        assert guest.path_create_directory(ROOT, path) in ("EXIST", "NOTCAPABLE")
        assert guest.path_rename(ROOT, "sub", ROOT, path) in ("NOTDIR", "NOTCAPABLE")
        assert guest.path_unlink_file(ROOT, path) in ("NOTDIR", "NOTCAPABLE")
        assert guest.path_remove_directory(ROOT, path) in ("NOTDIR", "NOTCAPABLE", "INVAL")


def test_a_dangling_link_creates_nothing_outside(place):
    place.link("new", "../outside/new")
    place.link("sub/new", f"{place.outside}/new")
    for path in ("new", "sub/new"):
        assert place.guest.open(path, CREATE, WRITE)[0] == "NOTCAPABLE"
        assert place.guest.open(path, CREATE | EXCLUSIVE, WRITE)[0] == "EXIST"
        assert place.guest.path_create_directory(ROOT, path) == "EXIST"


def test_unlinking_and_renaming_a_link_takes_the_link(place):
    place.link("one", "../outside/canary")
    place.link("two", "../outside/folder")
    guest = place.guest
    assert guest.path_remove_directory(ROOT, "two") == "NOTDIR"
    assert guest.path_rename(ROOT, "one", ROOT, "three") == SUCCESS
    assert guest.path_unlink_file(ROOT, "three") == SUCCESS
    assert guest.path_unlink_file(ROOT, "two") == SUCCESS


def test_many_links_end(place):
    for i in range(60):
        place.link(f"l{i}", f"l{i + 1}")
    place.link("l60", "../outside/canary")
    place.link("loop", "loop")
    place.link("ping", "pong")
    place.link("pong", "ping/x")
    for path in ("l0", "loop", "loop/x", "ping", "l0/x"):
        assert place.guest.open(path)[0] == "LOOP"
    assert place.guest.open("l55")[0] == "NOTCAPABLE"


def test_links_that_multiply_end(place):
    """Each link names the next one twice: a walk that goes on would take 2^50 steps."""
    for i in range(50):
        place.link(f"m{i}", f"m{i + 1}/m{i + 1}")
    place.link("m50", ".")
    started = time.monotonic()
    assert place.guest.open("m0")[0] == "LOOP"
    assert time.monotonic() - started < 10


def test_the_guest_makes_no_absolute_links(place):
    guest = place.guest
    for target in ("/", "/etc/passwd", f"{place.outside}/canary", "//etc"):
        assert guest.path_symlink(target, ROOT, "made") == "NOTCAPABLE"
    assert not (place.root / "made").is_symlink()


def test_relative_links_that_the_guest_makes_lead_nowhere(place):
    guest = place.guest
    assert guest.path_symlink("../outside", ROOT, "made") == SUCCESS
    assert guest.open("made/canary")[0] == "NOTCAPABLE"
    assert guest.path_symlink("..", ROOT, "sub/up") == SUCCESS
    assert guest.open("sub/up/file")[0] == SUCCESS
    assert guest.open("sub/up/../outside/canary")[0] == "NOTCAPABLE"


def test_a_link_that_is_moved_up_leads_nowhere(place):
    guest = place.guest
    assert guest.path_symlink("../../outside", ROOT, "sub/deep/link") == SUCCESS
    assert guest.open("sub/deep/link")[0] == "NOENT"
    assert guest.path_rename(ROOT, "sub/deep/link", ROOT, "sub/link") == SUCCESS
    assert guest.open("sub/link/canary")[0] == "NOTCAPABLE"
    assert guest.path_rename(ROOT, "sub/deep", ROOT, "deep") == SUCCESS
    assert guest.path_rename(ROOT, "sub/link", ROOT, "deep/link") == SUCCESS
    assert guest.open("deep/link/canary")[0] == "NOTCAPABLE"


def test_a_descriptor_of_a_directory_that_is_moved(place):
    guest = place.guest
    _, fd = guest.open("sub/deep", DIRECTORY, ALL & ~WRITE)
    assert guest.path_rename(ROOT, "sub/deep", ROOT, "deep") == SUCCESS
    for path in ("..", "../file", "../../outside/canary", "../../../outside/canary"):
        assert guest.open(path, fd=fd)[0] == "NOTCAPABLE"
    assert guest.open("new", CREATE, WRITE, fd=fd)[0] == SUCCESS
    assert (place.root / "deep" / "new").exists()


def test_a_descriptor_of_a_directory_that_is_moved_out_by_its_owner(place):
    guest = place.guest
    _, fd = guest.open("sub/deep", DIRECTORY, ALL & ~WRITE)
    away = place.root.parent / "away"
    (place.root / "sub" / "deep").rename(away)
    for path in ("..", "../outside/canary", "../root/file"):
        assert guest.open(path, fd=fd)[0] == "NOTCAPABLE"


def test_a_descriptor_of_a_directory_that_is_removed(place):
    guest = place.guest
    _, fd = guest.open("sub/deep", DIRECTORY, ALL & ~WRITE)
    assert guest.path_remove_directory(ROOT, "sub/deep") == SUCCESS
    assert guest.open("..", fd=fd)[0] == "NOTCAPABLE"
    assert guest.open("new", CREATE, WRITE, fd=fd)[0] == "NOENT"


def test_hard_links_to_what_is_outside(place):
    guest = place.guest
    place.link("soft", "../outside/canary")
    place.link("dir", "../outside")
    for path in ("../outside/canary", f"{place.outside}/canary", "dir/canary"):
        assert guest.path_link(ROOT, 0, path, ROOT, "hard") == "NOTCAPABLE"
        assert guest.path_link(ROOT, 0, "file", ROOT, path + "2") == "NOTCAPABLE"
    assert guest.path_link(ROOT, FOLLOW, "soft", ROOT, "hard") == "INVAL"
    assert not (place.root / "hard").exists()


def test_directories_have_one_name(place):
    assert place.guest.path_link(ROOT, 0, "sub", ROOT, "again") == "PERM"


@pytest.mark.parametrize("name", ["root", "cwd", "exe", "fd/{fd}", "task/{pid}/root", "map_files"])
def test_magic_links_of_a_process(place, name):
    """Even somebody who gives away /proc/self does not give away what it points to."""
    fd = os.open(place.outside, os.O_RDONLY)
    try:
        guest = Guest(preopens={"/": "/proc/self"}, stdin=None, stdout=None, stderr=None)
        place.guests.append(guest)
        name = name.format(fd=fd, pid=os.getpid())
        for path in (name, f"{name}/", f"{name}/canary", f"{name}/etc/passwd", f"{name}/.."):
            for follow in (0, FOLLOW):
                error, _ = guest.open(path, follow=follow)
                if name == "map_files":  # a directory of magic links
                    continue
                assert error in ("NOTCAPABLE", "LOOP"), path
        if name.startswith("fd/"):
            _, inner = guest.open("fd", DIRECTORY)
            assert guest.open(f"{fd}/canary", fd=inner)[0] in ("NOTCAPABLE", "LOOP")
    finally:
        os.close(fd)


def test_special_files_are_what_they_are(place):
    os.mkfifo(place.root / "pipe")
    guest = place.guest
    assert guest.open("pipe", 0, WRITE, fdflags=4)[0] == "NXIO"
    error, fd = guest.open("pipe", 0, ALL & ~WRITE & ~RIGHT["FD_DATASYNC"], fdflags=4)
    assert error == SUCCESS
    assert guest.fd_seek(fd, 0, 0, RESULT) == "SPIPE"
    assert guest.fd_pread(fd, guest.vectors((DATA, 10)), 1, 0, RESULT) == "SPIPE"
    assert guest.fd_allocate(fd, 0, 10) in ("NODEV", "SPIPE", "BADF")
    assert guest.fd_readdir(fd, DATA, 100, 0, RESULT) == "NOTDIR"
    assert guest.open("x", fd=fd)[0] == "NOTDIR"
    assert guest.open("pipe/x")[0] == "NOTDIR"
    assert guest.open("pipe", DIRECTORY)[0] == "NOTDIR"


def every_call_on(guest, fd):
    """Every call that takes a descriptor; the errors."""
    at = guest.vectors((DATA, 16))
    return {
        guest.fd_advise(fd, 0, 1, 0),
        guest.fd_allocate(fd, 0, 1),
        guest.fd_close(fd),
        guest.fd_datasync(fd),
        guest.fd_fdstat_get(fd, DATA),
        guest.fd_fdstat_set_flags(fd, 0),
        guest.fd_fdstat_set_rights(fd, 0, 0),
        guest.fd_filestat_get(fd, DATA),
        guest.fd_filestat_set_size(fd, 0),
        guest.fd_filestat_set_times(fd, 0, 0, 0),
        guest.fd_pread(fd, at, 1, 0, RESULT),
        guest.fd_prestat_get(fd, DATA),
        guest.fd_prestat_dir_name(fd, DATA, 100),
        guest.fd_pwrite(fd, at, 1, 0, RESULT),
        guest.fd_read(fd, at, 1, RESULT),
        guest.fd_readdir(fd, DATA, 100, 0, RESULT),
        guest.fd_renumber(fd, ROOT),
        guest.fd_renumber(ROOT, fd),
        guest.fd_seek(fd, 0, 0, RESULT),
        guest.fd_sync(fd),
        guest.fd_tell(fd, RESULT),
        guest.fd_write(fd, at, 1, RESULT),
        guest.path_create_directory(fd, "x"),
        guest.path_filestat_get(fd, 0, "x", DATA),
        guest.path_filestat_set_times(fd, 0, "x", 0, 0, 0),
        guest.path_link(fd, 0, "x", ROOT, "y"),
        guest.path_link(ROOT, 0, "file", fd, "y"),
        guest.open("x", fd=fd)[0],
        guest.path_readlink(fd, "x", DATA, 100, RESULT),
        guest.path_remove_directory(fd, "x"),
        guest.path_rename(fd, "x", ROOT, "y"),
        guest.path_rename(ROOT, "file", fd, "y"),
        guest.path_symlink("x", fd, "y"),
        guest.path_unlink_file(fd, "x"),
        guest.sock_accept(fd, 0, RESULT),
        guest.sock_recv(fd, at, 1, 0, RESULT, RESULT + 8),
        guest.sock_send(fd, at, 1, 0, RESULT),
        guest.sock_shutdown(fd, 3),
    }


def test_descriptors_of_the_host(place):
    """What the host has open under a number is not open to the guest."""
    descriptors = [os.open(place.outside / "canary", os.O_RDWR) for _ in range(5)]
    descriptors.append(os.open(place.outside, os.O_RDONLY))
    try:
        for fd in descriptors:
            assert every_call_on(place.guest, fd) == {"BADF"}
    finally:
        for fd in descriptors:
            os.close(fd)


@pytest.mark.parametrize("fd", [4, 1000, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 100])
def test_forged_descriptors(place, fd):
    assert every_call_on(place.guest, fd - (1 << 32) if fd >= 1 << 31 else fd) == {"BADF"}


def test_paths_start_at_directories_only(place):
    guest = place.guest
    _, fd = guest.open("file", 0, ALL)
    for start in (0, 1, 2, fd):
        assert guest.open("file", fd=start)[0] == "NOTDIR"
        assert guest.path_create_directory(start, "x") == "NOTDIR"
        assert guest.path_unlink_file(start, "file") == "NOTDIR"


def test_replacing_the_preopened_directory(place):
    guest = place.guest
    _, fd = guest.open("file", 0, READ)
    assert guest.fd_renumber(fd, ROOT) == SUCCESS
    assert guest.fd_prestat_get(ROOT, DATA) == "BADF"
    assert guest.open("sub")[0] == "NOTDIR"
    assert guest.write(ROOT, b"x") == "NOTCAPABLE"
    assert guest.read(ROOT) == b"inside"


def test_closing_the_preopened_directory(place):
    guest = place.guest
    _, sub = guest.open("sub", DIRECTORY, ALL & ~WRITE)
    assert guest.fd_close(ROOT) == SUCCESS
    assert guest.open("file")[0] == "BADF"
    assert guest.open("../file", fd=sub)[0] == "NOTCAPABLE"
    _, fd = guest.open("file", fd=sub)
    assert guest.fd_renumber(sub, fd) == SUCCESS
    assert guest.fd_prestat_get(fd, DATA) == "BADF"
    assert guest.open("../../outside/canary", fd=fd)[0] == "NOTCAPABLE"


def test_two_directories_do_not_lead_to_each_other(place):
    (place.root.parent / "other").mkdir()
    preopens = {"/a": place.root, "/b": place.root.parent / "other"}
    guest = Guest(preopens=preopens, stdin=None, stdout=None, stderr=None)
    assert guest.open("../other", fd=3)[0] == "NOTCAPABLE"
    assert guest.open("../root/file", fd=4)[0] == "NOTCAPABLE"
    assert guest.path_symlink("../root", 4, "link") == SUCCESS
    assert guest.open("link/file", fd=4)[0] == "NOTCAPABLE"
    # what both hold may be moved between them, and no further
    assert guest.path_rename(3, "sub/deep", 4, "deep") == SUCCESS
    assert guest.open("deep/../..", fd=4)[0] == "NOTCAPABLE"


def test_rights_do_not_grow(place):
    guest = place.guest
    few = RIGHT["PATH_OPEN"] | RIGHT["FD_READDIR"]
    error, fd = guest.open("sub", DIRECTORY, few, below=READ | few)
    assert error == SUCCESS
    assert guest.fd_fdstat_set_rights(fd, few | RIGHT["PATH_UNLINK_FILE"], READ) == "NOTCAPABLE"
    assert guest.fd_fdstat_set_rights(fd, few, READ | WRITE) == "NOTCAPABLE"
    assert guest.fd_fdstat_set_rights(fd, -1, -1) == "NOTCAPABLE"
    assert guest.open("file", 0, READ | WRITE, fd=fd, below=0)[0] == "NOTCAPABLE"
    assert guest.open("file", TRUNCATE, READ, fd=fd, below=0)[0] == "NOTCAPABLE"
    assert guest.open("new", CREATE, READ, fd=fd, below=0)[0] == "NOTCAPABLE"
    assert guest.open(".", DIRECTORY, ALL, fd=fd, below=0)[0] == "NOTCAPABLE"
    assert guest.open(".", DIRECTORY, READ, fd=fd, below=ALL)[0] == "NOTCAPABLE"
    error, again = guest.open(".", DIRECTORY, few, fd=fd, below=READ | few)
    assert error == SUCCESS
    for start in (fd, again):
        assert guest.path_unlink_file(start, "file") == "NOTCAPABLE"
        assert guest.path_create_directory(start, "x") == "NOTCAPABLE"
        assert guest.path_rename(start, "file", start, "x") == "NOTCAPABLE"
        assert guest.path_rename(start, "file", ROOT, "x") == "NOTCAPABLE"
        assert guest.path_link(start, 0, "file", ROOT, "x") == "NOTCAPABLE"
        assert guest.path_symlink("x", start, "x") == "NOTCAPABLE"
        assert guest.path_filestat_get(start, 0, "file", DATA) == "NOTCAPABLE"
        assert guest.path_filestat_set_times(start, 0, "file", 0, 0, 0) == "NOTCAPABLE"


def test_a_reader_does_not_write(place):
    guest = place.guest
    _, fd = guest.open("file", 0, READ, below=0)
    at = guest.vectors((DATA, 4))
    assert guest.fd_fdstat_set_rights(fd, READ | WRITE, 0) == "NOTCAPABLE"
    assert guest.fd_write(fd, at, 1, RESULT) == "NOTCAPABLE"
    assert guest.fd_pwrite(fd, at, 1, 0, RESULT) == "NOTCAPABLE"
    assert guest.fd_allocate(fd, 0, 1000) == "NOTCAPABLE"
    assert guest.fd_filestat_set_size(fd, 0) == "NOTCAPABLE"
    assert guest.fd_filestat_set_times(fd, 0, 0, 5) == "NOTCAPABLE"
    assert guest.fd_fdstat_set_flags(fd, 1) == "NOTCAPABLE"
    assert guest.sock_send(fd, at, 1, 0, RESULT) == "NOTSOCK"
    assert (place.root / "file").read_text() == "inside"


def test_what_is_read_only_stays_as_it_is(place):
    (place.root / "link").symlink_to("file")
    (place.root.parent / "writable").mkdir()
    preopens = {
        "/": HostDirectory(place.root, read_only=True),
        "/w": place.root.parent / "writable",
    }
    guest = Guest(preopens=preopens, stdin=None, stdout=None, stderr=None)
    before, writable = photograph(place.root), 4
    for path in ("file", "sub/file", "link"):
        assert guest.open(path, 0, WRITE)[0] == "ROFS"
        assert guest.open(path, TRUNCATE, READ)[0] == "ROFS"
        assert guest.open(path, CREATE | TRUNCATE, READ | WRITE)[0] == "ROFS"
        assert guest.path_filestat_set_times(ROOT, FOLLOW, path, 1, 1, 5) == "ROFS"
        assert guest.path_unlink_file(ROOT, path) == "ROFS"
        assert guest.path_rename(ROOT, path, ROOT, "new") == "ROFS"
        assert guest.path_rename(ROOT, path, writable, "new") in ("ROFS", "XDEV")
        # a second name in a place that can be written would be a way around
        assert guest.path_link(ROOT, 0, path, writable, "new") in ("ROFS", "XDEV")
        error, fd = guest.open(path, 0, READ | RIGHT["FD_FILESTAT_SET_TIMES"])
        assert error == SUCCESS
        assert guest.fd_filestat_set_times(fd, 1, 1, 5) == "ROFS"
        assert guest.fd_filestat_set_size(fd, 0) == "NOTCAPABLE"
    assert guest.open("new", CREATE, WRITE)[0] == "ROFS"
    assert guest.path_create_directory(ROOT, "new") == "ROFS"
    assert guest.path_symlink("file", ROOT, "new") == "ROFS"
    assert guest.path_remove_directory(ROOT, "sub/deep") == "ROFS"
    guest.make_in(writable, "mine", b"x")
    assert guest.path_rename(writable, "mine", ROOT, "file") in ("ROFS", "XDEV")
    assert guest.path_link(writable, 0, "mine", ROOT, "new") in ("ROFS", "XDEV")
    assert guest.fd_filestat_set_times(ROOT, 1, 1, 5) == "ROFS"
    assert photograph(place.root) == before


def test_a_quota_is_not_exceeded(place):
    (place.root / "box").mkdir()
    quota = Quota(HostDirectory(place.root / "box"), max_bytes=10_000, max_files=20)
    guest = Guest(preopens={"/": quota}, stdin=None, stdout=None, stderr=None)
    _, fd = guest.open("big", CREATE, ALL)
    full = ("DQUOT", "NOSPC", "FBIG")
    assert guest.fd_allocate(fd, 0, 1 << 40) in full
    assert guest.fd_allocate(fd, (1 << 63) - 2, 1) in full
    assert guest.fd_filestat_set_size(fd, 1 << 40) in full
    assert guest.fd_pwrite(fd, guest.vectors((DATA, 10)), 1, 1 << 40, RESULT) in full
    assert guest.fd_seek(fd, 1 << 50, 0, RESULT) == SUCCESS
    assert guest.write(fd, b"x") in full
    guest.fd_seek(fd, 0, 0, RESULT)
    errors = {guest.write(fd, bytes(1000)) for _ in range(30)}
    assert errors <= {SUCCESS, *full}
    assert len(errors) == 2
    # what is unlinked and still open takes its room
    assert guest.path_unlink_file(ROOT, "big") == SUCCESS
    error, other = guest.open("other", CREATE, ALL)
    assert error == SUCCESS
    assert guest.write(other, bytes(9000)) in full or guest.u32() < 9000
    errors = {guest.open(f"file{i}", CREATE, WRITE, below=0)[0] for i in range(40)}
    errors |= {guest.path_create_directory(ROOT, f"dir{i}") for i in range(40)}
    errors |= {guest.path_symlink("x" * 4000, ROOT, f"link{i}") for i in range(40)}
    errors |= {guest.path_link(ROOT, 0, "other", ROOT, f"hard{i}") for i in range(40)}
    assert errors <= {SUCCESS, *full}
    assert len(errors) == 2
    assert sum(p.lstat().st_size for p in (place.root / "box").iterdir() if p.is_file()) <= 10_000
    assert len(list((place.root / "box").iterdir())) <= 20


def test_vectors_without_end(place):
    guest = place.guest
    _, fd = guest.open("file", 0, ALL)
    for call in (guest.fd_read, guest.fd_write):
        assert call(fd, VECTORS, -1, RESULT) in ("INVAL", "FAULT")
        assert call(fd, VECTORS, 1 << 29, RESULT) in ("INVAL", "FAULT")
        assert call(fd, -8, 2, RESULT) == "FAULT"
        for pair in ((DATA, -1 % (1 << 32)), (-1 % (1 << 32), 1), (-1 % (1 << 32), -1 % (1 << 32))):
            assert call(fd, guest.vectors(pair), 1, RESULT) == "FAULT"
    assert (place.root / "file").read_text() == "inside"


def test_vectors_that_overlap(place):
    guest = place.guest
    guest.make("data", bytes(range(256)) * 4)
    _, fd = guest.open("data", 0, ALL)
    # the same bytes over and over, and the vectors and the result among them
    at = guest.vectors((VECTORS, 64), (VECTORS + 8, 64), (RESULT, 64), (VECTORS, 800))
    assert guest.fd_read(fd, at, 4, RESULT) == SUCCESS
    assert guest.u32() == 64 * 3 + 800
    at = guest.vectors(*[(0, 200_000)] * 100)
    assert guest.fd_write(fd, at, 100, RESULT) == SUCCESS
    assert guest.u32() == 200_000 * 100


def test_pieces_that_add_up_to_more_than_a_number_holds(place):
    """A thousand pieces of nearly the whole memory each, to a stream that is a Python object."""
    got = [0]

    def sink(data):
        got[0] += len(data)

    guest = Guest(pages=4096, preopens={"/": place.root}, stdout=sink, stdin=None, stderr=None)
    at = guest.vectors(*[(0, 4096 << 16)] * 100)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert guest.fd_write(1, at, 100, RESULT) == SUCCESS
    assert guest.u32() == got[0] <= 0x7FFF_FFFF
    _, fd = guest.open("file", 0, READ)
    assert guest.fd_read(fd, at, 100, RESULT) == SUCCESS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 2 << 20  # KiB


def test_cookies_that_no_directory_gave(place):
    guest = place.guest
    for cookie in (5, 1000, 2**31, 2**32, 2**63 - 1, -(2**63), -1):
        assert guest.fd_readdir(ROOT, DATA, 1000, cookie, RESULT) == SUCCESS
        assert guest.u32() == 0
    for size in range(60):
        guest.memory[DATA : DATA + 100] = b"\xaa" * 100
        assert guest.fd_readdir(ROOT, DATA, size, 0, RESULT) == SUCCESS
        assert guest.u32() == size
        assert guest.memory[DATA + size : DATA + 100] == b"\xaa" * (100 - size)
    assert guest.fd_readdir(ROOT, DATA, -1, 0, RESULT) == "FAULT"
    assert guest.fd_readdir(ROOT, -1, 1, 0, RESULT) == "FAULT"
    # the listing over its own result
    assert guest.fd_readdir(ROOT, RESULT, 100, 0, RESULT) == SUCCESS


def test_listings_tell_nothing_of_the_parent(place):
    guest = place.guest
    assert sorted(guest.names(ROOT)) == [b".", b"..", b"file", b"sub"]
    guest.fd_readdir(ROOT, DATA, 100, 0, RESULT)
    parent = place.root.parent.stat().st_ino
    assert parent.to_bytes(8, "little") not in bytes(guest.memory[DATA : DATA + 100])


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (b"file\0", "INVAL"),
        (b"\0", "INVAL"),
        (b"file\0/../../outside/canary", "INVAL"),
        (b"..\0", "INVAL"),
        (b"\xff", "ILSEQ"),
        (b"\xc0\xae\xc0\xae/outside/canary", "ILSEQ"),  # ".." in too many bytes
        (b"\xc0\xafetc", "ILSEQ"),  # "/" in too many bytes
        (b"\xed\xa0\x80", "ILSEQ"),  # half a surrogate pair
        (b"\xf4\x90\x80\x80", "ILSEQ"),  # beyond Unicode
        (b"file\xc3", "ILSEQ"),  # cut
        (b"x" * 256, "NAMETOOLONG"),
        (b"sub/" * 1100, "NAMETOOLONG"),
        (b"\xe2\x80\xae..", "NOENT"),  # looks like something else
        (b"\xef\xbc\x8e\xef\xbc\x8e/outside", "NOENT"),  # full-width dots
        (b"..\\outside\\canary", "NOENT"),
        (b"%2e%2e/outside", "NOENT"),
        (b"... ", "NOENT"),
        (b"~", "NOENT"),
    ],
)
def test_names_that_are_none(place, name, error):
    guest = place.guest
    assert guest.open(name)[0] == error
    assert guest.path_filestat_get(ROOT, FOLLOW, name, DATA) == error
    assert guest.path_unlink_file(ROOT, name) == error
    assert guest.path_rename(ROOT, name, ROOT, "x") == error


def test_a_path_as_long_as_memory(place):
    guest = Guest(pages=1024, preopens={"/": place.root}, stdin=None, stdout=None, stderr=None)
    guest.memory[:] = b"a/" * (len(guest.memory) // 2)
    size = len(guest.memory)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert size == 64 << 20
    assert guest.path_open(ROOT, 0, 0, size, 0, 0, 0, 0, RESULT) == "NAMETOOLONG"
    assert guest.path_open(ROOT, 0, 0, -1, 0, 0, 0, 0, RESULT) == "FAULT"
    assert guest.path_symlink(0, size, ROOT, 0, 4) == "NAMETOOLONG"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 16 << 10  # KiB


def test_subscriptions_without_end(place):
    guest = Guest(pages=1024, stdin=None, stdout=None, stderr=None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert guest.poll_oneoff(0, 0, -1, RESULT) == "FAULT"
    assert guest.poll_oneoff(0, 0, 1 << 31, RESULT) == "FAULT"
    assert guest.poll_oneoff(0, 0, 1_000_000, RESULT) == "INVAL"
    assert guest.poll_oneoff(0, 32 << 20, 1000, RESULT) == SUCCESS
    assert guest.u32() == 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 128 << 10  # KiB


def test_random_bytes_without_end(place):
    guest = Guest(pages=1024, stdin=None, stdout=None, stderr=None)
    size = len(guest.memory)
    assert guest.random_get(0, -1) == "FAULT"
    assert guest.random_get(size - 10, 11) == "FAULT"
    assert guest.random_get(-1, 1) == "FAULT"
    guest.memory[:] = bytes(size)  # its pages are touched now
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert guest.random_get(0, size) == SUCCESS
    assert bytes(guest.memory[size - 64 :]) != bytes(64)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 32 << 10  # KiB


def test_more_descriptors_than_there_are(place):
    """The guest runs out of descriptors before its host does."""
    guest, error = place.guest, SUCCESS
    opened = 0
    while error == SUCCESS and opened < 1_100_000:
        error, _ = guest.open("file", below=0)
        opened += error == SUCCESS
    assert error == "MFILE"
    assert opened >= 100
    with (place.root / "file").open() as file:  # the host still can
        assert file.read() == "inside"
    assert guest.fd_close(ROOT + 5) == SUCCESS
    assert guest.open("file")[0] == SUCCESS


SWAPPER = """
import ctypes, os, sys, time
exchange = 2
renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
one, other = (os.fsencode(p) for p in sys.argv[1:3])
print(renameat2(-100, one, -100, other, exchange), flush=True)
end = time.monotonic() + 60
while time.monotonic() < end and os.getppid() == int(sys.argv[3]):
    for _ in range(1000):
        renameat2(-100, one, -100, other, exchange)
"""


class Race:
    """Another process exchanges two names as fast as it can, while an attack is repeated."""

    def __init__(self, one, other):
        line = [sys.executable, "-c", SWAPPER, one, other, os.getpid()]
        self.process = subprocess.Popen([*map(str, line)], stdout=subprocess.PIPE)
        if self.process.stdout.readline().strip() != b"0":
            self.process.kill()
            pytest.skip("this system cannot exchange two names at once")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def rounds(self):
        end = time.monotonic() + HOSTILE_SECONDS
        number = 0
        while time.monotonic() < end:
            number += 1
            yield number


class ThreadRace(Race):
    """The same by a thread of this process."""

    def __init__(self, one, other):
        rename = ctypes.CDLL(None).renameat2
        self.over = False

        def run():
            while not self.over:
                rename(-100, os.fsencode(one), -100, os.fsencode(other), 2)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


# What a walk may say of a path that changes below it.
MAYBE = {SUCCESS, "NOTCAPABLE", "NOENT", "LOOP", "NOTDIR", "AGAIN", "EXIST", "INVAL", "ISDIR",
         "NOTEMPTY"}  # fmt: skip
HONEST = b"an honest file inside"


@pytest.fixture
def swapped(place):
    """``swap`` is now a directory inside, now a link to the directory outside."""
    place.link("other", "../outside")
    swap = place.root / "swap"
    swap.mkdir()
    (swap / "canary").write_bytes(HONEST)
    (swap / "folder").mkdir()
    with Race(swap, place.root / "other") as race:
        place.race = race
        yield place


def attack_open(guest, number):
    error, fd = guest.open("swap/canary")
    if fd is not None:
        assert guest.read(fd) == HONEST
        guest.fd_close(fd)
    return error


def attack_open_by_parent(guest, number):
    error, fd = guest.open("swap/../file")
    if fd is not None:
        assert guest.read(fd) == b"inside"
        guest.fd_close(fd)
    return error


def attack_open_at_directory(guest, number):
    error, folder = guest.open("swap", DIRECTORY, ALL & ~WRITE)
    if folder is not None:
        inner, fd = guest.open("canary", fd=folder)
        if fd is not None:
            assert guest.read(fd) == HONEST
            guest.fd_close(fd)
        assert inner in MAYBE
        guest.fd_close(folder)
    return error


def attack_truncate(guest, number):
    error, fd = guest.open("swap/empty", CREATE | TRUNCATE, WRITE)
    if fd is not None:
        guest.write(fd, b"")
        guest.fd_close(fd)
    return error


def attack_create(guest, number):
    error, fd = guest.open(f"swap/new{number}", CREATE | EXCLUSIVE, WRITE)
    if fd is not None:
        guest.fd_close(fd)
    return error


def attack_unlink(guest, number):
    return guest.path_unlink_file(ROOT, "swap/canary")


def attack_rename_from(guest, number):
    error = guest.path_rename(ROOT, "swap/canary", ROOT, "taken")
    if error == SUCCESS:
        assert guest.path_rename(ROOT, "taken", ROOT, "mine") == SUCCESS
        _, fd = guest.open("mine")
        assert guest.read(fd) == HONEST
        guest.fd_close(fd)
    return error


def attack_rename_to(guest, number):
    guest.make("mine", HONEST)
    return guest.path_rename(ROOT, "mine", ROOT, "swap/canary")


def attack_link_from(guest, number):
    error = guest.path_link(ROOT, 0, "swap/canary", ROOT, f"taken{number}")
    if error == SUCCESS:
        assert guest.stat(f"taken{number}")[1] == len(HONEST)
        assert guest.path_unlink_file(ROOT, f"taken{number}") == SUCCESS
    return error


def attack_link_to(guest, number):
    return guest.path_link(ROOT, 0, "file", ROOT, f"swap/hard{number}")


def attack_stat(guest, number):
    found = guest.stat("swap/canary", FOLLOW)
    if isinstance(found, str):
        return found
    assert found[1] == len(HONEST)
    return SUCCESS


def attack_times(guest, number):
    return guest.path_filestat_set_times(ROOT, FOLLOW, "swap/canary", 1, 1, 5)


def attack_read_link(guest, number):
    error = guest.path_readlink(ROOT, "swap/canary", DATA, 100, RESULT)
    assert error != SUCCESS
    return error


def attack_make_directory(guest, number):
    return guest.path_create_directory(ROOT, f"swap/made{number}")


def attack_remove_directory(guest, number):
    return guest.path_remove_directory(ROOT, "swap/folder")


def attack_symlink(guest, number):
    return guest.path_symlink("x", ROOT, f"swap/soft{number}")


def attack_list(guest, number):
    error, fd = guest.open("swap", DIRECTORY, RIGHT["FD_READDIR"])
    if fd is not None:
        assert b"only-outside" not in guest.names(fd)
        guest.fd_close(fd)
    return error


ATTACKS = [f for name, f in list(globals().items()) if name.startswith("attack_")]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda f: f.__name__.removeprefix("attack_"))
def test_a_directory_is_exchanged_for_a_link(swapped, attack):
    (swapped.outside / "only-outside").write_bytes(b"")
    swapped.before = photograph(swapped.outside)
    seen = {attack(swapped.guest, number) for number in swapped.race.rounds()}
    assert seen <= MAYBE


@pytest.mark.parametrize("race", [Race, ThreadRace])
def test_a_file_is_exchanged_for_a_link(place, race):
    place.link("other", "../outside/canary")
    (place.root / "swap").write_bytes(HONEST)
    guest, seen = place.guest, set()
    outside = (place.outside / "canary").stat().st_ino
    with race(place.root / "swap", place.root / "other") as race:
        for _ in race.rounds():
            for follow in (0, FOLLOW):
                error, fd = guest.open("swap", 0, ALL, follow=follow)
                seen.add(error)
                if fd is not None:
                    assert guest.read(fd) == HONEST
                    guest.fd_close(fd)
                found = guest.stat("swap", FOLLOW)
                assert isinstance(found, str) or found[0] != outside
                seen.add(guest.path_filestat_set_times(ROOT, follow, "swap", 1, 1, 5))
    assert seen <= MAYBE
    assert SUCCESS in seen


def test_a_file_to_be_truncated_is_exchanged_for_a_link(place):
    place.link("other", "../outside/canary")
    (place.root / "swap").write_bytes(HONEST)
    guest, seen = place.guest, set()
    with Race(place.root / "swap", place.root / "other") as race:
        for _ in race.rounds():
            error, fd = guest.open("swap", CREATE | TRUNCATE, WRITE)
            seen.add(error)
            if fd is not None:
                guest.write(fd, b"overwritten")
                guest.fd_close(fd)
    assert seen <= MAYBE
    assert SUCCESS in seen


def test_a_directory_is_moved_out_while_it_is_walked(place):
    """``..`` out of a directory that somebody has moved away leads back, not to where it is."""
    (place.root / "swap" / "deep").mkdir(parents=True)
    away = place.root.parent / "away"
    away.mkdir()
    (away / "deep").mkdir()
    (place.root.parent / "file").write_bytes(SECRET)
    guest, seen = place.guest, set()
    with Race(place.root / "swap", away) as race:
        for _ in race.rounds():
            error, fd = guest.open("swap/deep/../../file")
            seen.add(error)
            if fd is not None:
                assert guest.read(fd) == b"inside"
                guest.fd_close(fd)
    assert seen <= MAYBE
    assert SUCCESS in seen
