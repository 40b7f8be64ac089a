"""Guests under test: the same module interpreted and compiled, in a process of their own.

A crash of compiled code is then one failed test.
"""

import json
import subprocess
import sys

_RUN = """
import json, sys
import runwell
calls, config, text = json.load(sys.stdin)
def outcome(engine):
    module = runwell.Module(text, engine=runwell.Engine(runwell.Config(engine=engine, **config)))
    noted = []
    def host(x):
        noted.append(x)
        if x == 13:
            raise LookupError("thirteen")
        return x + 1
    given = {i.name: host for i in module.imports}
    instance = runwell.Instance(module, {"m": given})
    found = []
    for name, *arguments in calls:
        try:
            found.append(repr(instance.exports[name](*arguments)))
        except runwell.Trap as trap:
            frames = [(f.function, f.offset) for f in trap.backtrace]
            found.append([trap.code.name, frames])
        except runwell.WasmException as error:
            found.append(["exception", repr(error.values)])
        except LookupError as error:
            found.append(["LookupError", str(error)])
    memory = instance.exports["memory"].read(0, 64).hex() if "memory" in instance.exports else ""
    return found, noted, memory
print(json.dumps([outcome("interpreter"), outcome("jit")]))
"""


def assert_same(text, calls, **config):
    """Compiled code does what the interpreter does; what that is."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps([calls, config, text]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:] or done.returncode
    expected, found = json.loads(done.stdout)
    assert found == expected
    return expected[0]
