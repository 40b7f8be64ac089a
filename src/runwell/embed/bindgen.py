"""Typed Python wrappers for modules: what ``runwell bindgen`` writes.

A wrapper is a class with a method for each function that the module exports and a property for
everything else, and a protocol for each module that it imports from.  The stub beside it says the
same to type checkers.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, NamedTuple

from runwell.base.types import FuncType, ValType
from runwell.module.types import ExternKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runwell.embed.module import Module
    from runwell.module.types import ExportType, ImportType

_TYPES = {
    ValType.I32: "int",
    ValType.I64: "int",
    ValType.F32: "float",
    ValType.F64: "float",
    ValType.V128: "bytes",
}
_FACES = {
    ExternKind.MEMORY: "runwell.Memory",
    ExternKind.TABLE: "runwell.Table",
    ExternKind.GLOBAL: "runwell.Global",
    ExternKind.TAG: "runwell.Tag",
}
# What wrappers have besides the guest's own names.
_RESERVED = {"self", "instance", "close"}


class Wrapper(NamedTuple):
    """A wrapper module.

    Attributes:
        source: of the ``.py``.
        stub: of the ``.pyi``.
    """

    source: str
    stub: str


class _Member(NamedTuple):
    """Something that is imported or exported; a function if ``face`` is empty."""

    name: str
    wasm_name: str
    face: str
    params: tuple[tuple[str, str], ...] = ()
    result: str = ""
    doc: str = ""

    @property
    def declaration(self) -> str:
        """As a line of a class body, without the ``...`` of a function."""
        if self.face:
            return f"    {self.name}: {self.face}"
        params = "".join(f", {name}: {type_}" for name, type_ in self.params)
        slash = ", /" if self.params else ""
        return f"    def {self.name}(self{params}{slash}) -> {self.result}:"


class _Protocol(NamedTuple):
    """What a module of imports must have."""

    cls: str
    parameter: str
    module: str
    members: list[_Member]


def identifier(name: str, taken: Iterable[str] = ()) -> str:
    """A Python name for a name of the guest's.

    Args:
        name: any string.
        taken: names that it must not be.
    """
    made = re.sub(r"\W", "_", name, flags=re.ASCII) or "_"
    if made[0].isdigit():
        made = "_" + made
    while keyword.iskeyword(made) or made in taken:
        made += "_"
    return made


def class_name(name: str) -> str:
    """A Python class name for a name of the guest's, e.g. ``ImageFilter`` of ``image-filter``."""
    words = re.split(r"[\W_]+", name, flags=re.ASCII)
    return identifier("".join(word[:1].upper() + word[1:] for word in words if word) or "Module")


def write_wrapper(module: Module, name: str, file: str) -> Wrapper:
    """Write the wrapper of a module.

    Args:
        module: the module.
        name: what to call the class, as ``class_name`` takes it.
        file: path of the module's file from the wrapper's directory.
    """
    cls = class_name(name)
    protocols = _protocols(module)
    members = _members(module)
    return Wrapper(
        _source(cls, name, file, protocols, members), _stub(cls, name, protocols, members)
    )


def _annotation(type_: ValType) -> str:
    return _TYPES.get(type_, "Any")


def _member(
    name: str, described: ImportType | ExportType, names: Mapping[int, str] | None = None
) -> _Member:
    """A member; ``names`` are those of a function's parameters, as far as they are known."""
    type_ = described.type
    if not isinstance(type_, FuncType):
        return _Member(name, described.name, _FACES[described.kind])
    params: list[tuple[str, str]] = []
    for i, param in enumerate(type_.params):
        known = (names or {}).get(i, f"arg{i}")
        params.append((identifier(known, {"self", *(n for n, _ in params)}), _annotation(param)))
    results = [_annotation(t) for t in type_.results]
    result = results[0] if len(results) == 1 else f"tuple[{', '.join(results)}]"
    doc = f"`{described.name}`: {type_}".replace("\\", "\\\\").replace('"', "'")
    return _Member(name, described.name, "", tuple(params), result if results else "None", doc)


def _protocols(module: Module) -> list[_Protocol]:
    from runwell.wasi.preview1 import MODULES

    found: dict[str, _Protocol] = {}
    for wanted in module.imports:
        if wanted.module in MODULES:
            continue
        protocol = found.get(wanted.module)
        if protocol is None:
            others = found.values()
            cls = identifier(class_name(wanted.module) + "Imports", {p.cls for p in others})
            taken = {"self", "wasi", "engine", *(p.parameter for p in others)}
            parameter = identifier(wanted.module, taken)
            protocol = found[wanted.module] = _Protocol(cls, parameter, wanted.module, [])
        if all(member.wasm_name != wanted.name for member in protocol.members):
            taken = {"self", *(member.name for member in protocol.members)}
            protocol.members.append(_member(identifier(wanted.name, taken), wanted))
    return list(found.values())


def _members(module: Module) -> list[_Member]:
    taken = set(_RESERVED)
    decoded = module.code.module
    members = []
    for entry, export in zip(decoded.exports, module.exports, strict=True):
        name = identifier(export.name, taken)
        taken.add(name)
        members.append(_member(name, export, decoded.names.locals.get(entry.item)))
    return members


def _protocol_lines(protocols: list[_Protocol]) -> list[str]:
    lines = []
    for protocol in protocols:
        lines += ["", "", f"class {protocol.cls}(Protocol):"]
        for member in protocol.members:
            lines.append(member.declaration + ("" if member.face else " ..."))
    return lines


def _init(protocols: list[_Protocol], end: str) -> str:
    imports = "".join(f"        {p.parameter}: {p.cls},\n" for p in protocols)
    return (
        f"    def __init__(\n        self,\n{imports}        *,\n"
        "        wasi: runwell.WasiConfig | None = None,\n"
        "        engine: runwell.Engine | None = None,\n"
        f"    ) -> None:{end}"
    )


def _source(
    cls: str, name: str, file: str, protocols: list[_Protocol], members: list[_Member]
) -> str:
    lines = [
        f'"""{name}: a WebAssembly module, wrapped by ``runwell bindgen``."""',
        "",
        "from __future__ import annotations",
        "",
        "from pathlib import Path",
        "from typing import Any, Protocol",
        "",
        "import runwell",
        "",
        f"_FILE = Path(__file__).parent / {file!r}",
        *_protocol_lines(protocols),
        "",
        "",
        f"class {cls}:",
        _init(protocols, ""),
        "        imports: dict[str, dict[str, Any]] = {",
    ]
    for protocol in protocols:
        lines.append(f"            {protocol.module!r}: {{")
        for member in protocol.members:
            value = f"{protocol.parameter}.{member.name}"
            lines.append(f"                {member.wasm_name!r}: {value},")
        lines.append("            },")
    lines += [
        "        }",
        "        self.instance = runwell.load(_FILE, imports, wasi=wasi, engine=engine)",
        "        exports = self.instance.exports",
    ]
    lines += [f"        self.{member.name} = exports[{member.wasm_name!r}]" for member in members]
    return "\n".join(lines) + "\n"


def _stub(cls: str, name: str, protocols: list[_Protocol], members: list[_Member]) -> str:
    lines = [
        f"# {name}: a WebAssembly module, wrapped by `runwell bindgen`.",
        "",
        "from typing import Any, Protocol",
        "",
        "import runwell",
        *_protocol_lines(protocols),
        "",
        "",
        f"class {cls}:",
        "    instance: runwell.Instance",
        _init(protocols, " ..."),
    ]
    for member in members:
        lines.append(member.declaration)
        if not member.face:
            lines.append(f'        """{member.doc}"""')
    return "\n".join(lines) + "\n"
