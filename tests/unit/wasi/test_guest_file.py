"""The guest's descriptors as Python files."""

import errno
import io

import pytest
from tests.wasi.guest import ALL, CREATE, READ, Guest
from tests.wasi.worlds import fails

from runwell.wasi import MemoryDirectory


@pytest.fixture(params=["host", "memory"])
def guest(request, tmp_path):
    world = tmp_path if request.param == "host" else MemoryDirectory()
    return Guest(preopens={"/": world}, stdout="capture")


def test_a_file_goes_on_where_the_guest_is(guest):
    _, fd = guest.open("f", CREATE, ALL)
    guest.write(fd, b"first line\nsecond line\n")
    file = guest.instance.wasi.open(fd)
    assert file.readable()
    assert file.writable()
    assert file.seekable()
    assert file.tell() == 23
    file.seek(0)
    assert file.readline() == b"first line\n"
    assert guest.read(fd, 6) == b"second"
    assert file.read() == b" line\n"
    assert file.write(b"third") == 5
    file.seek(-5, io.SEEK_END)
    assert io.BufferedReader(file).read() == b"third"


def test_closing_it_closes_nothing_of_the_guest_s(guest):
    _, fd = guest.open("f", CREATE, ALL)
    with guest.instance.wasi.open(fd) as file:
        file.write(b"1")
    assert guest.write(fd, b"2") == "SUCCESS"


def test_what_cannot_be_opened(guest):
    fails(errno.EBADF, guest.instance.wasi.open, 99)
    fails(errno.EISDIR, guest.instance.wasi.open, 3)


def test_what_the_guest_may_not_do_its_file_does_not(guest):
    guest.make("f", b"x")
    _, fd = guest.open("f", 0, READ)
    file = guest.instance.wasi.open(fd)
    assert not file.writable()
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"x")
    with pytest.raises(io.UnsupportedOperation):
        guest.instance.wasi.open(1).read()


def test_streams(guest):
    file = guest.instance.wasi.open(1)
    assert not file.seekable()
    file.write(b"from the host")
    assert guest.instance.wasi.stdout == b"from the host"
    fails(errno.ESPIPE, file.seek, 0)
