"""Error numbers of WASI preview 1, and how the system's map to them.

Source: WASI preview 1, ``$errno``.
"""

import errno as system
import os

_NAMES = (
    "SUCCESS 2BIG ACCES ADDRINUSE ADDRNOTAVAIL AFNOSUPPORT AGAIN ALREADY BADF BADMSG BUSY CANCELED "
    "CHILD CONNABORTED CONNREFUSED CONNRESET DEADLK DESTADDRREQ DOM DQUOT EXIST FAULT FBIG "
    "HOSTUNREACH IDRM ILSEQ INPROGRESS INTR INVAL IO ISCONN ISDIR LOOP MFILE MLINK MSGSIZE "
    "MULTIHOP NAMETOOLONG NETDOWN NETRESET NETUNREACH NFILE NOBUFS NODEV NOENT NOEXEC NOLCK "
    "NOLINK NOMEM NOMSG NOPROTOOPT NOSPC NOSYS NOTCONN NOTDIR NOTEMPTY NOTRECOVERABLE NOTSOCK "
    "NOTSUP NOTTY NXIO OVERFLOW OWNERDEAD PERM PIPE PROTO PROTONOSUPPORT PROTOTYPE RANGE ROFS "
    "SPIPE SRCH STALE TIMEDOUT TXTBSY XDEV NOTCAPABLE"
).split()
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}

SUCCESS = _NUMBERS["SUCCESS"]
AGAIN = _NUMBERS["AGAIN"]
BADF = _NUMBERS["BADF"]
EXIST = _NUMBERS["EXIST"]
FAULT = _NUMBERS["FAULT"]
FBIG = _NUMBERS["FBIG"]
ILSEQ = _NUMBERS["ILSEQ"]
INVAL = _NUMBERS["INVAL"]
IO = _NUMBERS["IO"]
ISDIR = _NUMBERS["ISDIR"]
LOOP = _NUMBERS["LOOP"]
MFILE = _NUMBERS["MFILE"]
NAMETOOLONG = _NUMBERS["NAMETOOLONG"]
NOENT = _NUMBERS["NOENT"]
NOSPC = _NUMBERS["NOSPC"]
NOSYS = _NUMBERS["NOSYS"]
NOTCAPABLE = _NUMBERS["NOTCAPABLE"]
NOTDIR = _NUMBERS["NOTDIR"]
NOTSOCK = _NUMBERS["NOTSOCK"]
NOTSUP = _NUMBERS["NOTSUP"]
SPIPE = _NUMBERS["SPIPE"]

_FROM_SYSTEM = {
    getattr(system, f"E{name}"): number
    for name, number in _NUMBERS.items()
    if hasattr(system, f"E{name}")
}
_FROM_SYSTEM[system.EOPNOTSUPP] = NOTSUP
_FROM_SYSTEM[system.EWOULDBLOCK] = AGAIN
# What Linux has and WASI has not, by what a program can do about it.
for _name, _number in {
    "ENODATA": "NOENT",  # no such extended attribute, or an empty queue
    "ENOMEDIUM": "NODEV",
    "EMEDIUMTYPE": "NODEV",
    "ENOTUNIQ": "EXIST",
    "ESHUTDOWN": "PIPE",
    "EHOSTDOWN": "HOSTUNREACH",
    "ETIME": "TIMEDOUT",
    "EUSERS": "DQUOT",
    "ESOCKTNOSUPPORT": "PROTONOSUPPORT",
    "EPFNOSUPPORT": "AFNOSUPPORT",
    "EKEYREJECTED": "ACCES",
    "ENOKEY": "ACCES",
    "EKEYEXPIRED": "ACCES",
    "EKEYREVOKED": "ACCES",
}.items():
    if hasattr(system, _name):
        _FROM_SYSTEM.setdefault(getattr(system, _name), _NUMBERS[_number])
# What an exception says that was made without a number, as programs in Python do.
_FROM_CLASS: tuple[tuple[type[OSError], str], ...] = (
    (BlockingIOError, "AGAIN"),
    (BrokenPipeError, "PIPE"),
    (ChildProcessError, "CHILD"),
    (ConnectionAbortedError, "CONNABORTED"),
    (ConnectionRefusedError, "CONNREFUSED"),
    (ConnectionResetError, "CONNRESET"),
    (FileExistsError, "EXIST"),
    (FileNotFoundError, "NOENT"),
    (InterruptedError, "INTR"),
    (IsADirectoryError, "ISDIR"),
    (NotADirectoryError, "NOTDIR"),
    (PermissionError, "ACCES"),
    (ProcessLookupError, "SRCH"),
    (TimeoutError, "TIMEDOUT"),
)


class Errno(Exception):
    """A WASI call fails with ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(_NAMES[number])
        self.number = number


def plain(error: Errno) -> OSError:
    """The error as one of Python's, for those who are not guests."""
    number = getattr(system, f"E{error}", system.EPERM)
    return OSError(number, f"{os.strerror(number)} (WASI: {error})")


def from_system(error: OSError) -> int:
    """The WASI number of an ``OSError``.

    One without a number of the system is known by its class; one that WASI has no word for is
    IO.
    """
    if error.errno is not None:
        return _FROM_SYSTEM.get(error.errno, IO)
    for kind, name in _FROM_CLASS:
        if isinstance(error, kind):
            return _NUMBERS[name]
    # ``io.UnsupportedOperation``: a stream that cannot do this at all
    return NOTSUP if isinstance(error, ValueError) else IO
