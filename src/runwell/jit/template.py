"""Text of instructions, made once for each form and then only filled in.

The meaning of most instructions does not depend on the function around.  So their bodies are run
once, on operands that stand for what comes later; what the machine writes is a pattern.
"""

from runwell.base.light import cache, final
from runwell.base.types import V128
from runwell.codegen.machine import Value, ir_type
from runwell.isa.form import FORMS, Dst, Form, Mode, Src
from runwell.isa.object_ops import IN_FRAME
from runwell.isa.op import Rule
from runwell.isa.register import Kind, Word
from runwell.jit import notes
from runwell.jit.convention import LETTERS, Signature
from runwell.jit.frame import FrameMachine
from runwell.jit.fuel import effect
from runwell.jit.machine import Fragment
from runwell.jit.variables import Variables
from runwell.kernel.text import ModuleText

# Operations that depend on the function: its frame, its labels, types that they do not name.
MOVES = ("copy", "select", "global.get", "global.get_far", "global.set", "global.set_far")
SIZES = ("memory.size", "table.size")
_FRAMES = ("copy_many", "zero", "zero_refs", "throw", "throw_ref", "br", "br_table")
_BEGINNINGS = ("return", "call", "fuel")
# Placeholders are characters for private use: that of the instruction's number, of its position,
# of the position of the access before it, and from there on the operands.
_FIRST = 0xE000
NUMBER, POSITION, LATEST, OPERANDS = chr(_FIRST), chr(_FIRST + 1), chr(_FIRST + 2), 3
_IMMEDIATES = {Word.OFFSET64: "i64", Word.V128: ir_type(V128)}
_EMPTY = Signature((), 0, (), 0)


def depends_on_function(form: Form) -> bool:
    """Is a form's text to be made anew for each instruction?"""
    op = form.op
    name = op.name
    if op.row is not None:
        return op.row.rule == Rule.WIDE
    if form.imms[:4] == IN_FRAME:
        return True
    return name in MOVES or name in SIZES or name in _FRAMES or name.startswith(_BEGINNINGS)


@final
class Template:
    """The text of a form that is part of an instruction.

    Attributes:
        form: the form.
        srcs: kind and letter of each source.
        imms: kind and length of each immediate.
        dst: where the result goes; ``dst_words`` long.
        fill: gives the text; takes the instruction's number, its position, that of the last
            access before it, then for each source the variable, value or offset, for each
            immediate its text, and the destination.
        result: gives the text of the result from the same arguments; None if there is none.
        letter: of the result's type, "" for references.
        needs: declarations of what it refers to.
        has_position: does it use its position?
        is_access: is it an access to a memory?
        uses_refs: does it use the reference frame?
        uses_memory: does it use memory 0 without a check?
        uses_top: does it use the ends of the frames?
        memory: which argument is the number of the checked memory, or 0.
        ends: is the end never reached?
        effect: who may see the fuel.
    """

    __slots__ = (
        "dst",
        "dst_words",
        "effect",
        "ends",
        "fill",
        "form",
        "has_position",
        "imms",
        "is_access",
        "letter",
        "memory",
        "needs",
        "result",
        "srcs",
        "uses_memory",
        "uses_refs",
        "uses_top",
    )

    def __init__(self, form: Form, arch: str) -> None:
        self.form = form
        self.effect = effect(form)
        f, module = Fragment(NUMBER), ModuleText()
        notes.prepare(module)
        before = module.text()
        m = FrameMachine(
            f, module, Variables(_EMPTY, ()), _EMPTY, arch=arch, position=f", !dbg !{POSITION}"
        )
        count = OPERANDS
        sources: list[Value] = []
        for src, ty in zip(form.srcs, form.params, strict=True):
            operand, ir = chr(_FIRST + count), ir_type(ty)
            count += 1
            if src == Src.SLOT:
                sources.append(m.emit(ir, f"load {ir}, ptr %{operand}"))
            elif src == Src.REF:
                sources.append(m.read_ref(operand))
            else:
                sources.append(Value(operand, ir))
        imms: list[Value] = []
        for kind in form.imms:
            imms.append(Value(chr(_FIRST + count), _IMMEDIATES.get(kind, "i32")))
            count += 1
        self.srcs = tuple([(int(s), LETTERS.get(ty, "")) for s, ty in zip(form.srcs, form.params)])  # noqa: B905
        self.imms = tuple([(kind, kind.words) for kind in form.imms])
        self.dst, self.dst_words = int(form.dst), form.dst.words
        self.memory = 0
        if form.mode != Mode.GUARD:
            m.use_memory(imms.pop())
            self.memory = count - 1
        op = form.op
        if op.kind in (Kind.LOAD, Kind.STORE):
            args = [sources[0], imms[0], *sources[1:], *imms[1:]]
        else:
            args = [*sources, *imms]
        value = op.body(m, op.ty, *args)
        dest = chr(_FIRST + count)
        self.result = None
        self.letter = ""
        if form.dst.is_branch:
            _branch(f, form.dst, value, dest)
        elif op.results:
            if value.type == "i1":
                value = m.flag(value)
            self.result = _pattern(value.text).format
            self.letter = LETTERS.get(op.results[0], "")
            if form.dst == Dst.REF:
                m.write_ref(dest, value)
            elif form.dst == Dst.SLOT:
                f.do(f"store {value}, ptr %{dest}")
        self.ends = not f.live
        self.is_access = op.kind in (Kind.LOAD, Kind.STORE)
        text = "\n".join(self._located(f.lines))
        self.fill = _pattern(text).format
        assert module.text().endswith(before[before.index("attributes") :])
        self.needs = tuple(module.declarations.items())
        self.has_position = POSITION in text
        self.uses_refs, self.uses_memory, self.uses_top = m.uses_refs, m.uses_memory, m.uses_top

    def _located(self, lines: list[str]) -> list[str]:
        """What comes before an access is no part of it; what comes behind it is."""
        accesses = [at for at, line in enumerate(lines) if POSITION in line]
        if not self.is_access or not accesses:
            return located(lines, LATEST)
        end = accesses[-1] + 1
        return [*located(lines[:end], LATEST), *located(lines[end:], POSITION)]


def located(lines: list[str], node: object) -> list[str]:
    """Instructions with the place of the last access before them, if they have none of their own.

    What is loaded may become an operand in memory of the instruction that uses it; nothing else
    accesses memory in between.  That then faults, and is to tell the place of the load.

    Args:
        lines: instructions and labels.
        node: number of the place's node.
    """
    return [
        f"{line}, !dbg !{node}"
        if line.startswith(("  %", "  br i1")) and ", !dbg " not in line
        else line
        for line in lines
    ]


def _branch(f: Fragment, dst: Dst, cond: Value, dest: str) -> None:
    """A branch on a condition; backward ones go to where the loop looks whether to go on."""
    on = f.fresh("on")
    taken = f"{'P' if dst.is_backward else 'L'}{dest}"
    if dst in (Dst.IF, Dst.LOOP_IF):
        odds = notes.USUALLY_TAKEN if dst.is_backward else ""
        f.end(f"br {cond}, label %{taken}, label %{on}{odds}")
    else:
        odds = notes.USUALLY_PASSED if dst.is_backward else ""
        f.end(f"br {cond}, label %{on}, label %{taken}{odds}")
    f.label(on)


def _pattern(text: str) -> str:
    text = text.replace("{", "{{").replace("}", "}}")
    return "".join([f"{{{ord(c) - _FIRST}}}" if c >= NUMBER else c for c in text])


@cache
def template(index: int, arch: str) -> "Template | None":
    """The template of a form that is not fused; None if there is none for it."""
    form = FORMS[index]
    assert isinstance(form, Form)
    return None if depends_on_function(form) else Template(form, arch)
