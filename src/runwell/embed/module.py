"""Modules: from bytes, a file or text to something that can be instantiated."""

from __future__ import annotations

from runwell.base.errors import MalformedError
from runwell.base.light import final
from runwell.base.log import INFO, log, logs
from runwell.embed.config import Engine
from runwell.embed.core import load
from runwell.embed.imports import Wanted
from runwell.jit.kept import use_kept
from runwell.jit.policy import FIRST_LOOK
from runwell.jit.watch import watch
from runwell.module.types import ExportType, ExternKind, ImportType
from runwell.runtime.code import ModuleCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Any, TypeAlias

    from typing_extensions import Buffer

    from runwell.base.progress import Progress
    from runwell.embed.imports import Imports
    from runwell.embed.instance import Instance
    from runwell.embed.pool import InstancePool
    from runwell.host.func import FuncInfo
    from runwell.module.module import Module as Decoded
    from runwell.wasi.config import WasiConfig

    Source: TypeAlias = Buffer | str | PathLike[str]

_MAGIC = b"\0asm"
# Magic and version.
_HEAD = 8
_SAMPLE = 256
# What begins otherwise is often one of these.
_OTHERS = (
    (b"\0asm\x0d\0\1\0", "it is a component, and core modules are what runs here"),
    (b"\0asm\x0a\0\1\0", "it is a component, and core modules are what runs here"),
    (b"\x1f\x8b", "it is compressed by gzip"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd"),
    (b"PK\3\4", "it is a zip archive"),
    (b"\x7fELF", "it is a program or library for Linux, and was not compiled to WebAssembly"),
    (b"MZ", "it is a program or library for Windows, and was not compiled to WebAssembly"),
    (b"BC\xc0\xde", "it is LLVM bitcode, which a linker makes a module of (wasm-ld)"),
    (b"!<arch>", "it is an archive of objects, which a linker makes a module of (wasm-ld)"),
)
# Bytes of code from which on it pays to remember that a module is valid.
LEAST_BYTES = 4 << 20
_VALIDATION = ("eager", "lazy")
# What goes with the code of a module.
_KEPT = ("engine", "_validation", "entries", "infos", "wanted")


@final
class Module:
    """A WebAssembly module, decoded, validated and ready to be instantiated.

    Modules never change; any number of threads may share one.  A module can be pickled.

    Args:
        source: the binary format as bytes; or the path of a ``.wasm`` or ``.wat`` file; or, as a
            ``str`` that begins with ``(`` or ``;``, the text format.
        engine: where it will run; None for an engine of the default configuration.
        validation: when function bodies are validated: ``"eager"``, now, or ``"lazy"``, each before
            its first call, where an invalid one then traps.  A module of megabytes that was found
            valid before, byte for byte and with the same features, is not validated again.
        progress: is called with a phase, how much of it is done, and how much there is, or 0 if
            that is not known yet: ``"core"`` while Runwell's native core is built, once for each
            version, or ``"wait"`` while another process does; ``"parse"``, the text format;
            ``"validate"``; with ``engine="jit"``, ``"measure"`` and ``"compile"``.  While nothing
            changes it may be called again.  What it raises ends the preparation, and is raised.

    Raises:
        MalformedError: the bytes or the text are not a module.
        InvalidError: the module is invalid.
        OSError: the file cannot be read.
        TypeError: ``source``, ``engine`` or ``progress`` is of a wrong type.
        ValueError: ``validation`` is neither.

    Attributes:
        engine: where it runs.
        code: the module as the runtime knows it.
        entries: its exports by name.
        wanted: its imports.
        infos: what its functions that became a ``Func`` know of themselves, by index.
    """

    __slots__ = ("__weakref__", "_validation", "code", "engine", "entries", "infos", "wanted")

    def __init__(
        self,
        source: Source,
        *,
        engine: Engine | None = None,
        validation: str = "eager",
        progress: Progress | None = None,
    ) -> None:
        if engine is not None and not isinstance(engine, Engine):
            raise TypeError(f"engine must be a runwell.Engine, not {type(engine).__name__}")
        if validation not in _VALIDATION:
            raise ValueError(f"validation is 'eager' or 'lazy', not {validation!r}")
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable, not {type(progress).__name__}")
        started_s = _now_s() if logs("module", INFO) else 0.0
        self.engine = engine if engine is not None else Engine()
        self._validation = validation
        config = self.engine.config
        features = config.feature_bits
        decoded = _decode(_binary(source, features, progress), features)
        load(progress)
        self.code = ModuleCode(
            decoded,
            explicit=config.bounds == "explicit",
            features=features,
            max_frames=config.max_frames,
            metered=config.fuel is not None,
            heat=FIRST_LOOK if config.engine == "tiered" else 0,
            deterministic=config.deterministic,
        )
        self.code.compiler = config.compiler, config.jobs
        if config.compiler == "thread" and config.engine != "interpreter":
            # LLVM's binding imports it, and the thread that is first to do so is the one that
            # Python takes for its main thread.
            import threading  # noqa: F401
        self.entries = {entry.name: entry for entry in decoded.exports}
        self.infos: dict[int, FuncInfo] = {}
        self.wanted = Wanted(self.code)
        self.code.embedding = tuple(getattr(self, name) for name in _KEPT)
        from runwell.translate import translator

        if validation == "eager":
            _validate(self.code, progress)
        else:
            translator.validate_constants(self.code)  # instantiation relies on them
        if config.engine == "jit":
            from runwell.jit.whole import compile_module

            compile_module(self.code, progress)
        elif config.engine == "tiered":
            watch.add(self.code)
            use_kept(self.code)
        if started_s:
            log(
                "module", INFO, "%s: %d functions, ready in %.1f ms",
                decoded, len(decoded.bodies) // 2, (_now_s() - started_s) * 1e3,
            )  # fmt: skip

    @classmethod
    def of(cls, code: ModuleCode) -> Module:
        """The module of what an instance was made from."""
        self = cls.__new__(cls)
        self.code = code
        for name, value in zip(_KEPT, code.embedding, strict=True):
            setattr(self, name, value)
        return self

    @staticmethod
    def validate(source: Source, *, engine: Engine | None = None) -> None:
        """Check a module completely.

        Args:
            source: as for the constructor.
            engine: whose features count; None for the default ones.

        Raises:
            MalformedError: the bytes or the text are not a module.
            InvalidError: the module is invalid.
            OSError: the file cannot be read.
            TypeError: ``source`` is of a wrong type.
        """
        Module(source, engine=engine)

    @property
    def name(self) -> str:
        """The module's own name, or ``""``."""
        return self._decoded.names.module

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What it wants, in order: ``module``, ``name``, ``kind`` and ``type`` of each import."""
        found = self._decoded.import_types()
        if not self._decoded.tag_types:
            return found
        # Those of tags know as which type they were declared, so that a tag can be made of them.
        known = zip(found, self.code.import_types(), strict=True)
        return tuple([b if b.kind == ExternKind.TAG else a for a, b in known])

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What instances offer, in order: ``name``, ``kind`` and ``type`` of each export."""
        return self._decoded.export_types()

    def instantiate_pool(
        self,
        n: int,
        imports: Imports | None = None,
        *,
        init: str | Callable[[Instance], object] | None = None,
        wasi: WasiConfig | Callable[[], WasiConfig] | None = None,
    ) -> InstancePool:
        """Make instances beforehand, to be used again and again from a fresh state.

        Args:
            n: how many.
            imports: what they import, as ``Instance`` takes it; all share it.
            init: prepares the instance that the others are copies of: the name of an exported
                function without parameters, or a callable that is given the instance.
            wasi: gives each user of an instance a WASI of its own, as configured: a configuration,
                or a callable that makes one for each user; ``imports`` go first.

        Returns:
            The pool; its ``acquire`` gives an instance, and closing that gives it back.

        Raises:
            LinkError: an import is missing or has the wrong type, or a limit is exceeded.
            MemoryError: the system has no room.
            OSError: a directory that ``wasi`` names cannot be opened.
            RunwellError: the state is one that cannot be copied.
            Trap: the start function or ``init`` trapped.
            TypeError: an argument is of a wrong type.
            ValueError: ``n`` is not positive.
        """
        from runwell.embed.pool import InstancePool

        return InstancePool(self, n, imports, init, wasi)

    def serialize(self) -> bytes:
        """The module as bytes, for ``deserialize``: prepared once, used again by other processes.

        Returns:
            The bytes; only the same version of Runwell takes them.
        """
        from runwell.embed.serialize import serialize

        return serialize(self._decoded.data, self.engine.config)

    @classmethod
    def deserialize(cls, data: Buffer, *, engine: Engine | None = None) -> Module:
        """A module that was serialized.

        Its functions, which were valid, are validated again when they are first called.

        Args:
            data: what ``serialize`` returned.
            engine: where it will run; None for an engine of the configuration that it had.

        Raises:
            DeserializeError: the bytes were made by something else or by another version, for
                another engine, or are damaged.
            TypeError: ``data`` is not bytes.
        """
        from runwell.embed.serialize import deserialize

        if isinstance(data, str):
            raise TypeError("a serialized module is bytes, not str")
        source, engine = deserialize(data, engine)
        return cls(source, engine=engine, validation="lazy")

    def custom_section(self, name: str) -> bytes | None:
        """The contents of the first custom section of a name.

        Args:
            name: of the section.

        Returns:
            Its bytes, or None if there is no such section.
        """
        return self._decoded.custom(name)

    @property
    def _decoded(self) -> Decoded:
        return self.code.module

    def __reduce__(self) -> tuple[Any, ...]:
        return _make_module, (self._decoded.data, self.engine.config, self._validation)

    def __repr__(self) -> str:
        name = f" {self.name}" if self.name else ""
        return (
            f"<runwell.Module{name}: {len(self._decoded.imports)} imports, "
            f"{len(self._decoded.exports)} exports>"
        )


def _make_module(data: bytes, config: Any, validation: str) -> Module:
    return Module(data, engine=Engine(config), validation=validation)


def _decode(data: bytes, features: int) -> Decoded:
    from runwell.binary.decoder import decode
    from runwell.module.validate import validate_module

    try:
        decoded = decode(data, features)
    except MalformedError as error:
        if error.offset is not None and error.offset < _HEAD and (hint := _hint(data)):
            raise MalformedError(f"{error.message}: {hint}", error.offset) from None
        raise
    validate_module(decoded, features)
    return decoded


def _validate(code: ModuleCode, progress: Progress | None) -> None:
    """Check all bodies and constants of a module, unless they are known to be valid."""
    from runwell.translate import translator

    tell, size = phase(progress, "validate"), translator.code_bytes(code)
    if size < LEAST_BYTES:
        translator.validate(code, tell)
        return
    from runwell.embed.validated import Validated

    validated = Validated(code)
    if validated.is_known():
        translator.validate_constants(code)  # instantiation asks for what this finds
        if tell is not None:
            tell(size, size)
    else:
        translator.validate(code, tell)
        validated.remember()


def phase(progress: Progress | None, name: str) -> Callable[[int, int], object] | None:
    """What is told how far one phase is."""
    if progress is None:
        return None
    return lambda done, total: progress(name, done, total)


def _now_s() -> float:
    from time import perf_counter

    return perf_counter()


def _hint(data: bytes) -> str:
    """What those bytes probably are that are no module, and what to do about it."""
    if not data:
        return "it is empty"
    for start, hint in _OTHERS:
        if data.startswith(start):
            return hint
    if data[:_SAMPLE].isascii() and b"\0" not in data[:_SAMPLE]:
        return "it is text; WebAssembly's text format is known by the suffix .wat"
    return ""


def _binary(source: Any, features: int, progress: Progress | None = None) -> bytes:
    """The binary format of whatever was given."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str) and source.lstrip()[:1] in ("(", ";"):
        return _from_text(source, features, progress)
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str) or hasattr(source, "__fspath__"):
        with open(source, "rb") as file:
            data = file.read()
        if not data.startswith(_MAGIC) and str(source).endswith((".wat", ".wast")):
            return _from_text(data, features, progress)
        return data
    try:
        return bytes(memoryview(source))
    except TypeError:
        raise TypeError(
            f"a module is bytes, a path, or text, not {type(source).__name__}"
        ) from None


def _from_text(text: str | bytes, features: int, progress: Progress | None) -> bytes:
    from runwell.text.parser import parse

    return parse(text, features, progress=phase(progress, "parse"))
