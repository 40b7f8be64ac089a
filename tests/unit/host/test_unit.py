import re

from runwell.host import unit
from runwell.host.signature import common_signatures
from runwell.interp.unit import core_units
from runwell.kernel.text import ModuleText


def test_the_unit_is_the_same_every_time():
    assert unit.python_unit().text() == unit.python_unit().text()


def test_all_that_python_looks_up_is_there():
    text = unit.python_unit().text()
    for name in unit.exports():
        assert re.search(rf"^(define [^@]*)?@{name}\b", text, re.MULTILINE), name


def test_entries_of_common_signatures():
    module = ModuleText()
    unit.add_common_entries(module)
    text = module.text()
    for way in ("call", "host", "native"):
        found = re.findall(rf"^define [^@]*@{way}_\w*\(", text, re.MULTILINE)
        assert len(found) == len(common_signatures())


def test_nothing_else_in_the_core_names_python():
    for other in core_units():
        if other.name != unit.python_unit().name:
            assert not re.search(r"@_?Py[A-Z_]", other.text()), other.name
