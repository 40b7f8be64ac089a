"""Register code as text, which ``parser`` reads back.

A line is an instruction; of a fused one the two parts are joined by ``;``:

    L1:
      i32.add [8], 1 -> [8]
      i32.load [8] offset:16 -> acc ; i32.eq acc, [24] -> loop_if L1

``[8]`` is a slot of the value frame, ``{8}`` one of the reference frame, ``acc`` the accumulator of
the value's class.  Constants are integers, in two words if they end in ``L``; those of floats are
bits, in hexadecimal.  Behind the sources come immediates, each with its kind.
"""

from collections.abc import Sequence

from runwell.base.types import ValType
from runwell.isa.form import Dst, Mode, Src
from runwell.isa.register import Word
from runwell.translate.code import Instruction, Part

_SIGNED = (Word.DELTA,)


def signed(value: int, bits: int) -> int:
    """A number of ``bits`` bits, read as signed."""
    return value - (1 << bits) if value >> (bits - 1) else value


def print_code(instructions: Sequence[Instruction]) -> str:
    """Instructions as text, one a line, with labels."""
    targets = sorted({target for i in instructions for target in i.targets})
    labels = {target: f"L{n}" for n, target in enumerate(targets)}
    lines = []
    for i in instructions:
        if i.at in labels:
            lines.append(f"{labels[i.at]}:")
        lines.append("  " + " ; ".join(print_part(part, labels) for part in i.parts))
    end = max((t for t in targets), default=0)
    if instructions and end > instructions[-1].at:
        lines.append(f"{labels[end]}:")
    return "".join(f"{line}\n" for line in lines)


def print_part(part: Part, labels: dict[int, str]) -> str:
    """One part of an instruction."""
    form = part.form
    words = [form.op.name]
    if form.mode != Mode.GUARD:
        words.append(form.mode.name.lower())
    sources = [
        print_source(src, value, type_)
        for src, value, type_ in zip(form.srcs, part.sources, form.params, strict=True)
    ]
    if sources:
        words.append(", ".join(sources))
    for kind, value in zip(form.imms, part.immediates, strict=True):
        if isinstance(value, tuple):
            words.append("targets:" + ",".join(labels[t] for t in value))
        else:
            shown = signed(value, 32) if kind in _SIGNED else value
            words.append(f"{kind.name.lower()}:{shown}")
    if form.dst != Dst.NONE:
        words += ["->", print_dest(form.dst, part.dest, labels)]
    return " ".join(words)


def print_source(src: Src, value: int, type_: ValType) -> str:
    """A source."""
    match src:
        case Src.SLOT:
            return f"[{value}]"
        case Src.REF:
            return f"{{{value}}}"
        case Src.ACC:
            return "acc"
        case Src.IMM | Src.IMM64:
            suffix = "L" if src == Src.IMM64 else ""
            text = hex(value) if type_.is_float else str(signed(value, 32 * src.words))
            return text + suffix


def print_dest(dst: Dst, value: int, labels: dict[int, str]) -> str:
    """A destination."""
    match dst:
        case Dst.SLOT:
            return f"[{value}]"
        case Dst.REF:
            return f"{{{value}}}"
        case Dst.ACC:
            return "acc"
        case _:
            return f"{dst.name.lower()} {labels[value]}"
