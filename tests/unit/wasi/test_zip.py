"""Zip archives as directories."""

import errno
import io
import os
import stat
import zipfile

import pytest
from tests.wasi.worlds import fails

from runwell.wasi.protocol import DIRECTORY, LINK, REGULAR
from runwell.wasi.zip import ZipDirectory


def archive(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in members.items():
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            made.writestr(info, data, compression)
    return file


def link(name):
    info = zipfile.ZipInfo(name, (2020, 2, 29, 12, 0, 0))
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.fixture
def root():
    return ZipDirectory(
        archive({"a.txt": b"alpha", "d/e/b.txt": b"beta" * 1000, "empty/": b"", link("l"): b"d/e"})
    )


def test_what_is_in_an_archive(root):
    seen = {path: (s.kind, s.size) for path, s in root.walk()}
    assert seen == {
        "a.txt": (REGULAR, 5),
        "d": (DIRECTORY, 0),
        "d/e": (DIRECTORY, 0),
        "d/e/b.txt": (REGULAR, 4000),
        "empty": (DIRECTORY, 0),
        "l": (LINK, 3),
    }
    assert root.status().links == 4
    assert root.status("l").modified_ns == 1582977600 * 10**9
    assert len({s.inode for _, s in root.walk()}) == 6


def test_files_are_read(root):
    assert root.read_bytes("l/b.txt") == b"beta" * 1000
    file = root.open("a.txt", os.O_RDONLY)
    assert (file.read(3, 10), file.read(0, 2), file.read(5, 1)) == (b"ha", b"al", b"")
    assert root.read_link("l") == "d/e"


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
)
def test_large_files_are_not_kept_in_memory(compression, monkeypatch):
    monkeypatch.setattr("runwell.wasi.zip._WHOLE", 1000)
    data = os.urandom(50_000) * 3
    file = ZipDirectory(archive({"big": data}, compression)).open("big", os.O_RDONLY)
    for at, size in ((0, 10), (140_000, 20_000), (70_000, 5), (70_005, 50_000), (0, 150_000)):
        assert file.read(at, size) == data[at : at + size]
    file.close()


def test_nothing_changes(root):
    for act in (
        lambda: root.open("a.txt", os.O_WRONLY),
        lambda: root.open("new", os.O_RDWR | os.O_CREAT),
        lambda: root.make_directory("new"),
        lambda: root.make_link("new", "a.txt"),
        lambda: root.unlink("a.txt"),
        lambda: root.rename("a.txt", root, "b"),
        lambda: root.link("a.txt", root, "b"),
        lambda: root.remove_directory("empty"),
        lambda: root.set_times("a.txt", 0, 0),
    ):
        fails(errno.EROFS, act)
    fails(errno.ENOENT, root.open, "missing", os.O_RDONLY)
    fails(errno.ENOTDIR, root.open, "a.txt", os.O_DIRECTORY)
    fails(errno.ELOOP, root.open, "l", os.O_RDONLY)
    fails(errno.EINVAL, root.read_link, "a.txt")


def test_names_that_lead_elsewhere_cannot_be_reached():
    root = ZipDirectory(
        archive({"../out": b"", "/abs": b"x", "a/../../b": b"", "./c//d": b"y", "e": b"1"})
    )
    assert [path for path, _ in root.walk()] == ["abs", "c", "c/d", "e"]


def test_a_name_of_a_file_and_of_a_directory():
    assert [p for p, _ in ZipDirectory(archive({"a": b"", "a/b": b"", "c/d": b""})).walk()] == [
        "a", "a/b", "c", "c/d",
    ]  # fmt: skip


def test_archives_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        ZipDirectory(tmp_path / "missing.zip")
    (tmp_path / "bad.zip").write_bytes(b"not a zip archive")
    fails(errno.EINVAL, ZipDirectory(tmp_path / "bad.zip").list)


def test_damage_is_an_error_of_the_device():
    file = archive({"a": b"some text that is long enough"}, zipfile.ZIP_STORED)
    data = bytearray(file.getvalue())
    data[data.index(b"some text")] ^= 1
    root = ZipDirectory(io.BytesIO(data))
    fails(errno.EIO, root.read_bytes, "a")


def test_an_archive_of_a_path(tmp_path):
    (tmp_path / "x.zip").write_bytes(archive({"f": b"1"}).getvalue())
    assert ZipDirectory(tmp_path / "x.zip").read_bytes("f") == b"1"
