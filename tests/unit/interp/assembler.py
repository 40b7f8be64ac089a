"""Register code by hand: forms by name, operands in the order of their words, labels."""

import ctypes
import struct

from runwell.isa.form import FORMS, Dst, Src
from runwell.isa.register import Word

BY_NAME = {form.name: form for form in FORMS}


class Assembler:
    """Code under construction; branches and targets of tables are names of labels."""

    def __init__(self):
        self.parts = []  # (offset, struct format, number or label, sign of a distance)
        self.handlers = []  # (offset, form number)
        self.labels = {}
        self.size = 0

    def label(self, name):
        self.labels[name] = self.size

    def emit(self, name, *operands):
        """One instruction; its offset."""
        start, form, rest = self.size, BY_NAME[name], list(operands)
        self.handlers.append((start, form.index))
        self.size += 8
        for part in form.parts:
            self._emit_operands(part, rest)
        assert not rest, f"{name}: too many operands"
        return start

    def _emit_operands(self, form, rest):
        for src in form.srcs:
            if src != Src.ACC:
                self._add("<Q" if src == Src.IMM64 else "<I", rest.pop(0))
        for kind in form.imms:
            if kind == Word.TARGETS:
                targets = rest.pop(0)
                self._add("<I", len(targets) - 1)
                for target in targets:
                    self._add("<I", target)
            elif kind == Word.V128:
                number = rest.pop(0)
                self._add("<Q", number & (1 << 64) - 1)
                self._add("<Q", number >> 64)
            else:
                self._add("<Q" if kind == Word.OFFSET64 else "<I", rest.pop(0))
        if form.dst not in (Dst.NONE, Dst.ACC):
            self._add("<I", rest.pop(0), -1 if form.dst.is_backward else 1)

    def _add(self, kind, value, sign=1):
        self.parts.append((self.size, kind, value, sign))
        self.size += struct.calcsize(kind)

    def place(self, table):
        """The code in memory; ``table`` has the handlers' addresses."""
        buffer = ctypes.create_string_buffer(self.size)
        for at, form in self.handlers:
            struct.pack_into("<Q", buffer, at, table[form])
        for at, kind, value, sign in self.parts:
            number = (self.labels[value] - at) * sign if isinstance(value, str) else value
            struct.pack_into(kind, buffer, at, number & (1 << 8 * struct.calcsize(kind)) - 1)
        return buffer
