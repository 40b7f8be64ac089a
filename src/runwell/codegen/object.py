"""LLVM text to a relocatable ELF object."""

import llvmlite.binding as llvm

from runwell.base.light import Any
from runwell.codegen.target import module_head, target_machine


class CodegenError(Exception):
    """LLVM refuses the text: a bug of whoever wrote it."""


def compile_text(text: str, level: int = 2, *, is_quick: bool = False) -> bytes:
    """Compile a module.

    Args:
        text: LLVM text without data layout and triple; this machine's are put before it.
        level: optimisation level, 0 to 3.
        is_quick: leave out all passes but those that put variables into registers, what is always
            to be inlined where it belongs, and nothing where nobody uses it.

    Returns:
        A relocatable ELF object: position-independent code, small code model.

    Raises:
        CodegenError: the text is not a valid module.
    """
    machine = target_machine(level)
    return bytes(machine.emit_object(_optimised(text, level, is_quick=is_quick)))


def compile_assembly(text: str, level: int = 2) -> str:
    """Compile a module to assembly text, to be read by people and tests."""
    machine = target_machine(level)
    return str(machine.emit_assembly(_optimised(text, level)))


def optimise_text(text: str, level: int = 2) -> str:
    """The module's LLVM text after the passes, to be read by people and tests."""
    return str(_optimised(text, level))


def _optimised(text: str, level: int, *, is_quick: bool = False) -> Any:
    head = module_head(level)
    try:
        module = llvm.parse_assembly(head + text)
        module.verify()
    except RuntimeError as e:
        raise CodegenError(_located(str(e), head + text)) from None
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(target_machine(level), options)
    if is_quick:
        passes = llvm.create_new_module_pass_manager()
        passes.add_always_inliner_pass()
        passes.add_global_dead_code_eliminate_pass()
        passes.add_sroa_pass()
    else:
        passes = builder.getModulePassManager()
    passes.run(module, builder)
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
