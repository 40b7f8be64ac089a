"""Leases: what owns native structs (see ``lease_kernels``)."""

from __future__ import annotations

from runwell.host.layout import LeaseObject
from runwell.host.native_type import DEALLOC, WORD, make_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Lease:
    """Owns a native struct, and frees it when it goes.

    Attributes:
        address: of the struct.
    """

    if TYPE_CHECKING:
        address: int

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Lease cannot be pickled: it is part of this process")


def make_lease_type() -> Any:
    """Make the native type."""
    return make_type(Lease, LeaseObject, {DEALLOC: "lease_dealloc"}, {"address": ("address", WORD)})
