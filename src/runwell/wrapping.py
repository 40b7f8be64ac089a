"""What generated wrappers import: see ``runwell.embed.wrapping``."""

from runwell.embed.wrapping import instantiate

__all__ = ["instantiate"]
