"""Small real stages for tests of the engine."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import polars as pl

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
