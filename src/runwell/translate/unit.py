"""The translator as a unit of the native core; only a build imports this."""

from runwell.kernel.declare import Data, Kernel
from runwell.translate import exports, measure, portable

ROOTS: list[Kernel | Data] = [
    thing
    for module in (exports, portable, measure)
    for thing in vars(module).values()
    if isinstance(thing, Kernel) and thing.export and thing.function.__module__ == module.__name__
]
