"""Smaller programs that fail in the same way: text in, text out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+')
_HEAD = {"param", "result", "local", "type", "export"}
_ZEROS = [
    ["nop"], ["i32.const", "0"], ["i64.const", "0"], ["f64.const", "0"], ["f32.const", "0"],
    ["v128.const", "i64x2", "0", "0"], ["ref.null", "any"], ["ref.null", "func"],
    ["ref.null", "extern"], ["ref.null", "none"], ["unreachable"],
]  # fmt: skip


def tree(text: str) -> Any:
    """A text as nested lists of words."""
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    return stack[0][0]


def write(node: Any) -> str:
    """The text of a tree."""
    if isinstance(node, str):
        return node
    inner = " ".join(write(child) for child in node)
    return f"({inner})\n" if node and node[0] in ("func", "local.set", "call") else f"({inner})"


def _lists(node: Any) -> Iterator[list[Any]]:
    """All lists that instructions may be in, the outermost first."""
    yield node
    for child in node:
        if isinstance(child, list) and (not child or child[0] not in _HEAD):
            yield from _lists(child)


def shrink(text: str, fails: Callable[[str], bool], tries: int = 2000) -> str:
    """Take away what is not needed to fail.

    Args:
        text: of a module that fails.
        fails: does this text fail as well, in the same way?
        tries: how often to ask at most.
    """
    module = tree(text)
    left = [tries]

    def still() -> bool:
        left[0] -= 1
        return left[0] >= 0 and fails(write(module))

    changed = True
    while changed and left[0] > 0:
        changed = False
        functions = [f for f in module if isinstance(f, list) and f and f[0] == "func"]
        for function in functions:
            changed |= _shrink_function(function, still, left)
        changed |= _drop_parts(module, still)
    return write(module)


def _drop_parts(module: list[Any], still: Callable[[], bool]) -> bool:
    changed = False
    for at in range(len(module) - 1, 0, -1):
        kept = module[at]
        if isinstance(kept, list) and kept[0] in ("func", "data", "elem", "global", "tag", "table"):
            del module[at]
            if still():
                changed = True
            else:
                module.insert(at, kept)
    return changed


def _shrink_function(function: list[Any], still: Callable[[], bool], left: list[int]) -> bool:
    changed = False
    for node in _lists(function):
        size = len(node)
        while size >= 1 and left[0] > 0:
            # Runs of neighbours go together first.
            at = 1
            while at < len(node):
                run = node[at : at + size]
                if all(isinstance(x, list) and x and x[0] not in _HEAD for x in run):
                    del node[at : at + size]
                    if still():
                        changed = True
                        continue
                    node[at:at] = run
                at += size
            size //= 2
        for at, child in enumerate(node):
            if not isinstance(child, list) or not child or child[0] in _HEAD:
                continue
            if child in _ZEROS:
                continue
            inner = [x for x in child if isinstance(x, list) and x and x[0] not in _HEAD]
            for other in [*_ZEROS, *inner]:
                node[at] = other
                if still():
                    changed = True
                    break
                node[at] = child
    return changed
