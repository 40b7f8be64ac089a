import os
import subprocess
import sys

import pytest

from runwell.codegen import cpu
from runwell.codegen.cpu import fingerprint


def test_fingerprint():
    assert fingerprint() == fingerprint()
    assert fingerprint().startswith(os.uname().machine)


def test_needs_no_llvm():
    code = (
        "import sys, runwell.codegen.cpu as c; c.fingerprint(); "
        "print('llvmlite' in sys.modules, 'subprocess' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


FLAGS = {
    "x86-64-v2": "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
    "x86-64-v3": "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
    "x86-64-v4": "avx512bw avx512cd avx512dq avx512f avx512vl",
}


@pytest.mark.parametrize("count", range(4))
def test_levels(monkeypatch, count):
    flags = " ".join([*list(FLAGS.values())[:count], "fpu"])
    monkeypatch.setattr(cpu, "_processor", lambda: ["processor : 0", f"flags\t\t: {flags}"])
    assert cpu.levels() == list(FLAGS)[:count][::-1]
    for missing in flags.split()[:-1]:
        fewer = flags.replace(missing, "", 1)
        monkeypatch.setattr(cpu, "_processor", lambda fewer=fewer: [f"flags : {fewer}"])
        assert len(cpu.levels()) < count


def test_no_levels_elsewhere(monkeypatch):
    monkeypatch.setattr(cpu, "_processor", lambda: ["Features : fp asimd"])
    assert cpu.levels() == []
    assert cpu.levels(all_of_them=True) == list(FLAGS)[::-1]
