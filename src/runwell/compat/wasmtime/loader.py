"""``wasmtime.loader``: once it is imported, ``import plugin`` finds ``plugin.wasm``."""

from runwell.embed.importer import install

install()
