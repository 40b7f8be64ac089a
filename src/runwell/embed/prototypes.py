"""What functions looked like in the source language, for modules with debugging information.

Compilers write DWARF into custom sections, and ``pyelftools`` reads it, if that is installed
(``pip install runwell[debug]``).  A function is known by where its body begins.  Whatever is
damaged or unusual is left out: this is a help for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runwell.embed.sources import code_start, debug_info

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from runwell.module.module import Module

_DEEPEST = 8
_QUALIFIERS = {"DW_TAG_const_type": "const", "DW_TAG_volatile_type": "volatile"}
_KINDS = {
    "DW_TAG_structure_type": "struct",
    "DW_TAG_class_type": "class",
    "DW_TAG_union_type": "union",
    "DW_TAG_enumeration_type": "enum",
}


class Prototype(NamedTuple):
    """A function of the source.

    Attributes:
        text: as C has it, e.g. ``int add(int a, int b)``.
        parameters: their names.
        has_structure: it returns a structure, which may be at an address that comes first.
    """

    text: str
    parameters: tuple[str, ...]
    has_structure: bool


def prototypes(module: Module, functions: Collection[int]) -> dict[int, Prototype]:
    """What is known of functions.

    Args:
        module: the module.
        functions: indices of those that are of interest.
    """
    info = debug_info(module)
    if info is None:
        return {}
    start = code_start(module.data)
    bodies = {x: module.body(x) for x in functions}
    wanted = {body.start - start: x for x, body in bodies.items() if body is not None}
    try:
        return dict(_found(info, wanted))
    except Exception:  # noqa: BLE001 - the guest's, and only a help: any damage means none
        return {}


def _found(info: Any, wanted: dict[int, int]) -> Iterator[tuple[int, Prototype]]:
    for unit in info.iter_CUs():
        for entry in _functions(unit.get_top_DIE()):
            at = entry.attributes.get("DW_AT_low_pc")
            x = None if at is None else wanted.get(at.value)
            if x is not None:
                yield x, _prototype(entry)


def _functions(entry: Any) -> Iterator[Any]:
    for child in entry.iter_children():
        if child.tag == "DW_TAG_subprogram":
            yield child
        elif child.tag in ("DW_TAG_namespace", *_KINDS):
            yield from _functions(child)


def _prototype(entry: Any) -> Prototype:
    declared = entry
    for link in ("DW_AT_abstract_origin", "DW_AT_specification"):
        if link in declared.attributes:
            declared = declared.get_DIE_from_attribute(link)
    names, texts = [], []
    for child in entry.iter_children():
        if child.tag != "DW_TAG_formal_parameter":
            continue
        if "DW_AT_abstract_origin" in child.attributes:
            child = child.get_DIE_from_attribute("DW_AT_abstract_origin")  # noqa: PLW2901
        name = _name(child)
        names.append(name)
        type_ = _type(child)
        texts.append(f"{type_}{name}" if type_.endswith("*") else f"{type_} {name}".rstrip())
    result = _type(declared)
    gap = "" if result.endswith("*") else " "
    text = f"{result}{gap}{_name(declared)}({', '.join(texts) or 'void'})"
    return Prototype(text, tuple(names), _is_structure(declared))


def _name(entry: Any) -> str:
    found = entry.attributes.get("DW_AT_name")
    return "" if found is None else found.value.decode(errors="replace")


def _type(entry: Any, depth: int = 0) -> str:
    """The type that an entry has, in C."""
    if "DW_AT_type" not in entry.attributes:
        return "void"
    type_ = entry.get_DIE_from_attribute("DW_AT_type")
    name = _name(type_)
    if depth == _DEEPEST:
        return "..."
    if type_.tag in _QUALIFIERS:
        inner = _type(type_, depth + 1)
        word = _QUALIFIERS[type_.tag]
        return f"{inner}{word} " if inner.endswith("*") else f"{word} {inner}"
    if type_.tag == "DW_TAG_pointer_type":
        if name:  # of languages that give them one
            return name
        inner = _type(type_, depth + 1)
        return f"{inner}*" if inner.endswith("*") else f"{inner} *"
    if type_.tag == "DW_TAG_subroutine_type":
        return "function"
    kind = _KINDS.get(type_.tag)
    return f"{kind} {name}".rstrip() if kind else name or "..."


def _is_structure(entry: Any) -> bool:
    for _ in range(_DEEPEST):
        if "DW_AT_type" not in entry.attributes:
            return False
        entry = entry.get_DIE_from_attribute("DW_AT_type")
        if entry.tag not in ("DW_TAG_typedef", *_QUALIFIERS):
            return entry.tag in _KINDS and entry.tag != "DW_TAG_enumeration_type"
    return False
