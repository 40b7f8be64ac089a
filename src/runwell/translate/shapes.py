"""Where in an instruction of register code are which words, by form: to walk without decoding."""

from functools import cache
from typing import final

from runwell.isa.form import FORMS, Form
from runwell.isa.register import Word
from runwell.translate.code import HANDLER_WORDS

_DIRECT = ("call", "return_call")
_THROUGH = ("call_indirect", "call_ref")
_VECTORS = ("v128.", "i8x16.", "i16x8.", "i32x4.", "i64x2.", "f32x4.", "f64x2.")


@final
class Shape:
    """What there is to know of a form; places are in words from the start, 0 if there is none.

    Attributes:
        words: length, without the targets of a table.
        forward: branches forward.
        backward: where the distance of a branch backward is.
        callee: where the function is that is called.
        through: where the type is through which a function is called.
        table: where the number of targets is, less one.
        vectors: operations on vectors.
    """

    __slots__ = ("backward", "callee", "forward", "table", "through", "vectors", "words")

    def __init__(self, parts: tuple[Form, ...]) -> None:
        at = HANDLER_WORDS
        self.forward = self.backward = 0
        self.callee = self.through = self.table = self.vectors = 0
        for part in parts:
            at += sum(src.words for src in part.srcs)
            for kind in part.imms:
                if kind == Word.TARGETS:
                    self.table = at
                elif kind == Word.FUNC and part.op.name in _DIRECT:
                    self.callee = at
                elif kind == Word.TYPE and part.op.name.startswith(_THROUGH):
                    self.through = at
                at += kind.words
            if part.dst.is_branch:
                if part.dst.is_backward:
                    self.backward = at
                else:
                    self.forward += 1
            at += part.dst.words
            self.vectors += part.op.name.startswith(_VECTORS)
        self.words = at


@cache
def shapes() -> list[Shape]:
    """By number of the form."""
    return [Shape(form.parts) for form in FORMS]
