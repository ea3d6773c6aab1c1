"""The one place that reads the environment."""

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from plumbline.core.errors import ParameterError
from plumbline.core.sizes import bytes_of

ENVIRONMENT = {
    "PLUMBLINE_CACHE_DIR": "folder for compiled kernels; default: the user's cache folder",
    "PLUMBLINE_CACHE_BYTES": "size that stored results of a project may reach; default 20e9",
    "PLUMBLINE_EXECUTOR": "executor of `plumbline run`: serial or processes; default serial",
    "PLUMBLINE_MEMORY": "memory that a run may take, such as 4GB; default: no limit",
    "PLUMBLINE_NOW": "ISO time that replaces the clock wherever a time stamp enters a result",
    "PLUMBLINE_OWNER": "name written to the ledger as owner of a run; default: the login name",
    "PLUMBLINE_WORKERS": "worker processes of the executor `processes`; default: all cores",
}

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
    cache_dir : folder for compiled kernels, shared by all projects of a user.
    cache_bytes : size that the stored results of one project may reach, bytes.
    executor : name of the executor.
    memory : bytes that the processes of a run may take together, or None for no limit.
    now : fixed time, or None for the clock.
    owner : who runs.
    workers : number of worker processes.
    """

    cache_dir: Path
    cache_bytes: int
    executor: str
    memory: int | None
    now: datetime | None
    owner: str
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
    memory = _size("PLUMBLINE_MEMORY", problems)
    if problems:
        raise ParameterError("; ".join(problems))
    return Settings(
        cache_dir=_cache_dir(),
        cache_bytes=cache_bytes,
        executor=os.environ.get("PLUMBLINE_EXECUTOR", "serial"),
        memory=memory,
        now=now,
        owner=os.environ.get("PLUMBLINE_OWNER") or _login(),
        workers=workers,
    )


def arithmetic_switches() -> dict[str, str]:
    """Return what is set and changes how libraries compute; keys hold it.

    Variables of the environment, and the digest of the file that numba reads in the working folder.
    """
    found = {name: os.environ[name] for name in ARITHMETIC if os.environ.get(name)}
    file = Path(NUMBA_FILE)
    if file.is_file():
        found[NUMBA_FILE] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return found


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


def _size(name: str, problems: list[str]) -> int | None:
    text = os.environ.get(name)
    try:
        return None if text is None else bytes_of(name, text)
    except ParameterError as error:
        problems.append(str(error))
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
