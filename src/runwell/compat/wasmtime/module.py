"""``Module``, and ``wat2wasm``."""

from os import PathLike
from typing import Any

from runwell.base.features import ALL
from runwell.compat.wasmtime.engine import Engine
from runwell.compat.wasmtime.errors import WasmtimeError, translated
from runwell.compat.wasmtime.managed import Managed
from runwell.compat.wasmtime.types import ExportType, ImportType, extern_type
from runwell.embed.module import Module as NativeModule
from runwell.text.parser import parse


def wat2wasm(wat: str | bytes) -> bytearray:
    """The binary format of a module in the text format.

    Raises:
        WasmtimeError: it is no module.
    """
    with translated():
        return bytearray(parse(wat, ALL))


def _binary(wasm: Any) -> bytes:
    """The binary format of either format."""
    if isinstance(wasm, str):
        return bytes(wat2wasm(wasm))
    if not isinstance(wasm, bytes | bytearray):
        raise TypeError("expected wasm bytes")
    if wasm and not wasm.startswith(b"\0"):
        return bytes(wat2wasm(bytes(wasm)))
    return bytes(wasm)


class Module(Managed):
    """A module.

    Args:
        engine: where it is prepared.
        wasm: its binary or text format.

    Raises:
        TypeError: an argument is of a wrong type.
        WasmtimeError: it is no module, or not valid.

    Attributes:
        engine: where it was prepared.
        native: the module of Runwell.
    """

    def __init__(self, engine: Engine, wasm: str | bytes | bytearray) -> None:
        if not isinstance(engine, Engine):
            raise TypeError("expected an Engine")
        data = _binary(wasm)
        with translated():
            self._set(engine, NativeModule(data, engine=engine.native))

    def _set(self, engine: Engine, native: NativeModule) -> None:
        self.engine, self.native = engine, native

    @classmethod
    def from_file(cls, engine: Engine, path: str | bytes | PathLike[str]) -> "Module":
        """The module in a file, in either format.

        Raises:
            OSError: the file cannot be read.
            WasmtimeError: it is no module, or not valid.
        """
        with open(path, "rb") as file:
            return cls(engine, file.read())

    @classmethod
    def deserialize(cls, engine: Engine, encoded: bytes | bytearray) -> "Module":
        """The module that ``serialize`` gave.

        Raises:
            TypeError: ``encoded`` is not bytes.
            WasmtimeError: ``serialize`` did not give it.
        """
        if not isinstance(encoded, bytes | bytearray):
            raise TypeError("expected bytes")
        made = cls.__new__(cls)
        with translated():
            made._set(engine, NativeModule.deserialize(encoded, engine=engine.native))
        return made

    @classmethod
    def deserialize_file(cls, engine: Engine, path: str) -> "Module":
        """As ``deserialize``, from a file.

        Raises:
            WasmtimeError: the file cannot be read, or ``serialize`` did not give it.
        """
        try:
            with open(path, "rb") as file:
                encoded = file.read()
        except OSError as e:
            raise WasmtimeError(f"failed to read {path}: {e.strerror}") from e
        return cls.deserialize(engine, encoded)

    @classmethod
    def validate(cls, engine: Engine, wasm: bytes | bytearray) -> None:
        """Check a module.

        Raises:
            TypeError: ``wasm`` is not bytes.
            WasmtimeError: it is not valid.
        """
        if not isinstance(wasm, bytes | bytearray):
            raise TypeError("expected wasm bytes")
        native = engine.native
        with translated():
            NativeModule.validate(bytes(wasm), engine=native)

    def serialize(self) -> bytearray:
        """What ``deserialize`` makes the module of again."""
        self._check_open()
        return bytearray(self.native.serialize())

    @property
    def imports(self) -> list[ImportType]:
        """What it imports."""
        self._check_open()
        return [ImportType(i.module, i.name, extern_type(i.type)) for i in self.native.imports]

    @property
    def exports(self) -> list[ExportType]:
        """What it exports."""
        self._check_open()
        return [ExportType(e.name, extern_type(e.type)) for e in self.native.exports]
