"""Stage: how alike the signals of a study are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.engine.stage import Stage, Tables


@final
@dataclass(frozen=True)
class CompareSignals(Stage):
    """Table ``signal_correlation``: mean rank correlation of every two signals.

    Parameters
    ----------
    labels : what the study calls the signals, in the order of the sums.
    """

    labels: tuple[str, ...]
    reads: ClassVar[tuple[str, ...]] = ("sums",)

    def run(self, inputs: Mapping[str, Tables]) -> Tables:
        """Add the blocks up; see :func:`plumbline.factors.signal_correlation.table_of_sums`."""
        from plumbline.factors.signal_correlation import CorrelationSums, table_of_sums

        n = len(self.labels)
        by_block = inputs["sums"]["correlation_sums"]
        sums = (by_block[x].to_numpy().reshape(-1, n, n).sum(axis=0) for x in by_block.columns)
        return {"signal_correlation": table_of_sums(self.labels, CorrelationSums(*sums))}
