"""When blocks lie: the dates of bars, of which plans and the ledger know the calendar numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, final

from plumbline.core.calendar import ALWAYS_OPEN
from plumbline.core.errors import UnknownNameError
from plumbline.engine.blocks import bars_of_label
from plumbline.engine.pipeline import DataInput, DataSet, Node
from plumbline.ledger.queries import datasets_of_run

if TYPE_CHECKING:
    from plumbline.engine.project import Project


@final
@dataclass(frozen=True)
class BarDates:
    """The dates of the bars that some data sets hold.

    Parameters
    ----------
    datasets : on one calendar; if they lie on several, a number means several dates, and none is
        given.
    """

    datasets: tuple[DataSet, ...]

    @classmethod
    def of_nodes(cls, nodes: Iterable[Node]) -> "BarDates":
        """Return the dates of the data that nodes read."""
        inputs = [source for node in nodes for source in node.inputs.values()]
        found = {
            source.dataset.dataset_id: source.dataset
            for source in inputs
            if isinstance(source, DataInput)
        }
        return cls(tuple(found.values()))

    def span(self, label: str) -> tuple[datetime, datetime] | None:
        """Return the first and last close, UTC, of the bars that data hold of a block.

        Parameters
        ----------
        label : name of the block; None is returned unless it is one of bars.
        """
        bars = bars_of_label(label)
        grids = {(d.calendar_name, d.frequency) for d in self.datasets}
        if bars is None or len(grids) != 1:
            return None
        first, last = bars
        closes = [
            close
            for data in self.datasets
            if first <= data.last_bar and data.first_bar <= last
            for close in (
                data.closes(max(first, data.first_bar), max(first, data.first_bar))[0],
                data.closes(min(last, data.last_bar), min(last, data.last_bar))[0],
            )
        ]
        return (min(closes).item(), max(closes).item()) if closes else None

    def row(self, label: str) -> dict[str, str | None]:
        """Return ``first_close`` and ``last_close`` of a block as ISO text; None if it has none."""
        found = self.span(label)
        first, last = (None, None) if found is None else map(utc_text, found)
        return {"first_close": first, "last_close": last}

    def text(self, label: str) -> str:
        """Return ``bars 512-1023 (2007-01-03 … 2009-01-13)``; the label alone without dates.

        Sessions show the date of their close, bars that never end show its time too.
        """
        found = self.span(label)
        return label if found is None else f"{label} ({self.range_text(*found)})"

    def range_text(self, first: datetime, last: datetime) -> str:
        """Return ``first … last`` of two closes."""
        return f"{self._moment(first)} … {self._moment(last)}"

    def _moment(self, close: datetime) -> str:
        is_session = self.datasets[0].calendar_name != ALWAYS_OPEN
        return f"{close:%Y-%m-%d}" if is_session else f"{close:%Y-%m-%d %H:%M}"


def utc_text(moment: datetime) -> str:
    """Return a time, UTC without a zone, as ISO text: ``2009-01-02T21:00:00Z``."""
    return f"{moment.isoformat()}Z"


def with_dates(rows: Iterable[dict[str, Any]], dates: BarDates) -> list[dict[str, Any]]:
    """Return rows that name a ``block`` with its ``first_close`` and ``last_close``."""
    return [row | dates.row(row["block"]) for row in rows]


def dates_of_run(project: "Project", run_id: str) -> BarDates:
    """Return the dates of the data that results of a run were made from, of those still kept."""
    found = []
    for dataset_id in datasets_of_run(project.database, run_id):
        try:
            found.append(project.lake.dataset(dataset_id))
        except UnknownNameError:  # forgotten since
            continue
    return BarDates(tuple(found))
