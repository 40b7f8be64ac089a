"""Control instructions (spec: execution of control instructions).

What they mean is the translator's business, by rule, and that of the register code operations.
"""

from runwell.isa.op import Imm, Rows, Rule

ROWS = Rows()


@ROWS.op("unreachable", 0x00, rule=Rule.UNREACHABLE)
def unreachable() -> None:
    """Traps (exec-unreachable)."""


@ROWS.op("nop", 0x01, rule=Rule.NOP)
def nop() -> None:
    """Do nothing (exec-nop)."""


@ROWS.op("block", 0x02, rule=Rule.BLOCK, imms=(Imm.BLOCK_TYPE,))
def block() -> None:
    """Begin a block; a branch to its label goes to its end (exec-block)."""


@ROWS.op("loop", 0x03, rule=Rule.LOOP, imms=(Imm.BLOCK_TYPE,))
def loop() -> None:
    """Begin a block; a branch to its label goes to its beginning (exec-loop)."""


@ROWS.op("if", 0x04, rule=Rule.IF, imms=(Imm.BLOCK_TYPE,))
def if_() -> None:
    """Begin a block, of which one arm is executed (exec-if)."""


@ROWS.op("else", 0x05, rule=Rule.ELSE)
def else_() -> None:
    """Begin the arm for a zero condition (exec-if)."""


@ROWS.op("end", 0x0B, rule=Rule.END)
def end() -> None:
    """End a block, a function body or a constant expression (exec-instrs-exit)."""


@ROWS.op("br", 0x0C, rule=Rule.BR, imms=(Imm.LABEL,))
def br() -> None:
    """Branch to a label (exec-br)."""


@ROWS.op("br_if", 0x0D, rule=Rule.BR_IF, imms=(Imm.LABEL,))
def br_if() -> None:
    """Branch to a label if the condition is not zero (exec-br-if)."""


@ROWS.op("br_table", 0x0E, rule=Rule.BR_TABLE, imms=(Imm.LABELS,))
def br_table() -> None:
    """Branch to a label by number, to the last if there are not so many (exec-br-table)."""


@ROWS.op("return", 0x0F, rule=Rule.RETURN)
def return_() -> None:
    """Return to the caller (exec-return)."""


@ROWS.op("call", 0x10, rule=Rule.CALL, imms=(Imm.FUNC,))
def call() -> None:
    """Call a function; traps if the call stack is exhausted (exec-call)."""


@ROWS.op("call_indirect", 0x11, rule=Rule.CALL_INDIRECT, imms=(Imm.TYPE, Imm.TABLE))
def call_indirect() -> None:
    """Call a function of a table; traps unless it is there, of that type (exec-call-indirect)."""


ROWS.feature = "tail-call"


@ROWS.op("return_call", 0x12, rule=Rule.RETURN_CALL, imms=(Imm.FUNC,))
def return_call() -> None:
    """Call a function in place of the caller (exec-return-call)."""


@ROWS.op("return_call_indirect", 0x13, rule=Rule.RETURN_CALL_INDIRECT, imms=(Imm.TYPE, Imm.TABLE))
def return_call_indirect() -> None:
    """As call_indirect, in place of the caller; traps likewise (exec-return-call-indirect)."""


ROWS.feature = "function-references"


@ROWS.op("call_ref", 0x14, rule=Rule.CALL_REF, imms=(Imm.DEF_TYPE,))
def call_ref() -> None:
    """Call a function by reference; traps if it is null (exec-call-ref)."""


@ROWS.op("return_call_ref", 0x15, rule=Rule.RETURN_CALL_REF, imms=(Imm.DEF_TYPE,))
def return_call_ref() -> None:
    """As call_ref, in place of the caller; traps likewise (exec-return-call-ref)."""


@ROWS.op("br_on_null", 0xD5, rule=Rule.BR_ON_NULL, imms=(Imm.LABEL,))
def br_on_null() -> None:
    """Branch if the reference is null, else keep it (exec-br_on_null)."""


@ROWS.op("br_on_non_null", 0xD6, rule=Rule.BR_ON_NON_NULL, imms=(Imm.LABEL,))
def br_on_non_null() -> None:
    """Branch with the reference unless it is null (exec-br_on_non_null)."""


ROWS.feature = "exception-handling"


@ROWS.op("throw", 0x08, rule=Rule.THROW, imms=(Imm.TAG,))
def throw() -> None:
    """Throw an exception with the values that its tag asks for (exec-throw)."""


@ROWS.op("throw_ref", 0x0A, rule=Rule.THROW_REF)
def throw_ref() -> None:
    """Throw a caught exception again; traps if the reference is null (exec-throw_ref)."""


@ROWS.op("try_table", 0x1F, rule=Rule.TRY_TABLE, imms=(Imm.BLOCK_TYPE, Imm.CATCHES))
def try_table() -> None:
    """Begin a block whose exceptions branch to labels (exec-try_table)."""
