"""Every error of the host has a number of WASI."""

import errno as system
import io

import pytest

from runwell.wasi import errno
from runwell.wasi.errno import Errno, from_system, plain

# What Linux has of which WASI can only say that it failed: kernel interfaces that no guest reaches.
WITHOUT = """
    ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC
    EBADSLT EBFONT ENOSTR ENOSR ENONET ENOPKG EREMOTE EADV ESRMNT ECOMM EDOTDOT EBADFD EREMCHG
    ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC ERESTART ESTRPIPE ETOOMANYREFS EUCLEAN ENOTNAM ENAVAIL
    EISNAM EREMOTEIO ENOTBLK ERFKILL EHWPOISON EQFULL EIO
""".split()


@pytest.mark.parametrize("name", sorted(system.errorcode.values()))
def test_every_number_of_the_system(name):
    number = from_system(OSError(getattr(system, name), ""))
    assert (number == errno.IO) == (name in WITHOUT)
    if name[1:] in errno._NAMES:
        assert errno._NAMES[number] == name[1:]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (FileNotFoundError("f"), "NOENT"),
        (FileExistsError("f"), "EXIST"),
        (PermissionError("f"), "ACCES"),
        (IsADirectoryError("f"), "ISDIR"),
        (NotADirectoryError("f"), "NOTDIR"),
        (BrokenPipeError(), "PIPE"),
        (ConnectionResetError(), "CONNRESET"),
        (BlockingIOError(), "AGAIN"),
        (TimeoutError(), "TIMEDOUT"),
        (InterruptedError(), "INTR"),
        (io.UnsupportedOperation("read"), "NOTSUP"),
        (OSError("anything"), "IO"),
        (OSError(99999, "unknown"), "IO"),
    ],
)
def test_exceptions_that_python_programs_make(error, name):
    assert errno._NAMES[from_system(error)] == name


def test_errors_of_wasi_as_python_s():
    assert plain(Errno(errno.NOENT)).errno == system.ENOENT
    assert isinstance(plain(Errno(errno.NOTCAPABLE)), PermissionError)
    assert "NOTCAPABLE" in str(plain(Errno(errno.NOTCAPABLE)))
