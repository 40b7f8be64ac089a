"""Build the examples' ``.wasm`` files from C: ``python examples/build.py`` (needs ``ziglang``)."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLUGINS = {"prices"}  # no main: called by the host, and free of a C library


def main() -> None:
    """Compile every ``.c`` file beside this one."""
    for source in sorted(HERE.glob("*.c")):
        target = source.with_suffix(".wasm")
        flags = ["-target", "wasm32-wasi"]
        if source.stem in PLUGINS:
            flags = ["-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry"]
        command = [sys.executable, "-m", "ziglang", "cc", "-O2", "-s", *flags]
        subprocess.run([*command, "-o", target, source], check=True)
        target.chmod(0o644)
        print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
