"""What every signal of the room promises; an added file is tested without an edit here."""

import dataclasses
import inspect

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from plumbline.core.panel import Panel
from plumbline.features.signal import Signal, signals
from tests.contracts.made_panels import ragged_panel, renamed, spliced

FIELDS = frozenset(ragged_panel(2))


@pytest.fixture(params=list(signals))
def signal(request) -> Signal:
    return signals[request.param]()


@pytest.fixture
def panel(signal) -> Panel:
    return ragged_panel(signal.warm_up + 120)


def test_the_room_is_not_empty():
    assert {"momentum", "residual_momentum"} <= set(signals)


def test_has_values_of_the_panel_s_shape_once_warm(signal, panel):
    values = signal.compute(panel)
    assert values.shape == panel.shape
    assert values.dtype == np.float64
    assert not np.isinf(values).any()
    assert np.isfinite(values[signal.warm_up :]).mean() > 0.4
    ranges = np.nanmax(values[-1]) - np.nanmin(values[-1])
    assert ranges > 0


def test_has_no_value_before_the_fewest_bars_it_needs(signal, panel):
    assert 1 <= signal.least_bars <= signal.warm_up + 1
    assert not np.isfinite(signal.compute(panel)[: signal.least_bars - 1]).any()


def test_does_not_change_the_panel(signal, panel):
    before = panel.fingerprint
    signal.compute(panel)
    assert panel.fingerprint == before


def test_a_longer_panel_never_changes_earlier_rows(signal, panel):
    whole = signal.compute(panel)
    for n_bars in (1, 2, signal.warm_up, signal.warm_up + 1, signal.warm_up + 57):
        assert_array_equal(signal.compute(panel.head(n_bars)), whole[:n_bars])


def test_other_data_after_a_bar_change_nothing_at_or_before_it(signal, panel):
    other = ragged_panel(panel.n_bars, panel.n_assets, seed=99)
    whole = signal.compute(panel)
    for cut in (0, signal.warm_up // 2, signal.warm_up + 3, signal.warm_up + 80):
        values = signal.compute(spliced(panel, other, cut))
        assert_array_equal(values[: cut + 1], whole[: cut + 1])
    assert not np.array_equal(values, whole, equal_nan=True)


def test_rows_after_the_warm_up_have_the_bits_of_the_whole_panel(signal, panel):
    whole = signal.compute(panel)
    for start, stop in ((1, None), (7, None), (53, -20), (119, None)):
        part = panel.rows(start, stop)
        expected = whole[start:stop]
        assert_array_equal(signal.compute(part)[signal.warm_up :], expected[signal.warm_up :])


def test_warm_up_is_not_longer_than_what_a_row_depends_on(signal, panel):
    last = panel.n_bars - 1
    first = last - signal.warm_up
    other = ragged_panel(panel.n_bars, panel.n_assets, seed=99)
    fields = {k: panel[k].copy() for k in panel}
    for name, values in fields.items():
        values[first] = other[name][first] * 1.5
    changed = signal.compute(panel.with_fields(fields))[last]
    assert not np.array_equal(changed, signal.compute(panel)[last], equal_nan=True)


def test_order_and_names_of_assets_do_not_matter(signal, panel):
    order = np.random.default_rng(1).permutation(panel.n_assets)
    values = signal.compute(panel)
    assert_array_equal(signal.compute(renamed(panel, order)), values[:, order])
    other_names = Panel(
        {k: panel[k] for k in panel},
        panel.bars,
        [f"Z{i}" for i in range(panel.n_assets)],
        first_bar=panel.first_bar,
    )
    assert_array_equal(signal.compute(other_names), values)


def test_reads_the_fields_it_requires_and_no_others(signal, panel):
    required = signal.requires()
    assert required
    assert required <= FIELDS
    assert_array_equal(signal.compute(panel.only(sorted(required))), signal.compute(panel))


def test_an_asset_without_data_has_no_value_and_disturbs_no_other(signal, panel):
    fields = {k: panel[k].copy() for k in panel}
    for values in fields.values():
        values[:, 1] = np.nan
    values = signal.compute(panel.with_fields(fields))
    assert np.isnan(values[:, 1]).all()
    assert np.isfinite(values[-1]).any()


@pytest.mark.parametrize("n_bars", [0, 1, 2])
def test_short_panels_give_a_result_of_their_length(signal, n_bars):
    values = signal.compute(ragged_panel(130).head(n_bars))
    assert values.shape == (n_bars, 6)
    assert not np.isinf(values).any()


def test_infinite_and_non_positive_values_never_come_out_as_infinite(signal, panel):
    fields = {k: panel[k].copy() for k in panel}
    for i, values in enumerate(fields.values()):
        values[10 + i :: 37, 2] = np.inf
        values[11 + i :: 41, 3] = 0.0
        values[12 + i :: 43, 4] = -1.0
    assert not np.isinf(signal.compute(panel.with_fields(fields))).any()


def test_is_a_final_frozen_dataclass_with_a_page_and_its_source(signal):
    cls = type(signal)
    assert getattr(cls, "__final__", False)
    assert dataclasses.is_dataclass(cls)
    assert signal == cls()
    assert signal.fingerprint == cls().fingerprint
    page = inspect.getdoc(cls)
    assert page is not None
    assert "References\n----------" in page
    for field in dataclasses.fields(cls):
        assert f"{field.name} : " in page or f"{field.name}, " in page
