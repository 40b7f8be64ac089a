import io
import subprocess
import sys

import pytest

from runwell.codegen.object import compile_text
from runwell.codegen.worker import read_message, write_message

TEXT = "define i32 @f() {\n  ret i32 7\n}\n"


def test_messages():
    file = io.BytesIO()
    write_message(file, 3, b"abc")
    file.seek(0)
    assert read_message(file) == (3, b"abc")
    with pytest.raises(EOFError):
        read_message(file)
    with pytest.raises(ValueError, match="not a message"):
        read_message(io.BytesIO(b"hello, world"))


def test_serves_until_its_input_ends():
    requests = io.BytesIO()
    write_message(requests, 2, TEXT.encode())
    write_message(requests, 2, b"nonsense")
    write_message(requests, 0, TEXT.encode())
    done = subprocess.run(
        [sys.executable, "-c", "from runwell.codegen.worker import main; main()"],
        input=requests.getvalue(), capture_output=True, check=True,
    )  # fmt: skip
    answers = io.BytesIO(done.stdout)
    assert read_message(answers) == (0, compile_text(TEXT, 2))
    status, message = read_message(answers)
    assert status == 1
    assert b"expected top-level entity" in message
    assert read_message(answers) == (0, compile_text(TEXT, 0))
    assert answers.read() == b""
