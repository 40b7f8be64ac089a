"""Modules made to be dear to compile: what they cost here, and what they cost the peer.

    python bench/bombs.py [--sizes 10,30,100] [--engines tiered,jit] [--no-peer] [SHAPE …]

Each shape of ``bomb_shapes`` runs at each size (kilobytes of binary) in a process of its own: first
interpreted, as often as takes ``RUN_S``, then in the other engines as often.  ``wall`` is from the
bytes of the module to the result; ``cpu`` is the processor time of the process and of its
compilers, all of it, also what was spent in the background.  Nothing is in the cache but the native
core.  The ratio is of processor time to that of interpreting alone, for which ``docs/bombs.md``
states a bound; so it is the same on a machine that has other things to do.  The peer's figure is
the processor time that wasmtime takes to compile the module, which is given up after
``PEER_LIMIT_S`` by the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.bomb_shapes import SHAPES, module_of  # noqa: E402
from bench.cold import copy_core  # noqa: E402

RUN_S = 0.2
PEER_LIMIT_S = 30
LIMIT_S = 120


def binary_of(shape: str, bytes_: int) -> bytes:
    """The module of a shape."""
    from runwell.base.features import ALL
    from runwell.text.parser import parse

    return parse(module_of(shape, bytes_), ALL)


def _cpu() -> float:
    total = 0.0
    for who in resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN:
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total


def measure(shape: str, bytes_: int, engine: str, times: int) -> dict[str, float]:
    """Run a shape in this process; ``times`` 0 finds out how often is enough."""
    data = binary_of(shape, bytes_)
    if engine == "wasmtime":
        import wasmtime

        peer = wasmtime.Engine()
        cpu, start = _cpu(), time.perf_counter()
        wasmtime.Module(peer, data)
        return {"wall": time.perf_counter() - start, "cpu": _cpu() - cpu}
    import runwell

    runwell.Instance(runwell.Module("(module)"))  # the core is loaded
    cpu, start = _cpu(), time.perf_counter()
    module = runwell.Module(data, engine=runwell.Engine(runwell.Config(engine=engine)))
    instance = runwell.Instance(module)
    if times == 0:
        times = 1
        while True:
            begun = time.perf_counter()
            instance.exports.run(times)
            took = time.perf_counter() - begun
            if took > RUN_S / 4:
                break
            times *= 4
        times = max(1, round(times * RUN_S / took))
        cpu, start = _cpu(), time.perf_counter()
        module = runwell.Module(data, engine=runwell.Engine(runwell.Config(engine=engine)))
        instance = runwell.Instance(module)
    result = instance.exports.run(times)
    wall = time.perf_counter() - start
    del instance, module
    if engine != "interpreter":
        from runwell.jit.compiler import close_shared
        from runwell.jit.watch import watch

        watch.close()
        close_shared()  # their time counts when they have ended
    return {"wall": wall, "cpu": _cpu() - cpu, "times": times, "result": result, "size": len(data)}


def run(shape: str, bytes_: int, engine: str, times: int = 0) -> dict[str, float] | None:
    """``measure`` in a process of its own; None if that takes too long."""
    command = [sys.executable, __file__, "--child", shape, str(bytes_), engine, str(times)]
    limit = PEER_LIMIT_S if engine == "wasmtime" else LIMIT_S
    with tempfile.TemporaryDirectory() as cache:
        copy_core(cache)
        environment = os.environ | {"RUNWELL_CACHE_DIR": cache}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=limit, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            return None
    if done.returncode:
        raise SystemExit(f"{shape}, {bytes_} bytes, {engine}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Run what the command line names, and print a line each."""
    if sys.argv[1:2] == ["--child"]:
        shape, bytes_, engine, times = sys.argv[2:]
        print(json.dumps(measure(shape, int(bytes_), engine, int(times))))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10,30,100")
    parser.add_argument("--engines", default="tiered,jit")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    args = parser.parse_args()
    engines = args.engines.split(",")
    print(f"{'shape':20} {'kB':>4} {'interpreted':>12}", end="")
    for engine in engines:
        print(f" {engine + ' wall':>12} {'cpu':>7} {'ratio':>6}", end="")
    print("" if args.no_peer else "  wasmtime compiles")
    worst: dict[str, float] = {}
    for shape in args.shapes:
        for kilobytes in map(int, args.sizes.split(",")):
            base = run(shape, kilobytes * 1000, "interpreter")
            assert base is not None
            print(f"{shape:20} {base['size'] / 1000:4.0f} {base['cpu']:11.3f}s", end="")
            for engine in engines:
                found = run(shape, kilobytes * 1000, engine, int(base["times"]))
                if found is None:
                    print(f" {f'> {LIMIT_S}s':>12}", end="")
                    continue
                assert found["result"] == base["result"], (shape, engine)
                ratio = found["cpu"] / base["cpu"]
                worst[engine] = max(worst.get(engine, 0), ratio)
                print(f" {found['wall']:11.3f}s {found['cpu']:6.2f}s {ratio:6.2f}", end="")
            if not args.no_peer:
                peer = run(shape, kilobytes * 1000, "wasmtime")
                print(
                    f" {'> ' + str(PEER_LIMIT_S) if peer is None else round(peer['cpu'], 2)!s:>8}s"
                )
            else:
                print()
            sys.stdout.flush()
    for engine, ratio in worst.items():
        print(f"{engine}: at most {ratio:.2f} × interpreting alone")


if __name__ == "__main__":
    main()
