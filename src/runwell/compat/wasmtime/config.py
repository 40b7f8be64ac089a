"""``Config``: what an engine is to do."""

import os
from typing import Any

from runwell.compat.wasmtime.errors import WasmtimeError
from runwell.compat.wasmtime.managed import Managed

_CHOICES = {
    "strategy": ("auto", "cranelift", "winch"),
    "cranelift_opt_level": ("none", "speed", "speed_and_size"),
    "profiler": ("none", "jitdump", "vtune", "perfmap"),
}
# Options that are features, by the names that Runwell has for them.
_FEATURES = {
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
# Options about how wasmtime works inside, or about what Runwell does in its own way.
_IGNORED = (
    "cranelift_debug_verifier",
    "cranelift_nan_canonicalization",
    "debug_info",
    "gc_support",
    "macos_use_mach_ports",
    "max_wasm_stack",
    "memory_guard_size",
    "memory_init_cow",
    "memory_may_move",
    "memory_reservation",
    "memory_reservation_for_growth",
    "native_unwind_info",
    "parallel_compilation",
    "shared_memory",
    "wasm_component_model",
    "wasm_component_model_map",
    "wasm_relaxed_simd_deterministic",
    "wasm_stack_switching",
)
_ARCHITECTURES = ("x86_64", "aarch64")


def _check_cache(enabled: bool | str) -> None:
    if isinstance(enabled, str) and not os.path.isfile(enabled):
        raise WasmtimeError(f"failed to read the cache's configuration {enabled!r}")


def _check_target(triple: str) -> None:
    if triple.partition("-")[0] not in _ARCHITECTURES:
        raise WasmtimeError(f"unknown target {triple!r}")


_CHECKS = {"cache": _check_cache, "target": _check_target}
_EFFECTIVE = (
    "consume_fuel",
    "epoch_interruption",
    "signals_based_traps",
)
_OPTIONS = {*_CHOICES, *_FEATURES, *_IGNORED, *_CHECKS, *_EFFECTIVE}


class Config(Managed):
    """What an engine is to do.

    Options are attributes that can only be written; which there are, the documentation of
    wasmtime-py says.  Those that choose features, fuel, interruption or bounds checks take effect,
    the others are checked.

    Raises:
        AttributeError: on assignment, if there is no such option.
        WasmtimeError: on assignment, if an option has no such value.
        ValueError: on assignment, if the configuration was used or closed.

    Attributes:
        chosen: what was assigned, by name.
    """

    chosen: dict[str, Any]

    def __init__(self) -> None:
        object.__setattr__(self, "chosen", {})

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        self._check_open()
        if name not in _OPTIONS:
            raise AttributeError(f"there is no option {name!r}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise WasmtimeError(f"unknown {name}: {value}; it is {', '.join(_CHOICES[name])}")
        if name in _CHECKS:
            _CHECKS[name](value)
        self.chosen[name] = value

    def cranelift_flag_enable(self, flag: str) -> None:
        """A flag of a code generator that is not here."""
        self._check_open()

    def cranelift_flag_set(self, key: str, value: str) -> None:
        """A flag of a code generator that is not here."""
        self._check_open()

    @property
    def features(self) -> str:
        """The features, as Runwell's configuration takes them."""
        return ",".join(
            feature if self.chosen[name] else f"-{feature}"
            for name, feature in _FEATURES.items()
            if name in self.chosen
        )
