"""What tests of worlds share."""

import errno
import os

import pytest


def fails(number, act, *args):
    """``act`` raises an ``OSError`` of this number."""
    with pytest.raises(OSError, match=f"Errno {number}\\b") as info:
        act(*args)
    assert errno.errorcode[info.value.errno] == errno.errorcode[number], os.strerror(number)
