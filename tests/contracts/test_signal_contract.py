"""What every signal of the room promises; an added file is tested without an edit here."""

import dataclasses
import inspect
import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.panel import Panel
from plumbline.features.signal import Signal, signals
from tests.contracts.made_panels import ragged_panel, renamed, spliced

FIELDS = frozenset(ragged_panel(2))
NEVER_INFINITE = "a value of a signal is never infinite: NaN where there is none"


@pytest.fixture(params=list(signals))
def signal(request) -> Signal:
    return signals[request.param]()


@pytest.fixture
def panel(signal) -> Panel:
    return ragged_panel(signal.warm_up + 120)


def test_the_room_is_not_empty():
    shipped = {"momentum", "residual_momentum", "low_volatility", "composite"}
    assert shipped <= set(signals), "the room finds the signals that are shipped by their files"


def test_has_values_of_the_panel_s_shape_once_warm(signal, panel):
    values = signal.compute(panel)
    assert values.shape == panel.shape, "a signal has a value for each bar and asset of its panel"
    assert values.dtype == np.float64, "the values of a signal are float64"
    assert not np.isinf(values).any(), NEVER_INFINITE
    filled = np.isfinite(values[signal.warm_up :]).mean()
    assert filled > 0.4, "after its warm-up a signal has a value for most bars and assets"
    ranges = np.nanmax(values[-1]) - np.nanmin(values[-1])
    assert ranges > 0, "a signal tells assets apart: not all have the same value"


def test_has_no_value_before_the_fewest_bars_it_needs(signal, panel):
    assert 1 <= signal.least_bars <= signal.warm_up + 1, (
        f"least_bars={signal.least_bars} must lie in 1 … warm_up + 1 = {signal.warm_up + 1}: both "
        "count bars of the signal's own fields, without the warm-up of a derived field"
    )
    per_field = [signal.least_bars_of(field) for field in signal.requires()]
    assert min(per_field) >= 1, "least_bars_of a field is at least 1"
    assert max(per_field) == signal.least_bars, "least_bars is the most that a field needs"
    early = np.isfinite(signal.compute(panel)[: signal.least_bars - 1])
    assert not early.any(), (
        f"no value may exist before least_bars={signal.least_bars} bars of the signal's own fields"
    )


def test_has_no_value_with_fewer_fields_than_it_needs(signal, panel):
    required = sorted(signal.requires())
    assert 1 <= signal.least_fields <= len(required), (
        f"least_fields={signal.least_fields} must lie in 1 … {len(required)}, the fields it reads"
    )
    for there in itertools.combinations(required, signal.least_fields - 1):
        gone = {k: np.full(panel.shape, np.nan) for k in required if k not in there}
        values = signal.compute(panel.with_fields(gone))
        assert np.isnan(values).all(), f"no value may exist where only {list(there)} is there"


def test_does_not_change_the_panel(signal, panel):
    before = panel.fingerprint
    signal.compute(panel)
    assert panel.fingerprint == before, "a signal never writes into its panel"


def test_a_longer_panel_never_changes_earlier_rows(signal, panel):
    whole = signal.compute(panel)
    for n_bars in (1, 2, signal.warm_up, signal.warm_up + 1, signal.warm_up + 57):
        values = signal.compute(panel.head(n_bars))
        message = f"a signal is causal: the first {n_bars} rows must not depend on later bars"
        assert_array_equal(values, whole[:n_bars], err_msg=message)


def test_other_data_after_a_bar_change_nothing_at_or_before_it(signal, panel):
    other = ragged_panel(panel.n_bars, panel.n_assets, seed=99)
    whole = signal.compute(panel)
    for cut in (0, signal.warm_up // 2, signal.warm_up + 3, signal.warm_up + 80):
        values = signal.compute(spliced(panel, other, cut))
        message = f"a signal is causal: rows up to {cut} must not depend on later bars"
        assert_array_equal(values[: cut + 1], whole[: cut + 1], err_msg=message)
    is_same = np.array_equal(values, whole, equal_nan=True)
    assert not is_same, "a signal depends on its data: other data give other values"


def test_rows_after_the_warm_up_have_the_bits_of_the_whole_panel(signal, panel):
    whole = signal.compute(panel)
    for start, stop in ((1, None), (7, None), (53, -20), (119, None)):
        part = panel.rows(start, stop)
        expected = whole[start:stop]
        message = "a row depends on no bar further back than warm_up, to the last bit"
        values = signal.compute(part)
        assert_array_equal(values[signal.warm_up :], expected[signal.warm_up :], err_msg=message)


def test_warm_up_is_not_longer_than_what_a_row_depends_on(signal, panel):
    last = panel.n_bars - 1
    first = last - signal.warm_up
    other = ragged_panel(panel.n_bars, panel.n_assets, seed=99)
    fields = {k: panel[k].copy() for k in panel}
    for name, values in fields.items():
        values[first] = other[name][first] * 1.5
    changed = signal.compute(panel.with_fields(fields))[last]
    is_same = np.array_equal(changed, signal.compute(panel)[last], equal_nan=True)
    assert not is_same, "warm_up is no longer than what a row depends on"


def test_order_and_names_of_assets_do_not_matter(signal, panel):
    order = np.random.default_rng(1).permutation(panel.n_assets)
    values = signal.compute(panel)
    message = "a signal does not depend on the order of assets"
    reordered = signal.compute(renamed(panel, order))
    if signal.is_cross_sectional:  # sums over assets: to rounding
        assert_allclose(reordered, values[:, order], rtol=1e-9, atol=1e-12, err_msg=message)
    else:
        assert_array_equal(reordered, values[:, order], err_msg=message)
    other_names = Panel(
        {k: panel[k] for k in panel},
        panel.bars,
        [f"Z{i}" for i in range(panel.n_assets)],
        first_bar=panel.first_bar,
    )
    message = "a signal does not depend on the names of assets"
    assert_array_equal(signal.compute(other_names), values, err_msg=message)


def test_reads_the_fields_it_requires_and_no_others(signal, panel):
    required = signal.requires()
    assert required, "requires names one field or more"
    assert required <= FIELDS, f"requires names fields of bars, or derived ones: {sorted(FIELDS)}"
    alone = signal.compute(panel.only(sorted(required)))
    message = "a signal reads the fields that requires names, and no others"
    assert_array_equal(alone, signal.compute(panel), err_msg=message)


def test_an_asset_without_data_has_no_value_and_disturbs_no_other(signal, panel):
    fields = {k: panel[k].copy() for k in panel}
    for values in fields.values():
        values[:, 1] = np.nan
    values = signal.compute(panel.with_fields(fields))
    assert np.isnan(values[:, 1]).all(), "an asset without data has no value"
    assert np.isfinite(values[-1]).any(), "an asset without data takes no value from the others"


def test_only_a_cross_sectional_signal_reads_the_other_assets(signal, panel):
    values = signal.compute(panel)
    alone = [signal.compute(panel.select([name]))[:, 0] for name in panel.assets]
    is_same = np.array_equal(np.column_stack(alone), values, equal_nan=True)
    assert is_same != signal.is_cross_sectional, (
        f"is_cross_sectional={signal.is_cross_sectional}: an asset alone has "
        f"{'the same' if is_same else 'other'} bits"
    )


def test_an_asset_that_is_frozen_gives_no_infinite_value_and_disturbs_no_other(signal, panel):
    fields = {k: panel[k].copy() for k in panel}
    for name, values in fields.items():
        is_price = name in ("open", "high", "low", "close")
        values[:, 1] = 7.0 if is_price else 0.0  # nothing moves, nobody trades
    values = signal.compute(panel.with_fields(fields))
    assert not np.isinf(values).any(), NEVER_INFINITE
    assert np.isfinite(values[-1]).any(), "a frozen asset takes no value from the others"


@pytest.mark.parametrize("n_bars", [0, 1, 2])
def test_short_panels_give_a_result_of_their_length(signal, n_bars):
    values = signal.compute(ragged_panel(130).head(n_bars))
    assert values.shape == (n_bars, 6), "a panel of few bars gives a result of its shape"
    assert not np.isinf(values).any(), NEVER_INFINITE


def test_infinite_and_non_positive_values_never_come_out_as_infinite(signal, panel):
    fields = {k: panel[k].copy() for k in panel}
    for i, values in enumerate(fields.values()):
        values[10 + i :: 37, 2] = np.inf
        values[11 + i :: 41, 3] = 0.0
        values[12 + i :: 43, 4] = -1.0
    assert not np.isinf(signal.compute(panel.with_fields(fields))).any(), NEVER_INFINITE


def test_is_a_final_frozen_dataclass_with_a_page_and_its_source(signal):
    cls = type(signal)
    assert getattr(cls, "__final__", False), "a signal's class is @final"
    assert dataclasses.is_dataclass(cls), "a signal is a dataclass"
    assert cls.__dataclass_params__.frozen, "a signal's dataclass is frozen"
    assert signal == cls(), "signals of equal parameters are equal"
    assert signal.fingerprint == cls().fingerprint, "equal signals have one fingerprint"
    page = inspect.getdoc(cls)
    assert page is not None, "a signal's docstring is its page"
    assert "References\n----------" in page, "a signal's page names its source under References"
    for field in dataclasses.fields(cls):
        is_told = f"{field.name} : " in page or f"{field.name}, " in page
        assert is_told, f"a signal's page explains each parameter; {field.name} is missing"
