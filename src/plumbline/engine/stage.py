"""Stages: pure functions from named inputs to one output, cut into blocks fixed by the data."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.core.plugin import Plugin

Tables = Mapping[str, Any]  # polars frames by name
Value = Panel | Tables


@final
@dataclass(frozen=True)
class Axes:
    """The extent of a value, known before the value is.

    Parameters
    ----------
    first_bar, end_bar : calendar numbers of the first bar and of the one after the last.
    assets : sorted asset names.
    portfolios : sorted portfolio names, for tables with a column ``portfolio``.
    """

    first_bar: int = 0
    end_bar: int = 0
    assets: tuple[str, ...] = ()
    portfolios: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Whole:
    """One block: everything at once."""


@final
@dataclass(frozen=True)
class TimeBlocks:
    """Blocks of bars at fixed calendar numbers: block i holds bars i·bars … (i+1)·bars - 1.

    Parameters
    ----------
    bars : bars a block.
    warm_up : earlier bars that a block's inputs also hold, as far as there are any.
    look_ahead : later bars that a block's inputs also hold; only for evaluation, which may
        look at what came after.
    """

    bars: int
    warm_up: int = 0
    look_ahead: int = 0

    def __post_init__(self) -> None:
        _require_positive("bars", self.bars)
        if min(self.warm_up, self.look_ahead) < 0:
            raise ParameterError(f"warm_up and look_ahead must not be negative, got {self}")


@final
@dataclass(frozen=True)
class AssetBlocks:
    """Blocks of ``assets`` neighbours in the sorted list of assets."""

    assets: int

    def __post_init__(self) -> None:
        _require_positive("assets", self.assets)


@final
@dataclass(frozen=True)
class PortfolioBlocks:
    """Blocks of ``portfolios`` neighbours; tables are cut by their column ``portfolio``."""

    portfolios: int

    def __post_init__(self) -> None:
        _require_positive("portfolios", self.portfolios)


@final
@dataclass(frozen=True)
class Scan:
    """Time blocks in order, each given the end state of the one before.

    The stage returns a :class:`Step`; the state of the first block is an empty mapping.
    """

    bars: int

    def __post_init__(self) -> None:
        _require_positive("bars", self.bars)


Partition = Whole | TimeBlocks | AssetBlocks | PortfolioBlocks | Scan


@final
@dataclass(frozen=True)
class Step:
    """What one block of a scan returns: its output, and the state that the next one starts from."""

    output: Panel
    state: Mapping[str, np.ndarray]


@final
@dataclass(frozen=True)
class Resources:
    """What a block of a stage needs while it runs; never part of a key.

    Parameters
    ----------
    seconds : time limit of one attempt, or None; worker processes keep to it, ``serial`` does not.
    memory_bytes : expected peak, or None; blocks run beside each other as far as memory goes.
    attempts : how often a block is tried, or None for what the run says. Only failures that may
        pass count: a stage says that of its own by raising ``TransientError``.
    """

    seconds: float | None = None
    memory_bytes: int | None = None
    attempts: int | None = None


@dataclass(frozen=True)
class Stage(Plugin, ABC):
    """A pure function from named inputs to one output.

    A concrete stage is a frozen dataclass: its fields are its parameters. It names its inputs in
    ``reads``, those that a pipeline may leave out in ``optional``, and implements ``run``; blocks,
    keys, storage and retries are the engine's.

    ``whole`` names the inputs that every block reads whole along the axis of the partition
    (factor returns beside a block of assets). A stage whose output has other axes than its first
    input says so in ``axes``.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[frozenset[str]] = frozenset()
    resources: ClassVar[Resources] = Resources()

    @property
    def optional(self) -> tuple[str, ...]:
        """Return the inputs that a pipeline may leave out; they may depend on the parameters."""
        return ()

    @property
    def partition(self) -> Partition:
        """Return how the work is cut into blocks."""
        return Whole()

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        """Return the axes of the whole output from those of the whole inputs."""
        return next(iter(inputs.values()), Axes())

    @abstractmethod
    def run(self, inputs: Mapping[str, Any]) -> Value | Step:
        """Compute one block.

        Parameters
        ----------
        inputs : name -> panel (memory-mapped, read-only) or tables. Under ``TimeBlocks`` a panel
            holds the block's bars, the warm-up before and the look-ahead after; the engine cuts
            both off the output. Under ``Scan`` there is also ``state``.
        """


def _require_positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ParameterError(f"{name}={value!r} must be a whole number of at least 1")
