"""Run modules of ``mixed_guests`` interpreted, and with some functions compiled, and compare.

python -m tests.fuzz.mixed_engines FIRST LAST
"""

import random
import sys

import runwell
from tests.fuzz.engines import compile_unit
from tests.fuzz.mixed_guests import Guest


def compile_some(code, r):
    """Compile some of a module's functions, in units of some."""
    functions = list(range(code.module.n_imported_functions, code.n_functions))
    chosen = sorted(r.sample(functions, r.randint(1, len(functions))))
    while chosen:
        n = r.randint(1, len(chosen))
        unit, chosen = chosen[:n], chosen[n:]
        compile_unit(code, unit, r)


def instance_of(module, noted, call=lambda function, *args: function(*args)):
    """An instance whose host function notes how it is called, and may raise or call the guest."""

    def host(n, x):
        noted.append((n, x))
        if len(noted) > 2000:
            return 0
        match x & 15:
            case 3:
                raise ValueError(x)
            case 5:
                raise runwell.WasmException(instance.exports.e, (x,))
            case 7 | 9 if 0 < n < 20:
                return call(instance.exports.again, n - 1, x)
            case 11 if 0 < n < 20:
                try:
                    return call(instance.exports.again, n - 1, x + 1)
                except (runwell.Trap, runwell.WasmException, ValueError) as error:
                    noted.append(type(error).__name__)
        return x * 3 & 0x7FFFFFFF

    instance = runwell.Instance(module, {"m": {"host": host}})
    return instance


def outcome_of(call, *args):
    """A result, or what is wrong and where."""
    try:
        return "result", call(*args)
    except runwell.Trap as trap:
        return trap.code.name, [(f.function, f.offset) for f in trap.backtrace]
    except runwell.WasmException as error:
        frames = [(f.function, f.offset) for f in error.backtrace]
        return "exception", str(error.values), frames
    except ValueError as error:
        return "ValueError", str(error)


def outcomes(module):
    """What happens, call by call: results, errors with their frames, globals, what the host saw."""
    noted = []
    e, found = instance_of(module, noted).exports, []
    deep = 10**6
    for n in (1, 2, 3, 4, 6, deep):
        # Some of them call until there are no frames left.
        e.limit.value = 250_000 if n == deep else 300
        for x in (0, 1, 5, 1000, -3)[: 1 if n == deep else 5]:
            found.append(outcome_of(e.run, n, x))
            found.append((e.left.value, e.sum.value, len(noted), noted[-3:]))
    return found


def run(seed):
    """Try one module; the kinds of outcomes."""
    text = Guest(seed).text
    r = random.Random(seed)
    interpreted = outcomes(runwell.Module(text))
    for _ in range(2):
        module = runwell.Module(text)
        compile_some(module.code, r)
        found = outcomes(module)
        for n, (expected, was) in enumerate(zip(interpreted, found, strict=True)):
            assert was == expected, (seed, n, expected, was)
    return sorted({outcome[0] for outcome in interpreted if isinstance(outcome[0], str)})


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.write(f"{number} {run(number)}\n")
        sys.stdout.flush()
