"""Directories of the host, with and without the kernel's own walking."""

import errno
import os
import threading

import pytest

from runwell.wasi import host
from runwell.wasi.errno import NOTCAPABLE, Errno
from runwell.wasi.host import HostDirectory, HostFile
from runwell.wasi.paths import locate, open_below
from runwell.wasi.protocol import DIRECTORY, LINK, REGULAR, UNKNOWN


@pytest.fixture(params=["kernel", "here"])
def walker(request, monkeypatch):
    """Who walks paths."""
    if request.param == "here":
        monkeypatch.setattr(host, "_probed", [None])
    elif host._openat2() is None:
        pytest.skip("this kernel has no openat2")
    return request.param


@pytest.fixture
def root(tmp_path, walker):
    (tmp_path / "root" / "d" / "e").mkdir(parents=True)
    (tmp_path / "root" / "d" / "e" / "f").write_bytes(b"found")
    (tmp_path / "root" / "up").symlink_to("../secret")
    (tmp_path / "root" / "d" / "back").symlink_to("../d/e")
    (tmp_path / "root" / "loop").symlink_to("loop")
    (tmp_path / "root" / "dangling").symlink_to("d/new")
    (tmp_path / "secret").write_bytes(b"hidden")
    return HostDirectory(tmp_path / "root")


def outcome(act, *args, **options):
    try:
        found = act(*args, **options)
    except OSError as e:
        return errno.errorcode[e.errno]
    except Errno as e:
        return str(e)
    if isinstance(found, HostFile):
        data = found.read(0, 100)
        found.close()
        return data
    found.close()
    return "directory"


@pytest.mark.parametrize(
    ("path", "follow", "want"),
    [
        ("d/e/f", True, b"found"),
        ("d/./e//f", True, b"found"),
        ("d/back/f", True, b"found"),
        ("d/back/../../d/e/f", True, b"found"),
        ("d/back", True, "directory"),
        ("d/back", False, "ELOOP"),
        ("d/back/", False, "directory"),
        ("d/e/../..", True, "directory"),
        (".", True, "directory"),
        ("..", True, "NOTCAPABLE"),
        ("d/../..", True, "NOTCAPABLE"),
        ("up", True, "NOTCAPABLE"),
        ("up", False, "ELOOP"),
        ("/etc/passwd", True, "NOTCAPABLE"),
        ("loop", True, ("ELOOP", "LOOP")),
        ("d/e/f/", True, "ENOTDIR"),
        ("d/e/f/g", True, "ENOTDIR"),
        ("nothing/f", True, "ENOENT"),
        ("dangling", True, "ENOENT"),
        ("x" * 256, True, ("ENAMETOOLONG", "NAMETOOLONG")),
        ("d/" + "x" * 256, True, ("ENAMETOOLONG", "NAMETOOLONG")),
        ("", True, "NOENT"),
        ("d\0", True, "INVAL"),
    ],
)
def test_paths(root, path, follow, want):
    got = outcome(open_below, root, path, os.O_RDONLY, follow=follow)
    assert got == want or got in want


def test_a_dangling_link_is_made_where_it_points(root):
    made = open_below(root, "dangling", os.O_RDWR | os.O_CREAT, follow=True)
    made.write(0, memoryview(b"1"))
    made.close()
    assert outcome(open_below, root, "d/new", os.O_RDONLY, follow=True) == b"1"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    assert outcome(open_below, root, "d/new", flags, follow=True) == "EEXIST"
    assert outcome(open_below, root, "d/new/", os.O_RDWR | os.O_CREAT, follow=True) == "ISDIR"


def test_entries_are_located(root):
    with locate(root, "d/back/f", follow=True) as at:
        assert (at.name, at.directory.status("f").size) == ("f", 5)
    with locate(root, "d/back", follow=False, entry=True) as at:
        assert at.directory.status(at.name).kind == LINK
    with locate(root, "d/e/.", follow=False, entry=True) as at:
        assert at.name == "."
    with pytest.raises(Errno) as info:
        locate(root, "d/e/../../../x", follow=False)
    assert info.value.number == NOTCAPABLE


def test_nothing_leaks(root):
    before = len(os.listdir("/proc/self/fd"))
    for path in ("d/e/f", "d/back/f", "up", "d/e/f/g", "d/../..", "x/y/z", "loop", "d/back/"):
        outcome(open_below, root, path, os.O_RDONLY, follow=True)
        for entry in (True, False):
            try:
                with locate(root, path, follow=True, entry=entry):
                    pass
            except (OSError, Errno):
                pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fifo_is_opened_at_once(root, tmp_path):
    os.mkfifo(tmp_path / "root" / "fifo")
    found = open_below(root, "fifo", os.O_RDONLY, follow=True)
    assert found.kind == UNKNOWN
    assert os.get_blocking(found.fd)
    found.close()
    # nobody reads: it says so, and does not wait for somebody
    assert outcome(open_below, root, "fifo", os.O_WRONLY, follow=True) == "ENXIO"
    found = root.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert not os.get_blocking(found.fd)
    found.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="a system without /proc")
def test_magic_links_lead_nowhere(walker, tmp_path):
    root = HostDirectory("/proc/self")
    with open(tmp_path / "secret", "wb") as file:
        number = file.fileno()
        for path in (f"fd/{number}", "exe", "cwd/", "root/etc/passwd"):
            got = outcome(open_below, root, path, os.O_RDONLY, follow=True)
            assert got in ("ELOOP", "NOTCAPABLE")


def test_names_that_are_not_utf_8(root, tmp_path):
    where = os.fsencode(tmp_path / "root")
    with open(where + b"/\xff\xfe", "wb"):
        pass
    os.symlink(b"\xff", where + b"/bytes")
    names = [entry.name for entry in root.list()]
    assert "bytes" in names
    assert all(name.isprintable() for name in names)
    with pytest.raises(OSError, match="multibyte") as info:
        root.read_link("bytes")
    assert info.value.errno == errno.EILSEQ


def test_lists_say_what_things_are(root, tmp_path):
    os.mkfifo(tmp_path / "root" / "fifo")
    kinds = {entry.name: entry.kind for entry in root.list()}
    assert (kinds["d"], kinds["up"], kinds["fifo"]) == (DIRECTORY, LINK, UNKNOWN)
    below = open_below(root, "d/e", os.O_RDONLY | os.O_DIRECTORY, follow=True)
    assert [(e.name, e.kind) for e in below.list()] == [("f", REGULAR)]
    assert [e.name for e in below.list()] == ["f"]


def test_a_path_that_keeps_changing_stays_inside(root, tmp_path):
    """A directory is moved about while paths go through it and up again."""
    place, stop = tmp_path / "root", threading.Event()

    def shuffle():
        while not stop.is_set():
            for one, other in (("d", "x"), ("x", "d")):
                os.rename(place / one, place / other)

    thread = threading.Thread(target=shuffle)
    thread.start()
    try:
        seen = {
            outcome(open_below, root, "d/e/../e/../../d/e/f", os.O_RDONLY, follow=True)
            for _ in range(2000)
        }
    finally:
        stop.set()
        thread.join()
    assert seen <= {b"found", "ENOENT"}


def test_a_kernel_that_refuses_is_believed(monkeypatch):
    class Library:
        @staticmethod
        def syscall(*_args):
            return -1

    monkeypatch.setattr("ctypes.CDLL", lambda *_a, **_k: Library)
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EPERM)
    assert host._find_openat2() is None
