"""Engines and their configuration."""

from __future__ import annotations

from runwell.base.light import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
_ENGINES = ("interpreter", "tiered", "jit")
_COMPILERS = ("process", "thread")
_BOUNDS = ("guard", "explicit")
LONGEST_CALL_S = 1e9


@final
class Config:
    """How modules are run, and within what limits.

    Args:
        engine: how to execute: ``"tiered"``, which interprets, and compiles what runs long to
            machine code meanwhile; ``"interpreter"``, which never compiles; or ``"jit"``, which
            compiles all of a module before anything of it runs.
        bounds: how memory accesses are kept inside: ``"guard"`` pages, or ``"explicit"`` checks of
            each, for systems where address space is scarce or signals cannot be used.
        max_memory_bytes: no memory of an instance grows beyond; None for no limit but the format's.
        max_table_elements: no table of an instance grows beyond.
        max_heap_bytes: structures and arrays of an instance, and of all that exchange references
            with it, take no more than this; at most 4 GiB, which is also the limit for None.
        max_frames: guest functions that may be active in a call, at most 100 000, which is also the
            limit for None; one more is a ``call stack exhausted``.
        max_instances: instances of the engine's modules that may be alive at once.
        fuel: meter the code of guests: every instruction consumes fuel, and a guest that has too
            little for what comes next stops with ``OutOfFuel``.  ``True`` lets instances start
            without any, a number is what each starts with; see ``Instance.fuel``.
        deadline_s: seconds that a call from Python may take, host functions included, before the
            guest stops with ``DeadlineExceeded``, which is some milliseconds later; None for no
            limit.  A call that a host function makes is within the time of the one around it.
        features: WebAssembly features to turn on, or off with a ``-`` before the name, e.g.
            ``"-simd"``.
        deterministic: let the same module with the same imports do the same in every run, engine
            and machine, bit for bit: every NaN that an instruction makes is the positive canonical
            one (the specification's deterministic profile), and WASI gives guests a virtual clock
            and the random numbers of seed 0, unless the ``WasiConfig`` has others.
        compiler: what compiles: ``"process"``, processes of its own, which can be killed; or
            ``"thread"``, a thread, for hosts that may not start processes.
        jobs: compiler processes at most; None for one less than there are processors.

    Raises:
        ValueError: an argument has no such value.
        TypeError: a limit is not an int.

    Attributes:
        engine: as given.
        bounds: as given.
        max_memory_bytes: as given.
        max_table_elements: as given.
        max_heap_bytes: as given.
        max_frames: as given.
        max_instances: as given.
        fuel: what an instance starts with; None if nothing is metered.
        deadline_s: as given.
        features: as given.
        deterministic: as given.
        compiler: as given.
        jobs: as given.
    """

    __slots__ = (
        "bounds",
        "compiler",
        "deadline_s",
        "deterministic",
        "engine",
        "feature_bits",
        "features",
        "fuel",
        "jobs",
        "max_frames",
        "max_heap_bytes",
        "max_instances",
        "max_memory_bytes",
        "max_table_elements",
    )

    def __init__(
        self,
        *,
        engine: str = "tiered",
        bounds: str = "guard",
        max_memory_bytes: int | None = None,
        max_table_elements: int | None = None,
        max_heap_bytes: int | None = None,
        max_frames: int | None = None,
        max_instances: int | None = None,
        fuel: bool | int = False,
        deadline_s: float | None = None,
        features: str = "",
        deterministic: bool = False,
        compiler: str = "process",
        jobs: int | None = None,
    ) -> None:
        from runwell.base.features import feature_set
        from runwell.base.limits import FRAMES

        if engine not in _ENGINES:
            raise ValueError(f"engine is {', '.join(map(repr, _ENGINES))}, not {engine!r}")
        if bounds not in _BOUNDS:
            raise ValueError(f"bounds is {' or '.join(map(repr, _BOUNDS))}, not {bounds!r}")
        for name, limit in (
            ("max_memory_bytes", max_memory_bytes),
            ("max_table_elements", max_table_elements),
            ("max_heap_bytes", max_heap_bytes),
            ("max_frames", max_frames),
            ("max_instances", max_instances),
            ("jobs", jobs),
        ):
            if limit is not None and not isinstance(limit, int):
                raise TypeError(f"{name} must be an int or None, not {type(limit).__name__}")
            if limit is not None and limit < 0:
                raise ValueError(f"{name} cannot be negative")
        if not isinstance(deterministic, bool):
            raise TypeError(f"deterministic is a bool, not {type(deterministic).__name__}")
        if compiler not in _COMPILERS:
            raise ValueError(f"compiler is {' or '.join(map(repr, _COMPILERS))}, not {compiler!r}")
        if jobs == 0:
            raise ValueError("jobs is at least 1, not 0")
        self.engine, self.bounds, self.features = engine, bounds, features
        self.deterministic, self.compiler, self.jobs = deterministic, compiler, jobs
        if max_frames is not None and max_frames > FRAMES:
            raise ValueError(f"max_frames is at most {FRAMES}, not {max_frames}")
        self.max_memory_bytes, self.max_table_elements = max_memory_bytes, max_table_elements
        self.max_frames, self.max_heap_bytes = max_frames, max_heap_bytes
        self.max_instances = max_instances
        self.fuel: int | None = None
        if fuel is not False:
            self.fuel = 0 if fuel is True else check_fuel(fuel)
        self.deadline_s = check_deadline(deadline_s)
        self.feature_bits = feature_set(features)

    @classmethod
    def strict(cls, **changes: Any) -> Config:
        """A configuration for code that may be hostile.

        It is limited in every way: 64 MiB for each memory and heap, 10 000 elements for each table,
        2 000 frames, 100 instances, one second a call, and WebAssembly as far as it is needed by
        common compilers: no threads, memories of 64 bits or several memories.  Fuel is not metered;
        with ``fuel`` a call costs the same on every machine, where the deadline depends on its
        speed.

        Args:
            changes: what is to be different; as for the constructor.

        Raises:
            ValueError: an argument has no such value.
            TypeError: a limit is of a wrong type, or there is none of that name.
        """
        limits: dict[str, Any] = {
            "max_memory_bytes": 64 << 20,
            "max_table_elements": 10_000,
            "max_heap_bytes": 64 << 20,
            "max_frames": 2_000,
            "max_instances": 100,
            "deadline_s": 1.0,
            "features": "-threads,-memory64,-multi-memory",
        }
        return cls(**limits | changes)

    def arguments(self) -> dict[str, Any]:
        """What the constructor makes an equal one of."""
        return {
            "engine": self.engine,
            "bounds": self.bounds,
            "max_memory_bytes": self.max_memory_bytes,
            "max_table_elements": self.max_table_elements,
            "max_heap_bytes": self.max_heap_bytes,
            "max_frames": self.max_frames,
            "max_instances": self.max_instances,
            "fuel": False if self.fuel is None else self.fuel or True,
            "deadline_s": self.deadline_s,
            "features": self.features,
            "deterministic": self.deterministic,
            "compiler": self.compiler,
            "jobs": self.jobs,
        }

    def code_key(self) -> tuple[object, ...]:
        """What prepared code depends on."""
        return (
            self.engine,
            self.bounds,
            self.feature_bits,
            self.fuel is not None,
            self.deterministic,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Config):
            return NotImplemented
        return self.arguments() == other.arguments()

    def __hash__(self) -> int:
        return hash(tuple(self.arguments().values()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _make_config, (self.arguments(),)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments().items())
        return f"runwell.Config({arguments})"


def check_fuel(fuel: int) -> int:
    """Fuel as an instance can have it.

    Raises:
        TypeError: it is not an int.
        ValueError: it is negative or not below 2**63.
    """
    if not isinstance(fuel, int):
        raise TypeError(f"fuel is an int, not {type(fuel).__name__}")
    if not 0 <= fuel < 1 << 63:
        raise ValueError(f"fuel is at least 0 and less than 2**63, not {fuel}")
    return fuel


def check_deadline(deadline_s: float | None) -> float | None:
    """A time limit as a call can have it.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not positive, or longer than anybody waits.
    """
    if deadline_s is None:
        return None
    if not isinstance(deadline_s, int | float):
        raise TypeError(f"deadline_s is a number or None, not {type(deadline_s).__name__}")
    if not 0 < deadline_s <= LONGEST_CALL_S:
        raise ValueError(f"deadline_s is above 0 and at most {LONGEST_CALL_S:g}, not {deadline_s}")
    return deadline_s


def _make_config(arguments: dict[str, Any]) -> Config:
    return Config(**arguments)


@final
class Ticket:
    """An instance that counts, as long as this is there."""

    __slots__ = ("_census",)

    def __init__(self, census: list[None]) -> None:
        census.append(None)
        self._census = census

    def __del__(self) -> None:
        self._census.pop()


@final
class Engine:
    """Where modules are prepared and run: a configuration put to use.

    Engines are cheap, may be shared by threads, and may be made for a single module.

    Args:
        config: the configuration; None for the default one.

    Raises:
        TypeError: ``config`` is no ``Config``.

    Attributes:
        config: the configuration.
    """

    __slots__ = ("_census", "config")

    def __init__(self, config: Config | None = None) -> None:
        if config is not None and not isinstance(config, Config):
            raise TypeError(f"config must be a runwell.Config, not {type(config).__name__}")
        self.config = config if config is not None else Config()
        self._census: list[None] = []

    def admit(self) -> Ticket | None:
        """Let one more instance be; it keeps the ticket; None if nobody counts.

        Raises:
            LinkError: there are as many as may be.
        """
        most = self.config.max_instances
        if most is None:
            return None
        ticket = Ticket(self._census)
        if len(self._census) > most:
            from runwell.base.errors import LinkError
            from runwell.base.log import INFO, log

            log("limit", INFO, "refused an instance: the engine allows %d at once", most)
            raise LinkError(f"too many instances: the engine allows {most} at once")
        return ticket

    def __reduce__(self) -> tuple[Any, ...]:
        return Engine, (self.config,)

    def __repr__(self) -> str:
        return f"runwell.Engine({self.config!r})"
