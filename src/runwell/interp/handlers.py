"""The handlers: one for every form, made by running the body of its operation on the machine.

They are split over several LLVM modules, which compile in parallel.  All lie in one section, which
the modules' order leaves in one piece between ``handlers_low`` and ``handlers_high``: so the fault
handler can tell by its address whether an instruction is theirs.
"""

import re
from collections.abc import Sequence

from runwell.codegen.machine import Value
from runwell.interp.entry import add_entry
from runwell.interp.machine import HandlerMachine
from runwell.interp.registers import declaration, handler
from runwell.isa.form import FORMS, Form, FusedForm, Mode
from runwell.isa.register import STUBS, Kind
from runwell.kernel.text import FunctionText, ModuleText

PARTS = 4
LOW, HIGH = "handlers_low", "handlers_high"


def symbol_of(form: Form | FusedForm) -> str:
    """The symbol of a form's handler, e.g. ``op.i32.add.SK.ACC``."""
    return "op." + re.sub(r"\W+", ".", form.name)


def _step(m: HandlerMachine, form: Form) -> None:
    """Write what a form does, up to where control goes."""
    op = form.op
    sources = [m.source(src, ty) for src, ty in zip(form.srcs, form.params, strict=True)]
    imms = [m.immediate(kind) for kind in form.imms]
    if form.mode != Mode.GUARD:
        m.use_memory(imms.pop())
    if op.kind in (Kind.LOAD, Kind.STORE):
        args: list[Value] = [sources[0], imms[0], *sources[1:], *imms[1:]]
    else:
        args = [*sources, *imms]
    value = op.body(m, op.ty, *args)
    if op.kind == Kind.LEAVE:
        return
    if form.dst.is_branch:
        m.branch(form.dst, value if op.results else None)
    elif op.results:
        m.result(form.dst, value)


def begin_handler(module: ModuleText, form: Form | FusedForm) -> FunctionText:
    """Begin the handler of a form."""
    return handler(symbol_of(form))


def write_handler(module: ModuleText, form: Form | FusedForm, arch: str) -> FunctionText:
    """The handler of a form; what it refers to is declared in ``module``."""
    f = begin_handler(module, form)
    m = HandlerMachine(f, module, arch=arch)
    for part in form.parts:
        _step(m, part)
    if f.live:
        m.next()
    return f


def _landmark(name: str) -> FunctionText:
    """A function that only marks a place in the section."""
    f = handler(name)
    f.linkage = ""
    f.end("ret void")
    return f


def part_of(part: int, parts: int = PARTS) -> Sequence[Form | FusedForm]:
    """The forms whose handlers are in a part."""
    which = range(len(FORMS) * part // parts, len(FORMS) * (part + 1) // parts)
    return [FORMS[index] for index in which]


def add_handlers(module: ModuleText, part: int, arch: str, parts: int = PARTS) -> None:
    """Add the handlers of a part to a module."""
    if part == 0:
        module.add_function(_landmark(LOW))
    for form in part_of(part, parts):
        module.add_function(write_handler(module, form, arch))
    if part == parts - 1:
        module.add_function(_landmark(HIGH))


def add_table(module: ModuleText, arch: str) -> None:
    """Add the table of handlers, the code of the stubs, and the handlers that are no forms."""
    symbols = [symbol_of(form) for form in FORMS]
    for name in symbols:
        module.declare(name, declaration(name))
    cells = ", ".join(f"ptr @{name}" for name in symbols)
    module.add_global(f"@handler_table = constant [{len(symbols)} x ptr] [{cells}]")
    stubs = {form.op.name: symbol_of(form) for form in FORMS if isinstance(form, Form)}
    for name in STUBS:
        module.add_global(f"@stub_{name} = constant [1 x ptr] [ptr @{stubs[name]}]")
    add_entry(module, arch)
