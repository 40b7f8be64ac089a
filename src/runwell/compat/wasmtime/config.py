"""``Config``: what an engine is to do."""

import os
import platform
from collections.abc import Callable
from typing import Any

from runwell.base.limits import FRAMES
from runwell.compat.wasmtime.errors import WasmtimeError
from runwell.compat.wasmtime.managed import Managed
from runwell.embed import config as embed

# Options that are features, by the names that Runwell has for them.
_FEATURES = {
    "gc_support": "gc",
    "wasm_threads": "threads",
    "wasm_tail_call": "tail-call",
    "wasm_reference_types": "reference-types",
    "wasm_simd": "simd",
    "wasm_relaxed_simd": "relaxed-simd",
    "wasm_bulk_memory": "bulk-memory",
    "wasm_multi_value": "multi-value",
    "wasm_multi_memory": "multi-memory",
    "wasm_memory64": "memory64",
    "wasm_exceptions": "exception-handling",
    "wasm_function_references": "function-references",
    "wasm_gc": "gc",
    "wasm_wide_arithmetic": "wide-arithmetic",
    "wasm_custom_page_sizes": "custom-page-sizes",
}
_ALWAYS = "As it always is here, whatever is chosen: "
_NOTHING = "Has no effect: "
# Bytes that a small frame of wasmtime's takes.
_FRAME_BYTES = 64


def _one_of(*values: str) -> Callable[[str, str], None]:
    def check(name: str, value: str) -> None:
        if value not in values:
            raise WasmtimeError(f"unknown {name}: {value}; it is {', '.join(values)}")

    return check


def _check_cache(name: str, value: bool | str) -> None:
    if value is False:
        raise WasmtimeError("caching cannot be explicitly disabled")
    if isinstance(value, str) and not os.path.isfile(value):
        raise WasmtimeError(f"failed to read the cache's configuration {value!r}")


def _check_target(name: str, value: str) -> None:
    here = platform.machine()
    if value.partition("-")[0] != here:
        raise WasmtimeError(f"unknown target {value!r}: code is made for this machine, {here}")


def _check_stack(name: str, value: int) -> None:
    if value <= 0:
        raise WasmtimeError(f"{name} must be positive, not {value}")


def _accept(name: str, value: object) -> None:
    """Any value of the right type will do."""


def _option(
    name: str,
    types: type | tuple[type, ...],
    doc: str,
    check: Callable[[str, Any], None] = _accept,
) -> property:
    """An option, which can only be written."""

    def put(self: "Config", value: Any) -> None:
        self._check_open()
        if not isinstance(value, types) or (types is int and isinstance(value, bool)):
            wanted = types if isinstance(types, type) else types[0]
            raise TypeError(f"{name} is a {wanted.__name__}, not {type(value).__name__}")
        check(name, value)
        self.chosen[name] = value

    return property(fset=put, doc=doc)


_OPTIONS: dict[str, tuple[Any, ...]] = {
    **{name: (bool, f"Is the feature {feature} on?") for name, feature in _FEATURES.items()},
    "cache": ((bool, str), _ALWAYS + "compiled code is kept.", _check_cache),
    "consume_fuel": (bool, "Does running cost fuel?"),
    "cranelift_debug_verifier": (bool, _NOTHING + "there is no Cranelift."),
    "cranelift_nan_canonicalization": (bool, "Is every NaN that is made the canonical one?"),
    "cranelift_opt_level": (
        str,
        _NOTHING + "what is worth it is optimised, in the background.",
        _one_of("none", "speed", "speed_and_size"),
    ),
    "debug_info": (bool, _NOTHING + "backtraces have lines where modules do."),
    "epoch_interruption": (bool, "Do guests stop at the deadline of their store's epochs?"),
    "macos_use_mach_ports": (bool, _NOTHING + "this is no macOS."),
    "max_wasm_stack": (
        int,
        f"Bytes of stack; here it limits the frames of guests, one for each {_FRAME_BYTES} bytes.",
        _check_stack,
    ),
    "memory_guard_size": (int, _NOTHING + "memories of 32 bits have guards that are large enough."),
    "memory_init_cow": (bool, _NOTHING + "pools copy on write."),
    "memory_may_move": (bool, _NOTHING + "memories never move."),
    "memory_reservation": (
        int,
        _NOTHING + "memories of 32 bits reserve all that they can address.",
    ),
    "memory_reservation_for_growth": (int, _NOTHING + "memories never move."),
    "native_unwind_info": (bool, _NOTHING + "native frames form a chain."),
    "parallel_compilation": (bool, _NOTHING + "compilers are processes of their own."),
    "profiler": (
        str,
        "Which profiler learns of compiled code: ``none``; no engine can have another.",
        _one_of("none", "jitdump", "vtune", "perfmap"),
    ),
    "shared_memory": (bool, _NOTHING + "memories can be shared if the feature threads is on."),
    "signals_based_traps": (bool, "May signals keep memory accesses inside?"),
    "strategy": (
        str,
        _NOTHING + "code is interpreted, and compiled in the background if it runs long.",
        _one_of("auto", "cranelift", "winch"),
    ),
    "target": (str, "Which machine code is for: this one.", _check_target),
    "wasm_component_model": (bool, _NOTHING + "there are no components here."),
    "wasm_component_model_map": (bool, _NOTHING + "there are no components here."),
    "wasm_relaxed_simd_deterministic": (bool, _ALWAYS + "relaxed vectors are deterministic."),
    "wasm_stack_switching": (
        bool,
        "Is the feature stack-switching on?  No engine can have it.",
    ),
}


class Config(Managed):
    """What an engine is to do.

    Options are attributes that can only be written; which there are, the documentation of
    wasmtime-py says, and what becomes of them their own.

    Raises:
        AttributeError: on assignment, if there is no such option.
        TypeError: on assignment, if the value is of a wrong type.
        WasmtimeError: on assignment, if an option has no such value, or cannot be had.
        ValueError: on assignment, if the configuration was used or closed.

    Attributes:
        chosen: what was assigned, by name.
    """

    chosen: dict[str, Any]

    def __init__(self) -> None:
        object.__setattr__(self, "chosen", {})

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in _OPTIONS:
            raise AttributeError(f"there is no option {name!r}")
        object.__setattr__(self, name, value)

    def cranelift_flag_enable(self, flag: str) -> None:
        """A flag of a code generator that is not here."""
        self._check_open()
        self._check_flag(flag)

    def cranelift_flag_set(self, key: str, value: str) -> None:
        """A flag of a code generator that is not here."""
        self._check_open()
        for text in (key, value):
            self._check_flag(text)

    def _check_flag(self, text: object) -> None:
        if not isinstance(text, str):
            raise TypeError("expected a str")

    def native(self) -> embed.Config:
        """The configuration of Runwell.

        Raises:
            WasmtimeError: it has what no engine can have.
        """
        chosen = self.chosen
        profiler = chosen.get("profiler", "none")
        if profiler != "none":
            raise WasmtimeError(
                f"the profiler {profiler!r} cannot be chosen by a program: with RUNWELL_PERF_MAP=1 "
                "in the environment perf knows compiled functions by name"
            )
        if chosen.get("wasm_stack_switching"):
            raise WasmtimeError("stack switching is not supported: wasm_stack_switching is on")
        stack = chosen.get("max_wasm_stack")
        return embed.Config(
            bounds="guard" if chosen.get("signals_based_traps", True) else "explicit",
            features=",".join(
                feature if chosen[name] else f"-{feature}"
                for name, feature in _FEATURES.items()
                if name in chosen and (name != "gc_support" or not chosen[name])
            ),
            fuel=bool(chosen.get("consume_fuel")),
            deterministic=bool(chosen.get("cranelift_nan_canonicalization")),
            max_frames=None if stack is None else min(max(stack // _FRAME_BYTES, 1), FRAMES),
        )


for _name, _described in _OPTIONS.items():
    setattr(Config, _name, _option(_name, *_described))
