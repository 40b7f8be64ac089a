"""The conformance programs under wasmtime-py: each check whose answer is not ours.

    python -m tests.wasi.compare

``docs/wasi.md`` says which differences are meant, and why.  Checks that end the program there are
left out of what it is given.
"""

import subprocess
import sys
import tempfile

from tests.wasi.building import CONFORMANCE, build

RUN = """
import sys, wasmtime
engine = wasmtime.Engine()
linker, store, wasi = wasmtime.Linker(engine), wasmtime.Store(engine), wasmtime.WasiConfig()
linker.define_wasi()
wasi.argv = ["process", "second one", "", "\\xe9"]
wasi.env = [("A", "1"), ("EMPTY", ""), ("PHRASE", "x = y")]
wasi.preopen_dir(sys.argv[2], "/")
wasi.inherit_stdin(); wasi.inherit_stdout(); wasi.inherit_stderr()
store.set_wasi(wasi)
instance = linker.instantiate(store, wasmtime.Module.from_file(engine, sys.argv[1]))
try:
    instance.exports(store)["_start"](store)
except wasmtime.ExitTrap as exit_:
    sys.exit(exit_.code)
"""


def say(text):
    sys.stdout.write(text + "\n")


def main():
    for path in sorted(CONFORMANCE.glob("*.c")):
        if path.stem in ("connection", "posix"):  # not for its directory alone
            continue
        with tempfile.TemporaryDirectory() as root:
            module = build(path, "-DPEER")
            line = [sys.executable, "-c", RUN, str(module), root]
            done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        lines = done.stdout.splitlines()
        checks = [line for line in lines if line.startswith(("ok ", "FAIL"))]
        differ = [line for line in checks if line.startswith("FAIL")]
        say(f"{path.stem}: {len(checks)} checks, {len(differ)} differ")
        for text in differ:
            say("  " + text.removeprefix("FAIL "))
        if "wasm backtrace" in done.stderr:
            say("  ended: " + done.stderr.strip().splitlines()[-1].strip())


if __name__ == "__main__":
    main()
