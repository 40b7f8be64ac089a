"""Which machine native code is for, without asking LLVM: part of the key of cached code."""

import os


def fingerprint() -> str:
    """A text that differs between machines whose native code may differ.

    It is the architecture and, where Linux tells, the processor's model and features.
    """
    machine = os.uname().machine
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(8192).partition("\n\n")[0]  # of the first processor
    except OSError:
        return machine
    wanted = ("flags", "Features", "model name", "CPU part", "CPU implementer")
    lines = [line for line in first.splitlines() if line.startswith(wanted)]
    return "\n".join([machine, *lines])
