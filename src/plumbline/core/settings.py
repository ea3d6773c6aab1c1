"""The one place that reads the environment."""

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from plumbline.core.address import Address, parse_address
from plumbline.core.errors import ParameterError
from plumbline.core.sizes import bytes_of

ENVIRONMENT = {
    "PLUMBLINE_CACHE_DIR": "folder for compiled kernels and calendars; default: the user's cache",
    "PLUMBLINE_CACHE_BYTES": "size that stored results of a project may reach; default 20e9",
    "PLUMBLINE_DATABASE": "URL of a PostgreSQL database for new projects; default: a SQLite file",
    "PLUMBLINE_EXECUTOR": "executor of `plumbline run`: serial or processes; default serial",
    "PLUMBLINE_LOG": "form of the logs on standard error: json or text; default: no logs",
    "PLUMBLINE_LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR: least level of the logs; default INFO",
    "PLUMBLINE_MEMORY": "memory that a run may take, such as 4GB; default: no limit",
    "PLUMBLINE_NOW": "ISO time that replaces the clock wherever a time stamp enters a result",
    "PLUMBLINE_OWNER": "name written to the ledger as owner of a run; default: the login name",
    "PLUMBLINE_SLOW_QUERY_MS": "milliseconds from which on a statement is logged; default: none is",
    "PLUMBLINE_STORE": "where results of portfolios go: parquet or postgresql://…; default parquet",
    "PLUMBLINE_TELEMETRY": "on or off: spans and metrics by OpenTelemetry; default: on where the "
    "OTEL_ variables name an exporter or an endpoint",
    "PLUMBLINE_WORKERS": "worker processes of the executor `processes`; default: all cores",
}

TELEMETRY = {
    "OTEL_SDK_DISABLED": "true turns telemetry off",
    "OTEL_TRACES_EXPORTER": "otlp, console or none: where spans go",
    "OTEL_METRICS_EXPORTER": "otlp, console or none: where metrics go",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "address of the collector",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "address of the collector of spans",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "address of the collector of metrics",
}

FILES_STORE = "parquet"
LOG_FORMS = ("json", "text")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

NUMBA_FILE = ".numba_config.yaml"
ARITHMETIC = {
    "MKL_CBWR": "which instructions MKL uses",
    "NPY_DISABLE_CPU_FEATURES": "vector instructions that numpy leaves alone",
    "NUMBA_BOUNDSCHECK": "whether kernels check every place that they read",
    "NUMBA_CPU_FEATURES": "instructions that kernels are compiled for",
    "NUMBA_CPU_NAME": "processor that kernels are compiled for",
    "NUMBA_DISABLE_INTEL_SVML": "whether kernels leave Intel's vector functions alone",
    "NUMBA_DISABLE_JIT": "whether kernels are interpreted",
    "NUMBA_ENABLE_AVX": "whether kernels may use AVX instructions",
    "NUMBA_LOOP_VECTORIZE": "whether loops of kernels become vector code",
    "NUMBA_OPT": "how far kernels are optimised",
    "NUMBA_SLP_VECTORIZE": "whether neighbouring operations become vector code",
    "OPENBLAS_CORETYPE": "processor whose loops OpenBLAS uses",
    "OPENBLAS_L2_SIZE": "size of the cache that OpenBLAS cuts matrices for",
}


@final
@dataclass(frozen=True)
class Settings:
    """What the environment says, checked.

    Parameters
    ----------
    cache_dir : folder for compiled kernels and calendars, shared by all projects of a user.
    cache_bytes : size that the stored results of one project may reach, bytes.
    database : where new projects have their database, or None for a file of their own.
    executor : name of the executor.
    log : form of the logs on standard error, ``json`` or ``text``, or None for no logs.
    log_level : least level of the logs.
    memory : bytes that the processes of a run may take together, or None for no limit.
    now : fixed time, or None for the clock.
    owner : who runs.
    slow_query_ms : time from which on a statement of the database is logged, or None for no log.
    store : database that results of portfolios go to, or None for files of the project.
    telemetry : whether spans and metrics are sent.
    workers : number of worker processes.
    """

    cache_dir: Path
    cache_bytes: int
    database: Address | None
    executor: str
    log: str | None
    log_level: str
    memory: int | None
    now: datetime | None
    owner: str
    slow_query_ms: int | None
    store: Address | None
    telemetry: bool
    workers: int


def read_settings() -> Settings:
    """Read ``PLUMBLINE_*`` from the environment.

    Raises
    ------
    ParameterError
        If a variable is unknown or has a value that cannot be used; every problem is named.
    """
    problems = [
        f"{name} is not a setting; known: {', '.join(sorted(ENVIRONMENT))}"
        for name in sorted(os.environ)
        if name.startswith("PLUMBLINE_")
        and name not in ENVIRONMENT
        and not name.startswith("PLUMBLINE_TEST_")
    ]
    cache_bytes = _positive("PLUMBLINE_CACHE_BYTES", 20_000_000_000, problems)
    workers = _positive("PLUMBLINE_WORKERS", os.cpu_count() or 1, problems)
    now = _moment("PLUMBLINE_NOW", problems)
    database = _database("PLUMBLINE_DATABASE", problems)
    store = _store("PLUMBLINE_STORE", problems)
    slow_query_ms = _slow_query_ms("PLUMBLINE_SLOW_QUERY_MS", problems)
    memory = _size("PLUMBLINE_MEMORY", problems)
    log = _choice("PLUMBLINE_LOG", LOG_FORMS, problems)
    log_level = _choice("PLUMBLINE_LOG_LEVEL", LOG_LEVELS, problems)
    telemetry = _choice("PLUMBLINE_TELEMETRY", ("on", "off"), problems)
    if problems:
        raise ParameterError("; ".join(problems))
    return Settings(
        cache_dir=_cache_dir(),
        cache_bytes=cache_bytes,
        database=database,
        executor=os.environ.get("PLUMBLINE_EXECUTOR", "serial"),
        log=log,
        log_level=log_level or "INFO",
        memory=memory,
        now=now,
        owner=os.environ.get("PLUMBLINE_OWNER") or _login(),
        slow_query_ms=slow_query_ms,
        store=store,
        telemetry=_wants_telemetry() if telemetry is None else telemetry == "on",
        workers=workers,
    )


def log_settings() -> tuple[str | None, str]:
    """Return form and least level of the logs, whatever else the environment says.

    Raises
    ------
    ParameterError
        If one of them cannot be used.
    """
    problems: list[str] = []
    log = _choice("PLUMBLINE_LOG", LOG_FORMS, problems)
    level = _choice("PLUMBLINE_LOG_LEVEL", LOG_LEVELS, problems)
    if problems:
        raise ParameterError("; ".join(problems))
    return log, level or "INFO"


def telemetry_exporters() -> tuple[str, str]:
    """Return where spans and metrics go: otlp, console or none each.

    Raises
    ------
    ParameterError
        If one of them is another.
    """
    problems: list[str] = []
    names = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER")
    spans, metrics = (_choice(name, ("otlp", "console", "none"), problems) for name in names)
    if problems:
        raise ParameterError("; ".join(problems))
    return spans or "otlp", metrics or "otlp"


def _wants_telemetry() -> bool:
    """Return whether the standard variables of OpenTelemetry ask for it."""
    found = {name: os.environ.get(name, "") for name in TELEMETRY}
    if found.pop("OTEL_SDK_DISABLED").lower() == "true":
        return False
    return any(value not in ("", "none") for value in found.values())


def arithmetic_switches() -> dict[str, str]:
    """Return what is set and changes how libraries compute; keys hold it.

    Variables of the environment, and the digest of the file that numba reads in the working folder.
    """
    found = {name: os.environ[name] for name in ARITHMETIC if os.environ.get(name)}
    file = Path(NUMBA_FILE)
    if file.is_file():
        found[NUMBA_FILE] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return found


def named_variable(name: str) -> str:
    """Return a variable that the user names, such as one that holds a password.

    Raises
    ------
    ParameterError
        If it is not set.
    """
    value = os.environ.get(name)
    if value is None:
        raise ParameterError(f"the environment variable {name} is not set")
    return value


def clock_time() -> datetime:
    """Return the clock's time in UTC, without a zone: for the age of stored things alone."""
    return datetime.now(UTC).replace(tzinfo=None)


def current_time() -> datetime:
    """Return the time in UTC: ``PLUMBLINE_NOW`` when it is set, else the clock's."""
    return read_settings().now or datetime.now(UTC)


def kernel_cache_dir() -> Path:
    """Return the folder of compiled kernels; it exists.

    Raises
    ------
    ParameterError
        If it cannot be made.
    """
    folder = _cache_dir() / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        given = os.environ.get("PLUMBLINE_CACHE_DIR")
        said = "is not set" if given is None else f"is {given!r}"
        raise ParameterError(
            f"the folder {folder} for compiled kernels cannot be made: {error.strerror}; set "
            f"PLUMBLINE_CACHE_DIR, which {said}, to a folder that you may write to"
        ) from error
    return folder


def calendar_cache_dir() -> Path:
    """Return the folder of calendars that were laid out; it may not be there."""
    return _cache_dir() / "calendars"


def _cache_dir() -> Path:
    given = os.environ.get("PLUMBLINE_CACHE_DIR")
    if given:
        return Path(given).expanduser().resolve()
    from platformdirs import user_cache_path

    return user_cache_path("plumbline")


def _positive(name: str, default: int, problems: list[str]) -> int:
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (value >= 1 and value.is_integer()):
        problems.append(f"{name}={text!r} is not a whole number of at least 1")
        return default
    return int(value)


def _slow_query_ms(name: str, problems: list[str]) -> int | None:
    return _positive(name, 1, problems) if os.environ.get(name) is not None else None


def _database(name: str, problems: list[str]) -> Address | None:
    text = os.environ.get(name)
    if not text:
        return None
    try:
        return parse_address(text)
    except ParameterError as error:
        problems.append(f"{name}: {error}")
        return None


def _store(name: str, problems: list[str]) -> Address | None:
    return None if os.environ.get(name) == FILES_STORE else _database(name, problems)


def _size(name: str, problems: list[str]) -> int | None:
    text = os.environ.get(name)
    try:
        return None if text is None else bytes_of(name, text)
    except ParameterError as error:
        problems.append(str(error))
        return None


def _choice(name: str, choices: tuple[str, ...], problems: list[str]) -> str | None:
    text = os.environ.get(name)
    if text is None or text in choices:
        return text
    problems.append(f"{name}={text!r} is none of: {', '.join(choices)}")
    return None


def _moment(name: str, problems: list[str]) -> datetime | None:
    text = os.environ.get(name)
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        problems.append(f"{name}={text!r} is not an ISO time such as 2024-01-31T21:00:00Z")
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
