"""How a study runs: executor, workers, progress, cache."""

import sys
from dataclasses import dataclass, field
from multiprocessing import current_process
from typing import final

from plumbline.core.arguments import Argument, is_count, require
from plumbline.core.errors import ParameterError, UnknownPluginError
from plumbline.core.settings import read_settings
from plumbline.engine.executor import Executor, executors
from plumbline.engine.retries import Retries
from plumbline.engine.watcher import Silent, Watcher
from plumbline.lake.prepared import Progress


def say_compiling(what: str, done: int, total: int) -> None:  # noqa: ARG001  # as all Progress
    """Say on standard error, once, that kernels are compiled."""
    if done == 0:
        print("compiling kernels, about a minute, once on this machine", file=sys.stderr)


@final
@dataclass(frozen=True)
class Options:
    """How to run; nothing here changes a result.

    Parameters
    ----------
    executor : name of the executor; default: ``processes`` if there are workers, else
        ``PLUMBLINE_EXECUTOR``, else ``serial``.
    workers : worker processes of ``processes``; default: ``PLUMBLINE_WORKERS``, else all cores.
    watcher : told of progress.
    use_cache : False computes everything again.
    compiling : called while kernels compile with what, how many are done, how many there are;
        default: one line on standard error. None says nothing.
    retries : how often a block is tried whose failure may pass, how long it waits in between, and
        how long it may take.
    memory : bytes that all processes may take together; default: ``PLUMBLINE_MEMORY``, else no
        limit. A run that does not fit is refused, with what would.
    profile : file to write a profile of the run to, as ``cProfile`` does; its blocks are computed
        one after the other in this process.
    """

    executor: str | None = None
    workers: int | None = None
    watcher: Watcher = field(default_factory=Silent)
    use_cache: bool = True
    compiling: Progress | None = say_compiling
    retries: Retries = field(default_factory=Retries)
    memory: int | None = None
    profile: str | None = None

    def __post_init__(self) -> None:
        is_name = isinstance(self.executor, str | None)
        is_watcher = isinstance(self.watcher, Watcher) and not isinstance(self.watcher, type)
        is_call = self.compiling is None or callable(self.compiling)
        is_workers = self.workers is None or is_count(self.workers)
        number = "a whole number of at least 1, or None"
        is_memory = self.memory is None or is_count(self.memory)
        require(
            Argument("executor", self.executor, is_name, "'serial', 'processes', or None"),
            Argument("workers", self.workers, is_workers, number),
            Argument("watcher", self.watcher, is_watcher, "a Watcher: see engine/watcher.py"),
            Argument(
                "use_cache", self.use_cache, isinstance(self.use_cache, bool), "True or False"
            ),
            Argument(
                "profile",
                self.profile,
                self.profile is None or (isinstance(self.profile, str) and self.profile != ""),
                "a file's name, or None",
            ),
            Argument("memory", self.memory, is_memory, number),
            Argument("compiling", self.compiling, is_call, "a function to call, or None"),
            Argument(
                "retries",
                self.retries,
                isinstance(self.retries, Retries),
                "Retries, as plumbline.Retries(attempts=5)",
            ),
        )

    def make_executor(self) -> Executor:
        """Return the executor.

        Raises
        ------
        UnknownPluginError, ParameterError
            If there is none of that name, or it takes no number of workers.
        """
        if getattr(current_process(), "_inheriting", False):  # a worker reads the program again
            raise SystemExit(1)  # the program that started it says what to do
        settings = read_settings()
        if self.profile is not None:
            return self._profiled(self.profile)
        default = settings.executor if self.workers is None else "processes"
        name = self.executor or default
        if self.workers is not None and name != "processes":
            raise ParameterError(
                f"workers={self.workers} needs the executor 'processes', not {name!r}"
            )
        if self.retries.time_limit is not None and name == "serial":
            raise ParameterError(
                f"time_limit={self.retries.time_limit:g} needs the executor 'processes': 'serial' "
                "computes in this process and cannot end a block"
            )
        try:
            chosen = executors[name]
        except UnknownPluginError as error:
            if self.executor is not None:
                raise
            raise ParameterError(f"PLUMBLINE_EXECUTOR={name!r}: {error}") from error
        if name == "processes":
            if getattr(sys.modules["__main__"], "__file__", "") == "<stdin>":
                raise ParameterError(
                    "worker processes read the program again, and cannot from standard input: put "
                    "it into a file, or use the executor 'serial'"
                )
            return chosen(workers=settings.workers if self.workers is None else self.workers)  # type: ignore[call-arg]  # a field of this plug-in
        return chosen()

    def _profiled(self, file: str) -> Executor:
        from plumbline.engine.profile import Profiled, require_place

        if self.workers is not None or self.executor not in (None, "serial"):
            raise ParameterError(
                f"profile={file!r} is of blocks that are computed in this process: leave "
                f"executor={self.executor!r} and workers={self.workers!r} out"
            )
        if self.retries.time_limit is not None:
            raise ParameterError(f"profile={file!r} goes with no time_limit: see executor serial")
        require_place(file)
        return Profiled(file)
