"""The shape of an instruction, and the decorators that make rows of it.

A family module makes one ``Rows`` and decorates bodies into it; ``table`` assembles the families.
"""

from runwell.base.light import Any, Callable, IntEnum
from runwell.base.types import F32, F64, I32, I64, V128, ValType

Body = Callable[..., Any]


class Imm(IntEnum):
    """A kind of immediate operand; ``imms`` says how each is decoded, encoded and written."""

    BLOCK_TYPE = 1
    LABEL = 2
    LABELS = 3  # vector of labels, then the default
    FUNC = 4
    TYPE = 5  # of a function, in the text a type use
    LOCAL = 6
    GLOBAL = 7
    TABLE = 8
    MEMORY = 9
    TAG = 10
    DATA = 11
    ELEM = 12
    I32 = 13
    I64 = 14
    F32 = 15  # Python value: the bits
    F64 = 16
    V128 = 17
    MEMARG = 18
    LANE = 19
    LANES = 20  # sixteen of i8x16.shuffle
    VAL_TYPES = 21  # of select
    HEAP_TYPE = 22  # Python value: the type of nullable references to it
    REF_TYPE = 23  # a heap type too; Python value: the type of references never null
    CAST = 24  # flags, label, two heap types
    CATCHES = 25
    DEF_TYPE = 26  # of a struct, array or function, in the text an index
    FIELD = 27
    COUNT = 28
    ORDERING = 29  # the zero byte of atomic.fence
    REF_NULL_TYPE = 30  # as HEAP_TYPE, but in the text a reference type


class Rule(IntEnum):
    """How validation and translation treat an instruction.

    PLAIN pops the parameters, runs the body and pushes the results; LOAD, STORE and CONST are
    plain but for their immediates.  Every other rule has code of its own.
    """

    PLAIN = 0
    LOAD = 1
    STORE = 2
    CONST = 3
    UNREACHABLE = 4
    NOP = 5
    BLOCK = 6
    LOOP = 7
    IF = 8
    ELSE = 9
    END = 10
    BR = 11
    BR_IF = 12
    BR_TABLE = 13
    RETURN = 14
    CALL = 15
    CALL_INDIRECT = 16
    DROP = 17
    SELECT = 18
    SELECT_T = 19
    LOCAL_GET = 20
    LOCAL_SET = 21
    LOCAL_TEE = 22
    GLOBAL_GET = 23
    GLOBAL_SET = 24
    TABLE_GET = 25
    TABLE_SET = 26
    REF_NULL = 27
    REF_IS_NULL = 28
    REF_FUNC = 29
    MEMORY_SIZE = 30
    MEMORY_GROW = 31
    MEMORY_INIT = 32
    MEMORY_COPY = 33
    MEMORY_FILL = 34
    DATA_DROP = 35
    TABLE_SIZE = 36
    TABLE_GROW = 37
    TABLE_FILL = 38
    TABLE_COPY = 39
    TABLE_INIT = 40
    ELEM_DROP = 41
    # Lanes: immediates beside the operands.
    LANE = 42  # extract_lane, replace_lane
    SHUFFLE = 43
    LOAD_LANE = 44
    STORE_LANE = 45
    # Atomics: as LOAD and STORE with one or two operands more; alignment must be exact.
    ATOMIC_LOAD = 46
    ATOMIC_STORE = 47
    ATOMIC_RMW = 48
    ATOMIC_CMPXCHG = 49
    ATOMIC_WAIT = 50
    ATOMIC_NOTIFY = 51
    ATOMIC_FENCE = 52
    RETURN_CALL = 53
    RETURN_CALL_INDIRECT = 54
    CALL_REF = 55
    RETURN_CALL_REF = 56
    REF_AS_NON_NULL = 57
    BR_ON_NULL = 58
    BR_ON_NON_NULL = 59
    TRY_TABLE = 60
    THROW = 61
    THROW_REF = 62
    REF_EQ = 63
    STRUCT_NEW = 64
    STRUCT_NEW_DEFAULT = 65
    STRUCT_GET = 66
    STRUCT_SET = 67
    ARRAY_NEW = 68
    ARRAY_NEW_DEFAULT = 69
    ARRAY_NEW_FIXED = 70
    ARRAY_NEW_DATA = 71
    ARRAY_NEW_ELEM = 72
    ARRAY_GET = 73
    ARRAY_SET = 74
    ARRAY_LEN = 75
    ARRAY_FILL = 76
    ARRAY_COPY = 77
    ARRAY_INIT_DATA = 78
    ARRAY_INIT_ELEM = 79
    REF_TEST = 80
    REF_CAST = 81
    BR_ON_CAST = 82
    BR_ON_CAST_FAIL = 83
    ANY_CONVERT_EXTERN = 84
    EXTERN_CONVERT_ANY = 85
    REF_I31 = 86
    I31_GET = 87
    WIDE = 88  # as PLAIN, but the body gives both results as one value


class Op:
    """One instruction.

    Attributes:
        prefix: 0, or the byte before the code: 0xFB, 0xFC, 0xFD, 0xFE.
        code: opcode; one byte without a prefix, LEB128 after one.
        mnemonic: name in the text format; after a space what tells it from others of that name.
        imms: kinds of immediates, in binary order.
        params: operand types, bottom of the stack first; empty where the rule has its own.
        results: result types.
        rule: how validation and translation treat it.
        feature: the part of WebAssembly that it belongs to, a name of ``base.features``.
        ty: the type its body is run at.
        body: its meaning, ``(m, ty, *inputs)``, over a ``Machine``; a compare's returns a
            condition, a load's takes (addr, offset), a store's (addr, offset, value).
        width: bytes that a memory access touches; natural alignment; 0 for others.
        commutes: may the operands be swapped?
        is_compare: does the body return a condition, which the guest sees as ``i32``?
        index: position in the table.
    """

    __slots__ = (
        "body",
        "code",
        "commutes",
        "feature",
        "imms",
        "index",
        "is_compare",
        "mnemonic",
        "params",
        "prefix",
        "results",
        "rule",
        "ty",
        "width",
    )

    def __init__(
        self,
        code: int,
        mnemonic: str,
        params: tuple[ValType, ...],
        results: tuple[ValType, ...],
        ty: ValType,
        body: Body,
        rule: Rule = Rule.PLAIN,
        imms: tuple[Imm, ...] = (),
        prefix: int = 0,
        feature: str = "mvp",
        commutes: bool = False,
        is_compare: bool = False,
        width: int = 0,
    ) -> None:
        self.code, self.mnemonic, self.prefix = code, mnemonic, prefix
        self.params, self.results, self.ty, self.body = params, results, ty, body
        self.rule, self.imms, self.feature = rule, imms, feature
        self.commutes, self.is_compare, self.width = commutes, is_compare, width
        self.index = -1

    @property
    def doc(self) -> str:
        """One line: meaning, traps, and where the specification says so."""
        return (self.body.__doc__ or "").strip().partition("\n")[0]

    @property
    def inputs(self) -> tuple[ValType, ...] | None:
        """Types of what the body takes after the machine and the type; None if it is no body.

        Offsets of memory accesses and lanes count as ``i32``, the lanes of a shuffle as ``v128``.
        """
        match self.rule:
            case Rule.PLAIN | Rule.WIDE:
                return self.params
            case Rule.CONST:
                return self.results
            case Rule.LANE:
                return (*self.params, I32)
            case Rule.SHUFFLE:
                return (*self.params, V128)
            case Rule.LOAD_LANE | Rule.STORE_LANE:
                return (I32, I32, V128, I32)
            case rule if rule in _ACCESSES:
                return (I32, I32, *self.params[1:])
            case _:
                return None

    @property
    def keyword(self) -> str:
        """What the text format writes; not always unique: ``select``, ``ref.test``."""
        return self.mnemonic.partition(" ")[0]

    @property
    def opcode(self) -> str:
        """The opcode as documents print it, e.g. ``0x6A`` or ``0xFC 10``."""
        return f"{self.prefix:#04X} {self.code}" if self.prefix else f"0x{self.code:02X}"

    def __repr__(self) -> str:
        return f"<Op {self.mnemonic}>"


_ACCESSES = (
    Rule.LOAD,
    Rule.STORE,
    Rule.ATOMIC_LOAD,
    Rule.ATOMIC_STORE,
    Rule.ATOMIC_RMW,
    Rule.ATOMIC_CMPXCHG,
)
Decorator = Callable[[Body], Body]
MEMARG = (Imm.MEMARG,)


class Rows(list[Op]):
    """The rows of one family; ``prefix`` and ``feature`` are those of the rows made next."""

    def __init__(self, feature: str = "mvp", prefix: int = 0) -> None:
        super().__init__()
        self.feature, self.prefix = feature, prefix

    def op(
        self,
        mnemonic: str,
        code: int,
        params: tuple[ValType, ...] = (),
        results: tuple[ValType, ...] = (),
        *,
        rule: Rule = Rule.PLAIN,
        imms: tuple[Imm, ...] = (),
        ty: ValType | None = None,
        commutes: bool = False,
        is_compare: bool = False,
        width: int = 0,
    ) -> Decorator:
        """Add the body as one row; ``ty`` is the first result's type, or else parameter's."""

        def add(body: Body) -> Body:
            at = ty or (results or params or (I32,))[0]
            self.append(
                Op(
                    code, mnemonic, params, results, at, body, rule, imms,
                    self.prefix, self.feature, commutes, is_compare, width,
                )
            )  # fmt: skip
            return body

        return add

    def both(
        self, name: str, codes: dict[ValType, int], arity: int, commutes: bool = False
    ) -> Decorator:
        """Add the body for several types, from ``arity`` operands of the type to one."""

        def add(body: Body) -> Body:
            for ty, code in codes.items():
                mnemonic = f"{ty.text}.{name}"
                self.op(mnemonic, code, (ty,) * arity, (ty,), commutes=commutes)(body)
            return body

        return add

    def int_op(
        self, name: str, *, i32: int, i64: int, arity: int = 2, commutes: bool = False
    ) -> Decorator:
        """Add the body as ``i32.<name>`` and ``i64.<name>``."""
        return self.both(name, {I32: i32, I64: i64}, arity, commutes)

    def float_op(
        self, name: str, *, f32: int, f64: int, arity: int = 2, commutes: bool = False
    ) -> Decorator:
        """Add the body as ``f32.<name>`` and ``f64.<name>``."""
        return self.both(name, {F32: f32, F64: f64}, arity, commutes)

    def compare(
        self, name: str, codes: dict[ValType, int], arity: int = 2, commutes: bool = False
    ) -> Decorator:
        """Add the body, which returns a condition, for several types."""

        def add(body: Body) -> Body:
            for ty, code in codes.items():
                self.op(
                    f"{ty.text}.{name}", code, (ty,) * arity, (I32,),
                    ty=ty, commutes=commutes, is_compare=True,
                )(body)  # fmt: skip
            return body

        return add

    def load(self, mnemonic: str, code: int, ty: ValType, width: int) -> Decorator:
        """Add a load of ``width`` bytes that gives ``ty``."""
        return self.op(
            mnemonic, code, (I32,), (ty,), rule=Rule.LOAD, imms=MEMARG, ty=ty, width=width
        )

    def store(self, mnemonic: str, code: int, ty: ValType, width: int) -> Decorator:
        """Add a store of ``width`` bytes of ``ty``."""
        return self.op(
            mnemonic, code, (I32, ty), (), rule=Rule.STORE, imms=MEMARG, ty=ty, width=width
        )
