"""Dates beside the calendar numbers of blocks."""

from dataclasses import dataclass

import numpy as np
import pytest

from plumbline.core.calendar import Calendar
from plumbline.engine.bar_dates import BarDates
from plumbline.engine.blocks import tasks_of
from plumbline.engine.pipeline import DataInput, Node
from tests.engine.pipelines import study


@dataclass(frozen=True)
class Bars:
    """A data set of which only the axes are asked."""

    first_bar: int
    last_bar: int
    calendar_name: str = "24/7"
    frequency: str = "1d"
    dataset_id: str = "x"
    fields: tuple[str, ...] = ("close",)
    assets: tuple[str, ...] = ("A",)

    def closes(self, first_bar: int | None = None, last_bar: int | None = None) -> np.ndarray:
        first = self.first_bar if first_bar is None else first_bar
        last = self.last_bar if last_bar is None else last_bar
        assert self.first_bar <= first <= last <= self.last_bar
        return Calendar(self.calendar_name, self.frequency).closes(first, last)

    def digest_of(self, *_: object) -> str:
        return ""


def ends(dates: BarDates, label: str) -> tuple[str, ...]:
    found = dates.span(label)
    assert found is not None
    assert {moment.time().isoformat() for moment in found} == {"00:00:00"}
    return tuple(moment.date().isoformat() for moment in found)


def test_a_block_spans_the_bars_that_the_data_hold_of_it():
    dates = BarDates((Bars(10, 70),))
    assert ends(dates, "bars 0-31") == ("1970-01-11", "1970-02-01")
    assert ends(dates, "bars 32-63") == ("1970-02-02", "1970-03-05")
    assert ends(dates, "bars 64-95") == ("1970-03-06", "1970-03-12")
    assert dates.text("bars 64-95") == "bars 64-95 (1970-03-06 00:00 … 1970-03-12 00:00)"


def test_several_data_sets_on_one_calendar_are_spanned_together():
    dates = BarDates((Bars(10, 20), Bars(15, 40)))
    assert ends(dates, "bars 0-31") == ("1970-01-11", "1970-02-01")


@pytest.mark.parametrize(
    ("datasets", "label"),
    [
        ((), "bars 0-31"),
        ((Bars(10, 20),), "all"),
        ((Bars(10, 20),), "assets 0-31"),
        ((Bars(10, 20),), "bars 64-95"),
        ((Bars(10, 20), Bars(10, 20, frequency="1h")), "bars 0-31"),
    ],
)
def test_what_has_no_dates_shows_its_label_alone(datasets, label):
    dates = BarDates(datasets)
    assert dates.span(label) is None
    assert dates.text(label) == label
    assert dates.row(label) == {"first_close": None, "last_close": None}


def test_sessions_show_the_date_of_their_close():
    sessions = BarDates((Bars(12_000, 13_000, calendar_name="XNYS"),))
    found = sessions.span("bars 12288-12799")
    assert found is not None
    assert found[0] == Calendar("XNYS").closes(12_288, 12_288)[0].item()
    assert sessions.text("bars 12288-12799") == "bars 12288-12799 (2008-06-24 … 2010-07-06)"


def test_every_block_of_bars_is_read_back_from_its_label():
    from plumbline.engine.blocks import bars_of_label

    for task in tasks_of(study()):
        bars = bars_of_label(task.block.label)
        assert (bars is None) == (task.block.kind != "time")
        if bars is not None:
            assert bars[0] <= task.block.axes.first_bar < task.block.axes.end_bar <= bars[1] + 1


def test_dates_are_those_of_the_data_that_nodes_read():
    nodes = study().nodes
    assert BarDates.of_nodes(nodes).datasets == ()
    data = Bars(10, 20)
    fed = Node("fed", nodes[0].stage, {"prices": DataInput(data, ("close",))})
    assert BarDates.of_nodes([*nodes, fed, fed]).datasets == (data,)
