"""Makers of relocatable objects: LLVM for both machines, gcc where there is one."""

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import llvmlite.binding as llvm  # noqa: TID251
import pytest

X86_64 = "x86_64-unknown-linux-gnu"
AARCH64 = "aarch64-unknown-linux-gnu"
HOST = AARCH64 if platform.machine() == "aarch64" else X86_64

CompileIr = Callable[..., bytes]
CompileC = Callable[..., bytes]


@pytest.fixture(scope="session")
def compile_ir() -> CompileIr:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()

    def compile_(
        text: str, triple: str = HOST, *, reloc: str = "pic", model: str = "small"
    ) -> bytes:
        machine = llvm.Target.from_triple(triple).create_target_machine(
            reloc=reloc, codemodel=model, opt=2
        )
        module = llvm.parse_assembly(f'target triple = "{triple}"\n{text}')
        module.verify()
        return machine.emit_object(module)

    return compile_


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> CompileC:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("gcc is not installed: objects made by it are not tried")

    def compile_(text: str, *options: str, language: str = "c") -> bytes:
        folder = tmp_path_factory.mktemp("gcc")
        source, target = folder / f"source.{language}", folder / "source.o"
        source.write_text(text)
        command = [gcc, "-O2", "-fPIC", *options, "-c", str(source), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"gcc cannot do this: {done.stderr[:200]}")
        return target.read_bytes()

    return compile_


@pytest.fixture
def check_readelf(tmp_path: Path) -> Callable[[bytes], str]:
    """Let readelf, if there is one, print everything, and want no complaint."""

    def check(data: bytes) -> str:
        readelf = shutil.which("readelf")
        if readelf is None:
            return ""
        path = tmp_path / "checked.so"
        path.write_bytes(data)
        command = [readelf, "--all", "--wide", "--unwind", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert done.stderr == ""
        assert "Warning" not in done.stdout
        return done.stdout

    return check
