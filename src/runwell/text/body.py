"""Instructions in the text format, to bytes.

One loop with a stack of its own takes flat and folded instructions alike, so that nesting is
bounded by memory alone.  Which immediates an instruction has, and how they are written, is said by
its row; the commonest kinds are taken here without going through it.

Source: core spec 3.0, text format of instructions.
"""

from typing import NamedTuple, TypeAlias, final

from runwell.base.errors import MalformedError
from runwell.base.leb128 import encode_unsigned
from runwell.base.types import ValType
from runwell.isa.imms import BlockType, Catch, encode_op
from runwell.isa.imms_text import Operands, parse_op
from runwell.isa.literal import parse_natural
from runwell.isa.op import Imm, Op, Rule
from runwell.isa.table import TABLE
from runwell.text.cursor import Cursor, Space
from runwell.text.lexer import UNEXPECTED, complaint, is_number
from runwell.text.naming import branch_hints
from runwell.text.types import TypeParser

_SPACES = {
    Imm.FUNC: "func",
    Imm.TYPE: "type",
    Imm.DEF_TYPE: "type",
    Imm.GLOBAL: "global",
    Imm.TABLE: "table",
    Imm.MEMORY: "memory",
    Imm.TAG: "tag",
    Imm.DATA: "data segment",
    Imm.ELEM: "elem segment",
}
_BLOCKS = (Rule.BLOCK, Rule.LOOP, Rule.IF, Rule.TRY_TABLE)
_CATCHES = ("catch", "catch_ref", "catch_all", "catch_all_ref")


def _head(op: Op) -> bytes:
    return bytes((op.prefix,)) + encode_unsigned(op.code) if op.prefix else bytes((op.code,))


# Bytes of instructions without immediates, by keyword.
_PLAIN = {
    op.keyword: _head(op)
    for op in TABLE
    if not op.imms and op.rule not in (Rule.ELSE, Rule.END) and len(TABLE.named(op.keyword)) == 1
}
# Kind and opcode of instructions whose only immediate is an index.
_INDEXED = {
    op.keyword: (op.imms[0], _head(op))
    for op in TABLE
    if op.imms in ((Imm.LOCAL,), (Imm.LABEL,), (Imm.FUNC,), (Imm.GLOBAL,))
}
# Instructions whose bytes depend on nothing but their tokens.
_CONSTANT = {op.keyword for op in TABLE if op.rule == Rule.CONST and op.imms != (Imm.V128,)}
_ACCESS = {op.keyword for op in TABLE if op.imms == (Imm.MEMARG,)}
_STRUCTURE = {op.keyword: op.rule for op in TABLE if op.rule in (*_BLOCKS, Rule.ELSE, Rule.END)}
_THEN_WORD = "then"
(_ELSE_WORD,) = [word for word, rule in _STRUCTURE.items() if rule == Rule.ELSE]
_ELSE, _END = (_head(op) for op in TABLE if op.rule in (Rule.ELSE, Rule.END))
_LEB = [encode_unsigned(x) for x in range(1 << 10)]

# Stages of a block.  One in parentheses that has arms closes each of them, then itself.
_OPEN, _CONDITION, _THEN, _AFTER_THEN, _ELSE_ARM, _AFTER_ELSE = range(6)
_NEXT = {_THEN: _AFTER_THEN, _ELSE_ARM: _AFTER_ELSE}

# What may come next: anything, only folded instructions, or only the other arm.
_ANYTHING, _FOLDED, _ARM = range(3)
_EXPECTED = {
    _OPEN: _ANYTHING,
    _CONDITION: _FOLDED,
    _THEN: _ANYTHING,
    _AFTER_THEN: _ARM,
    _ELSE_ARM: _ANYTHING,
    _AFTER_ELSE: _ARM,
}


@final
class _Block:
    """A block that is open; ``pending`` is the instruction while its condition is read."""

    __slots__ = ("folded", "hint", "label", "pending", "rule", "stage")

    def __init__(
        self, rule: Rule, label: str, folded: bool, pending: bytes, hint: int | None
    ) -> None:
        self.rule, self.label, self.folded, self.pending = rule, label, folded, pending
        self.hint = hint
        self.stage = _CONDITION if pending else _OPEN


class _Hinted(NamedTuple):
    """A folded instruction with a branch hint."""

    code: bytes
    hint: int


# A folded instruction whose operands are read is its bytes.
_Frame: TypeAlias = bytes | _Hinted | _Block


def _expected(stack: list[_Frame]) -> int:
    """What may come next."""
    if not stack:
        return _ANYTHING
    top = stack[-1]
    return _EXPECTED[top.stage] if isinstance(top, _Block) else _FOLDED


@final
class BodyParser(Operands):
    """Parses instructions at a cursor.

    Attributes:
        locals: the locals of the function being parsed.
        uses_data: has an instruction named a data segment?
        hints: branch hints of the last expression: offset in the output, and value.
        label_names: identifiers of its labels, counted in the order in which they begin.
    """

    def __init__(self, cursor: Cursor, types: TypeParser) -> None:
        self.cursor, self.types = cursor, types
        self.hints: list[tuple[int, int]] = []
        # Values of hints by the index of the token that they stand before.
        self._hint_at = branch_hints(cursor.tokens)
        self.locals = Space("local")
        self.uses_data = False
        self.label_names: dict[int, str] = {}
        self._n_labels = 0
        self._labels: list[str] = []
        self._depths: dict[str, list[int]] = {}
        self._last_type = 0
        self._cache: dict[tuple[str, ...], bytes] = {}

    def start_function(self, params: list[str | None], n_params: int) -> None:
        """Begin a function whose first locals are its parameters."""
        self.locals = Space("local")
        self.locals.count = n_params
        for x, name in enumerate(params):
            if name is not None:
                self.locals.ids[name] = x

    def expression(self, out: bytearray) -> None:
        """Instructions up to the parenthesis that closes what holds them, and the final end."""
        self._instructions(out, single=False)
        out += _END

    def folded_expression(self, out: bytearray) -> None:
        """One folded instruction, and the final end."""
        if not self.cursor.has("("):
            raise self.cursor.unexpected()
        self._instructions(out, single=True)
        out += _END

    def _instructions(self, out: bytearray, single: bool) -> None:
        c = self.cursor
        items, at = c.items, c.at
        plain, indexed, structure = _PLAIN, _INDEXED, _STRUCTURE
        stack: list[_Frame] = []
        expected = _ANYTHING
        self._labels = [""]
        self.label_names, self._n_labels = {}, 0
        self._depths = {}
        self.hints = []
        hint_at = self._hint_at
        while True:
            token = items[at]
            hint = hint_at.get(at) if hint_at else None
            at += 1
            folded = token == "("
            if folded:
                token = items[at]
                at += 1
                if expected == _ARM and token != _ELSE_WORD:
                    c.at = at
                    raise c.unexpected(1)
            elif token == ")":
                if not stack:
                    c.at = at - 1
                    return
                top = stack.pop()
                if isinstance(top, bytes):
                    out += top
                elif isinstance(top, _Hinted):
                    self.hints.append((len(out), top.hint))
                    out += top.code
                else:
                    c.at = at
                    self._close(top, stack, out)
                expected = _expected(stack)
                if single and not stack:
                    c.at = at
                    return
                continue
            elif expected:
                c.at = at
                raise c.unexpected(1)
            code = plain.get(token)
            if code is None:
                entry = indexed.get(token)
                if entry is not None:
                    kind, code = entry
                    code += self._index_bytes(kind, at)
                    at += 1
                elif token in structure or token == _THEN_WORD:
                    c.at = at
                    self._structure(token, folded, hint, stack, out)
                    at = c.at
                    expected = _expected(stack)
                    continue
                else:
                    c.at = at
                    code = self._general(token)
                    at = c.at
            if folded:
                stack.append(code if hint is None else _Hinted(code, hint))
                expected = _FOLDED
                continue
            if hint is not None:
                self.hints.append((len(out), hint))
            out += code

    def _index_bytes(self, kind: Imm, at: int) -> bytes:
        """The encoding of the index at a token."""
        if kind == Imm.LOCAL:
            index = self.locals.ids.get(self.cursor.items[at])
            if index is not None and index < len(_LEB):
                return _LEB[index]
        self.cursor.at = at
        index = self.index(kind)
        return _LEB[index] if index < len(_LEB) else encode_unsigned(index)

    def _general(self, token: str) -> bytes:
        """An instruction whose keyword has been taken."""
        c = self.cursor
        at, end = c.at, 0
        if token in _CONSTANT:
            end = at + 1
        elif token in _ACCESS and not c.has_index():
            end = at
            while c.items[end][:6] in ("offset", "align="):
                end += 1
        key = (token, *c.items[at:end])
        if end:
            code = self._cache.get(key)
            if code is not None:
                c.at = end
                return code
        if not TABLE.named(token):
            raise c.unexpected(1)
        op, values = parse_op(token, self)
        code = encode_op(op, values)
        if Imm.DATA in op.imms:
            self.uses_data = True
        if c.at == end:
            self._cache[key] = code
        return code

    def _structure(
        self, token: str, folded: bool, hint: int | None, stack: list[_Frame], out: bytearray
    ) -> None:
        """A keyword that opens, divides or closes a block."""
        c = self.cursor
        top = stack[-1] if stack else None
        rule = _STRUCTURE.get(token)
        if rule in _BLOCKS:
            label = c.id() or ""
            op, values = parse_op(token, self)
            code = encode_op(op, values)
            if folded and rule == Rule.IF:
                stack.append(_Block(rule, label, folded, code, hint))
                return
            stack.append(_Block(op.rule, label, folded, b"", None))
            if hint is not None:
                self.hints.append((len(out), hint))
            out += code
            self._open_label(label)
            return
        if not isinstance(top, _Block) or top.folded != folded:
            raise c.unexpected(1)
        if folded:
            self._arm(token, top, out)
            return
        if rule == Rule.ELSE and top.rule == Rule.IF and top.stage == _OPEN:
            top.stage = _ELSE_ARM
            out += _ELSE
        elif rule == Rule.END:
            stack.pop()
            out += _END
            self._close_label()
        else:
            raise c.unexpected(1)
        label = c.id() or ""
        if label not in ("", top.label):
            raise c.error(f"mismatching label {label}")

    def _arm(self, token: str, top: _Block, out: bytearray) -> None:
        """An arm of a block in parentheses."""
        if token == _THEN_WORD and top.stage == _CONDITION:
            if top.hint is not None:
                self.hints.append((len(out), top.hint))
            out += top.pending
            self._open_label(top.label)
            top.stage = _THEN
        elif token == _ELSE_WORD and top.stage == _AFTER_THEN:
            out += _ELSE
            top.stage = _ELSE_ARM
        else:
            raise self.cursor.unexpected(1)

    def _close(self, top: _Block, stack: list[_Frame], out: bytearray) -> None:
        """The parenthesis that closes a block, or an arm of one."""
        if not top.folded or top.stage == _CONDITION:
            raise self.cursor.unexpected(1)
        if top.stage in _NEXT:
            top.stage = _NEXT[top.stage]
            stack.append(top)
            return
        out += _END
        self._close_label()

    def _open_label(self, label: str) -> None:
        if label:
            self._depths.setdefault(label, []).append(len(self._labels))
            self.label_names[self._n_labels] = label
        self._n_labels += 1
        self._labels.append(label)

    def _close_label(self) -> None:
        label = self._labels.pop()
        if label:
            self._depths[label].pop()

    # What the rows' immediates ask for.

    def has_index(self, ahead: int = 0) -> bool:
        """Is the next token, or one further ahead, a number or an identifier?"""
        return self.cursor.has_index(ahead)

    def has_number(self, ahead: int = 0) -> bool:
        """Is the next token, or one further ahead, a number, whole or not, signed or not?"""
        c = self.cursor
        token = c.items[c.at + ahead]
        if is_number(token):
            return True
        if complaint(token) != UNEXPECTED:
            raise c.unexpected(-ahead)
        return False

    def has_clause(self, word: str) -> bool:
        """Do a parenthesis and this word come next?"""
        return self.cursor.has_open(word)

    def index(self, kind: Imm) -> int:
        """A number or identifier, resolved in the index space of the kind."""
        c = self.cursor
        if kind == Imm.LOCAL:
            return c.index(self.locals)
        if kind == Imm.LABEL:
            return self._label()
        if kind == Imm.FIELD:
            return self._field()
        index = c.index(self.types.spaces[_SPACES[kind]])
        if kind == Imm.DEF_TYPE:
            self._last_type = index
        return index

    def _label(self) -> int:
        c = self.cursor
        name = c.id()
        if name is None:
            return c.natural()
        depths = self._depths.get(name)
        if not depths:
            raise c.error(f"unknown label {name}")
        return len(self._labels) - 1 - depths[-1]

    def _field(self) -> int:
        c = self.cursor
        name = c.id()
        if name is None:
            return c.natural()
        index = self.types.fields.get(self._last_type, {}).get(name)
        if index is None:
            raise c.error(f"unknown field {name}")
        return index

    def atom(self) -> str:
        """Any token that is no parenthesis, string or identifier, e.g. a number or keyword."""
        return self.cursor.word()

    def setting(self, name: str) -> str | None:
        """What follows ``name=`` if the next token begins with that, else None."""
        c = self.cursor
        token = c.items[c.at]
        if not token.startswith(name + "="):
            return None
        value = token[len(name) + 1 :]
        if parse_natural(value) is None:
            raise c.unexpected()
        c.at += 1
        return value

    def block_type(self) -> BlockType:
        """The type clauses of a block."""
        return self.types.block_type()

    def type_use(self) -> int:
        """The type clauses of a function; the type index."""
        return self.types.type_use()

    def result_types(self) -> tuple[ValType, ...]:
        """Any number of result clauses."""
        return tuple(self.types.results())

    def heap_type(self) -> ValType:
        """A heap type, as the type of nullable references to it."""
        return self.types.heap_type()

    def ref_type(self) -> ValType:
        """A reference type."""
        return self.types.ref_type()

    def catches(self) -> tuple[Catch, ...]:
        """Any number of catch clauses."""
        c = self.cursor
        out: list[Catch] = []
        while c.has("(") and c.items[c.at + 1] in _CATCHES:
            word = c.items[c.at + 1]
            c.at += 2
            tag = None if word.startswith("catch_all") else self.index(Imm.TAG)
            out.append(Catch(tag, word.endswith("_ref"), self._label()))
            c.expect(")")
        return tuple(out)

    def error(self, message: str) -> MalformedError:
        """An error at the last token taken."""
        if message == UNEXPECTED:
            return self.cursor.unexpected(1)
        return self.cursor.error(message)
