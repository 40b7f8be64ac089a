"""The handlers of exceptions that a function has, as the translator left them."""

from runwell.base.light import Any
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime.layout import CatchClause, HandlerTable, TryRange


def clauses(table: bytes) -> list[Any]:
    """The clauses of a function's ``HandlerTable``."""
    if not table:
        return []
    head = ctype_of(HandlerTable).from_buffer_copy(table)
    at = sizeof(HandlerTable) + head.n_ranges * sizeof(TryRange)
    type_, size = ctype_of(CatchClause), sizeof(CatchClause)
    return [type_.from_buffer_copy(table, at + size * x) for x in range(head.n_clauses)]
