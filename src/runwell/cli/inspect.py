"""``runwell inspect``: what is in a module."""

from __future__ import annotations

import sys

import runwell
from runwell.base.types import FuncType
from runwell.binary.decoder import CUSTOM, SECTION_NAMES, decode, section_ranges
from runwell.module.validate import validate_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import SimpleNamespace

    from runwell.module.module import Module
    from runwell.module.types import ExternType

USAGE, UNAVAILABLE = 64, 69


def run(args: SimpleNamespace) -> int:
    """Look inside ``args.file``.

    Raises:
        RunwellError: it is no module, or an invalid one.
        OSError: the file cannot be read.
    """
    with open(args.file, "rb") as file:
        data = file.read()
    if not data.startswith(b"\0asm"):
        from runwell.text.parser import parse

        data = parse(data)
    module = decode(data)
    validate_module(module)
    wanted = args.disassemble or args.ir or args.llvm or args.asm
    if args.wat:
        from runwell.text.printer import print_module

        sys.stdout.write(print_module(module))
        return 0
    if wanted is None:
        for line in summary(args.file, module):
            print(line)
        return 0
    function = find_function(module, wanted)
    if function is None:
        print(f"runwell: {args.file}: there is no function {wanted!r}", file=sys.stderr)
        return USAGE
    if module.body(function) is None:
        print(f"runwell: {args.file}: function {wanted!r} is imported", file=sys.stderr)
        return USAGE
    if args.llvm or args.asm:
        try:
            text = compiled_code(data, function, assembly=bool(args.asm))
        except ModuleNotFoundError as e:
            if (e.name or "").split(".")[0] != "llvmlite":
                raise
            print("runwell: llvmlite, which compiles, is not installed: pip install llvmlite",
                  file=sys.stderr)  # fmt: skip
            return UNAVAILABLE
        sys.stdout.write(text)
    elif args.ir:
        sys.stdout.write(register_code(data, function))
    else:
        from runwell.text.printer import print_function

        sys.stdout.write(print_function(module, function))
    return 0


def register_code(data: bytes, function: int) -> str:
    """The register code of a function, as text.

    Raises:
        InvalidError: the module is invalid.
    """
    from runwell.jit.prepare import job_function
    from runwell.translate.code import PORTABLE, decode_code
    from runwell.translate.printer import print_code

    found = job_function(runwell.Module(data).code, function)
    if found is None:
        raise runwell.InternalError(f"function {function} cannot be translated")
    return print_code(decode_code(memoryview(found.code).cast("I").tolist(), PORTABLE))


def compiled_code(data: bytes, function: int, *, assembly: bool) -> str:
    """A function as the compiling engine makes it, alone: LLVM's text, or assembly.

    Raises:
        InvalidError: the module is invalid.
        ModuleNotFoundError: llvmlite is not there.
    """
    import os

    from runwell.codegen.object import compile_assembly, optimise_text
    from runwell.codegen.target import keep_places
    from runwell.jit.level import Level
    from runwell.jit.prepare import make_job
    from runwell.jit.unit import job_text

    keep_places()
    job = make_job(runwell.Module(data).code, [function])
    text = job_text(job, os.uname().machine)
    level = Level.BEST.of_llvm
    if not assembly:
        return optimise_text(text, level)
    return "".join(f"{line}\n" for line in _plain(compile_assembly(text, level).splitlines()))


# What says where instructions are from, and how to unwind; and labels that only this refers to.
_NOTES = ("\t.cfi_", "\t.loc\t", "\t.file\t", ".Ltmp", ".Lfunc_begin")


_SHARED = tuple([f"\t.type\t{name}," for name in ("check_limit", "is_among", "check_fuel")])


def _plain(lines: list[str]) -> Iterator[str]:
    """Assembly without debugging information and the parts that all functions share."""
    is_shared = False
    opening: list[str] = []  # what belongs to the next function or constant, if that is shown
    for line in lines:
        if line.startswith("\t.section\t.debug"):
            return
        if line.startswith("\t.type\t") and line.endswith("function"):
            is_shared = line.startswith(_SHARED)
        if line.startswith(("\t.section\t", "\t.text", "\t.p2align\t")) or not line:
            if is_shared:
                opening.clear()
            is_shared = False
            opening.append(line)
        elif is_shared:
            opening.clear()
        elif not line.startswith(_NOTES):
            yield from opening
            opening.clear()
            yield line


def find_function(module: Module, wanted: str) -> int | None:
    """Index of a function by number, by name or by the name it is exported under."""
    n = len(module.function_types)
    if wanted.isdecimal():
        return int(wanted) if int(wanted) < n else None
    name = wanted.removeprefix("$")
    for export in module.exports:
        if export.name == wanted and export.kind == 0:
            return export.item
    return next((x for x, text in module.names.functions.items() if text == name and x < n), None)


def summary(path: str, module: Module) -> Iterator[str]:
    """The lines that ``runwell inspect`` prints."""
    yield f"{path}: {len(module.data):,} bytes"
    yield ""
    yield f"{'section':<24}{'offset':>12}{'bytes':>12}{'items':>10}"
    customs = iter(module.customs)
    counts = _counts(module)
    for number, start, end in section_ranges(module.data):
        label = SECTION_NAMES[number]
        if number == CUSTOM:
            label = f'custom "{next(customs).name}"'
        count = counts.get(SECTION_NAMES[number])
        items = f"{count:,}" if count is not None else ""
        yield f"{label:<24}{start:>#12x}{end - start:>12,}{items:>10}".rstrip()
    if module.start is not None:
        yield ""
        yield f"start: {_function(module, module.start)}"
    if module.imports:
        yield ""
        yield "imports"
        for wanted in module.import_types():
            yield f"  {wanted.module}.{wanted.name}: {describe(wanted.type)}"
    if module.exports:
        yield ""
        yield "exports"
        for offered in module.export_types():
            yield f"  {offered.name}: {describe(offered.type)}"


def _counts(module: Module) -> dict[str, int]:
    return {
        "type": len(module.types),
        "import": len(module.imports),
        "function": len(module.bodies) // 2,
        "table": len(module.table_inits),
        "memory": len(module.memory_types) - module.n_imported_memories,
        "tag": len(module.tag_types) - module.n_imported_tags,
        "global": len(module.global_inits),
        "export": len(module.exports),
        "element": len(module.elements),
        "code": len(module.bodies) // 2,
        "data": len(module.datas),
    }


def _function(module: Module, function: int) -> str:
    name = module.function_name(function)
    return f"function {function} ({name})" if name else f"function {function}"


def describe(t: ExternType) -> str:
    """A type as a line of the summary shows it."""
    return f"func {t}" if isinstance(t, FuncType) else str(t)
