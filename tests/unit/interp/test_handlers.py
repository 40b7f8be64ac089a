import re

import pytest

from runwell.codegen.object import compile_assembly
from runwell.codegen.target import host_target
from runwell.interp.handlers import PARTS, part_of, symbol_of, write_handler
from runwell.isa.form import FORMS, form_by_name
from runwell.isa.register import Kind
from runwell.kernel.text import ModuleText

ARCH = host_target().triple.partition("-")[0]


def test_every_form_is_in_one_part():
    assert [form for n in range(PARTS) for form in part_of(n)] == [*FORMS]


def test_symbols_differ():
    assert len({symbol_of(form) for form in FORMS}) == len(FORMS)


def assembly(names):
    """Machine instructions of the handlers of some forms, by name."""
    module = ModuleText()
    for name in names:
        module.add_function(write_handler(module, form_by_name()[name], ARCH))
    text = compile_assembly(module.text())
    found = {}
    for name in names:
        label = re.escape(symbol_of(form_by_name()[name]))
        body = re.search(rf'^"?{label}"?:\n(.*?)^\.?Lfunc_end', text, re.MULTILINE | re.DOTALL)
        lines = [line.strip() for line in body[1].splitlines()]
        found[name] = [x for x in lines if x and not x.startswith((".", "#")) and x[-1] != ":"]
    return found


# How many machine instructions the commonest handlers take.
LENGTHS = {
    "copy S->SLOT": 7,
    "i32.add SS->SLOT": 9,
    "i32.add SK->SLOT": 9,
    "i32.add AS->ACC": 5,
    "i32.add AK->ACC": 4,
    "i64.xor AS->SLOT": 7,
    "i32.load S->SLOT": 10,
    "i32.load A->ACC": 7,
    "i32.store SS": 10,
    "i32.lt_s SS->IF": 14,
    "f64.mul AS->SLOT": 7,
    "f32.add SS->SLOT": 9,
    "br ->JUMP": 6,
    "return": 7,
    "call": 33,
}


@pytest.mark.skipif(ARCH != "x86_64", reason="instructions are counted for x86-64")
def test_common_handlers_are_short():
    found = assembly(LENGTHS)
    assert {name: len(lines) for name, lines in found.items() if len(lines) > LENGTHS[name]} == {}


@pytest.mark.skipif(ARCH != "x86_64", reason="the stack pointer is named rsp on x86-64")
def test_no_ordinary_handler_spills():
    names = [
        form.name
        for form in form_by_name().values()
        if form.op.kind != Kind.LEAVE and form.op.row is not None and not form.op.row.prefix
    ]
    spilling = [name for name, lines in assembly(names).items() if any("rsp" in x for x in lines)]
    assert spilling == []
