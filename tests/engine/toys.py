"""Small real stages for tests of the engine."""

import errno
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import polars as pl

from plumbline.core.errors import TransientError
from plumbline.core.panel import Panel
from plumbline.core.random import random_stream
from plumbline.engine.stage import (
    AssetBlocks,
    Axes,
    Partition,
    Resources,
    Scan,
    Stage,
    Step,
    TimeBlocks,
)

ASSETS = tuple(f"A{i:02d}" for i in range(7))


@final
@dataclass(frozen=True)
class Prices(Stage):
    """A random walk: the same numbers for the same seed."""

    n_bars: int = 100
    seed: int = 1
    first_bar: int = 37

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        return Axes(self.first_bar, self.first_bar + self.n_bars, ASSETS)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        draws = random_stream(self.seed, "prices").standard_normal((self.n_bars, len(ASSETS)))
        first = np.datetime64("2020-01-01T00:00:00", "us") + np.timedelta64(self.first_bar, "D")
        bars = first + np.arange(self.n_bars) * np.timedelta64(1, "D")
        close = 100 * np.exp(np.cumsum(0.01 * draws, axis=0))
        return Panel({"close": close}, bars, ASSETS, first_bar=self.first_bar)


@final
@dataclass(frozen=True)
class Returns(Stage):
    """Simple returns, in time blocks with one bar of warm-up."""

    block_bars: int = 32
    reads: ClassVar[tuple[str, ...]] = ("prices",)

    @property
    def partition(self) -> Partition:
        return TimeBlocks(self.block_bars, warm_up=1)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        prices = inputs["prices"]
        close = prices["close"]
        out = np.full(close.shape, np.nan)
        out[1:] = close[1:] / close[:-1] - 1
        return prices.only([]).with_fields({"return": out})


@final
@dataclass(frozen=True)
class Demean(Stage):
    """Returns less the mean of the asset's own return, in blocks of assets."""

    block_assets: int = 3
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    @property
    def partition(self) -> Partition:
        return AssetBlocks(self.block_assets)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        panel = inputs["returns"]
        values = panel["return"]
        return panel.with_fields({"return": values - np.nanmean(values, axis=0)})


@final
@dataclass(frozen=True)
class Wealth(Stage):
    """Running product of 1 + return, block after block."""

    block_bars: int = 16
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    @property
    def partition(self) -> Partition:
        return Scan(self.block_bars)

    def run(self, inputs: Mapping[str, Any]) -> Step:
        panel = inputs["returns"]
        start = inputs["state"].get("wealth", np.ones(panel.n_assets))
        wealth = start * np.cumprod(1 + np.nan_to_num(panel["return"]), axis=0)
        return Step(panel.only([]).with_fields({"wealth": wealth}), {"wealth": wealth[-1]})


@final
@dataclass(frozen=True)
class Summary(Stage):
    """Mean return and last wealth by asset, as a table."""

    scale: float = 1.0
    reads: ClassVar[tuple[str, ...]] = ("returns", "wealth")

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, pl.DataFrame]:
        mean = np.nanmean(inputs["returns"]["return"], axis=0) * self.scale
        last = inputs["wealth"]["wealth"][-1]
        table = pl.DataFrame({"asset": inputs["returns"].assets, "mean": mean, "last": last})
        return {"summary": table}


@final
@dataclass(frozen=True)
class Fails(Stage):
    """Divides by zero."""

    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        raise ZeroDivisionError("planted")


@final
@dataclass(frozen=True)
class DiesOnce(Stage):
    """Kills its process the first time, by a marker file."""

    marker: str = ""
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        try:
            descriptor = os.open(self.marker, os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return inputs["returns"]
        os.close(descriptor)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


@final
@dataclass(frozen=True)
class DiesAlways(Stage):
    """Kills its process."""

    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


@final
@dataclass(frozen=True)
class Hangs(Stage):
    """Never ends, under a time limit."""

    reads: ClassVar[tuple[str, ...]] = ("returns",)
    resources: ClassVar[Resources] = Resources(seconds=1.0)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        time.sleep(600)
        return inputs["returns"]


@final
@dataclass(frozen=True)
class Link(Stage):
    """One of many stages in a long chain."""

    number: int = 0
    reads: ClassVar[tuple[str, ...]] = ("before",)

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, pl.DataFrame]:
        return {"n": inputs["before"]["n"] + self.number}


@final
@dataclass(frozen=True)
class First(Stage):
    """The head of a chain."""

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, pl.DataFrame]:
        return {"n": pl.DataFrame({"n": [0]})}


@final
@dataclass(frozen=True)
class Rounded(Stage):
    """Rounded prices, with a parameter that changes nothing."""

    digits: int = 3
    unused: int = 0

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        return Prices().axes(inputs)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        panel = Prices().run(inputs)
        return panel.with_fields({"close": np.round(panel["close"], self.digits)})


@final
@dataclass(frozen=True)
class Odd(Stage):
    """Returns something that a stage must not."""

    kind: str = "number"
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        panel = inputs["returns"]
        return {
            "number": 3,
            "frame": {"table": panel.to_frame("pyarrow")},
            "step": Step(panel, {}),
            "short": panel.head(3),
            "assets": panel.select(panel.assets[:2]),
            "late": panel,
        }[self.kind]


@final
@dataclass(frozen=True)
class Quits(Stage):
    """Asks the interpreter to end."""

    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        raise SystemExit(5)


@final
@dataclass(frozen=True)
class Stateless(Stage):
    """A scan that returns no step, or a state that cannot be stored."""

    state: bool = False
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    @property
    def partition(self) -> Partition:
        return Scan(64)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        bad = {"x": np.array([None])}
        return Step(inputs["returns"], bad) if self.state else inputs["returns"]


@final
@dataclass(frozen=True)
class Counter(Stage):
    """A scan whose state is a number without an axis."""

    reads: ClassVar[tuple[str, ...]] = ("returns",)

    @property
    def partition(self) -> Partition:
        return Scan(32)

    def run(self, inputs: Mapping[str, Any]) -> Step:
        panel = inputs["returns"]
        start = inputs["state"].get("bars", np.array(0.0))
        assert start.shape == ()
        seen = start + np.arange(1.0, panel.n_bars + 1)[:, None] + np.zeros(panel.shape)
        return Step(panel.only([]).with_fields({"seen": seen}), {"bars": np.array(seen[-1, 0])})


@final
@dataclass(frozen=True)
class Reset(Stage):
    """A stage whose numbers differ from one call to the next, by the clock."""

    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        panel = inputs["returns"]
        return panel.with_fields({"return": panel["return"] + time.perf_counter()})


@final
@dataclass(frozen=True)
class Drift(Stage):
    """A scan whose output is the same in every call and whose end state is the clock's."""

    reads: ClassVar[tuple[str, ...]] = ("returns",)

    @property
    def partition(self) -> Partition:
        """Return how it is cut."""
        return Scan(64)

    def run(self, inputs: Mapping[str, Any]) -> Step:
        return Step(inputs["returns"], {"clock": np.array([time.perf_counter()])})


@final
@dataclass(frozen=True)
class Waits(Stage):
    """Copies its input after a while; says by a file that it has begun."""

    seconds: float = 1.0
    marker: str = ""
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        if self.marker:
            with open(self.marker, "a") as file:  # noqa: PTH123  # as short as it gets
                file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        return inputs["returns"]


@final
@dataclass(frozen=True)
class ByPortfolio(Stage):
    """A table of portfolios, and its double in blocks of portfolios."""

    names: tuple[str, ...] = ("p1", "p2", "p3", "p4", "p5")
    optional: ClassVar[tuple[str, ...]] = ("table",)

    @property
    def partition(self) -> Partition:
        from plumbline.engine.stage import PortfolioBlocks, Whole

        return PortfolioBlocks(2) if self.names == () else Whole()

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        return next(iter(inputs.values()), Axes(portfolios=self.names))

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, pl.DataFrame]:
        if "table" not in inputs:
            return {"t": pl.DataFrame({"portfolio": self.names, "x": range(len(self.names))})}
        return {"t": inputs["table"]["t"].with_columns(pl.col("x") * 2)}


@final
@dataclass(frozen=True)
class Sluggish(Stage):
    """Copies its input in time blocks, slowly in a worker process."""

    block_bars: int = 8
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    @property
    def partition(self) -> Partition:
        return TimeBlocks(self.block_bars)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        from multiprocessing import parent_process

        if parent_process() is not None:
            time.sleep(0.03)
        return inputs["returns"]


@final
@dataclass(frozen=True)
class Flaky(Stage):
    """Fails until it was tried often enough, by a count in a file; errors as they are named."""

    marker: str = ""
    failures: int = 1
    error: str = "transient"
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        with open(self.marker, "a") as file:  # noqa: PTH123  # as short as it gets
            file.write(f"{time.monotonic()}\n")
        with open(self.marker) as file:  # noqa: PTH123  # the same
            tries = len(file.read().split())
        if tries <= self.failures:
            raise {
                "transient": TransientError("planted"),
                "full": OSError(errno.ENOSPC, "No space left on device"),
                "missing": FileNotFoundError(errno.ENOENT, "No such file"),
                "value": ValueError("planted"),
            }[self.error]
        return inputs["returns"]


@final
@dataclass(frozen=True)
class Takes(Stage):
    """Copies its input while it holds memory, in time blocks: so much a bar."""

    bytes_a_bar: int = 1_000_000
    block_bars: int = 32
    reads: ClassVar[tuple[str, ...]] = ("returns",)

    @property
    def partition(self) -> Partition:
        return TimeBlocks(self.block_bars)

    def run(self, inputs: Mapping[str, Any]) -> Panel:
        held = np.ones(self.bytes_a_bar * inputs["returns"].n_bars, dtype=np.uint8)
        assert held[-1] == 1
        return inputs["returns"]
