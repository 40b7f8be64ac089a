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


def debug_text(body: str, lines: dict[str, dict[int, int]]) -> str:
    """LLVM text with line tables.

    Args:
        body: functions; the n-th of ``lines`` has ``!dbg !{10 + n}``.
        lines: name of each function, and number of metadata to line of its instructions.
    """
    text = [
        body,
        "!llvm.dbg.cu = !{!1}",
        "!llvm.module.flags = !{!2, !3}",
        "!1 = distinct !DICompileUnit(language: DW_LANG_C, file: !4, emissionKind: LineTablesOnly)",
        '!2 = !{i32 2, !"Dwarf Version", i32 4}',
        '!3 = !{i32 2, !"Debug Info Version", i32 3}',
        '!4 = !DIFile(filename: "m", directory: "")',
        "!5 = !DISubroutineType(types: !6)",
        "!6 = !{}",
    ]
    for n, (name, numbers) in enumerate(lines.items()):
        text.append(
            f'!{10 + n} = distinct !DISubprogram(name: "{name.strip()}", file: !4, type: !5, '
            "unit: !1, spFlags: DISPFlagDefinition)"
        )
        text += [f"!{m} = !DILocation(line: {x}, scope: !{10 + n})" for m, x in numbers.items()]
    return "\n".join(text)
