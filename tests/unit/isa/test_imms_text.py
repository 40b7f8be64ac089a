"""Print and parse undo each other, by a parser of words that knows the simplest of everything."""

import pytest
from tests.unit.isa.test_imms import immediates

from runwell.base.errors import MalformedError
from runwell.base.types import HEAP_NAMES, NON_NULL, ValType, ref_to_index, ref_type
from runwell.isa.imms import Catch, MemArg
from runwell.isa.imms_text import Numbers, Operands, parse_op, print_imms
from runwell.isa.literal import parse_natural
from runwell.isa.op import Imm


class Words(Operands):
    """Operands over words and parentheses; identifiers ``$7`` are their number."""

    def __init__(self, text):
        self.words = text.replace("(", " ( ").replace(")", " ) ").split()

    def peek(self, ahead=0):
        return self.words[ahead] if ahead < len(self.words) else ""

    def take(self, expected=None):
        if not self.words or (expected and self.words[0] != expected):
            raise self.error("unexpected token")
        return self.words.pop(0)

    def has_index(self, ahead=0):
        word = self.peek(ahead)
        return word.startswith("$") or parse_natural(word) is not None

    def has_number(self, ahead=0):
        return self.peek(ahead)[:1] in set("0123456789+-in")

    def has_clause(self, word):
        return self.words[:2] == ["(", word]

    def index(self, kind):
        value = parse_natural(self.take().removeprefix("$"))
        if value is None:
            raise self.error("unexpected token")
        return value

    def atom(self):
        return self.take()

    def setting(self, name):
        return self.take().partition("=")[2] if self.peek().startswith(f"{name}=") else None

    def clause(self, word):
        self.take("(")
        self.take(word)

    def val_type(self):
        if self.peek() == "(":
            return self.ref_type()
        return ValType[self.take().upper()]

    def block_type(self):
        if self.has_clause("type"):
            return self.type_use()
        results = self.result_types()
        return results[0] if results else None

    def type_use(self):
        self.clause("type")
        value = self.index(Imm.TYPE)
        self.take(")")
        return value

    def result_types(self):
        if not self.has_clause("result"):
            return ()
        self.clause("result")
        types = []
        while self.peek() != ")":
            types.append(self.val_type())
        self.take(")")
        return tuple(types)

    def heap_type(self):
        if self.has_index():
            return ref_to_index(self.index(Imm.TYPE), nullable=True)
        name = self.take()
        return ref_type(next(code for code, n in HEAP_NAMES.items() if n == name), nullable=True)

    def ref_type(self):
        self.clause("ref")
        nullable = self.peek() == "null" and bool(self.take())
        t = self.heap_type()
        self.take(")")
        return t if nullable else ValType(t | NON_NULL)

    def catches(self):
        found = []
        while self.peek() == "(":
            self.take()
            word = self.take()
            tag = self.index(Imm.TAG) if "all" not in word else None
            found.append(Catch(tag, word.endswith("_ref"), self.index(Imm.LABEL)))
            self.take(")")
        return tuple(found)

    def error(self, message):
        return MalformedError(message)


def test_parse_undoes_print():
    for op, values in immediates():
        text = print_imms(op, values, Numbers())
        words = Words(text)
        assert parse_op(op.keyword, words) == (op, values), text
        assert not words.words, text


def parsed(text):
    keyword, _, rest = text.partition(" ")
    return parse_op(keyword, Words(rest))[1]


def test_indices_that_may_be_left_out():
    assert parsed("memory.size") == (0,)
    assert parsed("memory.copy") == (0, 0)
    assert parsed("memory.copy 1 2") == (1, 2)
    assert parsed("memory.init 3") == (3, 0)
    assert parsed("memory.init 1 3") == (3, 1)
    assert parsed("table.init $1 $3") == (3, 1)
    assert parsed("call_indirect (type 4)") == (4, 0)
    assert parsed("call_indirect 2 (type 4)") == (4, 2)


def test_memory_arguments():
    assert parsed("i32.load") == (MemArg(2),)
    assert parsed("i32.load offset=0x10 align=1") == (MemArg(0, 16),)
    assert parsed("i32.load $3 offset=1") == (MemArg(2, 1, 3),)
    for text in ("offset=-1", "align=0", "align=3", "align=-1", "offset=x"):
        with pytest.raises(MalformedError):
            parsed(f"i32.load {text}")


def test_variants_are_told_apart():
    assert parse_op("select", Words(""))[0].imms == ()
    assert parse_op("select", Words("(result i32)"))[1] == ((ValType.I32,),)
    assert parse_op("select", Words("(result)"))[1] == ((),)


def test_numbers_out_of_range():
    assert parsed("i32.const 0xffffffff") == (-1,)
    for text in ("i32.const 0x100000000", "i64.const -0x8000000000000001", "f32.const 1e39"):
        with pytest.raises(MalformedError, match="constant out of range"):
            parsed(text)


def test_unknown_operator():
    with pytest.raises(MalformedError, match="unknown operator"):
        parsed("i32.nonsense")
