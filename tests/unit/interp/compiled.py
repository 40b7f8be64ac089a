"""Compiled functions made by hand: LLVM text in the convention of ``interp.native``, installed.

``Compiled(instance.module, {index: body})`` compiles a body for each of some functions and puts it
in place of the interpreter's.  ``place(...)`` in a body says which instruction what follows is.
"""

import itertools
from bisect import bisect_right
from platform import machine
from typing import ClassVar

from runwell.codegen.object import compile_text
from runwell.elf.loader import load
from runwell.interp.native_assembly import ATTRIBUTES, PARAMS, RESULT
from runwell.interp.native_stubs import STUBS
from runwell.interp.registers import CC
from runwell.isa.form import FORMS
from runwell.kernel.types import as_struct, ctype_of
from runwell.runtime import layout
from runwell.runtime.layout import Context, FuncCode, FuncRef, Instance, NativeHandler
from runwell.runtime.native import hooks, native
from runwell.translate.code import decode_code

HEAD = ", ".join(f"{ty} %{name}" for ty, name in PARAMS)
POISON = ", ".join(f"{ty} poison" for ty, _ in PARAMS[5:])
_counter = itertools.count()
KERNELS = ("memory_grow",)

_DECLARED = """
declare void @native_trap(ptr, ptr, ptr, i32) noreturn cold nomerge
declare void @native_throw(ptr, ptr, ptr, ptr, ptr, ptr) noreturn cold nomerge
declare void @native_throw_ref(ptr, ptr, ptr, ptr) noreturn cold nomerge
declare i32 @native_poll(ptr, ptr, ptr, i32, ptr, ptr)
declare i64 @memory_grow(ptr, i64, i32)
declare ptr @llvm.frameaddress.p0(i32)
declare ptr @llvm.addressofreturnaddress.p0()
declare ptr @llvm.sponentry.p0()
"""


BEFORE = "before"


def place(function, offset):
    """Begin the native code of the instruction at an offset of a function's register code."""
    name = f"place.{function}.{offset}.{next(_counter)}"
    return f'  call void asm sideeffect ".globl {name}\\0A{name}:", ""()\n'


def offsets(code, function):
    """Offset and operation of each instruction of a function's register code."""
    import ctypes

    entry = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32)
    assert entry(native.address("translate_functions"))(code.address, function, function + 1) == 0
    where = ctype_of(FuncCode).from_address(code.code_address(function))
    words = list((ctypes.c_uint32 * (where.code_bytes // 4)).from_address(where.start))
    table = (ctypes.c_uint64 * len(FORMS)).from_address(native.address("handler_table"))
    numbers = {table[x]: x for x in range(len(FORMS))}
    return [(i.at, i.parts[-1].form.op.name) for i in decode_code(words, numbers)]


def offset(code, function, op, n=0):
    """Where the ``n``-th instruction of an operation is."""
    return [at for at, name in offsets(code, function) if name.startswith(op)][n]


def check(function):
    """What is at the entry of every function."""
    limit = as_struct(Context).offset("stack_limit")
    return f"""entry:
  %limit.at = getelementptr i8, ptr %ctx, i64 {limit}
  %limit = load atomic ptr, ptr %limit.at monotonic, align 8
  %high = icmp ugt ptr %fp, %limit
  br i1 %high, label %beyond, label %depth
beyond:
{place(function, BEFORE)}
  %top = getelementptr i8, ptr %fp, i64 96
  %rp.now.at = getelementptr i8, ptr %ctx, i64 {as_struct(Context).offset("native_rp")}
  %rp.now = load ptr, ptr %rp.now.at, align 8
  %stop = call i32 @native_poll(ptr %ctx, ptr %inst, ptr %fp, i32 %left, ptr %top, ptr %rp.now)
  %stops = icmp ne i32 %stop, 0
  br i1 %stops, label %stopped, label %depth
stopped:
{place(function, BEFORE)}
  call void @native_trap(ptr %ctx, ptr %inst, ptr %fp, i32 %stop)
  unreachable
depth:
  %deep = icmp slt i32 %left, 0
  br i1 %deep, label %exhausted, label %begin
exhausted:
{place(function, BEFORE)}
  call void @native_trap(ptr %ctx, ptr %inst, ptr %fp, i32 11)
  unreachable
begin:
"""


def call(result, callee, frame, args, *, inst="%inst", code="%code", left="%left.1", tail=False):
    """A call in the convention.

    Args:
        result: name of the result.
        callee: LLVM value of the function.
        frame: LLVM value of the callee's frame.
        args: a tuple of the integers, or a dict by parameter name.
        inst: the callee's instance.
        code: its ``FuncCode``.
        left: frames left.
        tail: a tail call.
    """
    given = args if isinstance(args, dict) else {f"a{i}": a for i, a in enumerate(args)}
    values = ", ".join(f"{ty} {given.get(name, 'poison')}" for ty, name in PARAMS[5:])
    how = "musttail" if tail else "notail"
    head = f"ptr %ctx, ptr {inst}, ptr {frame}, i32 {left}, ptr {code}, {values}"
    return f"  {result} = {how} call {CC} {RESULT} {callee}({head})\n"


def own(index):
    """Load ``FuncCode`` and native code of one of the module's functions: %c{index}, %n{index}."""
    codes, native_at = as_struct(Instance).offset("codes"), as_struct(FuncCode).offset("native")
    at = as_struct(FuncCode).size * index
    return f"""
  %codes{index}.at = getelementptr i8, ptr %inst, i64 {codes}
  %codes{index} = load ptr, ptr %codes{index}.at, align 8
  %c{index} = getelementptr i8, ptr %codes{index}, i64 {at}
  %n{index}.at = getelementptr i8, ptr %c{index}, i64 {native_at}
  %n{index} = load ptr, ptr %n{index}.at, align 8
"""


def imported(index):
    """The same of an imported function, and its instance: %i{index}."""
    funcs, code = as_struct(Instance).offset("funcs"), as_struct(FuncRef).offset("code")
    native_at, inst = as_struct(FuncCode).offset("native"), as_struct(FuncRef).offset("instance")
    return f"""
  %funcs{index}.at = getelementptr i8, ptr %inst, i64 {funcs}
  %funcs{index} = load ptr, ptr %funcs{index}.at, align 8
  %r{index}.at = getelementptr ptr, ptr %funcs{index}, i64 {index}
  %r{index} = load ptr, ptr %r{index}.at, align 8
  %c{index}.at = getelementptr i8, ptr %r{index}, i64 {code}
  %c{index} = load ptr, ptr %c{index}.at, align 8
  %o{index}.at = getelementptr i8, ptr %r{index}, i64 {inst}
  %o{index} = load ptr, ptr %o{index}.at, align 8
  %far{index} = icmp ne ptr %o{index}, null
  %i{index} = select i1 %far{index}, ptr %o{index}, ptr %inst
  %n{index}.at = getelementptr i8, ptr %c{index}, i64 {native_at}
  %n{index} = load ptr, ptr %n{index}.at, align 8
"""


def give(value):
    """Return an ``i64``."""
    return f"""
  %ret.1 = insertvalue {RESULT} poison, i64 {value}, 0
  ret {RESULT} %ret.1
"""


def give_float(value):
    """Return a ``<4 x float>``."""
    return f"""
  %ret.1 = insertvalue {RESULT} poison, <4 x float> {value}, 1
  ret {RESULT} %ret.1
"""


LESS = "  %left.1 = sub i32 %left, 1\n"


def frame(name, at):
    """The address of a slot."""
    return f"  %{name} = getelementptr i8, ptr %fp, i64 {at}\n"


class Compiled:
    """Compiled functions of a module.

    Args:
        code: the ``ModuleCode``.
        bodies: LLVM text by function index; or by index and offset, for places of entry.
        more: other text.
        symbols: addresses that it refers to.
    """

    everything: ClassVar[list] = []

    def __init__(self, code, bodies, more="", symbols=None):
        self.code = code
        text = _DECLARED + more
        for key, body in bodies.items():
            name = f"f{key}" if isinstance(key, int) else f"f{key[0]}_at_{key[1]}"
            linkage = f"define {CC} {RESULT} @{name}({HEAD})"
            text += f"\n{linkage} noinline {ATTRIBUTES} {{\n{body}\n}}\n"
        symbols = {name: native.address(name) for name in (*STUBS, *KERNELS)} | (symbols or {})
        self.loaded = load([compile_text(text, 1)], symbols)
        self.everything.append(self)
        names = self.loaded._addresses
        self.symbols = sorted((at, name) for name, at in names.items() if name[0] in "fp")
        self.keep = []
        functions = {key if isinstance(key, int) else key[0] for key in bodies}
        for index in functions:
            offsets(code, index)
            where = ctype_of(FuncCode).from_address(code.code_address(index))
            at = [key[1] for key in bodies if isinstance(key, tuple) and key[0] == index]
            if at:
                where.places = self._places(index, sorted(at))
            if index in bodies:
                where.native = self.loaded[f"f{index}"]
                where.entry = native.address("stub_native")
        self.low = min(c.loaded.base for c in self.everything)
        self.high = max(c.loaded.base + c.loaded.size for c in self.everything)
        native.set_code_region(self.low, self.high)
        hooks.native_code = find

    @property
    def module(self):
        return self.code

    def frames(self, pc):
        _, name = self.symbols[bisect_right(self.symbols, (pc, "~")) - 1]
        assert name.startswith("place."), name
        _, function, offset, _ = name.split(".")
        return [] if offset == BEFORE else [(int(function), int(offset))]

    def _places(self, index, offsets):
        import ctypes

        words = [len(offsets)]
        for at in offsets:
            words += [at, self.loaded[f"f{index}_at_{at}"]]
        table = (ctypes.c_uint64 * len(words))(*words)
        self.keep.append(table)
        return ctypes.addressof(table)


def find(pc):
    """What the runtime asks for a backtrace."""
    for made in Compiled.everything:
        if made.loaded.base <= pc < made.loaded.base + made.loaded.size:
            return made
    return None


def catching(at):
    """Begin to catch what is thrown at an offset of the register code; ``unlink`` ends it."""
    record = as_struct(NativeHandler)
    values = {
        "previous": "ptr %h.previous",
        "code": "ptr %code",
        "fp": "ptr %fp",
        "rp": "ptr %h.rp",
        "instance": "ptr %inst",
        "frame": "ptr %h.frame",
        "sp": "ptr %h.sp",
        "left": "i32 %left",
        "at": f"i32 {at}",
    }
    entry_sp = "addressofreturnaddress" if machine() == "x86_64" else "sponentry"
    text = f"""
  %h = alloca [{record.size} x i8], align 16
  %handlers.at = getelementptr i8, ptr %ctx, i64 {as_struct(Context).offset("handlers")}
  %h.previous = load ptr, ptr %handlers.at, align 8
  %h.rp.at = getelementptr i8, ptr %ctx, i64 {as_struct(Context).offset("native_rp")}
  %h.rp = load ptr, ptr %h.rp.at, align 8
  %h.frame = call ptr @llvm.frameaddress.p0(i32 0)
  %h.sp = call ptr @llvm.{entry_sp}.p0()
"""
    for name, value in values.items():
        text += f"""
  %h.{name}.to = getelementptr i8, ptr %h, i64 {record.offset(name)}
  store {value}, ptr %h.{name}.to, align 4
"""
    return text + "  store ptr %h, ptr %handlers.at, align 8\n"


UNLINK = "  store ptr %h.previous, ptr %handlers.at, align 8\n"


def landings(code, function):
    """The clauses of a function: where each goes on, and the slots of values and references."""
    import ctypes

    offsets(code, function)
    module = ctype_of(layout.ModuleCode).from_address(code.address)
    table = ctypes.c_uint64.from_address(module.handlers + 8 * function).value
    head = ctype_of(layout.HandlerTable).from_address(table)
    at = table + as_struct(layout.HandlerTable).size
    at += head.n_ranges * as_struct(layout.TryRange).size
    clauses = (ctype_of(layout.CatchClause) * head.n_clauses).from_address(at)
    return [(c.target, c.slot, c.ref_slot) for c in clauses]


def throwing(function, offset, tag, slot):
    """Throw an exception of a tag, whose values begin at a slot."""
    tags = as_struct(Instance).offset("tags")
    rp = as_struct(Context).offset("native_rp")
    return f"""
  %tags.at = getelementptr i8, ptr %inst, i64 {tags}
  %tags = load ptr, ptr %tags.at, align 8
  %tag.at = getelementptr ptr, ptr %tags, i64 {tag}
  %tag = load ptr, ptr %tag.at, align 8
  %values = getelementptr i8, ptr %fp, i64 {slot}
  %throw.rp.at = getelementptr i8, ptr %ctx, i64 {rp}
  %throw.rp = load ptr, ptr %throw.rp.at, align 8
{place(function, offset)}
  call void @native_throw(ptr %ctx, ptr %inst, ptr %fp, ptr %tag, ptr %values, ptr %throw.rp)
  unreachable
"""
