"""The program that compiles LLVM text for another process.

Messages both ways: a byte (level; or status, 0 for an object, 1 for an error), the length in eight
bytes, little-endian, and the data.  It ends when its input does.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import IO
else:
    import _signal as signal

MAGIC = 0xA5  # first byte of an answer's header, so that stray output is noticed


def read_message(file: IO[bytes]) -> tuple[int, bytes]:
    """Read a message.

    Raises:
        EOFError: there is no more.
        ValueError: it is no message.
    """
    head = _read(file, 10)
    if head[0] != MAGIC:
        raise ValueError("not a message")
    return head[1], _read(file, int.from_bytes(head[2:], "little"))


def _read(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError
    return data


def write_message(file: IO[bytes], tag: int, data: bytes) -> None:
    """Write a message."""
    file.write(bytes([MAGIC, tag]) + len(data).to_bytes(8, "little") + data)
    file.flush()


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints does not disturb the answers
    requests = os.fdopen(0, "rb", closefd=False)

    from runwell.codegen.object import CodegenError, compile_text

    while True:
        try:
            level, text = read_message(requests)
        except EOFError:
            return
        try:
            tag, data = 0, compile_text(text.decode(), level)
        except CodegenError as e:
            tag, data = 1, str(e).encode()
        write_message(answers, tag, data)
