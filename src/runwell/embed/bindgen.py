"""Typed Python wrappers for modules: what ``runwell bindgen`` writes.

A wrapper is a class with a method for each function that the module exports and an attribute for
everything else, and a protocol for each module that it imports from.  At run time methods are the
``runwell.Func`` themselves, so that nothing is slower for being wrapped; the stub beside says their
types to type checkers and editors.  The same module gives the same text, formatted as formatters
have it.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from runwell.base.types import FuncType, ValType
from runwell.embed.allocator import exports_allocator
from runwell.embed.identifiers import class_name, identifier, quoted, shown
from runwell.embed.prototypes import prototypes
from runwell.embed.wrapping import describe, promise
from runwell.module.types import ExternKind, GlobalType

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runwell.embed.module import Module
    from runwell.embed.prototypes import Prototype
    from runwell.module.types import ExportType, ImportType

_WIDTH = 88
_TYPES = {
    ValType.I32: "int",
    ValType.I64: "int",
    ValType.F32: "float",
    ValType.F64: "float",
    ValType.V128: "bytes",
    ValType.FUNCREF: "runwell.Func | None",
}
_FACES = {
    ExternKind.MEMORY: "runwell.Memory",
    ExternKind.TABLE: "runwell.Table",
    ExternKind.GLOBAL: "runwell.Global",
    ExternKind.TAG: "runwell.Tag",
}
# What every wrapper has.
_OWN = ("self", "instance", "close")
# Called for the user, who must not call it again.
_HIDDEN = "_initialize"
_START = "_start"


class Wrapper(NamedTuple):
    """A wrapper module.

    Attributes:
        source: of the ``.py``.
        stub: of the ``.pyi``.
    """

    source: str
    stub: str


class _Member(NamedTuple):
    """Something that is imported or exported.

    Attributes:
        name: in Python.
        entry: what it is.
        params: of a function: names and annotations.
        result: annotation of what a function returns, or of what an attribute has.
        doc: the lines of its docstring.
    """

    name: str
    entry: ImportType | ExportType
    params: tuple[tuple[str, str], ...]
    result: str
    doc: tuple[str, ...]

    @property
    def is_function(self) -> bool:
        """Is it one?"""
        return self.entry.kind == ExternKind.FUNC

    def signature(self) -> list[str]:
        """The lines of a method's declaration, up to the colon."""
        params = ["self", *(f"{name}: {type_}" for name, type_ in self.params)]
        return _signature(self.name, [*params, "/"] if self.params else params, self.result)


class _Protocol(NamedTuple):
    """What a module of imports must have."""

    cls: str
    parameter: str
    module: str
    members: list[_Member]


class _Plan(NamedTuple):
    """All that is written of a module."""

    cls: str
    file: str
    protocols: list[_Protocol]
    members: list[_Member]
    has_allocator: bool
    is_command: bool


def write_wrapper(module: Module, name: str, file: str) -> Wrapper:
    """Write the wrapper of a module.

    Args:
        module: the module.
        name: what to call the class, as ``class_name`` takes it.
        file: path of the module's file from the wrapper's directory, with slashes.
    """
    cls = class_name(name)
    allocator, command = exports_allocator(module), _START in module.entries
    plan = _Plan(
        cls, file, _protocols(module, cls), _members(module, allocator, command), allocator, command
    )
    return Wrapper(_lines(_source(plan)), _lines(_stub(plan)))


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


# Members.


def _annotation(type_: ValType) -> str:
    return _TYPES.get(type_, "Any")


def _function(
    name: str,
    entry: ImportType | ExportType,
    names: dict[int, str],
    prototype: Prototype | None = None,
) -> _Member:
    type_ = entry.type
    assert isinstance(type_, FuncType)
    doc = [f"`{shown(entry.name)}`: {type_}."]
    if prototype is not None:
        doc.append(f"`{shown(prototype.text)}`")
        known = list(prototype.parameters)
        if prototype.has_structure and len(known) + 1 == len(type_.params):
            known.insert(0, "result")
        if len(known) == len(type_.params):
            names = dict(enumerate(known)) | names
    params: list[tuple[str, str]] = []
    for i, param in enumerate(type_.params):
        taken = {"self", *(n for n, _ in params)}
        params.append((identifier(names.get(i) or f"arg{i}", taken), _annotation(param)))
    results = [_annotation(t) for t in type_.results]
    result = results[0] if len(results) == 1 else f"tuple[{', '.join(results)}]"
    return _Member(name, entry, tuple(params), result if results else "None", tuple(doc))


def _attribute(name: str, entry: ImportType | ExportType, type_: str) -> _Member:
    return _Member(name, entry, (), type_, (f"`{shown(entry.name)}`: {shown(describe(entry))}.",))


def _imported(name: str, entry: ImportType, names: dict[int, str]) -> _Member:
    if entry.kind == ExternKind.FUNC:
        return _function(name, entry, names)
    face = _FACES[entry.kind]
    if isinstance(entry.type, GlobalType) and not entry.type.mutable and not entry.type.type.is_ref:
        face = f"{_annotation(entry.type.type)} | {face}"
    return _attribute(name, entry, face)


def _protocols(module: Module, wrapper: str) -> list[_Protocol]:
    from runwell.wasi.preview1 import MODULES

    found: dict[str, _Protocol] = {}
    functions = count()
    for wanted in module.imports:
        index = next(functions) if wanted.kind == ExternKind.FUNC else -1
        if wanted.module in MODULES:
            continue
        protocol = found.get(wanted.module)
        if protocol is None:
            others = found.values()
            cls = class_name(f"{wanted.module} imports", {wrapper, *(p.cls for p in others)})
            taken = {"self", "wasi", "engine", "exports", *(p.parameter for p in others)}
            parameter = identifier(wanted.module, taken)
            protocol = found[wanted.module] = _Protocol(cls, parameter, wanted.module, [])
        if all(member.entry.name != wanted.name for member in protocol.members):
            taken = {"self", *(member.name for member in protocol.members)}
            names = module.code.module.names.locals.get(index) or {}
            name = identifier(wanted.name, taken)
            protocol.members.append(_imported(name, wanted, dict(names)))
    return list(found.values())


def _members(module: Module, has_allocator: bool, is_command: bool) -> list[_Member]:
    taken = {*_OWN, *(["allocator"] if has_allocator else []), *(["run"] if is_command else [])}
    decoded = module.code.module
    functions = {e.item for e in decoded.exports if e.kind == ExternKind.FUNC}
    known = prototypes(decoded, functions)
    members = []
    for entry, export in zip(decoded.exports, module.exports, strict=True):
        if export.kind == ExternKind.FUNC and export.name in (_HIDDEN, _START):
            continue
        name = identifier(export.name, taken)
        taken.add(name)
        if export.kind == ExternKind.FUNC:
            names = dict(decoded.names.locals.get(entry.item) or {})
            members.append(_function(name, export, names, known.get(entry.item)))
        elif isinstance(export.type, GlobalType):
            members.append(_attribute(name, export, _annotation(export.type.type)))
        else:
            members.append(_attribute(name, export, _FACES[export.kind]))
    return members


# Text.


def _signature(name: str, params: Sequence[str], result: str) -> list[str]:
    """The declaration of a method in a class, on as few lines as formatters give it."""
    end = f") -> {result}:"
    joined = ", ".join(params)
    if len(line := f"    def {name}({joined}{end}") <= _WIDTH:
        return [line]
    if len(line := f"        {joined}") <= _WIDTH:
        return [f"    def {name}(", line, f"    {end}"]
    return [f"    def {name}(", *(f"        {param}," for param in params), f"    {end}"]


def _docstring(lines: Sequence[str], indent: str = "        ") -> list[str]:
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    first, *rest = lines
    return [f'{indent}"""{first}', "", *(f"{indent}{line}" for line in rest), f'{indent}"""']


def _head(plan: _Plan) -> str:
    return f"The WebAssembly module {shown(plan.file)}, by `runwell bindgen`: do not edit."


def _imports(plan: _Plan, *, is_stub: bool) -> list[str]:
    shown_types = [m.result for m in plan.members] + [
        type_
        for member in (*plan.members, *(m for p in plan.protocols for m in p.members))
        for type_ in (member.result, *(t for _, t in member.params))
    ]
    names = [
        *(["Any"] if any("Any" in type_ for type_ in shown_types) or not is_stub else []),
        *(["Protocol"] if plan.protocols else []),
        "Self",
    ]
    if not is_stub:
        used = [m.result for p in plan.protocols for m in p.members]
        used += [t for p in plan.protocols for m in p.members for _, t in m.params]
        used += [m.result for m in plan.members if m.entry.kind == ExternKind.GLOBAL]
        names = [name for name in names if name != "Any" or any("Any" in t for t in used)]
    lines = []
    if plan.protocols:
        lines.append("from collections.abc import Mapping")
    if not is_stub:
        lines.append("from pathlib import Path")
    return [*lines, f"from typing import {', '.join(names)}", "", "import runwell"]


def _protocol_lines(plan: _Plan, gap: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for protocol in plan.protocols:
        lines += [*gap, f"class {protocol.cls}(Protocol):"]
        lines += _docstring([f"What the module imports from `{shown(protocol.module)}`."], "    ")
        for member in protocol.members:
            lines.append("")
            if not member.is_function:
                lines += ["    @property", f"    def {member.name}(self) -> {member.result}:"]
            else:
                lines += member.signature()
            lines += _docstring(member.doc)
    return lines


def _class_doc(plan: _Plan) -> list[str]:
    given = [
        f"    {p.parameter}: what is imported from `{shown(p.module)}`, or a mapping of names."
        for p in plan.protocols
    ]
    options = [
        "    wasi: what the module gets from WASI; None for nothing.",
        "    engine: where it runs; None for one of the default configuration.",
    ]
    return _docstring([f"An instance of {shown(plan.file)}.", "Args:", *given, *options], "    ")


def _init(plan: _Plan) -> list[str]:
    given = [f"{p.parameter}: {p.cls} | Mapping[str, object]" for p in plan.protocols]
    options = [
        "*",
        "wasi: runwell.WasiConfig | None = None",
        "engine: runwell.Engine | None = None",
    ]
    return _signature("__init__", ["self", *given, *options], "None")


def _source(plan: _Plan) -> list[str]:
    lines = [
        f'"""{_head(plan)}"""', "", "from __future__ import annotations", "",
        *_imports(plan, is_stub=False), "from runwell.wrapping import instantiate", "",
        f"_FILE = Path(__file__).parent / {quoted(plan.file)}",
    ]  # fmt: skip
    entries = [f"    {quoted(m.entry.name)}: {quoted(promise(m.entry))}," for m in plan.members]
    lines += ["_EXPORTS = {", *entries, "}"] if entries else ["_EXPORTS: dict[str, str] = {}"]
    for protocol in plan.protocols:
        names = [f"    {quoted(m.entry.name)}: {quoted(m.name)}," for m in protocol.members]
        lines += [f"_{protocol.parameter}_names = {{", *names, "}"]
    lines += [*_protocol_lines(plan, ["", ""]), "", "", f"class {plan.cls}:"]
    lines += [*_class_doc(plan), "", *_init(plan)]
    if plan.protocols:
        lines.append("        imports = {")
        for p in plan.protocols:
            value = f"({p.parameter}, {p.cls}, _{p.parameter}_names)"
            lines.append(f"            {quoted(p.module)}: {value},")
        lines.append("        }")
    given = "imports" if plan.protocols else "{}"
    lines.append(
        f"        self.instance = instantiate(_FILE, _EXPORTS, {given}, wasi=wasi, engine=engine)"
    )
    if plan.has_allocator:
        lines.append("        self.allocator = runwell.Allocator(self.instance)")
    if plan.members:
        lines.append("        exports = self.instance.exports")
    globals_ = [m for m in plan.members if m.entry.kind == ExternKind.GLOBAL]
    for member in plan.members:
        private = "_global_" if member in globals_ else ""
        lines.append(f"        self.{private}{member.name} = exports[{quoted(member.entry.name)}]")
    for member in globals_:
        value = f"        value: {member.result} = self._global_{member.name}.value"
        lines += ["", *_getter(member), *_docstring(member.doc), value, "        return value"]
        if _is_mutable(member):
            lines += ["", *_setter(member), f"        self._global_{member.name}.value = value"]
    for declaration, doc, body in _methods(plan):
        lines += ["", *declaration, *_docstring([doc]), *(f"        {line}" for line in body)]
    return lines


def _stub(plan: _Plan) -> list[str]:
    lines = [
        f"# {_head(plan)}",
        "",
        *_imports(plan, is_stub=True),
        *_protocol_lines(plan, [""]),
        "",
    ]
    lines.append(f"class {plan.cls}:")
    lines += [*_class_doc(plan), "", "    instance: runwell.Instance"]
    if plan.has_allocator:
        lines.append("    allocator: runwell.Allocator")
    faces = [
        member for member in plan.members
        if not member.is_function and member.entry.kind != ExternKind.GLOBAL
    ]  # fmt: skip
    lines += [f"    {member.name}: {member.result}" for member in faces]
    *declaration, end = _init(plan)
    lines += [*declaration, end + " ..."]
    for member in plan.members:
        if member.is_function:
            lines += [*member.signature(), *_docstring(member.doc), ""]
        elif member.entry.kind == ExternKind.GLOBAL:
            lines += [*_getter(member), *_docstring(member.doc), ""]
            if _is_mutable(member):
                *rest, end = _setter(member)
                lines += [*rest, end + " ..."]
    for declaration, doc, _ in _methods(plan):
        lines += [*declaration, *_docstring([doc]), ""]
    return lines[:-1]


def _getter(member: _Member) -> list[str]:
    return ["    @property", *_signature(member.name, ["self"], member.result)]


def _setter(member: _Member) -> list[str]:
    params = ["self", f"value: {member.result}"]
    return [f"    @{member.name}.setter", *_signature(member.name, params, "None")]


def _is_mutable(member: _Member) -> bool:
    return isinstance(member.entry.type, GlobalType) and member.entry.type.mutable


def _methods(plan: _Plan) -> list[tuple[list[str], str, list[str]]]:
    """Declarations, docstrings and bodies of what every wrapper has."""
    run = (
        ["    def run(self) -> int:"],
        "Run the program to its end, and return its exit code.",
        ["return self.instance.run()"],
    )
    return [
        *([run] if plan.is_command else []),
        (
            ["    def close(self) -> None:"],
            "Let go of the instance, and free its memory at once.",
            ["self.instance.close()"],
        ),
        (["    def __enter__(self) -> Self:"], "Close it at the end.", ["return self"]),
        (
            ["    def __exit__(self, *exception: object) -> None:"],
            "Close it.",
            ["self.close()"],
        ),
    ]
