"""The translator's kernels built for tests, over poisoned memory, and ways to run them.

The handler of form ``n`` has the address ``HANDLER_BASE + n``, so that code can be read back.
"""

import ctypes
import mmap
import re
from typing import Any

from runwell.base.errors import MalformedError
from runwell.base.leb128 import encode_unsigned
from runwell.binary.decoder import decode
from runwell.codegen.testing import Bound, bind_units
from runwell.codegen.unit import Unit
from runwell.isa.form import FORMS, Form
from runwell.isa.register import Word
from runwell.kernel import ctype_of, sizeof
from runwell.kernel.text import ModuleText
from runwell.runtime import code as runtime_code
from runwell.runtime import code_kernels
from runwell.runtime.layout import Context, FuncCode, Instance
from runwell.runtime.native import Native
from runwell.translate import exports, pool, portable, tables
from runwell.translate.code import Instruction, Part, decode_code, instruction_words
from runwell.translate.errors import Error
from runwell.translate.layout import Trouble
from runwell.translate.printer import print_code
from runwell.translate.work import Work

HANDLER_BASE = 0x5000_0000_0000
FORM_AT = {HANDLER_BASE + i: i for i in range(len(FORMS))}
HANDLERS = list(FORM_AT)
POISON = b"\xa5"
# What the functions of tests may refer to.
PRELUDE = """
(type $t (func (param i32 i64) (result i64)))
(import "" "" (func $i (param i32)))
(memory 1) (table 4 funcref) (table 4 externref)
(global $g (mut i32) (i32.const 0)) (global $d (mut f64) (f64.const 0))
(global $r (mut funcref) (ref.null func))
(elem func 0) (data "x")
"""

KERNELS = [
    exports.translate_on_demand,
    exports.translate_functions,
    exports.validate_code,
    exports.validate_constants,
    exports.translate_constant,
    exports.map_offsets,
    portable.export_code,
    pool.lay_out_work,
    pool.take_work,
    pool.give_work_back,
    pool.works,
    code_kernels.fill_codes,
]


def _add_tables(module: ModuleText) -> None:
    handlers = ", ".join(f"i64 {at}" for at in HANDLERS)
    module.add_global(f"@handler_table = constant [{len(HANDLERS)} x i64] [{handlers}]")
    for name in ("translate", "enter_place"):
        module.add_global(f"@stub_{name} = constant i64 0")


def build(level: int = 0, *, fuses: bool = True) -> "Translator":
    """Compile the kernels; without fusion the code does not depend on how that is tuned."""
    units = [Unit("translator", KERNELS, is_debug=True), Unit("tables", [], _add_tables)]
    rows: Any = tables.FUSION_ROW
    kept = rows.values()
    if not fuses:
        rows._values = (0,) * len(FORMS)
    try:
        return Translator(bind_units(units, level=level))
    finally:
        rows._values = kept


def _sample(form: Form, target: int) -> Part:
    """A part of a form, with a number in every place."""
    sources = tuple(
        (0x1111_0000_2222_0000 + i) & (1 << 32 * src.words) - 1 for i, src in enumerate(form.srcs)
    )
    immediates = tuple(
        (target,) * 3 if kind == Word.TARGETS else (77 + i) & (1 << 32 * kind.words) - 1
        for i, kind in enumerate(form.imms)
    )
    dest = target if form.dst.is_branch else 40 if form.dst.words else 0
    return Part(form, sources, immediates, dest)


def from_first_cell(text: str) -> str:
    """Printed code with the offsets of global cells counted from the first cell."""
    start = sizeof(Instance)
    return re.sub(r"\bglobal:(\d+)", lambda found: f"global:{int(found[1]) - start}", text)


def every_form() -> list[Instruction]:
    """One instruction of each form, which branch to the first."""
    at, found = 0, []
    for form in FORMS:
        parts = tuple(_sample(f, 0) for f in form.parts)
        found.append(Instruction(at, form, parts))
        at += 4 * instruction_words(parts)
    return found


def function(body: bytes, params: bytes = b"", results: bytes = b"") -> bytes:
    """A module of one function, with a memory; ``body`` begins with the locals."""

    def section(number: int, content: bytes) -> bytes:
        return bytes([number]) + encode_unsigned(len(content)) + content

    types = b"\x01\x60" + bytes([len(params)]) + params + bytes([len(results)]) + results
    code = b"\x01" + encode_unsigned(len(body)) + body
    parts = [section(1, types), section(3, b"\x01\x00"), section(5, b"\x01\x00\x01")]
    return b"\0asm\x01\0\0\0" + b"".join([*parts, section(10, code)])


class Translator:
    """The kernels, working in poisoned memory."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.context = ctype_of(Context)()
        self.native = Native()
        self.native.install(self.address_of)
        size = bound.lay_out_work(0)
        self.memory = mmap.mmap(-1, size + 4096)
        self.poison()

    def address_of(self, symbol: str) -> int:
        """Address of a symbol; that of the stub is anywhere."""
        try:
            return self.bound.address(symbol)
        except ValueError:
            return 64

    def poison(self) -> None:
        """Fill the scratch memory with garbage, then lay it out."""
        step = 1 << 20
        for at in range(0, len(self.memory), step):
            self.memory[at : at + step] = POISON * len(self.memory[at : at + step])
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.bound.lay_out_work(address)
        ctypes.c_uint64.from_address(self.bound.address("translation_works")).value = address

    @property
    def work(self) -> Any:
        """The piece of scratch memory that is used."""
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        return ctype_of(Work).from_address(address)

    def prepare(self, binary: bytes, **options: Any) -> runtime_code.ModuleCode:
        """A module as native code sees it."""
        native = runtime_code.native
        runtime_code.native = self.native
        try:
            return runtime_code.ModuleCode(decode(binary), **options)
        finally:
            runtime_code.native = native

    def validate(self, module: runtime_code.ModuleCode) -> Any:
        """The first trouble in the function bodies, or None."""
        trouble = ctype_of(Trouble)()
        first = module.module.n_imported_functions
        if self.bound.validate_code(module.address, first, module.n_functions, trouble):
            return trouble
        return None

    def verdict(self, binary: bytes) -> str:
        """The message about the function bodies, "" if all is well."""
        try:
            trouble = self.validate(self.prepare(binary))
        except MalformedError as error:
            return error.message
        return Error(trouble.code).text(trouble.detail) if trouble is not None else ""

    def words(self, module: runtime_code.ModuleCode, function: int) -> list[int]:
        """The register code of a function."""
        start = module._native.code_out
        code = ctype_of(FuncCode).from_address(module.code_address(function))
        trap = self.bound.translate_on_demand(self.context, code)
        assert trap == 0, trap
        size = module._native.code_out - code.entry
        assert code.entry >= start
        return list((ctypes.c_uint32 * (size // 4)).from_address(code.entry))

    def code(self, module: runtime_code.ModuleCode, function: int) -> str:
        """The register code of a function, as text."""
        return print_code(decode_code(self.words(module, function), FORM_AT))
