"""Our modules in one file: what is taken from it, and what is left to Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runwell.codegen import bundle
from runwell.codegen.bundle import Bundle
from runwell.codegen.together import GROUPS, NAMES

SOURCES = Path(bundle.__file__).parents[1]


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path):
    """Something like our package, of a module and a package in it."""
    root = tmp_path / "runwell"
    (root / "sub").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "sub" / "__init__.py").write_text("name = __name__\n")
    (root / "one.py").write_text("def one():\n    return 1 / 0\n")
    return root


MODULES = ["runwell", "runwell.one", "runwell.sub", "runwell.none"]


def filled(package, directory):
    Bundle(str(package), str(directory)).add(MODULES)
    return Bundle(str(package), str(directory))


def test_nothing_is_there_at_first(package, directory):
    empty = Bundle(str(package), str(directory))
    assert (empty.entries, empty.packages, empty.stale) == ({}, {}, set())
    assert empty.code("runwell.one", str(package / "one.py")) is None
    assert not directory.exists()


def test_what_was_added(package, directory):
    made = filled(package, directory)
    assert sorted(made.entries) == sorted(MODULES)
    assert made.entries["runwell.none"] is None
    assert made.packages == {"runwell": str(package), "runwell.sub": str(package / "sub")}
    assert made.code("runwell.one", str(package / "one.py"))
    assert made.code("runwell.none", str(package / "none.py")) is None
    assert made.stale == set()
    assert os.stat(made.path).st_mode & 0o77 == 0


def test_an_edited_source_is_stale_and_then_made_anew(package, directory):
    made = filled(package, directory)
    (package / "one.py").write_text("def one():\n    return 2\n")
    os.utime(package / "one.py", ns=(5, 5))
    assert made.code("runwell.one", str(package / "one.py")) is None
    assert made.code("runwell.sub", str(package / "sub/__init__.py"))
    assert made.stale == {"runwell.one"}
    made.add([])
    again = Bundle(str(package), str(directory))
    assert again.code("runwell.one", str(package / "one.py"))
    assert sorted(again.entries) == sorted(MODULES)


def test_a_removed_source(package, directory):
    made = filled(package, directory)
    (package / "one.py").unlink()
    assert made.code("runwell.one", str(package / "one.py")) is None
    made.add([])
    assert Bundle(str(package), str(directory)).entries["runwell.one"] is None


def test_another_package_has_another_file(package, directory, tmp_path):
    made = filled(package, directory)
    other = Bundle(str(tmp_path / "other"), str(directory))
    assert other.path != made.path
    assert other.entries == {}


def test_a_file_that_others_can_write_is_not_read(package, directory):
    made = filled(package, directory)
    os.chmod(made.path, 0o666)
    assert Bundle(str(package), str(directory)).entries == {}
    os.chmod(made.path, 0o600)
    assert Bundle(str(package), str(directory)).entries
    os.chmod(directory, 0o777)
    assert Bundle(str(package), str(directory)).entries == {}


def test_every_damaged_byte_is_noticed(package, directory):
    made = filled(package, directory)
    whole = Path(made.path).read_bytes()
    good = {n: made.code(n, bundle.source_of(n, str(package))) for n in MODULES}
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x20
        Path(made.path).write_bytes(damaged)
        found = Bundle(str(package), str(directory))
        for name in MODULES:
            code = found.code(name, bundle.source_of(name, str(package)))
            assert code in (None, good[name]), (at, name)


def test_a_torn_file_is_not_used(package, directory):
    path = filled(package, directory).path
    whole = Path(path).read_bytes()
    for size in (0, 5, 100, len(whole) - 1):
        Path(path).write_bytes(whole[:size])
        assert Bundle(str(package), str(directory)).entries == {}


def python(script, directory, *options, cwd=None):
    environment = os.environ | {
        "RUNWELL_CACHE_DIR": str(directory),
        "PYTHONPATH": str(SOURCES.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, *options, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOOK = """
from runwell.codegen import bundle
bundle.use()
import runwell.module.types as types, runwell.module, runwell.wasi.errno, inspect, pkgutil
bundle.save()
spec = types.__spec__
print(type(spec.loader).__module__)
print(spec.name, spec.parent, spec.origin == types.__file__, spec.cached == types.__cached__)
print(runwell.module.__path__ == list(runwell.module.__spec__.submodule_search_locations))
print(inspect.getsource(types.FieldType).splitlines()[0])
print(sorted(m.name for m in pkgutil.iter_modules(runwell.module.__path__)))
print(types._limits.__code__.co_filename == types.__file__)
try:
    import runwell.module.nothing
except ModuleNotFoundError as e:
    print(e)
import importlib
importlib.invalidate_caches()
print(importlib.reload(types) is types, types.FieldType(1).mutable)
"""


def test_modules_are_the_same_with_and_without(directory):
    first, second = (python(LOOK, directory).splitlines() for _ in range(2))
    assert first[0] == "_frozen_importlib_external"
    assert second[0] == "runwell.codegen.bundle"
    assert first[1:] == second[1:]
    assert first[1] == "runwell.module.types runwell.module True True"
    assert first[2:4] == ["True", "class FieldType(NamedTuple):"]
    assert first[-2:] == ["No module named 'runwell.module.nothing'", "True False"]


def test_a_traceback_shows_the_source(directory):
    script = """
from runwell.codegen import bundle
bundle.use()
from runwell.module.types import MemoryType
import traceback
try:
    str(MemoryType("x", page_bits=[]))
    MemoryType(1)._replace(nothing=1)
except Exception:
    print(traceback.format_exc())
bundle.save()
"""
    first, second = (python(script, directory) for _ in range(2))
    assert first == second
    assert "light.py" in first
    assert "return type(self)(**{**self._asdict(), **items})" in first


def test_optimised_code_is_pythons_own(directory):
    script = """
from runwell.codegen import bundle
bundle.use(); import runwell.module.types; bundle.save()
print(len(__import__("os").listdir(bundle.default_directory())) if bundle._used else "none")
"""
    assert python(script, directory, "-O").strip() == "none"


def test_a_closed_descriptor_is_no_harm(directory):
    script = """
import os
from runwell.codegen import bundle
bundle.use()
os.closerange(3, 100)
import runwell.module.types; bundle.save()
print(runwell.module.types.__spec__.loader.__module__)
"""
    assert [python(script, directory) for _ in range(2)] == ["_frozen_importlib_external\n"] * 2


def test_a_directory_that_cannot_be_used():
    script = "from runwell.codegen import bundle; bundle.use(); bundle.save(); print('fine')"
    assert python(script, "/proc/none") == "fine\n"


def test_python_names_what_it_has_compiled(tmp_path):
    assert {"runwell", "runwell.codegen", "runwell.codegen.bundle"} >= {
        name for name in bundle.compiled() if name.startswith("runwell.codegen.bundle")
    }
    for name in bundle.compiled():
        assert bundle.source_of(name)


def test_what_is_used_together_is_one_piece(directory):
    script = """
from runwell.codegen import bundle
from runwell.codegen.together import GROUPS
bundle.use()
import runwell.module.types, runwell.module.module, runwell.text.lexer, runwell.jit.unit
import runwell.jit.workers
bundle.save()
entries = bundle.Bundle().entries
pieces = {name: entry[2] for name, entry in entries.items()}
used, rest = {}, []
for name, piece in pieces.items():
    which = *(name in group for group in GROUPS),
    if any(which):
        used.setdefault(which, set()).add(piece)
    else:
        rest.append(piece)
print(len(used) >= 5, {len(found) for found in used.values()})
print(len({*rest, *[piece for found in used.values() for piece in found]}) - len(used) - len(rest))
print("runwell.text.lexer" in pieces, len(rest) > 0)
"""
    assert python(script, directory).splitlines() == ["True {1}", "0", "True True"]


TOGETHER = """
import sys
from runwell.codegen import bundle
bundle.use()
before = set(sys.modules)
from runwell.codegen.together import LOWERING
done = bundle.import_together(LOWERING)
"""


def test_what_is_imported_together_is_in_order(directory):
    make = """
from runwell.codegen import bundle
bundle.use()
import runwell.jit.unit, runwell.elf.movable_maker, runwell.jit.worker, runwell.text.lexer
import runwell.codegen.direct, runwell.codegen.together
bundle.save()
"""
    python(make, directory)
    code = f"""{TOGETHER}
late = set(LOWERING) - before - set(done)
print(sorted(late), [name for name in LOWERING if name not in sys.modules])
import runwell.jit.unit as unit
from runwell.jit import lower, unit as same
import runwell.isa
print(unit is same is runwell.jit.unit is sys.modules["runwell.jit.unit"], lower.__package__)
print(lower.__file__ == bundle.source_of("runwell.jit.lower"), runwell.isa.__path__ == [
    bundle._used[0].packages["runwell.isa"]])
from runwell.text import lexer
print(lexer.__spec__.name)
"""
    # The package ``kernel`` imports its module itself.
    assert python(code, directory).splitlines() == [
        "['runwell.codegen.together', 'runwell.kernel.types'] []",
        "True runwell.jit",
        "True True",
        "runwell.text.lexer",
    ]


def test_without_a_bundle_nothing_is_imported_together(directory):
    assert python(f"{TOGETHER}\nprint(done)", directory) == "[]\n"


def test_a_module_that_fails_is_not_there(directory):
    script = """
from runwell.codegen import bundle
bundle.use()
import sys
import runwell.text.lexer
bundle.save()
bundle.forget()
bundle.use()
from runwell.codegen.bundle import _used
del sys.modules["runwell.text.lexer"]
_used[0]._codes["runwell.text.lexer"] = compile("raise ValueError", "", "exec")
try:
    bundle.import_together(["runwell.text.lexer"])
except ValueError:
    print("runwell.text.lexer" in sys.modules)
"""
    assert python(script, directory) == "False\n"


def test_the_names_are_modules():
    assert [name for name in NAMES.union(*GROUPS) if not bundle.source_of(name)] == []


def test_no_memory_to_save_it_is_no_harm(monkeypatch):
    class Full:
        stale, entries = True, {}

        def add(self, names):
            raise MemoryError

    monkeypatch.setattr(bundle, "_used", [Full()])
    bundle.save()
