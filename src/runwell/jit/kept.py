"""Is there compiled code of a module from earlier runs?  Every run asks, so this takes little.

The name of the file has a check sum of pieces of the module and of the rest only what is known
already; all that the code depends on is in the file (``cache``).
"""

from __future__ import annotations

import os
from zlib import crc32

from runwell.codegen.cache import CODE_SUFFIX
from runwell.codegen.own_files import default_directory
from runwell.interp.core import load_core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from runwell.runtime.code import ModuleCode

_SAMPLES: Final = 64
_SAMPLE_BYTES: Final = 64
# Of the module and its code: what is larger takes a while to hash and to read, so the program
# begins without.
MAX_BYTES: Final = 1 << 20


def options(module: ModuleCode) -> str:
    """How a module is compiled."""
    return (
        f"explicit {module.explicit} metered {module.metered} "
        f"deterministic {module.deterministic} features {module.features:x}"
    )


def path_of(module: ModuleCode, directory: str) -> str:
    """Where code of a module is, if there is any."""
    data = module.module.data
    how = crc32((options(module) + load_core().key).encode(errors="surrogateescape"))
    name = f"code-{len(data):x}-{_sample(data):08x}-{how:08x}{CODE_SUFFIX}"
    return f"{directory}/{name}"


def use_kept(module: ModuleCode) -> None:
    """Begin with what earlier runs compiled, if there is any and it takes no time."""
    if len(module.module.data) > MAX_BYTES:
        return
    try:
        size = os.lstat(path_of(module, default_directory())).st_size
    except OSError:
        return
    if size <= MAX_BYTES:
        from runwell.jit.tier import tier_of

        tier_of(module).load(module)


def _sample(data: bytes) -> int:
    """A check sum of a few pieces of a module."""
    step = max(len(data) // _SAMPLES, _SAMPLE_BYTES)
    view = memoryview(data)
    found = crc32(view[-_SAMPLE_BYTES:])
    for at in range(0, len(data), step):
        found = crc32(view[at : at + _SAMPLE_BYTES], found)
    return found
