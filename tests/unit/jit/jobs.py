"""Jobs for compilers under test: the first line says what to do, the rest is LLVM text."""

import os
import sys
import time

from runwell.codegen.object import compile_text

FUNCTION = "tests.unit.jit.jobs:work"
TEXT = b"define i32 @f() {\n  ret i32 7\n}\n"


def work(data: bytes) -> bytes:
    what, _, text = data.partition(b"\n")
    if what == b"abort":
        sys.stderr.write("about to die")
        sys.stderr.flush()
        os.abort()
    if what == b"hang":
        while True:
            pass
    if what == b"sleep":
        time.sleep(1000)
    if what == b"refuse":
        raise ValueError("not this one")
    if what == b"grow":
        kept = []
        while True:
            kept.append(bytearray(1 << 24))
    if what == b"files":
        raise ValueError(" ".join(sorted(os.listdir("/proc/self/fd"))))
    if what == b"environment":
        raise ValueError(" ".join(sorted(os.environ)))
    return compile_text(text.decode(), 2)


def job(what: str = "compile", text: bytes = TEXT) -> bytes:
    return what.encode() + b"\n" + text
