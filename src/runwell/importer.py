"""The import hook, where users find it: see ``runwell.embed.importer``."""

from runwell.embed.importer import Importer, install, uninstall

__all__ = ["Importer", "install", "uninstall"]
