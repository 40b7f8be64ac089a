import re

from runwell.interp.registers import PARAMS, Registers, handler, load_field, store_field
from runwell.runtime.layout import Context


def test_a_handler_takes_and_passes_every_register():
    f = handler("h")
    assert [name for _, name in f.params] == list(Registers._fields) == [n for _, n in PARAMS]
    assert Registers().arguments() == ", ".join(f"{ty} %{name}" for ty, name in PARAMS)


def test_fields_are_where_the_struct_says():
    f = handler("h")
    store_field(f, "%ctx", Context, "budget", load_field(f, "%ctx", Context, "frames_left"))
    f.end("ret void")
    offsets = [int(n) for n in re.findall(r"ptr %ctx, i64 (\d+)", f.text())]
    assert sorted(offsets) == sorted(map(Context.offset, ("frames_left", "budget")))
