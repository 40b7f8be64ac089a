"""Directories and clocks as the command line describes them."""

from __future__ import annotations

from datetime import UTC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.wasi.clocks import Clock
    from runwell.wasi.config import Preopen
    from runwell.wasi.memory import MemoryDirectory

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_NS = 10**9


def preopens(
    directories: list[str], temporary: list[str], overlays: list[str], archives: list[str]
) -> dict[str, Preopen]:
    """What the options ``--dir``, ``--tmpfs``, ``--overlay`` and ``--zip`` ask for.

    Raises:
        ValueError: one cannot be understood, or two have the same name.
        OSError: what one names cannot be opened.
    """
    made: dict[str, Preopen] = {}

    def add(guest: str, world: Preopen) -> None:
        if guest in made:
            raise ValueError(f"two directories cannot both be {guest!r}")
        made[guest] = world

    for text in directories:
        rest, options = _options(text, "ro", "bytes", "files")
        host, guest = _names(rest)
        add(guest, _directory(host, options))
    for text in temporary:
        guest, options = _options(text, "bytes", "files")
        add(guest, _memory(options))
    for text in overlays:
        rest, options = _options(text, "upper", "bytes", "files")
        host, guest = _names(rest)
        add(guest, _overlay(host, options))
    for text in archives:
        from runwell.wasi.zip import ZipDirectory

        file, given, guest = text.partition("::")
        archive = ZipDirectory(file)
        archive.list()  # what is no archive is said now, and not to the guest
        add(guest if given else "/", archive)
    return made


def _directory(host: str, options: dict[str, str]) -> Preopen:
    size, files = _size(options, "bytes"), _count(options, "files")
    if "ro" in options:
        from runwell.wasi.host import HostDirectory

        return HostDirectory(host, read_only=True)
    if size is None and files is None:
        return host
    from runwell.wasi.limits import Quota

    return Quota(host, size, files)


def _memory(options: dict[str, str]) -> MemoryDirectory:
    from runwell.wasi.memory import MAX_BYTES, MAX_FILES, MemoryDirectory

    size, files = _size(options, "bytes"), _count(options, "files")
    return MemoryDirectory(
        max_bytes=MAX_BYTES if size is None else size,
        max_files=MAX_FILES if files is None else files,
    )


def _overlay(host: str, options: dict[str, str]) -> Preopen:
    from runwell.wasi.limits import Quota
    from runwell.wasi.overlay import Overlay

    if "upper" not in options:
        return Overlay(host, _memory(options))
    upper, size, files = options["upper"], _size(options, "bytes"), _count(options, "files")
    return Overlay(host, upper if size is None and files is None else Quota(upper, size, files))


def _names(text: str) -> tuple[str, str]:
    """The host's and the guest's name of ``HOST[::GUEST]``."""
    host, given, guest = text.partition("::")
    return (host, guest) if given else (host, host)


def _options(text: str, *known: str) -> tuple[str, dict[str, str]]:
    """The options after the last colon of ``TEXT:NAME=VALUE,...``, and what is before.

    A colon that nothing known follows belongs to a name.
    """
    rest, colon, tail = text.rpartition(":")
    found = dict(_pair(part) for part in tail.split(","))
    if not colon or rest.endswith(":") or not set(found) <= set(known):
        return text, {}
    return rest, found


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _size(options: dict[str, str], name: str) -> int | None:
    """A number of bytes, with K, M, G or T after it.

    Raises:
        ValueError: it is none.
    """
    text = options.get(name)
    if text is None:
        return None
    unit = _UNITS.get(text[-1:].upper())
    number = text[:-1] if unit else text
    if not number.isdecimal():
        raise ValueError(f"{name}= takes a number of bytes, such as 64M, and not {text!r}")
    return int(number) * (unit or 1)


def _count(options: dict[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is not None and not text.isdecimal():
        raise ValueError(f"{name}= takes a number, not {text!r}")
    return None if text is None else int(text)


def clock(text: str) -> str | Clock:
    """The clock of ``--clock``: ``real``, or ``virtual[:START][,tick=NS]``.

    Raises:
        ValueError: it cannot be understood.
    """
    head, comma, tail = text.partition(",")
    kind, colon, start = head.partition(":")
    name, _, tick = tail.partition("=")
    if head == "real" and not comma:
        return "real"
    if kind != "virtual" or (comma and (name != "tick" or not tick.isdecimal())):
        raise ValueError(f"--clock takes real or virtual[:START][,tick=NS], not {text!r}")
    from runwell.wasi.clocks import VirtualClock

    ticks = {"tick_ns": int(tick)} if comma else {}
    return VirtualClock(_time_ns(start) if colon else 0, **ticks)


def _time_ns(text: str) -> int:
    """Seconds since 1970, or a date and time, universal if it does not say otherwise."""
    if text.isdecimal():
        return int(text) * _NS
    from datetime import datetime

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"a clock starts at a number of seconds or a date, such as 2024-02-29, not at {text!r}"
        ) from None
    when = when.replace(tzinfo=when.tzinfo or UTC)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * _NS + since.microseconds * 1000
