"""``runwell bindgen``: a typed Python wrapper of a module."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runwell.cli.run import load_module
from runwell.embed.bindgen import write_wrapper
from runwell.embed.identifiers import identifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace


def run(args: SimpleNamespace) -> int:
    """Write the wrapper of ``args.file``, and say where; or check that it is as it should be.

    Returns:
        0; with ``args.check`` 1 if a file is missing or differs.

    Raises:
        OSError: a file cannot be read or written.
        RunwellError: the file is no valid module.
    """
    file = Path(args.file)
    folder = Path(args.output) if args.output else file.parent
    name = args.name or file.stem
    stem = folder / identifier(name)
    # The wrapper finds the module by a path from itself.
    where = Path(os.path.relpath(file, folder)).as_posix()
    wrapper = write_wrapper(load_module(str(file)), name, where)
    code = 0
    for suffix, text in ((".py", wrapper.source), (".pyi", wrapper.stub)):
        target = stem.with_name(stem.name + suffix)
        if args.check:
            code |= _check(target, text, args.file)
        else:
            _write(target, text)
            print(target)
    return code


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as e:
        e.filename = e.filename or str(target)  # which a full disk does not say
        raise


def _check(target: Path, text: str, file: str) -> int:
    try:
        if target.read_text(encoding="utf-8") == text:
            return 0
    except FileNotFoundError:
        problem = "is missing"
    else:
        problem = f"is not what bindgen writes for {file}"
    print(f"{target}: {problem}: run runwell bindgen again", file=sys.stderr)
    return 1
