"""Modules as bytes and back: ``Module.serialize`` and ``Module.deserialize``."""

from __future__ import annotations

from json import dumps, loads

import runwell
from runwell.base.errors import DeserializeError
from runwell.embed.config import Config, Engine
from runwell.embed.container import pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer


def serialize(data: bytes, config: Config) -> bytes:
    """A module, prepared for an engine, as bytes.

    Args:
        data: the module in the binary format.
        config: of the engine.
    """
    return pack(
        {
            "version": runwell.__version__.encode(),
            "config": dumps(config.arguments()).encode(),
            "wasm": data,
        }
    )


def deserialize(data: Buffer, engine: Engine | None) -> tuple[bytes, Engine]:
    """What was serialized: the module in the binary format, and the engine to run it.

    Args:
        data: what ``serialize`` made.
        engine: where it is to run; None for an engine of the configuration that it had.

    Raises:
        DeserializeError: the bytes were made by something else or by another version, for another
            engine, or are damaged.
    """
    sections = unpack(memoryview(data).cast("B"))
    version = bytes(sections.get("version", b"")).decode(errors="replace")
    if version != runwell.__version__:
        raise DeserializeError(
            f"a module serialized by version {version}, which {runwell.__version__} cannot use"
        )
    config = Config(**loads(bytes(sections["config"])))
    if engine is None:
        engine = Engine(config)
    elif engine.config.code_key() != config.code_key():
        raise DeserializeError(
            f"a module serialized for {config!r}, which differs from the engine's {engine.config!r}"
        )
    return bytes(sections["wasm"]), engine
