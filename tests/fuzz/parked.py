"""Run modules of ``mixed_guests`` at one go, and stopped wherever the fuel is out, and compare.

python -m tests.fuzz.parked FIRST LAST
"""

import random
import sys
import threading

import runwell
from tests.fuzz.mixed_engines import compile_some, instance_of, outcome_of
from tests.fuzz.mixed_guests import Guest

PLENTY = 1 << 40
CALLS = [(n, x) for n in (1, 2, 4) for x in (0, 1, 5, 1000, -3)]
# What one call may cost if it is to be stopped everywhere.
MOST = 4000


class Feeder:
    """Gives a guest a little fuel at a time; each time it goes on, maybe in another thread."""

    def __init__(self, instance, r):
        self.instance, self.random = instance, r
        self.given = instance.fuel
        self.stops = self.depth = 0

    def call(self, function, *args):
        """The result of a call."""
        self.depth += 1
        try:
            return self._call(function, *args)
        finally:
            self.depth -= 1

    def _call(self, function, *args):
        try:
            return function(*args)
        except runwell.OutOfFuel as error:
            stopped = error
        while True:
            self.stops += 1
            amount = self.random.choice((1, 1, 1, 2, 5, 20))
            self.given += amount
            self.instance.fuel += amount
            outcome = []

            def go_on(error=stopped, outcome=outcome):
                try:
                    outcome.append((error.resume(), None))
                except BaseException as e:  # noqa: BLE001 - it is the caller's
                    outcome.append((None, e))

            # A call of a host function's belongs to the thread that has called that.
            if self.random.random() < 0.1 and self.depth == 1:
                thread = threading.Thread(target=go_on)
                thread.start()
                thread.join()
            else:
                go_on()
            ((result, raised),) = outcome
            if raised is None:
                return result
            if not isinstance(raised, runwell.OutOfFuel):
                raise raised
            stopped = raised


def outcomes(module, costs=None, r=None):
    """What happens, call by call; ``costs`` are what they are to cost, if each is to be stopped."""
    noted = []
    # Late, for what calls changes from one outcome to the next.
    instance = instance_of(module, noted, lambda *args: call(*args))  # noqa: PLW0108
    found, spent = [], []
    stops = 0
    for number, (n, x) in enumerate(CALLS):
        feeder = None
        if costs is not None and costs[number] <= MOST:
            instance.fuel = 0
            feeder = Feeder(instance, r)
        else:
            instance.fuel = PLENTY
        call = (lambda f, *args: f(*args)) if feeder is None else feeder.call
        instance.exports.limit.value = 40
        found.append(outcome_of(call, instance.exports.run, n, x))
        spent.append((PLENTY if feeder is None else feeder.given) - instance.fuel)
        stops += 0 if feeder is None else feeder.stops
        e = instance.exports
        found.append((e.left.value, e.sum.value, len(noted), noted[-3:], spent[-1]))
    return found, spent, stops


def run(seed):
    """Try one module; the kinds of outcomes, and how often guests stopped."""
    text = Guest(seed).text
    r = random.Random(seed)
    engine = runwell.Engine(runwell.Config(fuel=True, engine="interpreter"))
    module = runwell.Module(text, engine=engine)
    expected, costs, _ = outcomes(module)
    stops = 0
    for compiled in (0, 1, 2):
        if compiled:
            module = runwell.Module(text, engine=engine)
            compile_some(module.code, r)
            assert outcomes(module)[0] == expected, (seed, compiled)
        found, _, stopped = outcomes(module, costs, r)
        stops += stopped
        for n, (was, should) in enumerate(zip(found, expected, strict=True)):
            assert was == should, (seed, compiled, n, was, should)
    return sorted({outcome[0] for outcome in expected if isinstance(outcome[0], str)}), stops


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.write(f"{number} {run(number)}\n")
        sys.stdout.flush()
