"""Names of the parts of WebAssembly that a configuration can turn on and off.

A feature's bit in a set is its position here, so the order never changes.
"""

FEATURES = (
    "mvp",
    "sign-extension",
    "saturating-truncation",
    "multi-value",
    "mutable-globals",
    "bulk-memory",
    "reference-types",
    "simd",
    "relaxed-simd",
    "extended-const",
    "multi-memory",
    "memory64",
    "tail-call",
    "exceptions",
    "function-references",
    "gc",
    "threads",
)

BIT = {name: 1 << i for i, name in enumerate(FEATURES)}
ALL = (1 << len(FEATURES)) - 1
