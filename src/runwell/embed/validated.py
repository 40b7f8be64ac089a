"""Large modules that were found valid before: a file for each.

Validating takes four milliseconds a megabyte of code, hashing less than one a megabyte.  So for
modules of some megabytes of code there is a file for each that was valid, whose key names the
module by a cryptographic hash of all its bytes, the features that were on, and all that the
validator was made from.  Its name has only a quick check sum, so that a module that nobody has seen
is not hashed before it is validated.

Trust and safety are those of the native core's cache, without which there would be no validator
either.  Whatever goes wrong costs time only.
"""

from __future__ import annotations

from runwell.base.light import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from runwell.runtime.code import ModuleCode

_SAMPLE_BYTES: Final = 1 << 16
# Files are tiny; each stands for a module that somebody runs.
_MOST_FILES: Final = 200


@final
class Validated:
    """What is known of one module."""

    __slots__ = ("_code", "_digest", "_directory", "_path", "_surroundings")

    def __init__(self, code: ModuleCode, directory: str | None = None) -> None:
        """Name it; nothing is read yet.

        Args:
            code: the module.
            directory: of the cache, instead of the default.
        """
        from zlib import crc32

        from runwell.codegen.own_files import VALID_SUFFIX, default_directory, encode
        from runwell.interp.core import load_core

        self._code, self._digest = code, ""
        self._directory = default_directory() if directory is None else directory
        self._surroundings = f"features {code.features:x}\n{load_core().key}"
        data = code.module.data
        quick = f"{len(data):x}-{crc32(memoryview(data)[-_SAMPLE_BYTES:]):08x}"
        options = crc32(encode(self._surroundings))
        self._path = f"{self._directory}/valid-{quick}-{options:08x}{VALID_SUFFIX}"

    def is_known(self) -> bool:
        """Was it found valid, whole, with these features, by this validator?"""
        from runwell.codegen.own_files import directory_problem, read_key, touch

        found = read_key(self._path) if self._directory else None
        if found is None or directory_problem(self._directory, to_execute=True):
            return False
        touch(self._path)
        return found == self._key()

    def remember(self) -> None:
        """Note that it is valid."""
        from runwell.codegen.cache import NativeCache
        from runwell.codegen.own_files import VALID_SUFFIX, directory_problem, write

        if not self._directory or directory_problem(self._directory, to_execute=True):
            return
        try:
            write(self._path, b"", self._key(), sync=False)
        except OSError:
            return
        files = NativeCache(self._directory)
        files.remove(files.entries((VALID_SUFFIX,))[_MOST_FILES:])

    def _key(self) -> str:
        if not self._digest:
            from hashlib import sha256

            self._digest = sha256(self._code.module.data).hexdigest()
        return f"module {self._digest}\n{self._surroundings}"
