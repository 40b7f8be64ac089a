"""A cache directory that knows the native core, but no module: what a first run finds."""

from __future__ import annotations

import os
import shutil

from runwell.codegen.cache import MODULES_SUFFIX, SUFFIX, NativeCache


def copy_core(directory: str, source: str | None = None) -> list[str]:
    """Put what one cache has of Runwell itself into another; without copying, if that is possible.

    Args:
        directory: the cache that gets them; it is made if it is not there.
        source: the cache that has them; None for the user's.

    Returns:
        Names of the files that were put there.
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    put = []
    for entry in NativeCache(source).entries((SUFFIX, MODULES_SUFFIX)):
        name = os.path.basename(entry.path)
        target = os.path.join(directory, name)
        if os.path.exists(target):
            continue
        try:
            os.link(entry.path, target)
        except FileNotFoundError:
            continue  # somebody has made room
        except OSError:
            shutil.copy2(entry.path, target)
        put.append(name)
    return put
