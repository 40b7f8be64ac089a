"""Worlds that users write."""

import os

import pytest
from tests.wasi.guest import ALL, CREATE, DATA, DIRECTORY, RESULT, ROOT, SUCCESS, Guest

from runwell.wasi import Directory, Entry, File, Status
from runwell.wasi.protocol import DIRECTORY as FOLDER
from runwell.wasi.protocol import REGULAR


class Text(File):
    """A file that is computed."""

    def __init__(self, text):
        self.data = text.encode()

    def status(self):
        return Status(REGULAR, len(self.data))

    def read(self, offset, size):
        return self.data[offset : offset + size]


class Squares(Directory):
    """A directory without end: the square of any number, under its name."""

    def status(self, name="."):
        if name == ".":
            return Status(FOLDER)
        return self.open(name, os.O_RDONLY).status()

    def list(self):
        return [Entry(str(n), REGULAR) for n in range(3)]

    def open(self, name, flags):
        if name == ".":
            return self
        if name == "broken":
            raise RuntimeError("the user's own")
        if not name.isdecimal():
            raise FileNotFoundError(name)
        return Text(f"{int(name) ** 2}\n")


@pytest.fixture
def guest():
    return Guest(preopens={"/": Squares()})


def test_a_read_only_world_takes_four_methods(guest):
    error, fd = guest.open("12")
    assert error == SUCCESS
    assert guest.read(fd) == b"144\n"
    assert guest.read(fd) == b""
    assert guest.names(ROOT) == [b".", b"..", b"0", b"1", b"2"]
    assert guest.stat("99999") == (0, 11)


def test_all_that_would_change_it_is_refused(guest):
    assert guest.open("x")[0] == "NOENT"
    assert guest.path_create_directory(ROOT, "x") == "ROFS"
    assert guest.path_unlink_file(ROOT, "1") == "ROFS"
    assert guest.path_remove_directory(ROOT, "1") == "ROFS"
    assert guest.path_rename(ROOT, "1", ROOT, "2") == "ROFS"
    assert guest.path_link(ROOT, 0, "1", ROOT, "2") == "ROFS"
    assert guest.path_symlink("1", ROOT, "2") == "ROFS"
    assert guest.path_filestat_set_times(ROOT, 0, "1", 0, 0, 5) == "ROFS"
    assert guest.path_readlink(ROOT, "1", DATA, 10, RESULT) == "INVAL"
    assert guest.open("..")[0] == "NOTCAPABLE"
    assert guest.open("1/x")[0] == "NOTDIR"
    assert guest.open("1", DIRECTORY)[0] == "NOTDIR"
    error, fd = guest.open("1", CREATE, ALL)
    assert error == SUCCESS
    assert guest.write(fd, b"x") == "ROFS"
    assert guest.fd_filestat_set_size(fd, 0) == "ROFS"
    assert guest.fd_filestat_set_times(fd, 0, 0, 5) == "ROFS"
    assert guest.fd_sync(fd) == SUCCESS
    assert guest.fd_close(fd) == SUCCESS


def test_an_exception_that_is_no_oserror_goes_through_the_guest(guest):
    with pytest.raises(RuntimeError, match=r"^the user's own"):
        guest.open("broken")
