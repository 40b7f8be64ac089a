"""Register code from text, as ``printer`` writes it."""

import re

from runwell.base.errors import MalformedError
from runwell.isa.form import Dst, Form, FusedForm, Mode, Src, form_by_key, fused_by_pair
from runwell.isa.register import BY_NAME, Word
from runwell.translate.code import Instruction, Part, instruction_words

_LABEL = re.compile(r"(\w+):\Z")
_MODES = {mode.name.lower(): mode for mode in Mode if mode != Mode.GUARD}
_BRANCHES = {dst.name.lower(): dst for dst in Dst if dst.is_branch}


class _Line:
    """A line being parsed, and the labels that it names: targets are line numbers of those."""

    def __init__(self, number: int, text: str) -> None:
        self.number, self.text = number, text

    def error(self, message: str) -> MalformedError:
        """What to raise."""
        return MalformedError(message, line=self.number, column=1, source=self.text)


# A part whose branch targets are still names.
_Draft = tuple[Form, tuple[int, ...], tuple[int | tuple[str, ...], ...], int | str]


def parse_code(text: str) -> list[Instruction]:
    """Instructions from text.

    Raises:
        MalformedError: it is no register code.
    """
    labels: dict[str, int] = {}
    drafts: list[tuple[_Line, Form | FusedForm, list[_Draft]]] = []
    places: list[int] = []
    at = 0
    for number, source in enumerate(text.splitlines(), 1):
        line = _Line(number, source)
        stripped = source.strip()
        if not stripped:
            continue
        label = _LABEL.match(stripped)
        if label is not None:
            labels[label[1]] = at
            continue
        parts = [_part(line, piece.strip()) for piece in stripped.split(";")]
        drafts.append((line, _form(line, [part[0] for part in parts]), parts))
        places.append(at)
        at += 4 * instruction_words([Part(f, s, _counts(i), 0) for f, s, i, _ in parts])
    return [
        Instruction(place, form, tuple([_resolve(line, part, labels) for part in parts]))
        for place, (line, form, parts) in zip(places, drafts, strict=True)
    ]


def _counts(immediates: tuple[int | tuple[str, ...], ...]) -> tuple[int | tuple[int, ...], ...]:
    """Immediates with any targets, to know how many there are."""
    return tuple([(0,) * len(i) if isinstance(i, tuple) else i for i in immediates])


def _form(line: _Line, forms: list[Form]) -> Form | FusedForm:
    found: Form | FusedForm = forms[0]
    for form in forms[1:]:
        fused = fused_by_pair().get((found.index, form.index))
        if fused is None:
            raise line.error(f"no fused form {' + '.join(f.name for f in forms)}")
        found = fused
    return found


def _part(line: _Line, text: str) -> _Draft:
    head, _, tail = text.partition("->")
    words = head.replace(",", " , ").split()
    op = BY_NAME.get(words[0]) if words else None
    if op is None:
        raise line.error(f"unknown operation {words[0] if words else ''!r}")
    mode = _MODES.get(words[1]) if len(words) > 1 else None
    operands = head[len(words[0]) :].strip()
    if mode is not None:
        operands = operands.removeprefix(words[1]).strip()
    sources, immediates = _operands(line, operands)
    dst, dest = _dest(line, tail.strip())
    key = op.name, tuple([src for src, _ in sources]), dst, mode or Mode.GUARD
    form = form_by_key().get(key)
    if form is None:
        raise line.error(f"{op.name} has no such form")
    kinds = tuple([kind for kind, _ in immediates])
    if kinds != form.imms:
        raise line.error(f"{op.name} has the immediates {', '.join(k.name for k in form.imms)}")
    return form, tuple([v for _, v in sources]), tuple([v for _, v in immediates]), dest


def _operands(
    line: _Line, text: str
) -> tuple[list[tuple[Src, int]], list[tuple[Word, int | tuple[str, ...]]]]:
    sources: list[tuple[Src, int]] = []
    immediates: list[tuple[Word, int | tuple[str, ...]]] = []
    for word in text.replace(", ", " ").split():
        name, colon, value = word.partition(":")
        if not colon:
            sources.append(_source(line, word))
        elif name.upper() not in Word.__members__:
            raise line.error(f"unknown kind of immediate {name!r}")
        elif name == "targets":
            immediates.append((Word.TARGETS, tuple(value.split(","))))
        else:
            kind = Word[name.upper()]
            immediates.append((kind, _number(line, value) & (1 << 32 * kind.words) - 1))
    return sources, immediates


def _number(line: _Line, text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise line.error(f"{text!r} is not a number") from None


def _source(line: _Line, text: str) -> tuple[Src, int]:
    if text == "acc":
        return Src.ACC, 0
    if text[:1] == "[":
        return Src.SLOT, _number(line, text[1:-1])
    if text[:1] == "{":
        return Src.REF, _number(line, text[1:-1])
    if text[-1:] == "L":
        return Src.IMM64, _number(line, text[:-1]) & (1 << 64) - 1
    return Src.IMM, _number(line, text) & (1 << 32) - 1


def _dest(line: _Line, text: str) -> tuple[Dst, int | str]:
    if not text:
        return Dst.NONE, 0
    if text == "acc":
        return Dst.ACC, 0
    if text[0] == "[":
        return Dst.SLOT, _number(line, text[1:-1])
    if text[0] == "{":
        return Dst.REF, _number(line, text[1:-1])
    name, _, label = text.partition(" ")
    if name not in _BRANCHES or not label:
        raise line.error(f"unknown destination {text!r}")
    return _BRANCHES[name], label.strip()


def _resolve(line: _Line, draft: _Draft, labels: dict[str, int]) -> Part:
    form, sources, immediates, dest = draft

    def find(label: str) -> int:
        if label not in labels:
            raise line.error(f"unknown label {label}")
        return labels[label]

    resolved = tuple(
        [tuple([find(t) for t in i]) if isinstance(i, tuple) else i for i in immediates]
    )
    return Part(form, sources, resolved, find(dest) if isinstance(dest, str) else dest)
