"""Messages for ``logging``, if the program uses that: nothing here imports or configures it.

A program that has not imported it pays a look at ``sys.modules`` where something would be logged,
which is nowhere that is hot.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Final

# As ``logging`` has them.
DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30

# What a program does with problems that others are warned of by ``warnings``.
tell_problem: Callable[[str], object] | None = None

_loggers: dict[str, Logger] = {}
# Held while something is logged, and by who forks: the locks of streams, which handlers write to,
# would stay locked in the child for ever.
_writing = RLock()
_waiting: list[tuple[str, int, str, tuple[object, ...]]] = []
# More can hardly come together before somebody who may log passes by, and are forgotten.
_MOST_WAITING: Final = 1000


def logs(name: str, level: int) -> bool:
    """Would a message be looked at?  For those that it costs something to make.

    Args:
        name: of the logger, without ``runwell.``.
        level: of the message.
    """
    logger = _logger(name)
    return logger is not None and logger.isEnabledFor(level)


def log(name: str, level: int, text: str, *values: object) -> None:
    """Log a message.

    What handlers raise is printed, as ``logging`` itself does it: many threads that log must not
    end with a message.

    Args:
        name: of the logger, without ``runwell.``.
        level: of the message.
        text: with a ``%s`` for each value.
        values: are made text only if somebody reads it.
    """
    logger = _logger(name)
    if logger is None:
        return
    try:
        if logger.isEnabledFor(level):
            with _writing:
                logger.log(level, text, *values, stacklevel=2)
    except Exception:  # noqa: BLE001 - it is the program's
        sys.excepthook(*sys.exc_info())


def warn(text: str, category: type[Warning]) -> None:
    """Warn of a problem that things go on in spite of.

    Args:
        text: what it is, and what follows from it.
        category: of the warning.
    """
    if tell_problem is not None:
        tell_problem(text)
        return
    import warnings

    warnings.warn(text, category, stacklevel=4)


def log_later(name: str, level: int, text: str, *values: object) -> None:
    """Keep a message for ``flush``, without taking any lock: for those who hold others.

    Args:
        name: of the logger, without ``runwell.``.
        level: of the message.
        text: with a ``%s`` for each value.
        values: must not change.
    """
    if "logging" in sys.modules and len(_waiting) < _MOST_WAITING:
        _waiting.append((name, level, text, values))


def flush() -> None:
    """Log what was kept."""
    while _waiting:
        try:
            name, level, text, values = _waiting.pop(0)
        except IndexError:  # another thread was faster
            return
        log(name, level, text, *values)


def _logger(name: str) -> Logger | None:
    found = _loggers.get(name)
    if found is None:
        # Another thread may just be importing it.
        get = getattr(sys.modules.get("logging"), "getLogger", None)
        if get is None:
            return None
        if not _loggers:
            # Now, so that who forks takes this lock before those of ``logging``.
            os.register_at_fork(
                before=_writing.acquire,
                after_in_parent=_writing.release,
                after_in_child=_writing.release,
            )
        found = _loggers[name] = get(f"runwell.{name}")
    return found
