from runwell.base.types import FUNCREF, I64
from runwell.module.types import ExternKind, GlobalType, MemoryType, TableType


def test_descriptions_read_as_text_format():
    assert str(TableType(FUNCREF, 1)) == "table 1 funcref"
    assert str(MemoryType(1, 2, is_64=True, shared=True)) == "memory i64 1 2 shared"
    assert str(GlobalType(I64, mutable=True)) == "global (mut i64)"
    assert [kind.text for kind in ExternKind] == ["func", "table", "memory", "global", "tag"]
