"""``runwell bindgen``: wrappers that type checkers, linters and users are content with."""

import os
import subprocess
import sys
from array import array
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import runwell
from runwell.embed.bindgen import write_wrapper
from runwell.embed.identifiers import class_name, identifier, quoted, shown

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).with_name("plugin.c")
ODD = r"""
(module
  (import "env" "shout" (func $shout (param $address i32) (param $size i32)))
  (import "env" "class" (global i32))
  (import "env" "mem.ory" (memory 1))
  (import "other-env" "a name of an import that is too long for a line of any program"
    (func (param i32 i32 i32 i32 i32 i32 i64 f64) (result i32 i64)))
  (import "file" "int" (func (param externref) (result funcref)))
  (import "env" "m\22" (global (mut f64)))
  (tag (export "tag") (param i32))
  (table (export "table") 1 funcref)
  (memory (export "memory") 1)
  (global (export "count") (mut i32) (i32.const 3))
  (global (export "any") (mut externref) (ref.null extern))
  (global (export "__heap_base") i64 (i64.const 9))
  (func (export "malloc") (param $size i32) (result i32) (i32.const 16))
  (func (export "int") (param $int i32) (param $class i32) (result i32) (local.get $class))
  (func (export "class") (result i32) (i32.const 1))
  (func (export "class_") (result i32) (i32.const 2))
  (func (export "a.b") (result i32) (i32.const 3))
  (func (export "a-b") (result i32) (i32.const 4))
  (func (export "ﬁ größe"))
  (func (export "€"))
  (func (export ""))
  (func (export "1st"))
  (func (export "\"\"\"quo'te\\\n\00"))
  (func (export "self"))
  (func (export "instance"))
  (func (export "close"))
  (func (export "swap") (param i32 i64 f32 f64 v128 externref funcref anyref) (result i64 v128)
    (local.get 1) (local.get 4))
  (func (export "add") (param $x i32) (param $x2 i32) (result i32)
    (call $shout (local.get 0) (local.get 1))
    (i32.add (global.get 0) (i32.add (local.get 0) (local.get 1))))
  (func (export "_initialize") (global.set 2 (i32.const 8))))
"""


def wrap(folder: Path, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``runwell bindgen``, in a process whose hashes are its own."""
    return subprocess.run(
        [sys.executable, "-m", "runwell", "bindgen", "--output", folder, *options, file],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "random"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with wrappers of several modules."""
    made = tmp_path_factory.mktemp("wrappers")
    odd = made / "odd.wat"
    odd.write_text(ODD)
    files = [odd, *(ROOT / "examples").glob("*.wasm"), ROOT / "examples" / "gcd.wat"]
    if find_spec("ziglang"):
        plugin = made / "plugin.wasm"
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O1", "-g",
             "-mexec-model=reactor", "-Wl,--export=malloc", "-Wl,--export=free", PLUGIN,
             "-o", plugin],
            check=True, env={**os.environ, "PYTHONPATH": ""},
        )  # fmt: skip
        files.append(plugin)
    for file in files:
        done = wrap(made, file)
        assert (done.returncode, done.stderr) == (0, "")
        names = [str(made / f"{file.stem}{suffix}") for suffix in (".py", ".pyi")]
        assert done.stdout.splitlines() == names
    return made


def load(folder: Path, name: str):
    spec = spec_from_file_location(name, folder / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_linters_and_formatters_change_nothing(folder):
    for command in (
        ["check", "--select", "E4,E7,E9,F,I,N,UP,B,PIE,RET,RUF022,D1", "--ignore", "D105,D107"],
        ["format", "--check"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


USE = """
import runwell
from count import Count
from gcd import Gcd
from odd import EnvImports, Odd
from prices import Prices


class Env:
    class_ = 5
    mem_ory = runwell.Memory(1)
    m_ = runwell.Global("f64", 1.5, mutable=True)

    def shout(self, address: int, size: int, /) -> None:
        print(address, size)


class OtherEnv:
    def a_name_of_an_import_that_is_too_long_for_a_line_of_any_program(
        self, a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: float, /
    ) -> tuple[int, int]:
        return a, b


class File:
    def int_(self, anything: object, /) -> runwell.Func | None:
        return None


env: EnvImports = Env()
with Odd(env, OtherEnv(), File()) as odd:
    total: int = odd.add(1, 2)
    pair: tuple[int, bytes] = odd.swap(1, 2, 3.0, 4.0, bytes(16), "x", None, None)
    odd.count += total
    count: int = odd.count
    base: int = odd.heap_base
    memory: runwell.Memory = odd.memory
    tag: runwell.Tag = odd.tag
    size: int = odd.table.size
    odd.any = "something"
    odd.class_(), odd.class__(), odd.a_b(), odd.a_b_()
    address, n = odd.allocator.new("abc")
    odd.instance_()
    odd.close_()
    odd.fi_größe()
    odd._1st()
    odd.quo_te_()
    odd.instance.exports.self()
print(total, pair, count, base, size)
greatest: int = Gcd().gcd(12, 18)
code: int = Count(wasi=runwell.WasiConfig(stdout=None, stderr=None)).run()
prices = Prices({"shop": {}}["shop"] or {"price": lambda article: 2.5, "note": print})
start: int = prices.order()
print(greatest, code, prices.total(0))
"""

WRONG = """
from gcd import Gcd
from odd import Odd

Gcd().gcd("12", 18)
Gcd().gdc(12, 18)
Odd(object(), object(), object())
Gcd().gcd(1, 2).upper()
"""


def check_types(folder: Path, text: str) -> list[str]:
    from mypy import api

    file = folder / "use.py"
    file.write_text(text)
    options = ["--strict", "--no-incremental", "--cache-dir=/dev/null", "--no-error-summary"]
    stubs = [str(stub) for stub in folder.glob("*.pyi")]
    said, errors, _ = api.run([*options, "--hide-error-context", "--no-pretty", str(file), *stubs])
    assert not errors
    return [line for line in said.splitlines() if ": error: " in line]


def test_type_checkers(folder):
    assert check_types(folder, USE) == []
    found = check_types(folder, WRONG)
    lines = [int(line.split(":")[1]) for line in found]
    assert sorted(set(lines)) == [5, 6, 7, 8], found


def test_the_sources_are_typed_as_well(folder, tmp_path):
    from mypy import api

    for source in folder.glob("*.py"):
        if source.name != "use.py":
            (tmp_path / source.name).write_text(source.read_text())
    options = ["--strict", "--no-incremental", "--cache-dir=/dev/null", "--no-error-summary"]
    said, errors, _ = api.run([*options, *map(str, tmp_path.glob("*.py"))])
    assert (said, errors) == ("", "")


def test_they_work(folder, tmp_path):
    file = tmp_path / "use.py"
    file.write_text(USE)
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{folder}"},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "1 2",
        f"8 (2, {bytes(16)!r}) 16 9 1",
        "6 0 0.0",
    ]


class Host:
    """What the plugin imports."""

    def __init__(self) -> None:
        self.logged: list[tuple[int, int]] = []

    def log(self, text: int, size: int, /) -> None:
        self.logged.append((text, size))


def test_a_program_in_c(folder):
    if not find_spec("ziglang"):
        pytest.skip("ziglang is not installed")
    host = Host()
    plugin = load(folder, "plugin").Plugin(host)
    with plugin.allocator.lend("a banana") as (address, size):
        assert plugin.count(address, size, ord("a")) == 4
    with plugin.allocator.lend("stressed", terminated=True) as (address, _):
        made = plugin.reversed(address)
    assert plugin.allocator.text(made) == "desserts"
    assert host.logged == [(made, 8)]
    plugin.free(made)
    with plugin.allocator.lend(array("d", [1, 2, 6]).tobytes()) as (address, _):
        assert plugin.mean(address, 3) == 3.0
    with plugin.allocator.lend(bytes(8)) as (result, _):
        plugin.around(result, 10, 3)
        assert array("i", plugin.memory.read(result, 8)).tolist() == [7, 13]


def test_names_and_types_of_c(folder):
    if not find_spec("ziglang") or not find_spec("elftools"):
        pytest.skip("ziglang or pyelftools is not installed")
    stub = (folder / "plugin.pyi").read_text()
    for declaration, prototype in (
        ("count(self, text: int, size: int, letter: int, /) -> int",
         "unsigned int count(const char *text, size_t size, char letter)"),
        ("reversed(self, text: int, /) -> int", "char *reversed(const char *text)"),
        ("mean(self, values: int, n: int, /) -> float",
         "double mean(const double *values, int n)"),
        ("around(self, result: int, middle: int, width: int, /) -> None",
         "struct range around(long long middle, int width)"),
    ):  # fmt: skip
        assert f"    def {declaration}:\n" in stub
        assert f"\n        `{prototype}`\n" in stub


def test_without_a_reader_of_dwarf_names_are_numbers(folder, monkeypatch):
    if not find_spec("ziglang"):
        pytest.skip("ziglang is not installed")
    monkeypatch.setitem(sys.modules, "elftools.dwarf.dwarfinfo", None)
    stub = write_wrapper(runwell.Module(folder / "plugin.wasm"), "plugin", "plugin.wasm").stub
    assert "def count(self, arg0: int, arg1: int, arg2: int, /) -> int:" in stub


def test_the_same_module_gives_the_same_wrapper(folder):
    for name in "odd", "hello":
        file = folder / "odd.wat" if name == "odd" else ROOT / "examples" / "hello.wasm"
        done = wrap(folder, file, "--check")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check(tmp_path):
    file = tmp_path / "m.wat"
    file.write_text('(module (func (export "f")))')
    assert wrap(tmp_path, file, "--check").stderr.splitlines() == [
        f"{tmp_path}/m.{suffix}: is missing: run runwell bindgen again" for suffix in ("py", "pyi")
    ]
    wrap(tmp_path, file)
    assert wrap(tmp_path, file, "--check").returncode == 0
    file.write_text('(module (func (export "f") (param i32)))')
    done = wrap(tmp_path, file, "--check")
    assert done.returncode == 1
    assert f"{tmp_path}/m.pyi: is not what bindgen writes for {file}: run" in done.stderr
    with pytest.raises(runwell.LinkError, match=r"exports func \[i32\] -> \[\] as 'f', and the"):
        load(tmp_path, "m").M()


def made(tmp_path, text):
    (tmp_path / "m.wat").write_text(text)
    wrapper = write_wrapper(runwell.Module(text), "m", "m.wat")
    (tmp_path / "m.py").write_text(wrapper.source)
    return load(tmp_path, "m")


IMPORTING = """
(module (import "env" "f" (func (param i32 f64))) (import "env" "g" (func (result i32)))
  (import "env" "base" (global i32)) (memory (export "memory") 1)
  (func (export "run") (call 0 (i32.const 3) (f64.const 0.5))))
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("g = int; base = 1", r"it lacks f, for 'env'.'f', func \[i32 f64\] -> \[\]"),
        ("f = g = 7; base = 1", r"a callable is wanted, and no int, as f, .*, and no int, as g, "),
        ("f = print; base = 1\n    def g(self, more): ...", "0 arguments must be taken by g, for"),
        ("f = print; g = int", "it lacks base, for 'env'.'base', global i32"),
        ("f = print; g = int; base = 'x'", "incompatible import type for 'env'.'base'"),
    ],
)
def test_imports_that_do_not_fit(tmp_path, body, problem):
    module = made(tmp_path, IMPORTING)
    scope = {}
    exec(f"class Env:\n    {body}", scope)  # noqa: S102
    with pytest.raises((TypeError, runwell.LinkError), match=problem) as caught:
        module.M(scope["Env"]())
    if isinstance(caught.value, TypeError):
        assert str(caught.value).startswith("Env is no EnvImports: ")


def test_methods_that_only_the_protocol_has(tmp_path):
    module = made(tmp_path, IMPORTING)

    class Env(module.EnvImports):
        base = 3

        def f(self, a, b):
            """It is here."""

    with pytest.raises(TypeError, match=r"it lacks g, for 'env'\.'g'"):
        module.M(Env())


def test_imports_that_want_to_know_their_caller(tmp_path):
    module = made(tmp_path, IMPORTING)
    seen = []

    class Env:
        base = 3

        def f(self, caller: runwell.Caller, a: int, b: float) -> None:
            seen.append((caller.memory.size, a, b))

        def g(self) -> int:
            return 0

    module.M(Env()).run()
    by_name = {"f": lambda a, b: seen.append((a, b)), "g": int, "base": 3}
    module.M(by_name).run()
    assert seen == [(1, 3, 0.5), (3, 0.5)]
    with pytest.raises(runwell.LinkError, match="unknown import"):
        module.M({})


def test_names():
    names = ("a-b", "1st", "class", "", "__x", "€", "größe", "ﬁ", "int", "a\u200bb", "x²")
    assert [identifier(name) for name in names] == [
        "a_b", "_1st", "class_", "unnamed", "x", "unnamed", "größe", "fi", "int_", "a_b", "x2",
    ]  # fmt: skip
    assert all(identifier(chr(c) + "a").isidentifier() for c in range(0x3000))
    assert identifier("a", ["a", "a_"]) == "a__"
    assert class_name("image-filter.v2") == "ImageFilterV2"
    assert class_name("path") == "Path_"
    assert class_name("") == "Module"
    assert class_name("3d") == "_3d"


@pytest.mark.parametrize("text", ["", "a'b", 'a"b', "'\"", '""\'', "\\", "\n\0é\u202e", '"""'])
def test_literals(text):
    assert eval(quoted(text)) == text  # noqa: S307
    line = f'"""{shown(text)}."""'
    assert line.isprintable()
    assert eval(line).endswith(".")  # noqa: S307


def test_modules_of_one_name(tmp_path):
    module = made(
        tmp_path,
        """(module (import "a b" "f" (func)) (import "a_b" "f" (func)) (import "A-B" "f" (func))
          (func (export "run") (call 0) (call 1) (call 2)))""",
    )
    seen = []
    hosts = [type("Host", (), {"f": lambda self, n=n: seen.append(n)})() for n in range(3)]
    module.M(*hosts).run()
    assert seen == [0, 1, 2]


def test_nothing_to_wrap(tmp_path):
    assert made(tmp_path, "(module)").M.__doc__.startswith("An instance of m.wat.\n\n    Args:\n")
    assert made(tmp_path, "(module)").M().instance.exports is not None
