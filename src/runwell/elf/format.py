"""Numbers and record layouts of ELF64, little endian, as the linker and the loader use them.

Source: System V ABI (gABI) chapters 4 and 5, the x86-64 psABI and the AArch64 ELF ABI.  Only what
is read or written here is listed; relocation types are in ``relocation``.
"""

from __future__ import annotations

from struct import Struct

from runwell.base.errors import RunwellError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class ElfError(RunwellError):
    """An object file is damaged, or asks for something the linker does not do.

    Attributes:
        message: what is wrong.
        where: which object, section or symbol, or "".
    """

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message)
        self.message, self.where = message, where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


MAGIC: Final = b"\x7fELF"
ELFCLASS64: Final = 2
ELFDATA2LSB: Final = 1
EV_CURRENT: Final = 1
ET_REL: Final = 1
ET_DYN: Final = 3
EM_X86_64: Final = 62
EM_AARCH64: Final = 183

HEADER: Final = Struct("<4s5B7xHHIQQQIHHHHHH")
SECTION: Final = Struct("<IIQQQQIIQQ")
SYMBOL: Final = Struct("<IBBHQQ")
RELA: Final = Struct("<QQq")
SEGMENT: Final = Struct("<IIQQQQQQ")
DYNAMIC: Final = Struct("<QQ")
WORD: Final = Struct("<I")
XWORD: Final = Struct("<Q")

SHN_UNDEF: Final = 0
SHN_LORESERVE: Final = 0xFF00
SHN_X86_64_LCOMMON: Final = 0xFF02
SHN_ABS: Final = 0xFFF1
SHN_COMMON: Final = 0xFFF2
SHN_XINDEX: Final = 0xFFFF

SHT_NULL: Final = 0
SHT_PROGBITS: Final = 1
SHT_SYMTAB: Final = 2
SHT_STRTAB: Final = 3
SHT_RELA: Final = 4
SHT_DYNAMIC: Final = 6
SHT_NOTE: Final = 7
SHT_NOBITS: Final = 8
SHT_REL: Final = 9
SHT_DYNSYM: Final = 11
SHT_INIT_ARRAY: Final = 14
SHT_FINI_ARRAY: Final = 15
SHT_PREINIT_ARRAY: Final = 16
SHT_GROUP: Final = 17
SHT_SYMTAB_SHNDX: Final = 18
SHT_CREL: Final = 0x40000014
SHT_GNU_HASH: Final = 0x6FFFFFF6
SHT_X86_64_UNWIND: Final = 0x70000001

SHF_WRITE: Final = 0x1
SHF_ALLOC: Final = 0x2
SHF_EXECINSTR: Final = 0x4
SHF_INFO_LINK: Final = 0x40
SHF_TLS: Final = 0x400
SHF_COMPRESSED: Final = 0x800
SHF_EXCLUDE: Final = 0x80000000

GRP_COMDAT: Final = 1

STB_LOCAL: Final = 0
STB_GLOBAL: Final = 1
STB_WEAK: Final = 2
STB_GNU_UNIQUE: Final = 10

STT_NOTYPE: Final = 0
STT_OBJECT: Final = 1
STT_FUNC: Final = 2
STT_SECTION: Final = 3
STT_FILE: Final = 4
STT_TLS: Final = 6
STT_GNU_IFUNC: Final = 10

STV_DEFAULT: Final = 0
STV_INTERNAL: Final = 1
STV_HIDDEN: Final = 2
STV_PROTECTED: Final = 3

PT_LOAD: Final = 1
PT_DYNAMIC: Final = 2
PT_NOTE: Final = 4
PT_GNU_EH_FRAME: Final = 0x6474E550
PT_GNU_STACK: Final = 0x6474E551
PT_GNU_RELRO: Final = 0x6474E552

PF_X: Final = 1
PF_W: Final = 2
PF_R: Final = 4

DT_NULL: Final = 0
DT_NEEDED: Final = 1
DT_STRTAB: Final = 5
DT_SYMTAB: Final = 6
DT_RELA: Final = 7
DT_RELASZ: Final = 8
DT_RELAENT: Final = 9
DT_STRSZ: Final = 10
DT_SYMENT: Final = 11
DT_SONAME: Final = 14
DT_INIT_ARRAY: Final = 25
DT_FINI_ARRAY: Final = 26
DT_INIT_ARRAYSZ: Final = 27
DT_FINI_ARRAYSZ: Final = 28
DT_FLAGS: Final = 30
DT_GNU_HASH: Final = 0x6FFFFEF5
DT_RELACOUNT: Final = 0x6FFFFFF9
DT_FLAGS_1: Final = 0x6FFFFFFB
DF_BIND_NOW: Final = 8
DF_1_NOW: Final = 1

NT_GNU_BUILD_ID: Final = 3


def align_up(value: int, align: int) -> int:
    """Round ``value`` up to a multiple of ``align``, a power of two."""
    return (value + align - 1) & -align
