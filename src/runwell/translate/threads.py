"""Work in several threads, its results in order.

Not by ``concurrent.futures``, which imports a lot, and ``logging`` with it.
"""

from __future__ import annotations

from _queue import SimpleQueue
from _thread import start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeVar

    T = TypeVar("T")


def in_threads(
    do: Callable[[T], Any], parts: list[T], threads: int, *, helping: bool
) -> Generator[Any, None, None]:
    """Do something with each part; gives the results, in the order of the parts.

    When it is closed, no part is begun any more, and it waits for those that were.

    Args:
        do: what to do; what it raises is raised here.
        parts: what to do it with.
        threads: how many at most.
        helping: this thread is one of them, and gives no result before all are begun.
    """
    left = list(reversed(list(enumerate(parts))))
    found: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    ended: SimpleQueue[None] = SimpleQueue()

    def work() -> None:
        i = 0
        try:
            while left:
                i, part = left.pop()
                found.put((i, do(part)))
        except IndexError:
            pass  # another thread has taken the last one
        except BaseException as error:  # noqa: BLE001 - it is for who waits
            found.put((i, error))
        finally:
            ended.put(None)

    started = 0
    try:
        for _ in range(threads - helping):
            start_new_thread(work, ())
            started += 1
    except RuntimeError:  # the process may have no more
        pass
    try:
        if helping or not started:
            work()
            ended.get()
        early: dict[int, Any] = {}
        for wanted in range(len(parts)):
            while wanted not in early:
                i, result = found.get()
                early[i] = result
            result = early.pop(wanted)
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        left.clear()
        for _ in range(started):
            ended.get()
