"""Parametric and variable instructions (spec: execution of both)."""

from runwell.isa.op import Imm, Rows, Rule

ROWS = Rows()


@ROWS.op("drop", 0x1A, rule=Rule.DROP)
def drop() -> None:
    """Throw a value away (exec-drop)."""


@ROWS.op("select", 0x1B, rule=Rule.SELECT)
def select() -> None:
    """The first number if the condition is not zero, else the second (exec-select)."""


@ROWS.op("local.get", 0x20, rule=Rule.LOCAL_GET, imms=(Imm.LOCAL,))
def local_get() -> None:
    """Value of a local (exec-local.get)."""


@ROWS.op("local.set", 0x21, rule=Rule.LOCAL_SET, imms=(Imm.LOCAL,))
def local_set() -> None:
    """Set a local (exec-local.set)."""


@ROWS.op("local.tee", 0x22, rule=Rule.LOCAL_TEE, imms=(Imm.LOCAL,))
def local_tee() -> None:
    """Set a local and keep the value (exec-local.tee)."""


@ROWS.op("global.get", 0x23, rule=Rule.GLOBAL_GET, imms=(Imm.GLOBAL,))
def global_get() -> None:
    """Value of a global (exec-global.get)."""


@ROWS.op("global.set", 0x24, rule=Rule.GLOBAL_SET, imms=(Imm.GLOBAL,))
def global_set() -> None:
    """Set a global (exec-global.set)."""


ROWS.feature = "reference-types"


# The text tells them apart by the result clause.
@ROWS.op("select t", 0x1C, rule=Rule.SELECT_T, imms=(Imm.VAL_TYPES,))
def select_t() -> None:
    """The first value if the condition is not zero, else the second (exec-select)."""
