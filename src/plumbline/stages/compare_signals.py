"""Stage: how alike the signals of a study are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables


@final
@dataclass(frozen=True)
class CompareSignals(Stage):
    """Table ``signal_correlation``: mean rank correlation of every two signals.

    Parameters
    ----------
    labels : what the study calls the signals, each the name of an input with the field ``signal``.
    """

    labels: tuple[str, ...]

    @property
    def optional(self) -> tuple[str, ...]:
        """Return the signals."""
        return self.labels

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Compare all bars; see :func:`plumbline.factors.signal_correlation.signal_correlation`."""
        from plumbline.factors.signal_correlation import signal_correlation

        first = inputs[self.labels[0]]
        values = {label: conform(inputs[label], first)["signal"] for label in self.labels}
        return {"signal_correlation": signal_correlation(values)}
