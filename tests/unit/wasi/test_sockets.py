"""Sockets that the host listens on."""

import socket
import struct
import threading

import pytest
from tests.wasi.guest import DATA, RESULT, Guest

from runwell.wasi.sockets import address

LISTENER, NONBLOCK = 3, 4
PEEK, WAITALL = 1, 2
FLAGS = 32


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def guest(listener):
    return Guest(listeners=[listener])


@pytest.fixture
def peer(listener):
    with socket.create_connection(listener.getsockname()) as made:
        yield made


def accept(guest, flags=0):
    error = guest.sock_accept(LISTENER, flags, RESULT)
    return error, guest.u32()


def receive(guest, fd, size=100, flags=0):
    at = guest.vectors((DATA, size))
    error = guest.sock_recv(fd, at, 1, flags, RESULT, FLAGS)
    return error if error != "SUCCESS" else bytes(guest.memory[DATA : DATA + guest.u32()])


def send(guest, fd, data):
    guest.memory[DATA : DATA + len(data)] = data
    return guest.sock_send(fd, guest.vectors((DATA, len(data))), 1, 0, RESULT)


def test_a_conversation(guest, peer):
    assert accept(guest) == ("SUCCESS", 4)
    peer.sendall(b"hello")
    assert receive(guest, 4) == b"hello"
    assert send(guest, 4, b"and back") == "SUCCESS"
    assert peer.recv(100) == b"and back"
    # the calls for files do for sockets too
    assert guest.write(4, b"again") == "SUCCESS"
    assert peer.recv(100) == b"again"
    peer.sendall(b"more")
    assert guest.read(4) == b"more"
    assert guest.sock_shutdown(4, 2) == "SUCCESS"
    assert peer.recv(100) == b""
    peer.shutdown(socket.SHUT_WR)
    assert receive(guest, 4) == b""
    assert guest.fd_close(4) == "SUCCESS"


def test_peeking_and_waiting_for_all(guest, peer):
    _, fd = accept(guest)
    peer.sendall(b"abc")
    assert receive(guest, fd, 2, PEEK) == b"ab"
    threading.Timer(0.05, peer.sendall, [b"defg"]).start()
    assert receive(guest, fd, 6, WAITALL) == b"abcdef"
    assert receive(guest, fd, 6) == b"g"


def test_not_to_wait(guest, listener):
    assert guest.fd_fdstat_set_flags(LISTENER, NONBLOCK) == "SUCCESS"
    assert accept(guest)[0] == "AGAIN"
    with socket.create_connection(listener.getsockname()) as peer:
        error, fd = accept(guest, NONBLOCK)
        assert error == "SUCCESS"
        assert receive(guest, fd) == "AGAIN"
        assert guest.read(fd) == "AGAIN"
        assert guest.fd_fdstat_set_flags(fd, 0) == "SUCCESS"
        threading.Timer(0.05, peer.sendall, [b"late"]).start()
        assert receive(guest, fd) == b"late"
    # the user's own socket is as it was
    assert listener.getblocking()


def test_rights_and_kinds(guest, peer):
    _, fd = accept(guest)
    kinds = []
    for number in (LISTENER, fd):
        assert guest.fd_fdstat_get(number, DATA) == "SUCCESS"
        kinds.append(guest.memory[DATA])
    assert kinds == [6, 6]
    assert guest.read(LISTENER) == "NOTCAPABLE"
    assert send(guest, LISTENER, b"x") == "NOTCAPABLE"
    assert guest.sock_shutdown(LISTENER, 1) == "NOTCAPABLE"
    assert guest.sock_accept(fd, 0, RESULT) == "NOTCAPABLE"
    assert guest.fd_seek(fd, 0, 0, RESULT) == "SPIPE"
    assert guest.sock_shutdown(fd, 0) == guest.sock_shutdown(fd, 4) == "INVAL"
    assert receive(guest, fd, flags=4) == "INVAL"
    assert accept(guest, 1)[0] == "INVAL"


def test_waiting_for_a_connection(guest, listener):
    struct.pack_into("<QB7xI", guest.memory, 256, 7, 1, LISTENER)
    made = []

    def connect():
        made.append(socket.create_connection(listener.getsockname()))

    timer = threading.Timer(0.05, connect)
    timer.start()
    assert guest.poll_oneoff(256, DATA, 1, RESULT) == "SUCCESS"
    assert struct.unpack_from("<QHB", guest.memory, DATA) == (7, 0, 1)
    assert accept(guest)[0] == "SUCCESS"
    timer.join()
    made[0].close()


def test_a_peer_that_has_gone(guest, peer):
    _, fd = accept(guest)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    assert receive(guest, fd) == "CONNRESET"
    assert send(guest, fd, b"x") == "PIPE"
    assert guest.write(fd, b"x") == "PIPE"


def test_sockets_come_after_directories(tmp_path, listener):
    guest = Guest(preopens={"/": tmp_path}, listeners=[listener, "127.0.0.1:0"])
    assert guest.fd_prestat_get(3, DATA) == "SUCCESS"
    assert guest.fd_prestat_get(4, DATA) == "BADF"
    guest.fd_fdstat_set_flags(5, NONBLOCK)
    assert guest.sock_accept(5, 0, RESULT) == "AGAIN"


def test_addresses():
    assert address("localhost:80") == ("localhost", 80)
    assert address("[::1]:8080") == ("::1", 8080)
    assert address(":0") == ("", 0)
    for text in ("80", "host:", "host:x", "host:99999"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            address(text)
    with pytest.raises(ValueError, match="HOST:PORT"):
        Guest(listeners=["nowhere"])
