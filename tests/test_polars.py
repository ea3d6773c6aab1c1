"""Kernels as polars expressions give what they give on arrays."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

import plumbline.polars  # registers the namespace
from plumbline import kernels
from plumbline.core.errors import ParameterError

assert plumbline.polars.Plumb is not None

N_BARS, ASSETS = 60, ("A", "B", "C")


@pytest.fixture
def panel():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((4, N_BARS, len(ASSETS)))
    values[0, 7, 1] = np.nan
    values[0, 20:29, 2] = np.nan
    values[2:] = values[2:, :, :1]  # two factors, the same for every asset
    return values


@pytest.fixture
def frame(panel):
    """Return the long table of the panel, its rows in no order."""
    table = pl.DataFrame(
        {
            "bar": np.repeat(np.arange(N_BARS), len(ASSETS)),
            "asset": ASSETS * N_BARS,
            **{name: panel[i].reshape(-1) for i, name in enumerate(("y", "x", "market", "size"))},
        }
    )
    return table.with_columns(pl.col("y").fill_nan(None)).sample(fraction=1.0, shuffle=True, seed=1)


def wide(frame, expression):
    """Return what an expression gives, as (bars, assets)."""
    found = frame.select("bar", "asset", out=expression).sort("bar", "asset")
    return found["out"].fill_null(np.nan).to_numpy().reshape(N_BARS, len(ASSETS))


def by_asset(expression):
    return expression.over("asset", order_by="bar")


WINDOWS = ["mean", "std", "skew", "min", "max", "median", "rank"]


@pytest.mark.parametrize("is_lazy", [False, True])
@pytest.mark.parametrize("name", WINDOWS)
def test_a_statistic_of_windows_is_the_kernels_on_each_asset(frame, panel, name, is_lazy):
    expression = getattr(pl.col("y").plumb, f"rolling_{name}")(12, min_obs=4, first_bar=5)
    table = frame.lazy().collect() if is_lazy else frame
    kernel = getattr(kernels, f"rolling_{name}")
    expected = kernel(panel[0], 12, min_obs=4, first_bar=5)
    assert_array_equal(wide(table, by_asset(expression)), expected)
    assert np.isfinite(expected).any()


def test_averages_correlations_and_slopes_are_the_kernels_on_each_asset(frame, panel):
    y, x = panel[:2]
    column = pl.col("y").plumb
    cases = (
        (column.ewma(3.0), kernels.ewma(y, 3.0)),
        (column.rolling_corr("x", 12), kernels.rolling_corr(y, x, 12)),
        (column.rolling_beta(pl.col("x"), 12), kernels.rolling_beta(y, x, 12)),
        (column.rolling_quantile(0.3, 12), kernels.rolling_quantile(y, 0.3, 12)),
    )
    for expression, expected in cases:
        assert_array_equal(wide(frame, by_asset(expression)), expected)


def test_several_quantiles_are_fields_of_a_struct(frame, panel):
    expression = by_asset(pl.col("y").plumb.rolling_quantile([0.25, 0.5], 12))
    expected = kernels.rolling_quantile(panel[0], [0.25, 0.5], 12)
    for i, name in enumerate(("q0.25", "q0.5")):
        assert_array_equal(wide(frame, expression.struct.field(name)), expected[i])


@pytest.mark.parametrize("inference", [False, True])
def test_a_regression_is_a_struct_of_its_figures(frame, panel, inference):
    options = kernels.RollingOptions(as_of_lag=1, inference=inference)
    expression = by_asset(pl.col("y").plumb.rolling_ols(["market", "size"], 20, options=options))
    fit = kernels.rolling_ols(panel[0], panel[2:, :, 0].T, 20, options=options)
    figures = {
        "alpha": fit.alpha,
        "beta_market": fit.beta[:, :, 0],
        "beta_size": fit.beta[:, :, 1],
        "n_obs": fit.n_obs,
        "residual": fit.residual,
        "r2": fit.r2,
    }
    if inference:
        figures |= {"condition": fit.condition, "t_size": fit.tstat[:, :, 2]}
        figures |= {"stderr_alpha": fit.stderr[:, :, 0]}
    for name, expected in figures.items():
        assert_array_equal(wide(frame, expression.struct.field(name)), expected, err_msg=name)
    found = frame.select(out=expression).unnest("out").columns
    assert len(found) == (6 if not inference else 13)


@pytest.mark.parametrize("weights", [None, "w"])
def test_neutralisation_is_the_kernels_on_each_bar(frame, panel, weights):
    frame = frame.with_columns(w=pl.col("x").abs())
    expression = pl.col("y").plumb.neutralise("x", weights=weights).over("bar", order_by="asset")
    weight = None if weights is None else np.abs(panel[1])
    expected = kernels.neutralise(panel[0], panel[1][:, :, None], weight)
    assert_array_equal(wide(frame, expression), expected)


@pytest.mark.parametrize("name", ["winsorise", "zscore", "rank", "gaussian_rank"])
def test_a_scaling_is_the_kernels_on_each_bar(frame, panel, name):
    expression = getattr(pl.col("y").plumb, name)().over("bar", order_by="asset")
    assert_array_equal(wide(frame, expression), getattr(kernels, name)(panel[0]))


def test_groups_are_taken_out_under_any_name(frame, panel):
    rng = np.random.default_rng(8)
    table = frame.with_columns(pl.col("bar") // 4)  # 12 rows a bar, each an asset of its own
    table = table.with_columns(sector=pl.Series(rng.choice(["tech", "oil", "bank"], len(table))))
    column = pl.col("x").plumb.neutralise("market", groups="sector").over("bar")
    left = table.with_columns(left=column).drop_nulls("left")
    means = left.group_by("bar", "sector").agg(pl.col("left").mean(), n=pl.len())
    assert means["left"].abs().max() < 1e-12
    assert left.height > 100
    alone = table.with_columns(left=column).filter(pl.len().over("bar", "sector") == 1)
    assert alone["left"].null_count() == alone.height


def test_wrong_arguments_are_refused_where_the_expression_is_written():
    column = pl.col("y").plumb
    with pytest.raises(ParameterError, match="window=0 must lie in"):
        column.rolling_mean(0)
    with pytest.raises(ParameterError, match=r"q=2\.0 must lie in"):
        column.rolling_quantile(2.0, 5)
    with pytest.raises(ParameterError, match="window=2"):
        column.rolling_ols(["market", "size"], 2)
    with pytest.raises(ParameterError, match="half_life"):
        column.ewma(-1.0)


def test_a_column_of_whole_numbers_and_an_empty_frame_work():
    table = pl.DataFrame({"v": [1, 2, 3, 4]})
    found = table.select(pl.col("v").plumb.rolling_mean(2, min_obs=2)).to_series().to_list()
    assert found == [None, 1.5, 2.5, 3.5]
    assert table.clear().select(pl.col("v").plumb.rolling_mean(2)).height == 0
