"""Running test scripts: commands one after the other, every failure located.

Values cross as bits, not as Python numbers, so that NaNs are compared exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

import runwell
from runwell.base.types import ValType
from runwell.cli.script_values import call_bits, describe_results, global_bits, matches
from runwell.runtime.func import Func
from runwell.text.parser import parse
from runwell.text.wast import (
    Action,
    Assertion,
    Command,
    Define,
    Instantiate,
    Reference,
    Register,
    Result,
    Source,
    Thread,
    Wait,
    parse_script,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from runwell.runtime.store import Store

# What scripts may import, by the features that its parts need.
_SPECTEST = {
    "mvp": """
        (func (export "print"))
        (func (export "print_i32") (param i32))
        (func (export "print_i64") (param i64))
        (func (export "print_f32") (param f32))
        (func (export "print_f64") (param f64))
        (func (export "print_i32_f32") (param i32 f32))
        (func (export "print_f64_f64") (param f64 f64))
        (global (export "global_i32") i32 (i32.const 666))
        (global (export "global_i64") i64 (i64.const 666))
        (global (export "global_f32") f32 (f32.const 666.6))
        (global (export "global_f64") f64 (f64.const 666.6))
        (table (export "table") 10 20 funcref)
        (memory (export "memory") 1 2)""",
    "memory64": """(table (export "table64") i64 10 20 funcref)""",
    "threads": """(memory (export "shared_memory") 1 2 shared)""",
}

_ERRORS: dict[str, type[Exception]] = {
    "malformed": runwell.MalformedError,
    "malformed_custom": runwell.MalformedError,
    "invalid": runwell.InvalidError,
    "invalid_custom": runwell.InvalidError,
    "unlinkable": runwell.LinkError,
    "trap": runwell.Trap,
    "exhaustion": runwell.ExhaustionError,
    "exception": runwell.WasmException,
}


class Failure(NamedTuple):
    """Something that did not go as the script says."""

    line: int
    message: str


class Report(NamedTuple):
    """What became of a script: assertions made, and what failed, commands included."""

    assertions: int
    failures: tuple[Failure, ...]


class Extern:
    """The host object that ``(ref.extern n)`` stands for."""

    def __init__(self, number: int) -> None:
        self.number = number


class _FailedError(Exception):
    """A command failed; the text says how."""


def run_script(source: bytes, config: runwell.Config | None = None) -> Report:
    """Run a script.

    Args:
        source: the text of a ``.wast`` file.
        config: how to run it.

    Raises:
        MalformedError: its parentheses or comments do not match.
    """
    runner = Runner(runwell.Engine(config))
    runner.run(parse_script(source, runner.engine.config.feature_bits))
    return Report(runner.assertions, tuple(runner.failures))


@final
class Runner:
    """Runs commands.

    Attributes:
        engine: where modules run.
        assertions: how many were made.
        failures: what failed so far.
    """

    def __init__(self, engine: runwell.Engine) -> None:
        self.engine = engine
        self.assertions = 0
        self.failures: list[Failure] = []
        self._instances: dict[str, runwell.Instance] = {}
        self._current: runwell.Instance | None = None
        self._definitions: dict[str, runwell.Module] = {}
        self._definition: runwell.Module | None = None
        self._imports: dict[str, Any] = {"spectest": self._spectest()}
        self._externs: dict[int, Extern] = {}
        self._threads: dict[str, tuple[threading.Thread, Runner]] = {}

    def _spectest(self) -> dict[str, Any]:
        from runwell.base.features import BIT

        found: dict[str, Any] = {}
        for feature, text in _SPECTEST.items():
            if self.engine.config.feature_bits & BIT[feature]:
                module = runwell.Module(f"(module {text})", engine=self.engine)
                exports = runwell.Instance(module).exports
                found |= {name: exports[name] for name in exports}
        return found

    def run(self, commands: Iterable[Command]) -> None:
        """Run commands; what fails is added to ``failures``."""
        for command in commands:
            self.assertions += isinstance(command, Assertion)
            try:
                self._run(command)
            except _FailedError as e:
                self.failures.append(Failure(command.line, str(e)))
            except runwell.RunwellError as e:
                self.failures.append(Failure(command.line, f"{type(e).__name__}: {e}"))
            except (runwell.InternalError, MemoryError, NotImplementedError) as e:
                self.failures.append(Failure(command.line, f"{type(e).__name__}: {e}"))

    def _run(self, command: Command) -> None:
        if isinstance(command, Assertion):
            self._assert(command)
        elif isinstance(command, Define):
            self._define(command)
        elif isinstance(command, Instantiate):
            self._instantiate(command.name, self._find_definition(command.definition))
        elif isinstance(command, Register):
            self._imports[command.module] = self._find(command.instance)
        elif isinstance(command, Action):
            self._act(command)
        elif isinstance(command, Thread):
            self._start(command)
        elif isinstance(command, Wait):
            self._join(command)
        else:
            raise _FailedError(str(command.error))

    # Modules and instances.

    def _module(self, source: Source) -> runwell.Module:
        if source.error is not None:
            raise source.error
        data = source.data
        if source.form == "quote":
            data = parse(data, self.engine.config.feature_bits)
        return runwell.Module(data, engine=self.engine)

    def _define(self, command: Define) -> None:
        self._definition = None
        if command.instantiate:
            self._current = None
        module = self._definition = self._module(command.source)
        if command.name is not None:
            self._definitions[command.name] = module
        if command.instantiate:
            self._instantiate(command.name, module)

    def _instantiate(self, name: str | None, module: runwell.Module) -> None:
        self._current = None
        instance = self._current = runwell.Instance(module, self._imports)
        if name is not None:
            self._instances[name] = instance

    def _find_definition(self, name: str | None) -> runwell.Module:
        found = self._definition if name is None else self._definitions.get(name)
        if found is None:
            raise _FailedError(f"there is no module {name or ''}".rstrip())
        return found

    def _find(self, name: str | None) -> runwell.Instance:
        found = self._current if name is None else self._instances.get(name)
        if found is None:
            raise _FailedError(f"there is no instance {name or ''}".rstrip())
        return found

    # Actions.

    def _act(self, action: Action) -> list[tuple[ValType, int]]:
        """Types and bits of the results of an action."""
        instance = self._find(action.instance)
        try:
            export = instance.exports[action.name]
        except KeyError:
            raise _FailedError(f"nothing is exported as {action.name!r}") from None
        if action.args is None:
            return [global_bits(export.native)]
        func: Func = export.native
        if len(action.args) != len(func.type.params):
            raise _FailedError(f"{action.name!r} takes {len(func.type.params)} arguments")
        return call_bits(func, action.args, self._bits_of_reference)

    def _bits_of_reference(self, store: Store, value: Reference) -> int:
        """The bits of a reference given as an argument."""
        if value.kind == "null":
            return 0
        if value.kind in ("extern", "host") and value.value is not None:
            return store.hold(self._externs.setdefault(value.value, Extern(value.value)))
        raise _FailedError(f"no value is known for ref.{value.kind}")

    # Assertions.

    def _assert(self, command: Assertion) -> None:
        if command.kind == "return":
            assert isinstance(command.subject, Action)
            self._assert_return(command.subject, command.expected)
            return
        wanted = _ERRORS.get(command.kind)
        if wanted is None:
            raise _FailedError(f"unknown assertion assert_{command.kind}")
        try:
            outcome = self._attempt(command)
        except wanted as e:
            text = _message(e)
            # The suite says more about elements than traps do.
            if not (text.startswith(command.message) or command.message.startswith(text)):
                raise _FailedError(f"expected {command.message!r}, got {text!r}") from None
            return
        expected = f"{wanted.__name__} {command.message!r}"
        raise _FailedError(f"expected {expected}, but it {outcome}")

    def _attempt(self, command: Assertion) -> str:
        """Do what should fail; if it does not, what happened."""
        subject = command.subject
        if isinstance(subject, Action):
            return f"returned {describe_results(self._act(subject))}"
        module = self._module(subject)
        if command.kind in ("trap", "unlinkable"):
            runwell.Instance(module, self._imports)
            return "was instantiated"
        return "is accepted"

    def _assert_return(self, action: Action, expected: tuple[Result, ...]) -> None:
        found = self._act(action)
        if len(found) != len(expected) or not all(
            matches(t, bits, wanted) for (t, bits), wanted in zip(found, expected, strict=True)
        ):
            texts = ", ".join(map(_describe, expected))
            raise _FailedError(f"expected ({texts}), got {describe_results(found)}")

    # Threads.

    def _start(self, command: Thread) -> None:
        import threading

        runner = Runner(self.engine)
        for name in command.shared:
            runner._instances[name] = self._find(name)
        thread = threading.Thread(target=runner.run, args=(command.commands,))
        self._threads[command.name] = thread, runner
        thread.start()

    def _join(self, command: Wait) -> None:
        if command.name not in self._threads:
            raise _FailedError(f"there is no thread {command.name}")
        thread, runner = self._threads.pop(command.name)
        thread.join()
        self.assertions += runner.assertions
        self.failures += runner.failures


def _message(error: Exception) -> str:
    """The words of an error, without where it was."""
    return str(error.args[0]) if error.args else str(error)


def _describe(result: Result) -> str:
    return " ".join(part.text if isinstance(part, ValType) else str(part) for part in result)
