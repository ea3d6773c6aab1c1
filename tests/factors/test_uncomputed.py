import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plumbline.core.panel import Panel
from plumbline.factors.evaluation import evaluate
from plumbline.factors.figures import IC_FIGURES, SPREAD_FIGURES
from plumbline.factors.models.rolling_regression import RollingRegression
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.quantiles import quantile_buckets
from plumbline.factors.uncomputed import Lost, uncomputed, unranked, without_book
from plumbline.kernels.order_statistics import rank_ic
from plumbline.kernels.regression import RollingOptions, rolling_ols
from tests.contracts.made_panels import axis, names

RAGGED = arrays(np.float64, (9, 5), elements=st.sampled_from([np.nan, np.nan, 1.0, 2.0, 3.0]))


def slow_reason(values: list[float], forward: list[float]) -> str:
    there = [v for v in values if v == v]
    both = [(v, f) for v, f in zip(values, forward, strict=True) if v == v and f == f]
    if not there:
        return "no_signal"
    if not both:
        return "no_return"
    if len(both) < 3:
        return "too_few_assets"
    return "constant"


@given(RAGGED, RAGGED, arrays(np.bool_, 9))
def test_every_bar_without_a_rank_ic_is_counted_once_with_its_reason(values, forward, is_read):
    read = np.where(is_read[:, None], values, np.nan)
    ic = rank_ic(read[None], forward[None])[0, 0]
    n_values = np.isfinite(values).sum(axis=1).astype(float)
    n_pairs = (np.isfinite(read) & np.isfinite(forward)).sum(axis=1).astype(float)
    counts = unranked(n_values, n_pairs, ic, is_read)
    expected = dict.fromkeys(counts, 0)
    for t in np.flatnonzero(is_read & np.isnan(ic)):
        expected[slow_reason(values[t].tolist(), forward[t].tolist())] += 1
    assert counts == expected


@given(RAGGED, st.integers(2, 4))
def test_every_bar_without_a_book_is_counted_once_with_its_reason(values, n_quantiles):
    groups = quantile_buckets(values, n_quantiles)
    has_book = (groups == 1).any(axis=1) & (groups == n_quantiles).any(axis=1)
    n_values = np.isfinite(values).sum(axis=1).astype(float)
    counts = without_book(n_values, has_book, n_quantiles)
    expected = dict.fromkeys(counts, 0)
    for row in values.tolist():
        there = [v for v in row if v == v]
        if not there:
            expected["no_signal"] += 1
        elif len(there) < n_quantiles:
            expected["fewer_values_than_groups"] += 1
        elif n_quantiles not in quantile_buckets(np.array([row]), n_quantiles):
            expected["ties"] += 1
    assert counts == expected


@pytest.mark.parametrize("min_obs", [None, 3, 12])
def test_the_models_reasons_are_the_kernels_counts(min_obs):
    rng = np.random.default_rng(3)
    n_bars, n_assets = 60, 7
    y = rng.normal(0, 0.01, (n_bars, n_assets))
    y[rng.random(y.shape) < 0.3] = np.nan
    y[:, 6] = 0.0
    x = rng.normal(0, 0.01, (n_bars, 2))
    x[20:40, 1] = x[20:40, 0]
    returns = Panel({"return": y}, axis(n_bars), names(n_assets))
    factors = Panel({"return": x}, axis(n_bars), ("a", "b"))
    model = RollingRegression(window=12, min_obs=min_obs)
    counts = dict(model.reasons(model.fit(returns, factors)))
    options = RollingOptions(as_of_lag=1, first_bar=returns.first_bar)
    expected = dict(rolling_ols(y, x, 12, min_obs=min_obs, options=options).reasons)
    assert expected.pop("missing") == 0
    assert counts.pop("constant_return") > 0
    assert counts == expected
    assert all(counts.values())


def test_an_evaluation_counts_every_bar_it_reads():
    rng = np.random.default_rng(1)
    price = np.exp(np.cumsum(rng.normal(0, 0.01, (40, 6)), axis=0))
    values = rng.standard_normal((40, 6))
    values[:10] = np.nan
    values[10:13, 2:] = np.nan
    values[13] = 1.0
    options = EvaluationOptions((1, 5), n_quantiles=3, spread_horizon=2)
    found = evaluate({"s": values}, Panel({"close": price}, axis(40), names(6)), options=options)
    table = found.uncomputed
    n_bars = dict(found.summary.select("horizon_bars", "n_bars").rows())
    for h in options.horizons:
        rows = table.filter(part="rank_ic", horizon_bars=h)
        assert rows["n"].sum() + n_bars[h] == 40
        assert dict(rows.select("reason", "n").rows()) == {
            "no_signal": 10,
            "no_return": h,
            "too_few_assets": 3,
            "constant": 1,
        }
    spread = dict(table.filter(part="spread").select("reason", "n").rows())
    assert spread == {"no_signal": 10, "fewer_values_than_groups": 3, "ties": 1}


def test_the_names_of_figures_are_those_of_the_tables():
    price = np.random.default_rng(0).random((30, 5)) + 1
    found = evaluate({"s": price}, Panel({"close": price}, axis(30), names(5)))
    assert tuple(found.summary.columns[2:]) == IC_FIGURES
    assert tuple(found.spread_summary.columns[1:]) == SPREAD_FIGURES


def test_a_reason_that_never_occurred_has_a_row_too():
    table = uncomputed([Lost("spread", {"ties": 0, "no_signal": 2}, 5, "bars", "s")])
    assert table.rows() == [
        ("spread", "s", None, "ties", 0, 5, "bars"),
        ("spread", "s", None, "no_signal", 2, 5, "bars"),
    ]
    assert uncomputed([]).columns == table.columns
