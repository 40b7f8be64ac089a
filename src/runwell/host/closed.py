"""What takes the place of things that were closed."""

from __future__ import annotations

from runwell.base.errors import ClosedError
from runwell.base.light import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@final
class Closed:
    """Whatever is done with it says that the instance is closed."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name):  # noqa: ANN001, ANN204
            raise ClosedError("the instance that it belongs to is closed")

    def __repr__(self) -> str:
        return "<closed>"


CLOSED: Any = Closed()
# Instances that were closed during a call, by address, until the call is over.
lingering: dict[int, object] = {}
