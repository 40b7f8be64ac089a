"""The translator's kernels built for tests, over poisoned memory, and ways to run them.

The handler of form ``n`` has the address ``HANDLER_BASE + n``, so that code can be read back.
"""

import ctypes
import mmap
from typing import Any

from runwell.binary.decoder import decode
from runwell.codegen.testing import Bound, bind_units
from runwell.codegen.unit import Unit
from runwell.isa.form import FORMS
from runwell.kernel import ctype_of
from runwell.kernel.text import ModuleText
from runwell.runtime import code as runtime_code
from runwell.runtime import code_kernels
from runwell.runtime.layout import FuncCode
from runwell.runtime.native import Native
from runwell.translate import exports, pool
from runwell.translate.code import decode_code
from runwell.translate.errors import Error
from runwell.translate.printer import print_code
from runwell.translate.work import Trouble

HANDLER_BASE = 0x5000_0000_0000
FORM_AT = {HANDLER_BASE + i: i for i in range(len(FORMS))}
HANDLERS = list(FORM_AT)
POISON = b"\xa5"

KERNELS = [
    exports.translate_on_demand,
    exports.translate_functions,
    exports.validate_code,
    exports.validate_constants,
    exports.translate_constant,
    exports.map_offsets,
    pool.lay_out_work,
    pool.works,
    code_kernels.fill_codes,
]


def _add_tables(module: ModuleText) -> None:
    handlers = ", ".join(f"i64 {at}" for at in HANDLERS)
    module.add_global(f"@handler_table = constant [{len(HANDLERS)} x i64] [{handlers}]")
    module.add_global("@stub_translate = constant i64 0")


def build(level: int = 0) -> "Translator":
    """Compile the kernels."""
    tables = Unit("tables", [], _add_tables)
    return Translator(bind_units([Unit("translator", KERNELS, is_debug=True), tables], level=level))


class Translator:
    """The kernels, working in poisoned memory."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
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
        trouble = self.validate(self.prepare(binary))
        return Error(trouble.code).text(trouble.detail) if trouble is not None else ""

    def words(self, module: runtime_code.ModuleCode, function: int) -> list[int]:
        """The register code of a function."""
        start = module._native.code_out
        code = ctype_of(FuncCode).from_address(module.code_address(function))
        trap = self.bound.translate_on_demand(0, code)
        assert trap == 0, trap
        size = module._native.code_out - code.entry
        assert code.entry >= start
        return list((ctypes.c_uint32 * (size // 4)).from_address(code.entry))

    def code(self, module: runtime_code.ModuleCode, function: int) -> str:
        """The register code of a function, as text."""
        return print_code(decode_code(self.words(module, function), FORM_AT))



