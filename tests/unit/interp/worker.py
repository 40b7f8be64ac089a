"""Runs functions of test modules in a process of its own: a crash there is one failed test here."""

import contextlib
import importlib
import pickle
import subprocess
import sys


class Worker:
    """A process with the core loaded; a new one is started after a crash."""

    def __init__(self):
        self.process = self._start()

    def _start(self):
        command = [sys.executable, "-m", __name__]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": ":".join(sys.path), "RUNWELL_CACHE_DIR": cache_directory()},
        )

    def run(self, function, *args):
        """What ``function(*args)`` returns there."""
        try:
            pickle.dump((function.__module__, function.__name__, args), self.process.stdin)
            self.process.stdin.flush()
            failure, result = pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            code = self.process.wait()
            self.close()
            self.process = self._start()
            raise AssertionError(f"{function.__name__} ended the process with {code}") from None
        assert not failure, failure
        return result

    def close(self):
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self.process.wait()


def cache_directory():
    from runwell.codegen.cache import default_directory

    return default_directory()


def main():
    import traceback

    from runwell.interp.core import load_core

    load_core()
    while True:
        try:
            module, name, args = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = "", getattr(importlib.import_module(module), name)(*args)
        except Exception:  # noqa: BLE001
            answer = traceback.format_exc(), None
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
