"""Every function of WASI preview 1, called by programs in C, and every error it has a name for.

``conformance/THEME.c`` calls the raw imports and prints a line a check; each runs as a command of
its own in an empty directory.
"""

import socket
import subprocess
import sys

import pytest
from tests.wasi.building import CONFORMANCE, NATIVE, build, conformance

import runwell
from runwell.wasi.preview1 import names

ENDS = {"process": 33}  # exit codes other than 0
APART = ("connection", "posix")  # what needs more than an empty directory
THEMES = sorted(p.stem for p in CONFORMANCE.glob("*.c") if p.stem not in APART)


def run(path, root):
    """What a program says, and its exit code."""
    (root / "root").mkdir()
    line = [sys.executable, "-m", "runwell", "run", "--dir", f"{root / 'root'}::/"]
    line += ["--arg0", "process", "--env", "A=1", "--env", "EMPTY=", "--env", "PHRASE=x = y"]
    done = subprocess.run(
        [*line, str(path), "second one", "", "é"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout.splitlines(), done.returncode, done.stderr


@pytest.mark.parametrize("theme", THEMES)
def test_calls(theme, tmp_path):
    lines, code, errors = run(conformance(theme), tmp_path)
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert (code, errors) == (ENDS.get(theme, 0), "")
    assert "0 failures" in lines


def test_every_function_is_called(tmp_path):
    seen = set()
    for theme in THEMES:
        folder = tmp_path / theme
        folder.mkdir()
        lines, _, _ = run(conformance(theme), folder)
        seen |= {line.split()[1].rstrip(":") for line in lines if line.startswith("ok")}
    assert set(names()) - seen == set()


def test_the_c_library_behaves_as_it_does_natively(tmp_path):
    native, ours = tmp_path / "native", tmp_path / "ours"
    commands = {
        native: ["env", "-C", native, build(CONFORMANCE / "posix.c", target=NATIVE)],
        ours: [sys.executable, "-m", "runwell", "run", "--dir", f"{ours}::/",
               build(CONFORMANCE / "posix.c")],
    }  # fmt: skip
    said = {}
    for root, line in commands.items():
        root.mkdir()
        done = subprocess.run([*map(str, line)], capture_output=True, text=True, timeout=120)
        files = sorted(p.relative_to(root) for p in root.rglob("*"))
        said[root] = (done.stdout.splitlines(), done.stderr, done.returncode, files)
    assert said[ours][:2] == said[native][:2]
    assert said[ours][2:] == said[native][2:]
    assert said[native][2] == 7


class Peer:
    """The other end of a conversation, which does what the guest's output asks of it."""

    def __init__(self, listener):
        self.address, self.socket = listener.getsockname(), None
        self.lines, self.rest = [], b""

    def hear(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.lines.append(line.decode())
            who, _, what = line.decode().partition(": ")
            if who == "peer":
                verb, _, words = what.partition(" ")
                getattr(self, verb)(words.encode())

    def connect(self, _):
        self.socket = socket.create_connection(self.address, timeout=60)

    def send(self, words):
        self.socket.sendall(words)

    def receive(self, words):
        wanted = b"" if words == b"nothing more" else words
        assert self.socket.recv(max(1, len(wanted)), socket.MSG_WAITALL) == wanted

    def close(self, _):
        self.socket.close()


def test_a_conversation(tmp_path):
    module = runwell.Module(str(conformance("connection")))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer(listener)
        wasi = runwell.WasiConfig(
            preopens={"/": tmp_path}, listeners=[listener], stdin=None, stdout=peer.hear
        )
        code = runwell.Instance(module, wasi=wasi).run()
    assert [line for line in peer.lines if line.startswith("FAIL")] == []
    assert (code, peer.lines[-1]) == (0, "0 failures")
