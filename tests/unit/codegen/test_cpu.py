import os
import subprocess
import sys

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
