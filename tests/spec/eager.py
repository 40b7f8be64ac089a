"""Scripts in the tiered engine, with thresholds so low that all is compiled while they run.

Some of an instance's functions become hot with its first action, some with the second, others with
the fourth, the eighth or the sixteenth, as if they had run for long; then compilers are waited for.
So what was interpreted goes on compiled, in the same instance, and calls between the two go both
ways.
"""

import time
from ctypes import CFUNCTYPE, c_uint64
from weakref import WeakKeyDictionary

import runwell
import runwell.embed.module
from runwell.base.limits import HOT_FUNCTIONS
from runwell.cli.script import Report, Runner
from runwell.jit import policy, tier
from runwell.jit.tier import Manager
from runwell.jit.watch import watch
from runwell.runtime.native import native
from runwell.text.wast import parse_script

PATIENCE_S = 60.0
# Actions after which a part of the functions is hot.
PARTS = (1, 2, 4, 8, 16)
# Rounds of the watch; functions that were put in the interpreter's place.
_rounds, _installed = [0], [0]


def lower_thresholds():
    """Have functions looked at when they are first called, and compiled then, for ever."""
    # The one that modules begin with is imported by name.
    runwell.embed.module.FIRST_LOOK = policy.FIRST_LOOK = 1
    # A turn earns enough for anything; the lowest level takes the least time.
    policy.TURN_S, policy.SAVED_S, policy.LONGEST_S = 1e6, 1e9, 0.0
    policy.LEAF_BYTES = 0  # none is too small to be compiled alone
    work = Manager.work

    def counted(self, hots):
        work(self, hots)
        _rounds[0] += 1

    Manager.work = counted
    install = tier.install

    def installed(data, module):
        code = install(data, module)
        _installed[0] += len(code.functions)
        return code

    tier.install = installed


def settle():
    """Wait until all that was hot is compiled.

    Raises:
        TimeoutError: that takes too long.
    """
    end = time.monotonic() + PATIENCE_S
    while True:
        # What was reported before this is looked at in the next round.
        before = _rounds[0]
        watch.wake()
        while _rounds[0] == before:
            time.sleep(0.0002)
            if time.monotonic() > end:
                raise TimeoutError("the watch does not answer")
        modules = [module for known in list(watch._modules.values()) if (module := known())]
        if not any(module.tier is not None and module.tier.tickets for module in modules):
            return


def heat(code, part):
    """Report one part of a module's functions as hot, and wait until they are compiled."""
    on_hot = CFUNCTYPE(None, c_uint64, c_uint64)(native.address("on_hot"))
    functions = range(code.module.n_imported_functions + part, code.n_functions, len(PARTS))
    for at in range(0, len(functions), HOT_FUNCTIONS // 2):
        for x in functions[at : at + HOT_FUNCTIONS // 2]:
            on_hot(code.code_address(x), 0)
        settle()


class EagerRunner(Runner):
    """Heats functions, by the number of actions that their instance has seen."""

    def __init__(self, engine):
        self.actions = WeakKeyDictionary()
        super().__init__(engine)

    def _act(self, action):
        try:
            return super()._act(action)
        finally:
            instance = self._find(action.instance)
            count = self.actions[instance] = self.actions.get(instance, 0) + 1
            if count in PARTS:
                heat(instance.module.code, PARTS.index(count))


def run_eagerly(source, config):
    """As ``run_script``; and how many functions were compiled meanwhile."""
    before = _installed[0]
    runner = EagerRunner(runwell.Engine(config))
    runner.run(parse_script(source, config.feature_bits))
    return Report(runner.assertions, tuple(runner.failures)), _installed[0] - before
