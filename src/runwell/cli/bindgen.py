"""``runwell bindgen``: a typed Python wrapper of a module."""

from __future__ import annotations

import os
from pathlib import Path

import runwell
from runwell.embed.bindgen import identifier, write_wrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace


def run(args: SimpleNamespace) -> int:
    """Write the wrapper of ``args.file``, and say where; always 0.

    Raises:
        OSError: a file cannot be read or written.
        RunwellError: the file is no valid module.
    """
    file = Path(args.file)
    folder = Path(args.output) if args.output else file.parent
    name = args.name or file.stem
    stem = folder / identifier(name)
    # The wrapper finds the module by a path from itself.
    where = os.path.relpath(file, folder)
    wrapper = write_wrapper(runwell.Module(file), name, where)
    for suffix, text in ((".py", wrapper.source), (".pyi", wrapper.stub)):
        target = stem.with_suffix(suffix)
        target.write_text(text, encoding="utf-8")
        print(target)
    return 0
