"""Stage: how alike the signals of a study rank assets, summed over the bars of a block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, Tables, TimeBlocks


@final
@dataclass(frozen=True)
class SumCorrelations(Stage):
    """Table ``correlation_sums``, columns ``total`` and ``n_bars``.

    A row for every ordered pair of signals of each block, in the order of the labels.

    Parameters
    ----------
    labels : what the study calls the signals, each the name of an input with the field ``signal``.
    block_bars : bars a block.
    """

    labels: tuple[str, ...]
    block_bars: int

    @property
    def optional(self) -> tuple[str, ...]:
        """Return the signals."""
        return self.labels

    @property
    def partition(self) -> Partition:
        """Return blocks of bars, each on its own."""
        return TimeBlocks(self.block_bars)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Sum one block; see :func:`plumbline.factors.signal_correlation.correlation_sums`."""
        import polars as pl

        from plumbline.factors.signal_correlation import correlation_sums

        first = inputs[self.labels[0]]
        values = np.stack([conform(inputs[label], first)["signal"] for label in self.labels])
        sums = correlation_sums(values)
        columns = {name: x.ravel() for name, x in sums._asdict().items()}
        return {"correlation_sums": pl.DataFrame(columns)}
