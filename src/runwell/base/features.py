"""Parts of WebAssembly that a configuration can turn on and off, named as the proposals are.

A feature set is an int, so that it crosses to native code as it is.  A feature's bit is its
position here, so the order never changes.
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
    "exception-handling",
    "function-references",
    "gc",
    "threads",
    "branch-hinting",
    "custom-annotations",
    "wide-arithmetic",
    "custom-page-sizes",
)

BIT = {name: 1 << i for i, name in enumerate(FEATURES)}
ALL = (1 << len(FEATURES)) - 1
# All but what is beyond WebAssembly 3.0.
DEFAULT = ALL & ~(BIT["wide-arithmetic"] | BIT["custom-page-sizes"])


def feature_set(names: str) -> int:
    """The set that a comma-separated list makes of the default; ``-name`` takes one away.

    Args:
        names: e.g. ``"-simd,wide-arithmetic"``; ``""`` is the default set.

    Raises:
        ValueError: a name is not a feature.
    """
    chosen = DEFAULT
    for word in filter(None, (part.strip() for part in names.split(","))):
        name = word.removeprefix("-")
        if name not in BIT:
            raise ValueError(f"unknown feature {name!r}; features are {', '.join(FEATURES[1:])}")
        chosen = chosen & ~BIT[name] if word.startswith("-") else chosen | BIT[name]
    return chosen
