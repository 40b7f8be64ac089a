"""``runwell cache``: where native code is kept, how much there is, and away with it."""

from __future__ import annotations

import sys
import time

from runwell.codegen import bundle
from runwell.codegen.cache import NativeCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace


def run(args: SimpleNamespace) -> int:
    """Do ``args.action``: ``path``, ``list`` or ``clear``; 1 if the cache cannot be used."""
    cache = NativeCache()
    if args.action == "path":
        print(cache.directory)
        return _report(cache.problem())
    if args.action == "clear":
        bundle.forget()
        size = cache.size()
        print(f"{cache.directory}: removed {print_count(cache.clear())}, {print_size(size)}")
        left = len(cache.entries())
        return _report(f"{print_count(left)} cannot be removed" if left else "")
    return _list(cache)


def _list(cache: NativeCache) -> int:
    entries = cache.entries()
    for entry in entries:
        used = time.strftime("%Y-%m-%d", time.localtime(entry.used_s))
        state = "" if entry.key else "  damaged: will be built again"
        print(f"{print_size(entry.size):>9}  {used}  {entry.path}{state}")
    total = sum(entry.size for entry in entries)
    print(f"{cache.directory}: {print_count(len(entries))}, {print_size(total)}")
    return _report(cache.problem())


def _report(problem: str) -> int:
    if problem:
        print(f"runwell: {problem}", file=sys.stderr)
    return 1 if problem else 0


def print_count(number: int) -> str:
    """So many objects."""
    return "1 object" if number == 1 else f"{number} objects"


def print_size(size: int) -> str:
    """Bytes for people."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
