import pytest

import runwell
from runwell.host.closed import CLOSED


def test_whatever_is_done_with_it_is_refused():
    with pytest.raises(runwell.ClosedError, match="the instance that it belongs to is closed"):
        _ = CLOSED.anything
    assert repr(CLOSED) == "<closed>"
