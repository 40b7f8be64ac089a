"""Every form that is made from a template is text that LLVM takes."""

import os
import re

import pytest

from runwell.codegen.object import optimise_text
from runwell.isa.form import FORMS, Dst, Form, Mode, form_by_name
from runwell.jit import notes
from runwell.jit.convention import CC, PARAMS, RESULT
from runwell.jit.positions import Positions
from runwell.jit.template import depends_on_function, template
from runwell.kernel.text import ModuleText

ARCH = os.uname().machine
FILLED = [form.index for form in FORMS if isinstance(form, Form) and not depends_on_function(form)]
PARTS = 8


def arguments(form):
    """Something for each operand of a form."""
    from runwell.isa.form import Src
    from runwell.isa.register import Word
    from runwell.jit.convention import LETTERS

    constants = {"i": "7", "l": "7", "f": "1.0", "d": "1.0", "v": "zeroinitializer"}
    found = []
    for src, ty in zip(form.srcs, form.params, strict=True):
        letter = LETTERS.get(ty, "")
        if src == Src.SLOT:
            found.append(f"{letter}0")
        else:
            found.append(24 if src == Src.REF else constants[letter])
    found += ["zeroinitializer" if kind == Word.V128 else "1" for kind in form.imms]
    if form.dst == Dst.SLOT:
        found.append(LETTERS[form.op.results[0]] + "8")
    elif form.dst.is_branch:
        found.append(0)
    elif form.dst == Dst.REF:
        found.append(8)
    return found


SLOTS = "".join(
    f"  %{letter}{slot} = alloca {ir}\n"
    for letter, ir in {
        "i": "i32",
        "l": "i64",
        "f": "float",
        "d": "double",
        "v": "<4 x i32>",
    }.items()
    for slot in (0, 8)
)
BASES = ("rp", "mem", "memory.1", "base.1", "top", "ref.top")


@pytest.mark.parametrize("part", range(PARTS))
def test_templates_are_llvm(part):
    module, positions, functions = ModuleText(), Positions(), []
    notes.prepare(module)
    module.add_function("define internal i1 @is_among(i32 %type, ptr %supers) { ret i1 0 }")
    for index in FILLED[part::PARTS]:
        made = template(index, ARCH)
        scope = positions.scope(f"f{index}")
        places = positions.node(scope, 8), positions.node(scope, 4)
        text = made.fill(1, *places, *arguments(made.form))
        for name, declaration in made.needs:
            module.declare(name, declaration)
        args = ", ".join(f"{ty} %{name}" for ty, name in PARAMS)
        bases = "".join(f"  %{name} = getelementptr i8, ptr %fp, i64 8\n" for name in BASES)
        end = "" if made.ends else f"\n  ret {RESULT} poison"
        targets = "".join(f"\n{x}0:\n  ret {RESULT} poison" for x in "LP")
        functions.append(
            f"define {CC} {RESULT} @f{index}({args}) {notes.FUNCTION} !dbg {scope.node} {{\n"
            f"{SLOTS}{bases}{text}{end}{targets}\n}}"
        )
    optimise_text("\n".join([module.text(), *functions, positions.text()]), 0)


def test_a_template_is_filled_in():
    made = template(form_by_name()["i32.add SK->SLOT"].index, ARCH)
    assert made.fill(5, 0, 7, "i8", "-3", "i16") == (
        "  %t5.1 = load i32, ptr %i8, !dbg !7\n"
        "  %t5.2 = add i32 %t5.1, -3, !dbg !7\n"
        "  store i32 %t5.2, ptr %i16"
    )
    assert made.result(5, 0, 7, "i8", "-3", "i16") == "%t5.2"
    assert (made.letter, made.has_position, made.ends) == ("i", False, False)


def test_guarded_accesses_are_volatile_and_checked_ones_are_not():
    made = [template(form_by_name()[name].index, ARCH) for name in ("i32.load S->SLOT",)]
    made += [template(f.index, ARCH) for f in FORMS if _is_load(f, Mode.CHECKED)]
    texts = [t.fill(*range(9)) for t in made]
    assert re.search(r"load volatile i32, .* align 1, !tbaa", texts[0])
    assert made[0].uses_memory
    # What comes behind an access may become one with it.
    assert texts[0].count("!dbg !1\n") + texts[0].endswith("!dbg !1") == 1
    assert "volatile" not in texts[1]
    assert made[1].memory


def _is_load(form, mode):
    return isinstance(form, Form) and form.op.name == "i32.load" and form.mode == mode


def test_what_depends_on_the_function_has_none():
    for name in ("copy S->SLOT", "call", "return_8", "br ->JUMP"):
        assert template(form_by_name()[name].index, ARCH) is None
