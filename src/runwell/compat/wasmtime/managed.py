"""Things that can be closed."""

from types import TracebackType
from typing import Self


class Managed:
    """Base of what programs may close, by ``close`` or as a context manager."""

    _closed = False

    def close(self) -> None:
        """Let go of the thing; may be called again."""
        if not self._closed:
            self._closed = True
            self._release()

    def _release(self) -> None:
        """What closing does."""

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("already closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Closable:
    """Base of values, which may be closed as all else may, and of which nothing is to let go."""

    __slots__ = ()

    def close(self) -> None:
        """Nothing: it goes with its last user."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
