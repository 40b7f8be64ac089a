from runwell.jit import notes
from runwell.kernel.text import ModuleText


def test_nodes_have_the_same_numbers_in_every_module():
    texts = []
    for _ in range(2):
        module = ModuleText()
        notes.prepare(module)
        texts.append(module.text())
    assert texts[0] == texts[1]
    for note in (notes.GUEST, notes.MACHINE, notes.CONSTANT, notes.UNLIKELY, notes.FUEL):
        assert f"{note.split()[-1]} = " in texts[0]
    assert "attributes #0" in texts[0]


def test_regions_do_not_overlap():
    seen = (notes.GUEST, notes.GLOBAL, notes.TABLE, notes.FUEL)
    regions = (*seen, notes.SEEN, notes.MACHINE, notes.FRAME, notes.REFERENCE)
    assert len(set(regions)) == len(regions)
