"""LLVM text to a relocatable ELF object."""

import llvmlite.binding as llvm

from runwell.base.light import Any
from runwell.codegen.target import host_target, target_machine


class CodegenError(Exception):
    """LLVM refuses the text: a bug of whoever wrote it."""


def compile_text(text: str, level: int = 2) -> bytes:
    """Compile a module.

    Args:
        text: LLVM text without data layout and triple; this machine's are put before it.
        level: optimisation level, 0 to 3.

    Returns:
        A relocatable ELF object: position-independent code, small code model.

    Raises:
        CodegenError: the text is not a valid module.
    """
    machine = target_machine(level)
    return bytes(machine.emit_object(_optimised(text, level)))


def compile_assembly(text: str, level: int = 2) -> str:
    """Compile a module to assembly text, to be read by people and tests."""
    machine = target_machine(level)
    return str(machine.emit_assembly(_optimised(text, level)))


def optimise_text(text: str, level: int = 2) -> str:
    """The module's LLVM text after the passes, to be read by people and tests."""
    return str(_optimised(text, level))


def _optimised(text: str, level: int) -> Any:
    target = host_target()
    # Text without a data layout would be laid out by LLVM's default: i64 aligned to 4.
    head = f'target datalayout = "{target.datalayout}"\ntarget triple = "{target.triple}"\n'
    try:
        module = llvm.parse_assembly(head + text)
        module.verify()
    except RuntimeError as e:
        raise CodegenError(_located(str(e), head + text)) from None
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(target_machine(level), options)
    builder.getModulePassManager().run(module, builder)
    return module


def _located(message: str, text: str) -> str:
    """LLVM's complaint with the line of text that it is about."""
    import re

    found = re.search(r"<string>:(\d+):\d+:", message)
    if found is None:
        return message
    lines = text.splitlines()
    line = int(found[1])
    function = next((x for x in reversed(lines[:line]) if x.startswith("define ")), "")
    around = "\n".join(lines[max(0, line - 3) : line])
    return f"{message}\n{function}\n{around}"
