"""From register code to LLVM text: one pass over the words of a function.

Parts of instructions are text from templates, or, where their meaning depends on the function,
bodies run on a machine that knows it.  Text is kept by instruction; labels are put in where it
turned out that something branches to.
"""

from struct import unpack

from runwell.base.errors import InternalError
from runwell.base.light import Sequence, cache, final
from runwell.base.types import I32, V128
from runwell.codegen.machine import Value, constant
from runwell.isa.form import FORMS, Dst, Form, Src
from runwell.isa.op import Rule
from runwell.isa.register import Kind, Word
from runwell.jit.assembly import Assembly
from runwell.jit.convention import IR_TYPES, LETTERS, Place
from runwell.jit.frame import FrameMachine
from runwell.jit.fuel import Effect, Meter, effect, pay
from runwell.jit.handlers import clauses
from runwell.jit.job import JobFunction
from runwell.jit.machine import Fragment
from runwell.jit.surroundings import Surroundings
from runwell.jit.template import MOVES, SIZES, Template, located, template
from runwell.jit.variables import Variables
from runwell.kernel.text import symbol

# Absolute values of floats that make some operation do nothing: 0 and 1.
_SPECIAL_F32, _SPECIAL_F64 = (0, 0x3F800000), (0, 0x3FF0000000000000)
_COUNTING = ("i32.const", "i32.add", "i32.sub")
_ANY_TAG = 2  # bit of a clause's kind
_TYPES = {letter: ty for ty, letter in LETTERS.items()}

# As plain numbers, which are compared faster.
_SLOT, _IMM, _ACC, _IMM64 = int(Src.SLOT), int(Src.IMM), int(Src.ACC), int(Src.IMM64)
_TO_SLOT, _TO_REF, _TO_BRANCH = int(Dst.SLOT), int(Dst.REF), int(Dst.IF)
_NUMBERS = frozenset(Word) - {Word.OFFSET64, Word.V128, Word.TYPE, Word.DELTA, Word.TARGETS}


@cache
def _plan(form: int, arch: str) -> "tuple[Template | Form, ...]":
    """How each part of a form is made."""
    return tuple([template(part.index, arch) or part for part in FORMS[form].parts])


def _signed(word: int, bits: int = 32) -> int:
    return word - (1 << bits) if word >> (bits - 1) else word


def name_of(function: int, *, entry: int | None = None, copy: int | None = None) -> str:
    """The symbol of a function, of an entry to it, or of a copy of it."""
    if copy is not None:
        return f"f{function}_copy_{copy}"
    return f"f{function}" if entry is None else f"f{function}_at_{entry}"


@final
class Lowering:
    """A function on its way to text."""

    def __init__(
        self,
        around: Surroundings,
        function: JobFunction,
        entry: int | None = None,
        *,
        copy: int | None = None,
    ) -> None:
        """Begin.

        Args:
            around: the module.
            function: what to lower.
            entry: where it is entered, an offset in its code; None for its beginning.
            copy: number of the copy, which only functions in the text call; None for itself.
        """
        self.around, self.function, self.entry = around, function, entry
        self.copy = copy
        self.name = name_of(function.function, entry=entry, copy=copy)
        # Whom it calls for itself, "" if that is elsewhere, and in how many places.
        self.again, self.recursions = around.here.get(function.function, ""), 0
        self.own = around.signature(function.function)
        self.variables = Variables(self.own, function.locals)
        self.words: Sequence[int] = unpack(f"{len(function.code) // 4}I", function.code)
        self.scope = around.positions.scope(f"f{function.function}", self.name)
        # Text by instruction, and where each begins.
        self.texts: list[str] = []
        # Numbers of places: of the last access to memory, also by where it is branched to.
        self.latest = around.positions.node(self.scope, 0)
        self.latest_at: dict[int, int] = {}
        self.starts: dict[int, int] = {}
        self.reached: set[int] = set()  # instructions that the one before goes on to
        self.targets: set[int] = {entry or 0}
        self.loops: set[int] = set()
        self.forward: set[int] = set()  # where branches from before lead
        self.memories: dict[str, None] = {}
        self.uses_refs = self.uses_memory = self.uses_top = False
        self.ref_bytes = 8 * self.own.ref_params
        # Accumulators: letters and values of what they hold.
        self.acc: list[tuple[str, str]] = []
        self.acc_slot = -1  # where the integer is as well
        self.acc_word: Value | None = None  # what it is in memory, if its type is not known
        self.begun: dict[int, int] = {}  # number of the part before each instruction
        self.facc: list[tuple[str, str]] = []
        self.number, self.live = 0, False
        self.meter = Meter()
        self.catches = bool(function.handlers)
        # What catches may have been entered by others than the interpreter, at a handler.
        self.may_leave = around.may_leave and entry is not None and not self.catches
        if entry is not None:
            self.forward.add(entry)
        # What exceptions leave in slots, by offset of the code that handles them.
        self.landings: dict[int, list[Place]] = {}
        for clause in clauses(function.handlers):
            if not clause.kind & _ANY_TAG:
                carried = around.type_signature(around.header.tags[clause.tag]).params
                found = [Place(p.letter, clause.slot + p.slot) for p in carried]
                self.landings.setdefault(clause.target, []).extend(found)
            self.forward.add(clause.target)

    # The pass.

    def run(self) -> str:
        """The function as text.

        Raises:
            InternalError: the register code is not what a translator makes.
        """
        try:
            self._pass()
        except (IndexError, KeyError) as e:
            raise InternalError(f"{self.name}: the code is damaged: {e!r}") from None
        missing = self.variables.to_keep(self.entry if self.may_leave else None)
        if missing:
            return self._with_kept(self.variables.kept | missing).run()
        return Assembly(self).text()

    def _with_kept(self, slots: set[int]) -> "Lowering":
        """The same from the beginning, with what is in these slots in memory as well."""
        again = Lowering(self.around, self.function, self.entry, copy=self.copy)
        again.variables.kept, again.again = slots, self.again
        return again

    def _pass(self) -> None:
        words, i, end = self.words, 0, len(self.words)
        texts, starts, reached, targets = self.texts, self.starts, self.reached, self.targets
        arch = self.around.arch
        liveness = self.variables.listen() if self.may_leave else None
        while i < end:
            offset = 4 * i
            if liveness is not None:
                liveness.begin(offset, is_reached=self.live)
            if not self.live or offset in self.forward:
                self.meter.arrive()
            starts[offset] = len(texts)
            self.begun[offset] = self.number
            if self.live:
                reached.add(offset)
            else:
                # Control arrives from elsewhere, if at all.
                self.variables.lose_track()
                targets.add(offset)
                self.live = True
                self.latest = self.latest_at.get(offset, self.latest)
                for letter, slot in self.landings.get(offset, ()):
                    self.variables.define(letter, slot)
            self.position = 0
            first = len(texts)
            for plan in _plan(words[i], arch):
                if i * 4 == offset:
                    i += 2
                self.number += 1
                self.variables.number = self.number
                if not isinstance(plan, Form):
                    i = self._fill(plan, i, offset)
                elif plan.op.name.startswith("fuel"):
                    i = pay(self, plan, i, offset, is_first=len(texts) == first)
                else:
                    i = self._write(plan, i, offset)
            if len(texts) == first:
                texts.append("")

    def where(self, offset: int) -> int:
        """The number of the node of the instruction's position."""
        if not self.position:
            self.position = self.around.positions.node(self.scope, offset)
        return self.position

    def _fill(self, t: Template, i: int, offset: int) -> int:
        """The part of an instruction whose words begin at ``i``, from its template."""
        words, variables, first = self.words, self.variables, i
        if t.effect:
            self.meter.before(self.texts, self.number, t.effect)
        own = self.where(offset) if t.has_position else 0
        args: list[object] = [self.number, own, self.latest]
        if t.is_access and own:
            self.latest = own
        for src, letter in t.srcs:
            if src == _SLOT:
                slot = words[i]
                name = f"{letter}{slot}"
                variables.used[name] = letter, slot
                args.append(name)
                i += 1
            elif src == _ACC:
                args.append(self._from_acc(letter))
            elif src == _IMM:
                args.append(self._constant(letter, _signed(words[i])))
                i += 1
            elif src == _IMM64:
                args.append(self._constant(letter, words[i] | words[i + 1] << 32))
                i += 2
            else:
                args.append(words[i])
                i += 1
        for kind, length in t.imms:
            args.append(words[i] if kind in _NUMBERS else self._immediate(kind, i))
            i += length
        if t.memory:
            self.memories[str(args[t.memory])] = None
        slot, dst = -1, t.dst
        if dst == _TO_SLOT:
            slot = words[i]
            args.append(variables.define(t.letter, slot)[1:])
            if t.form.op.name in _COUNTING:
                self._note(t.form, first, slot, offset)
        elif dst >= _TO_BRANCH:
            backward = t.form.dst.is_backward
            args.append(self._target(i, backward=backward))
            if backward:
                self._note_back(t.form, first, i, offset)
        elif dst == _TO_REF:
            args.append(words[i])
        i += t.dst_words
        self.texts.append(t.fill(*args))
        if t.effect == Effect.CALL:
            self.meter.after(self.texts, self.number)
        if t.needs:
            for name, text in t.needs:
                self.around.module.declare(name, text)
        self.uses_refs |= t.uses_refs
        self.uses_memory |= t.uses_memory
        self.uses_top |= t.uses_top
        if t.letter and t.result is not None:
            result = t.result(*args)
            self._to_acc([(t.letter, result)])
            if t.letter in "il":
                self.acc_slot = slot
            if slot >= 0 and (self.catches or variables.keeps(t.letter, slot)):
                f = Fragment(f"w{self.number}")
                m = self.machine(f, 0)
                m.store_frame(slot, Value(result, IR_TYPES[t.letter]))
                self.texts += f.lines
        if t.ends:
            self.live = False
        return i

    # Counters.

    def _note(self, form: Form, i: int, slot: int, offset: int) -> None:
        """Remember a constant, or the sum of a slot and a constant, that goes to a slot."""
        counters = self.variables.counters
        if form.op.name == "i32.const":
            counters.constant(slot, self.number, offset, self.words[i])
        elif form.srcs == (Src.SLOT, Src.IMM):
            value = self.words[i + 1] if form.op.name == "i32.add" else -self.words[i + 1]
            counters.sum(slot, self.number, offset, self.words[i], value)

    def _note_back(self, form: Form, i: int, branch: int, offset: int) -> None:
        """Remember a branch back on a condition."""
        target = 4 * branch - self.words[branch]
        slot, last = -1, 0
        if form.op.name in ("i32.ne", "br_if") and form.dst == Dst.LOOP_IF:
            slot = self.acc_slot if form.srcs[0] == Src.ACC else self.words[i]
            if form.op.name == "i32.ne":
                if form.srcs[1] == Src.IMM:
                    last = self.words[branch - 1]
                else:
                    slot = -1
        self.variables.counters.back(target, self.begun[target], offset, slot, last)

    # Operands.

    def _target(self, i: int, *, backward: bool) -> int:
        """The offset that the word at ``i`` leads to."""
        offset = 4 * i - self.words[i] if backward else (4 * i + self.words[i]) & 0xFFFFFFFF
        self.variables.branched(offset)
        if backward:
            self.loops.add(offset)
        else:
            self.forward.add(offset)
            self.latest_at.setdefault(offset, self.latest)
        self.targets.add(offset)
        return offset

    def _constant(self, letter: str, value: int) -> str:
        """A constant as an operand; floats are given as their bits."""
        match letter:
            case "i":
                return str(_signed(value & 0xFFFFFFFF))
            case "l":
                return str(_signed(value & 0xFFFFFFFFFFFFFFFF, 64))
            case "f":
                bits = value & 0xFFFFFFFF
                text, special = f"bitcast (i32 {bits} to float)", bits & 0x7FFFFFFF in _SPECIAL_F32
            case _:
                bits = value & 0xFFFFFFFFFFFFFFFF
                text, special = f"0x{bits:016X}", bits & 0x7FFFFFFFFFFFFFFF in _SPECIAL_F64
        if not special:
            return text
        # With these LLVM finds operations that do nothing, except to make NaNs quiet.
        self.number += 1
        f = Fragment(str(self.number))
        m = self.machine(f, 0)
        name = m.opaque(Value(text, IR_TYPES[letter])).text
        self.texts += f.lines
        return name

    def _immediate(self, kind: Word, i: int) -> str:
        words = self.words
        match kind:
            case Word.OFFSET64:
                return str(words[i] | words[i + 1] << 32)
            case Word.V128:
                value = sum(words[i + k] << 32 * k for k in range(4))
                return constant(V128, value).text
            case Word.TYPE:
                return self.around.type_number(words[i])
            case Word.DELTA:
                return str(_signed(words[i]))
            case _:
                return str(words[i])

    def _from_acc(self, letter: str) -> str:
        """What is in an accumulator, as a value of a letter."""
        held = self.facc if letter in "fdv" else self.acc
        for have, text in held:
            if have == letter:
                return text
        for have, text in held:
            if have in "il" and letter in "il":
                self.number += 1
                name = f"%t{self.number}"
                how = f"trunc i64 {text} to i32" if letter == "i" else f"zext i32 {text} to i64"
                self.texts.append(f"  {name} = {how}, !dbg !{self.latest}")
                return name
        raise InternalError(f"{self.name}: no {letter!r} in the accumulator")

    def _to_acc(self, values: list[tuple[str, str]]) -> None:
        if values[0][0] in "fdv" and len(values) == 1:
            self.facc = values
        else:
            self.acc = values

    # Operations that depend on the function.

    def machine(self, f: Fragment, position: int) -> FrameMachine:
        """A machine that writes to a fragment; what may trap is at a position, if that is not 0."""
        around = self.around
        where = f", !dbg !{position}" if position else ""
        m = FrameMachine(
            f, around.module, self.variables, self.own, arch=around.arch, position=where
        )
        m.catches = self.catches
        return m

    def _write(self, form: Form, i: int, offset: int) -> int:
        """The part of an instruction whose words begin at ``i``, by running its body."""
        self.meter.before(self.texts, self.number, effect(form))
        f = Fragment(str(self.number))
        m = self.machine(f, self.where(offset))
        m.at = offset
        op = form.op
        if op.name == "zero_refs":
            self.ref_bytes = self.words[i] + self.words[i + 1]
        if op.name == "br":
            target = self._target(i, backward=form.dst.is_backward)
            if form.dst.is_backward:
                self.variables.counters.back(target, self.begun[target], offset)
            f.end(f"br label %{'P' if form.dst.is_backward else 'L'}{target}")
            i += 1
        elif op.name in MOVES or op.name in SIZES:
            i = self._move(m, form, i)
        elif op.name.startswith("return_value"):
            i = self._return_value(m, form, i)
        elif op.name == "br_table":
            i = self._branch_table(m, form, i)
        else:
            i = self._run_body(m, form, i)
        self.texts += located(f.lines, self.latest)
        self.live = f.live
        if f.live and effect(form) == Effect.CALL:
            self.meter.after(self.texts, self.number)
        self.uses_refs |= m.uses_refs
        return i

    def sources(self, m: FrameMachine, form: Form, i: int) -> tuple[list[Value], int]:
        """The operands of a form whose words begin at ``i``, and where what follows begins."""
        values = []
        for src, ty in zip(form.srcs, form.params, strict=True):
            letter = LETTERS.get(ty, "")
            word = self.words[i] if src.words else 0
            i += src.words
            if src == Src.SLOT:
                values.append(m.read(letter, word))
            elif src == Src.REF:
                values.append(m.read_ref(str(word)))
            elif src == Src.ACC:
                values.append(Value(self._from_acc(letter), IR_TYPES[letter]))
            else:
                if src == Src.IMM64:
                    word |= self.words[i - 1] << 32
                else:
                    word = _signed(word)
                values.append(Value(self._constant(letter, word), IR_TYPES[letter]))
        return values, i

    def _run_body(self, m: FrameMachine, form: Form, i: int) -> int:
        op = form.op
        values, i = self.sources(m, form, i)
        for kind in form.imms:
            values.append(Value(self._immediate(kind, i), "i32"))
            if kind == Word.TAG:
                tag = self.around.header.tags[self.words[i]]
                m.callee = self.around.type_signature(tag)
            elif kind == Word.FUNC:
                m.callee = self.around.signature(self.words[i])
                m.symbol = self._callee(self.words[i], op.name)
            elif kind == Word.TYPE:
                m.callee = self.around.type_signature(self.around.type_index(self.words[i]))
                if op.name.startswith("call"):
                    m.likely, m.other = self.around.likely(self.words[i])
            i += kind.words
        value = op.body(m, op.ty, *values)
        if op.row is not None and op.row.rule == Rule.WIDE:
            pair = m.emit("<2 x i64>", f"bitcast {value} to <2 x i64>")
            for half in range(2):
                part = m.emit("i64", f"extractelement {pair}, i32 {half}")
                m.write("l", self.words[i] + 8 * half, part)
            return i + 1
        if op.results:
            assert form.dst == Dst.REF
            m.write_ref(str(self.words[i]), value)
            i += 1
        if m.f.live and op.kind == Kind.LEAVE:
            self.acc, self.facc = [], []
        return i

    def _callee(self, function: int, how: str) -> str:
        """The symbol of a function that is called; "" if it is elsewhere."""
        is_own = how == "call" and function == self.function.function
        self.recursions += is_own
        name = self.again if is_own else self.around.here.get(function, "")
        return symbol(name) if name else ""

    def _move(self, m: FrameMachine, form: Form, i: int) -> int:
        """An operation that does not say of which type the value is that it moves."""
        name, variables = form.op.name, self.variables
        moved: list[tuple[str, Value]] = []
        word: Value | None = None
        if name.startswith("global.get"):
            letter = self.around.global_letter(self.words[i])
            cell = Value(str(self.words[i]), "i32")
            ty = _TYPES[letter]
            moved = [(letter, m.global_get(ty, cell, far=name.endswith("far")))]
            i += 1
        elif name.startswith("global.set"):
            at = i + form.srcs[0].words
            letter = self.around.global_letter(self.words[at])
            value = self._one(m, form.srcs[0], i, letter)
            cell = Value(str(self.words[at]), "i32")
            m.global_set(_TYPES[letter], cell, value, far=name.endswith("far"))
            return at + 1
        elif name == "copy":
            dest = self.words[i + form.srcs[0].words]
            letters = variables.letter(dest) if dest < variables.locals_end else ""
            letters = letters or self._letters(form.srcs[0], i)
            if not letters:
                raise InternalError(f"{self.name}: a copy of nothing")
            moved = [(letter, self._one(m, form.srcs[0], i, letter)) for letter in letters]
            if self._wants_word(m, moved):
                word = self._word(m, form.srcs[0], i)
            if form.srcs[0] == Src.SLOT:
                self.variables.counters.copy(dest, self.number, m.at, self.words[i])
            i += form.srcs[0].words
        elif name == "select":
            i, moved, word = self._select(m, form, i)
        else:
            index = Value(str(self.words[i]), "i32")
            size = m.memory_size(index) if name == "memory.size" else m.table_size(index)
            moved, word = [("l", size), ("i", m.trunc(I32, size))], size
            i += 1
        self._put(m, moved, self.words[i] if form.dst == Dst.SLOT else None, word)
        return i + form.dst.words

    def _letters(self, src: Src, i: int) -> str:
        """The types that the value of a source may have."""
        if src == Src.ACC:
            return "".join([letter for letter, _ in self.acc])
        return self.variables.letters(self.words[i])

    def _one(self, m: FrameMachine, src: Src, i: int, letter: str) -> Value:
        """The value of a source that does not say its type."""
        ir = IR_TYPES[letter]
        if src == Src.SLOT:
            slot = self.words[i]
            if letter in "fd" and self.variables.letter(slot) == "l":
                return self._as_float(m, m.read("l", slot), letter)
            return m.read(letter, slot)
        if src == Src.ACC:
            for have, text in self.acc:
                if have == letter:
                    return Value(text, ir)
            if letter in "fd":
                return self._as_float(m, Value(self._from_acc("l"), "i64"), letter)
            return Value(self._from_acc(letter), ir)
        word = self.words[i]
        bits = _signed(word) if src == Src.IMM else word | self.words[i + 1] << 32
        return Value(self._constant(letter, bits), ir)

    def _as_float(self, m: FrameMachine, bits: Value, letter: str) -> Value:
        """A constant that was loaded as an integer, because it was about to be moved."""
        if letter == "f":
            bits = m.trunc(I32, bits)
        return m.bitcast(_TYPES[letter], bits)

    def _wants_word(self, m: FrameMachine, moved: list[tuple[str, Value]]) -> bool:
        """Must it be known what a value of several types is in memory?"""
        return len(moved) > 1 and (m.catches or bool(self.variables.kept))

    def _word(self, m: FrameMachine, src: Src, i: int) -> Value:
        """What a source of several types is in memory."""
        if src == Src.SLOT:
            return m.word_in(self.words[i])
        if src == Src.ACC and self.acc_word is not None:
            return self.acc_word
        return self._one(m, src, i, "l")

    def _select(
        self, m: FrameMachine, form: Form, i: int
    ) -> tuple[int, list[tuple[str, Value]], Value | None]:
        """A choice of integers, of either length; the last is what it is in memory."""
        a, b = i, i + form.srcs[0].words
        c = b + form.srcs[1].words
        letters = [self.variables.letters(self.words[at]) for at in (a, b)]
        known = "".join([x for x in letters[0] if x in letters[1] and x in "il"])
        cond = m.ne(self._one(m, form.srcs[2], c, "i"), constant(I32, 0))
        i = c + form.srcs[2].words
        if form.dst == Dst.SLOT and self.words[i] < self.variables.locals_end:
            known = self.variables.letter(self.words[i])
        moved = []
        for letter in known:
            x, y = self._one(m, form.srcs[0], a, letter), self._one(m, form.srcs[1], b, letter)
            moved.append((letter, m.select(cond, x, y)))
        if not self._wants_word(m, moved):
            return i, moved, None
        x, y = self._word(m, form.srcs[0], a), self._word(m, form.srcs[1], b)
        return i, moved, m.select(cond, x, y)

    def _put(
        self,
        m: FrameMachine,
        moved: list[tuple[str, Value]],
        slot: int | None,
        word: Value | None,
    ) -> None:
        """A result, of a type or of several, to a slot and the accumulator."""
        if slot is not None:
            local = self.variables.letter(slot) if slot < self.variables.locals_end else ""
            if len(moved) > 1 and not local:
                m.write_unclear(slot, moved, word)
            else:
                for letter, value in moved:
                    if local in ("", letter):
                        m.write(letter, slot, value)
        if moved:
            self.acc_slot, self.acc_word = -1, word if len(moved) > 1 else None
            self.acc = [(letter, value.text) for letter, value in moved]

    def _return_value(self, m: FrameMachine, form: Form, i: int) -> int:
        op = form.op
        if form.srcs[0] == Src.REF:
            return self._run_body(m, form, i)
        letter = self.own.results[0].letter
        typed = LETTERS[op.params[0]]
        if typed != "l":
            (value,), _ = self.sources(m, form, i)
            m.return_value(value, constant(I32, 0))
            return i + form.words
        m.return_value(self._one(m, form.srcs[0], i, letter), constant(I32, 0))
        return i + form.words

    def _branch_table(self, m: FrameMachine, form: Form, i: int) -> int:
        (index,), i = self.sources(m, form, i)
        count = self.words[i]
        cases = [self._target(i + 1 + k, backward=False) for k in range(count + 1)]
        rows = "".join([f" i32 {k}, label %L{t}" for k, t in enumerate(cases[:-1])])
        m.f.end(f"switch {index}, label %L{cases[-1]} [{rows} ]")
        return i + 2 + count
