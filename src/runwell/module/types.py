"""The types of what modules define, import and export.

Source: core spec 3.0, types.
"""

from __future__ import annotations

from runwell.base.light import IntEnum, NamedTuple
from runwell.base.types import FuncType, ValType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


class ExternKind(IntEnum):
    """What an import or export is; the number is its binary code."""

    FUNC = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4

    @property
    def text(self) -> str:
        """The name in the text format."""
        return self.name.lower()


class FieldType(NamedTuple):
    """A field of a struct, or the elements of an array; ``type`` may be ``i8`` or ``i16``."""

    type: ValType
    mutable: bool = False


class StructType(NamedTuple):
    """A structure type."""

    fields: tuple[FieldType, ...]


class ArrayType(NamedTuple):
    """An array type."""

    field: FieldType


CompositeType: TypeAlias = FuncType | StructType | ArrayType


class SubType(NamedTuple):
    """An entry of the type section.

    Attributes:
        composite: what values of the type are.
        final: it has no subtypes.
        supers: type indices of the declared supertypes (at most one in WebAssembly 3.0).
    """

    composite: CompositeType
    final: bool = True
    supers: tuple[int, ...] = ()


class TableType(NamedTuple):
    """A table: elements of a reference type, sizes in elements; ``maximum`` None is unbounded."""

    element: ValType
    minimum: int
    maximum: int | None = None
    is_64: bool = False

    def __str__(self) -> str:
        return f"table {_limits(self.minimum, self.maximum, self.is_64)} {self.element.text}"


class MemoryType(NamedTuple):
    """A memory: sizes in pages of ``1 << page_bits`` bytes; ``maximum`` None is unbounded."""

    minimum: int
    maximum: int | None = None
    is_64: bool = False
    shared: bool = False
    page_bits: int = 16

    def __str__(self) -> str:
        shared = " shared" if self.shared else ""
        return f"memory {_limits(self.minimum, self.maximum, self.is_64)}{shared}"


def _limits(minimum: int, maximum: int | None, is_64: bool) -> str:
    words = ["i64"] if is_64 else []
    words.append(str(minimum))
    if maximum is not None:
        words.append(str(maximum))
    return " ".join(words)


class GlobalType(NamedTuple):
    """A global variable."""

    type: ValType
    mutable: bool = False

    def __str__(self) -> str:
        return f"global (mut {self.type.text})" if self.mutable else f"global {self.type.text}"


class TagType(NamedTuple):
    """An exception tag; the parameters of the function type are what the exception carries."""

    type: FuncType

    def __str__(self) -> str:
        return f"tag {self.type}"


ExternType: TypeAlias = FuncType | TableType | MemoryType | GlobalType | TagType


class ImportType(NamedTuple):
    """What a module wants from outside."""

    module: str
    name: str
    kind: ExternKind
    type: ExternType


class ExportType(NamedTuple):
    """What a module offers."""

    name: str
    kind: ExternKind
    type: ExternType
