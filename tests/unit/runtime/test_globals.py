import pytest

from runwell.base.types import EXTERNREF, F64, I32, V128
from runwell.module.types import GlobalType
from runwell.runtime.globals import new_global

pytestmark = pytest.mark.usefixtures("core")


@pytest.mark.parametrize(
    ("type_", "bits"),
    [(I32, 0xFFFFFFFF), (F64, 0x7FF8000000000001), (V128, (1 << 127) + 5), (V128, 3)],
)
def test_bits(type_, bits):
    g = new_global(GlobalType(type_, True), bits)
    assert g.bits == bits
    g.bits = 1
    assert g.bits == 1


def test_references():
    g = new_global(GlobalType(EXTERNREF, True))
    assert g.reference is None
    g.reference = [1]
    assert g.reference == [1]
    g.reference = None
    assert g.bits == 0
