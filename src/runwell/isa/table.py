"""The whole instruction set: assembled from its families, then frozen."""

from runwell.base.light import Iterator
from runwell.isa import (
    atomic,
    control,
    conversion,
    heap,
    memory,
    numeric,
    reference,
    tables,
    variable,
    vector,
    vector_float,
    vector_int,
    vector_relaxed,
    wide,
)
from runwell.isa.op import Op, Rows

PREFIXES = (0, 0xFB, 0xFC, 0xFD, 0xFE)


class Table:
    """All instructions, ordered by prefix and code.

    Attributes:
        ops: every instruction; ``op.index`` is its position.
    """

    __slots__ = ("_by_code", "_by_keyword", "_by_mnemonic", "ops")

    def __init__(self, families: tuple[Rows, ...]) -> None:
        by_code: dict[tuple[int, int], Op] = {}
        by_mnemonic: dict[str, Op] = {}
        for rows in families:
            for op in rows:
                key = op.prefix, op.code
                if key in by_code:
                    other = by_code[key].mnemonic
                    raise ValueError(f"opcode {op.opcode} is both {other} and {op.mnemonic}")
                if op.mnemonic in by_mnemonic:
                    raise ValueError(f"{op.mnemonic} has two opcodes")
                if op.prefix not in PREFIXES:
                    raise ValueError(f"{op.mnemonic} has the unknown prefix {op.prefix:#x}")
                by_code[key] = by_mnemonic[op.mnemonic] = op
        self._by_code, self._by_mnemonic = by_code, by_mnemonic
        self._by_keyword: dict[str, tuple[Op, ...]] = {}
        self.ops = tuple([by_code[key] for key in sorted(by_code)])
        for index, op in enumerate(self.ops):
            op.index = index

    def __iter__(self) -> Iterator[Op]:
        return iter(self.ops)

    def __len__(self) -> int:
        return len(self.ops)

    def __contains__(self, mnemonic: str) -> bool:
        return mnemonic in self._by_mnemonic

    def __getitem__(self, mnemonic: str) -> Op:
        """The instruction of that name; raises KeyError."""
        return self._by_mnemonic[mnemonic]

    def get(self, mnemonic: str) -> Op | None:
        """The instruction of that name, or None."""
        return self._by_mnemonic.get(mnemonic)

    def named(self, keyword: str) -> tuple[Op, ...]:
        """The instructions that the text format gives this name, by opcode; mostly one."""
        if not self._by_keyword:
            for op in self.ops:
                self._by_keyword[op.keyword] = (*self._by_keyword.get(op.keyword, ()), op)
        return self._by_keyword.get(keyword, ())

    def at(self, prefix: int, code: int) -> Op | None:
        """The instruction of that opcode, or None."""
        return self._by_code.get((prefix, code))


TABLE = Table(
    (
        control.ROWS,
        variable.ROWS,
        tables.ROWS,
        memory.ROWS,
        numeric.ROWS,
        conversion.ROWS,
        reference.ROWS,
        vector.ROWS,
        vector_int.ROWS,
        vector_float.ROWS,
        vector_relaxed.ROWS,
        wide.ROWS,
        atomic.ROWS,
        heap.ROWS,
    )
)
