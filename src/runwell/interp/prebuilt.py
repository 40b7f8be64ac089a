"""Native cores that come with the package: made with a wheel, each for a class of processors.

    python -m runwell.interp.prebuilt DIRECTORY [LEVEL...]

A wheel that has them needs no LLVM to run programs.  They lie in ``cores`` beside our sources and
are trusted as these are.  One is used if it was made for this Python, for a level that this
processor has, and from these sources: each has the size that it had, and none was written later
than the core itself was.  Else the core is built, as if there were none.

The levels are those of the x86-64 psABI, by LLVM's names.
"""

from __future__ import annotations

import os

from runwell.codegen.cpu import levels
from runwell.codegen.own_files import read_key, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

# What a wheel has by default: whatever is left of the oldest, and nearly all machines.
LEVELS: Final = ("x86-64-v2", "x86-64-v3")
# An installer writes one file after the other.
_SLACK_NS: Final = 600 * 10**9


def find(directory: str, python: str, stamps: Sequence[str]) -> str:
    """The best core for this process, or "".

    Args:
        directory: where they are.
        python: what it depends on beside the sources and the processor.
        stamps: path, size and time of each source.
    """
    try:
        there = os.listdir(directory)
    except OSError:
        return ""
    written = [stamp.rpartition(" ") for stamp in stamps]
    latest_ns = max(int(time_ns) for _, _, time_ns in written)
    sources = [source for source, _, _ in written]
    for level in levels():
        if file_name(level) in there:
            path = os.path.join(directory, file_name(level))
            try:
                is_old = latest_ns > os.stat(path).st_mtime_ns + _SLACK_NS
            except OSError:
                continue
            if not is_old and read_key(path, is_ours=False) == _key(python, level, sources):
                return path
    return ""


def make(directory: str, wanted: Sequence[str]) -> list[str]:
    """Build cores for levels; the paths.

    Raises:
        ValueError: one is unknown.
        OSError: a file cannot be written.
    """
    import sys

    from runwell.codegen.target import CPU_VARIABLE
    from runwell.interp.core import build, python_key, source_stamps

    made = []
    for level in wanted:
        if level not in levels(all_of_them=True):
            raise ValueError(f"{level!r} is no level of a processor: {', '.join(LEVELS)}")
        os.environ[CPU_VARIABLE] = level
        data = build(lambda phase, done, total: None)
        sources = [stamp.rpartition(" ")[0] for stamp in source_stamps()]
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, file_name(level))
        write(path, data, _key(python_key(), level, sources))
        os.chmod(path, 0o644)
        made.append(path)
        print(path, file=sys.stderr)  # noqa: T201 (a build takes long)
    return made


def file_name(level: str) -> str:
    """What the core for a level is called."""
    return f"core-{level}.so"


def _key(python: str, level: str, sources: Sequence[str]) -> str:
    return "\n".join([python, level, *sources])


if __name__ == "__main__":
    import sys

    make(sys.argv[1], sys.argv[2:] or LEVELS)
