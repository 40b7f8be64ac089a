"""How to start another Python that sees the same packages as this one."""

import os
import sys


def find_python() -> str | None:
    """Path of the interpreter, or None if this process cannot tell or has none.

    A program that embeds Python, or is frozen, is not one; but the interpreter of the same
    installation may be in its usual place.
    """
    if getattr(sys, "frozen", False):
        return None
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    usual = [os.path.join(prefix, "bin", version) for prefix in (sys.prefix, sys.base_prefix)]
    for path in (sys.executable, getattr(sys, "_base_executable", None), *usual):
        if path and "python" in os.path.basename(path).lower() and os.access(path, os.X_OK):
            return str(path)
    return None


def command(python: str, code: str) -> list[str]:
    """The command that runs ``code`` with this process's search path and nothing else of it.

    Environment, user site and start-up files do not matter to it.

    Args:
        python: path of the interpreter.
        code: Python statements.
    """
    options = ["-I", "-S"]
    if sys.dont_write_bytecode:
        options.append("-B")
    if sys.pycache_prefix:
        options += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    return [python, *options, "-c", f"import sys; sys.path[:] = {search_path()!r}; {code}"]


def search_path() -> list[str]:
    """``sys.path``, and where packages are that were found in another way."""
    paths = [path or os.getcwd() for path in sys.path]
    found = {"runwell": os.path.abspath(__file__), "llvmlite": ""}
    for package, known in found.items():
        if any(os.path.isdir(os.path.join(path, package)) for path in paths):
            continue
        # What is in an archive, which is on the path as such, is no directory.
        root = (known or _origin(package)).rpartition(f"{os.sep}{package}{os.sep}")[0]
        if root and root not in paths:
            paths.append(root)
    return paths


def _origin(package: str) -> str:
    """The file of a package that is not imported for this, or ""."""
    from importlib.util import find_spec

    spec = find_spec(package)
    return spec.origin or "" if spec is not None else ""
