"""Reference instructions (spec: execution of reference instructions)."""

from runwell.isa.op import Imm, Rows, Rule

ROWS = Rows("reference-types")


@ROWS.op("ref.null", 0xD0, rule=Rule.REF_NULL, imms=(Imm.HEAP_TYPE,))
def null() -> None:
    """The null reference of a type (exec-ref.null)."""


@ROWS.op("ref.is_null", 0xD1, rule=Rule.REF_IS_NULL)
def is_null() -> None:
    """Is the reference null? (exec-ref.is-null)."""


@ROWS.op("ref.func", 0xD2, rule=Rule.REF_FUNC, imms=(Imm.FUNC,))
def func() -> None:
    """A reference to a function of the module (exec-ref.func)."""


ROWS.feature = "function-references"


@ROWS.op("ref.as_non_null", 0xD4, rule=Rule.REF_AS_NON_NULL)
def as_non_null() -> None:
    """The same reference; traps if it is null (exec-ref.as_non_null)."""
