"""Which machine native code is for, without asking LLVM: part of the key of cached code."""

import os

# The levels of the x86-64 psABI, each with what it adds to the one before, as Linux calls it.
_LEVELS = {
    "x86-64-v2": "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
    "x86-64-v3": "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
    "x86-64-v4": "avx512bw avx512cd avx512dq avx512f avx512vl",
}


def fingerprint() -> str:
    """A text that differs between machines whose native code may differ.

    It is the architecture and, where Linux tells, the processor's model and features.
    """
    machine = os.uname().machine
    wanted = ("flags", "Features", "model name", "CPU part", "CPU implementer")
    lines = [line for line in _processor() if line.startswith(wanted)]
    return "\n".join([machine, *lines])


def levels(*, all_of_them: bool = False) -> list[str]:
    """The levels that this processor has, the highest first; none where there are none.

    Args:
        all_of_them: also those that it does not have.
    """
    if all_of_them:
        return [*reversed(_LEVELS)]
    flags = {
        flag
        for line in _processor()
        if line.startswith("flags")
        for flag in line.partition(":")[2].split()
    }
    found: list[str] = []
    for level, needed in _LEVELS.items():
        if not flags.issuperset(needed.split()):
            break
        found.insert(0, level)
    return found


def _processor() -> list[str]:
    """What Linux says of the first processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return file.read(8192).partition("\n\n")[0].splitlines()
    except OSError:
        return []
