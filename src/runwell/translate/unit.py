"""The translator as a unit of the native core; only a build imports this."""

from runwell.kernel.declare import Data, Kernel
from runwell.translate import exports

ROOTS: list[Kernel | Data] = [
    thing
    for thing in vars(exports).values()
    if isinstance(thing, Kernel) and thing.export and thing.function.__module__ == exports.__name__
]
