"""What a program of ``everything`` does, in each engine, as something that can be compared."""

from __future__ import annotations

import random
import zlib
from ctypes import string_at
from functools import cache
from typing import TYPE_CHECKING, Any

import runwell
from runwell.elf.movable_maker import make_movable
from runwell.jit.compile import compile_job
from runwell.jit.installed import install
from runwell.jit.level import Level
from runwell.jit.measure import measure
from runwell.jit.places import leave_at
from runwell.jit.prepare import make_job
from runwell.runtime.context import current_context
from tests.fuzz.everything import EXPORTS, Everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from runwell.runtime.code import ModuleCode

FEATURES = "wide-arithmetic"
BUDGET, DEEP_BUDGET = 300, 200_000
# What wasmtime calls it, where that says as much as we do.
THEIR_TRAPS = {
    "MEMORY_OUT_OF_BOUNDS": {"OUT_OF_BOUNDS_MEMORY"},
    "TABLE_OUT_OF_BOUNDS": {"OUT_OF_BOUNDS_TABLE", "UNDEFINED_ELEMENT"},
    "INDIRECT_CALL_TO_NULL": {"UNINITIALIZED_ELEMENT"},
    "BAD_SIGNATURE": {"INDIRECT_CALL_TYPE_MISMATCH"},
    "INTEGER_OVERFLOW": {"INTEGER_OVERFLOW"},
    "INTEGER_DIVISION_BY_ZERO": {"INTEGER_DIVIDE_BY_ZERO"},
    "BAD_CONVERSION_TO_INTEGER": {"INVALID_CONVERSION"},
    "UNREACHABLE": {"UNREACHABLE"},
    "HEAP_MISALIGNED": {"UNALIGNED_ATOMIC"},
    # It looks at the bounds of a copy's one array before it looks whether the other is null.
    "ARRAY_OUT_OF_BOUNDS": {"OUT_OF_BOUNDS_ARRAY", "NULL_ARRAY"},
    "CAST_FAILURE": {"CAST_FAILURE"},
    "ATOMIC_WAIT_NON_SHARED_MEMORY": {"UNSHARED_MEMORY"},
    "NULL_REFERENCE": {"NULL_REFERENCE", "NULL_EXCEPTION", "NULL_FUNCTION_REFERENCE",
                       "NULL_STRUCTURE", "NULL_ARRAY", "NULL_I31"},
}  # fmt: skip


class How:
    """With which options a seed's program runs in our engines."""

    def __init__(self, seed: int) -> None:
        self.random = r = random.Random(f"how {seed}")
        self.deterministic = r.random() < 0.3
        fuel: bool | int = r.choice((500, 3000, 20_000)) if r.random() < 0.25 else False
        self.options: dict[str, Any] = {
            "bounds": r.choice(("guard", "guard", "explicit")),
            "deterministic": self.deterministic,
            "fuel": fuel,
            "max_frames": r.choice((40, 300, 2000)),
            "max_heap_bytes": 4 << 20,
            "features": FEATURES,
        }


def program(seed: int) -> str:
    """The text of a seed's program."""
    return Everything(seed, own_nans=How(seed).deterministic).text


def answer(a: int, b: int) -> int:
    """What the host function gives."""
    return (a * 7 ^ b * 31 ^ b >> 40) & 0x7FFFFFFF


def observe(
    data: bytes, options: dict[str, Any], compile_more: Callable[[ModuleCode], None] | None = None
) -> list[Any]:
    """What a program does, call by call.

    Args:
        data: the module.
        options: of the configuration.
        compile_more: is called with the module before each call and now and then from the host
            function, while guests are running.
    """
    engine = runwell.Engine(runwell.Config(engine="interpreter", **options))
    module = runwell.Module(data, engine=engine)
    asked: list[tuple[int, int]] = []

    def host(a: int, b: int) -> int:
        asked.append((a, b))
        if compile_more is not None and len(asked) % 5 == 2:
            compile_more(module.code)
            # The next loop looks for compiled code at once.
            current_context().native.budget = 1
        return answer(a, b)

    instance = runwell.Instance(module, {"m": {"host": host}})
    exports = instance.exports
    metered = options["fuel"] is not False
    found: list[Any] = []
    for n in range(2 * EXPORTS):
        k, deep = n % EXPORTS, n >= EXPORTS
        if compile_more is not None:
            compile_more(module.code)
        if metered:
            instance.fuel = int(options["fuel"])
        exports.budget.value = DEEP_BUDGET if deep else BUDGET
        found.append(_outcome(exports[f"run{k}"], k * 77 - 3, k * 0x1234567890ABC - 5))
        fuel = instance.fuel if metered else None
        found.append(("counts", exports.budget.value, exports.calls.value, fuel))
        if metered:
            instance.fuel = 1 << 40
        exports.digest()
        memories = [zlib.crc32(_bytes(exports[name])) for name in ("m0", "m1")]
        found.append(("state", exports.sum.value, memories, len(asked), asked[-2:]))
    return found


def _outcome(function: Callable[..., object], *arguments: int) -> tuple[object, ...]:
    try:
        function(*arguments)
    except runwell.Trap as trap:
        frames = [(f.function, f.offset) for f in trap.backtrace]
        return ("trap", trap.code.name, frames)
    except runwell.WasmException as error:
        values = [v if isinstance(v, int) else str(v) for v in error.values]
        return ("exception", values, [(f.function, f.offset) for f in error.backtrace])
    return ("returned",)


def _bytes(memory: runwell.Memory) -> bytes:
    return bytes(memoryview(memory))


class Compiling:
    """Compiles some functions, in units of some, again and again, as a seed decides.

    Of some only the loops are to be entered, as if they had become hot there.
    """

    def __init__(self, seed: int, most: int) -> None:
        self.random, self.left = random.Random(f"compiling {seed}"), most

    def __call__(self, code: ModuleCode) -> None:
        """Compile something, or not."""
        r = self.random
        if not self.left or r.random() < 0.3:
            return
        self.left -= 1
        functions = list(range(code.module.n_imported_functions, code.n_functions))
        compile_unit(code, sorted(r.sample(functions, r.randint(1, min(6, len(functions))))), r)


def compile_unit(code: ModuleCode, unit: list[int], r: random.Random) -> None:
    """Compile functions together: some to be entered at loops, some nowhere else, some to be left.

    What is left at a loop is entered there again, at once, if there is no better code for it.
    """
    job = make_job(code, unit, r.choice(list(Level)))
    chosen = []
    for function in job.functions:
        sizes = measure(code, function.function)
        assert sizes is not None
        loops = tuple(header for header, _ in sizes.spans if r.random() < 0.6)
        is_whole = not loops or r.random() < 0.6
        chosen.append(function._replace(entries=loops, is_whole=is_whole))
        if loops and r.random() < 0.5:
            leave_at(code.code_address(function.function), r.choice(loops))
    install(make_movable(compile_job(job._replace(functions=tuple(chosen)))), code)


def everything_compiled(seed: int) -> Callable[[ModuleCode], None]:
    """Compiles all functions before the first call, as one unit, at the best level."""
    done: list[bool] = []

    def compile_all(code: ModuleCode) -> None:
        if not done:
            done.append(True)
            functions = range(code.module.n_imported_functions, code.n_functions)
            install(make_movable(compile_job(make_job(code, functions))), code)

    return compile_all


def compare(seed: int, data: bytes) -> str:
    """Run a module in all engines; what is not the same, or "".

    Args:
        seed: decides about options, and what is compiled when.
        data: the module.
    """
    how = How(seed)
    expected = observe(data, how.options)
    ways: list[tuple[str, dict[str, Any], Callable[[ModuleCode], None] | None]] = [
        ("some compiled", how.options, Compiling(seed, 3)),
    ]
    if seed % 3 == 0:
        ways.append(("all compiled", how.options, everything_compiled(seed)))
    if how.options["bounds"] == "explicit":
        ways.append(("guarded", {**how.options, "bounds": "guard"}, None))
    for name, options, compile_more in ways:
        found = observe(data, options, compile_more)
        for n, (was, own) in enumerate(zip(expected, found, strict=True)):
            if was != own:
                return f"{name}: at {n}: interpreted {was}, not {own}"
    return _compare_with_peer(how, data, expected)


@cache
def peer_engine() -> Any:
    """An engine of wasmtime with all that it has; None if it is not installed."""
    try:
        import wasmtime
    except ImportError:
        return None
    config = wasmtime.Config()
    for name in (
        "threads", "tail_call", "reference_types", "simd", "relaxed_simd", "bulk_memory",
        "multi_value", "multi_memory", "memory64", "function_references", "gc", "wide_arithmetic",
        "exceptions", "relaxed_simd_deterministic",
    ):  # fmt: skip
        setattr(config, f"wasm_{name}", True)
    config.shared_memory = True
    config.cranelift_opt_level = "none"
    return wasmtime.Engine(config)


def _compare_with_peer(how: How, data: bytes, expected: list[Any]) -> str:
    """As ``compare``, with wasmtime: what it does as well, and as long as it does."""
    engine = peer_engine()
    if engine is None or how.deterministic or how.options["fuel"] is not False:
        return ""
    import wasmtime

    store = wasmtime.Store(engine)
    try:
        module = wasmtime.Module(engine, data)
    except wasmtime.WasmtimeError as error:
        if "relaxed" in str(error) or "not supported" in str(error):
            return ""
        return f"wasmtime: {error}"
    i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
    host = wasmtime.Func(store, wasmtime.FuncType([i32, i64], [i32]), answer)
    exports = wasmtime.Instance(store, module, [host]).exports(store)
    for k in range(EXPORTS):
        outcome, counts, state = expected[3 * k : 3 * k + 3]
        if outcome[:2] == ("trap", "STACK_EXHAUSTED") or outcome[:2] == ("trap", "HEAP_EXHAUSTED"):
            return ""
        exports["budget"].set_value(store, BUDGET)
        try:
            exports[f"run{k}"](store, k * 77 - 3, k * 0x1234567890ABC - 5)
            kind = "returned"
        except wasmtime.Trap as trap:
            code = trap.trap_code
            # An exception that nobody catches has no code.
            kind = code.name if code is not None else "exception"
        except wasmtime.WasmtimeError as error:
            kind = str(error)
        own = outcome[1] if outcome[0] == "trap" else outcome[0]
        if kind != own and own not in THEIR_TRAPS.get(kind, ()):
            if kind == "STACK_OVERFLOW":
                return ""
            return f"wasmtime: call {k}: {outcome}, not {kind}"
        exports["digest"](store)
        memories = []
        for name in ("m0", "m1"):
            memory = exports[name]
            if isinstance(memory, wasmtime.Memory):
                content = memory.read(store, 0, memory.data_len(store))
            else:
                content = string_at(memory.data_ptr(), memory.data_len())
            memories.append(zlib.crc32(content))
        theirs = (exports["sum"].value(store), memories)
        if theirs != (state[1], state[2]):
            return f"wasmtime: call {k}: {(state[1], state[2])}, not {theirs}"
        if exports["calls"].value(store) != counts[2]:
            return f"wasmtime: call {k}: calls {counts[2]}, not {exports['calls'].value(store)}"
    return ""
