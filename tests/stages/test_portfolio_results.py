import math
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.core.errors import ParameterError
from plumbline.risk import measure
from plumbline.risk.correlation_table import CORRELATIONS
from plumbline.stages.portfolio_results import (
    TABLES,
    PortfolioFacts,
    PortfolioResults,
    portfolio_results,
)
from plumbline.stages.portfolio_sums import (
    MOST_ALIKE,
    bands,
    cumulative_attribution,
    failures_by_analytic,
    gains_by_position,
    gains_by_source,
    gains_of_dates,
    last_pairs,
    sizes_of_symbols,
)
from tests.report.portfolio_samples import on_dates, usual, usual_results
from tests.risk.made_books import made_book, made_market

DAYS = [date(2024, 5, day) for day in (1, 2, 3)]


def snapshots(**columns: list[float]) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    given = (
        dict.fromkeys(("equity", "pnl", "external", "dividends", "interest", "fees"), [0.0] * n)
        | columns
    )
    return pl.DataFrame({"date": DAYS[:n], **given})


def lines(*rows: tuple[date, str, float, float, float, float]) -> pl.DataFrame:
    names = ("date", "symbol", "quantity", "value", "traded", "dividends")
    types = {"date": pl.Date(), "symbol": pl.String()}
    schema = {name: types.get(name, pl.Float64()) for name in names}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


@pytest.mark.parametrize("at", range(4))
def test_gains_of_positions_interest_fees_and_flows_add_up_to_the_pnl(at):
    tables = usual_results(at).tables
    whole = dict(tables["pnl_sources"].select("source", "pnl").iter_rows())
    total = whole.pop("pnl")
    assert math.isclose(whole.pop("sum"), total, rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(sum(whole.values()), total, rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(total, tables["snapshots"]["pnl"].sum(), rel_tol=1e-9)
    own = tables["position_pnl"]["pnl"].sum()
    assert math.isclose(own, whole["positions"], rel_tol=1e-9, abs_tol=1e-9)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_gains_of_books_with_gaps_splits_and_flows_add_up_on_every_date(seed):
    rng = np.random.default_rng(seed)
    market = made_market(rng, ("AAA", "BBB", "CCC"), 40)
    book = made_book(rng, market, 6)
    result = measure(book, market, analytics={})
    for name in book.portfolios["portfolio"]:
        tables = portfolio_results(result, PortfolioFacts(name), analytics={}).tables
        seen, gains = tables["snapshots"], gains_of_dates(tables["exposures"], tables["snapshots"])
        own = gains.group_by("date").agg(
            pl.col("pnl").sum(), pl.col("pnl").null_count().alias("lost"), pl.col("dividends").sum()
        )
        both = seen.join(own, on="date", how="left", suffix="_lines").fill_null(0.0)
        flows = both["dividends"] - both["dividends_lines"]
        rest = both["pnl"] - both["interest"] + both["fees"] - flows
        assert both["lost"].sum() == 0
        size = max(1.0, float(both["gross"].abs().max() or 0.0))
        np.testing.assert_allclose(both["pnl_lines"], rest, atol=1e-9 * size)


def test_gains_of_each_date_equal_a_plain_loop():
    tables = usual_results(1).tables
    by_date: dict[date, dict[str, tuple[float, float, float]]] = {}
    for row in tables["exposures"].iter_rows(named=True):
        own = by_date.setdefault(row["date"], {})
        own[row["symbol"]] = (row["value"], row["traded"], row["dividends"])
    expected = {}
    before: dict[str, tuple[float, float, float]] = {}
    for day in tables["snapshots"]["date"]:
        today = by_date.get(day, {})
        for symbol in {*before, *today}:
            value, traded, paid = today.get(symbol, (0.0, 0.0, 0.0))
            expected[day, symbol] = value - before.get(symbol, (0.0,))[0] - traded + paid
        before = today
    gains = gains_of_dates(tables["exposures"], tables["snapshots"])
    found = {(row[0], row[1]): row[2] for row in gains.iter_rows()}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert math.isclose(found[key], value, rel_tol=1e-12, abs_tol=1e-9), key


def test_what_expires_without_worth_loses_what_it_was_worth():
    frames = (
        lines((DAYS[0], "put", 1.0, 40.0, 40.0, 0.0)),
        snapshots(equity=[100.0, 60.0], pnl=[0.0, -40.0], external=[100.0, 0.0]),
    )
    gains = gains_of_dates(*frames)
    assert gains.rows() == [(DAYS[0], "put", 0.0, 0.0), (DAYS[1], "put", -40.0, 0.0)]
    [row] = gains_by_position(gains, *frames).iter_rows(named=True)
    assert (row["pnl"], row["n_dates"], row["is_held"]) == (-40.0, 2, False)


def test_gains_after_a_session_that_is_missing_are_unknown_and_in_no_sum():
    exposures = lines(
        *(
            (day, "A", 1.0, value, 0.0, 0.0)
            for day, value in zip(DAYS, (10.0, 30.0, 33.0), strict=True)
        )
    )
    frame = snapshots(
        equity=[110.0, 130.0, 133.0], pnl=[1.0, 5.0, 3.0], external=[0.0] * 3, fees=[1.0, 2.0, 4.0]
    )
    gains = gains_of_dates(exposures, frame)
    assert gains["pnl"].to_list() == [None, None, 3.0]
    sources = gains_by_source(gains, frame)
    assert dict(sources.select("source", "pnl").iter_rows()) == {
        "positions": 3.0,
        "dividends_paid_as_flows": 0.0,
        "interest": 0.0,
        "fees": -4.0,
        "sum": -1.0,
        "pnl": 3.0,
    }
    assert set(sources["n_dates"]) == {1}


def test_one_date_after_the_opening_has_no_gain_of_positions():
    result, portfolios, _ = usual()
    last = portfolio_results(on_dates(result, -1, None), PortfolioFacts(portfolios["portfolio"][0]))
    assert last.tables["position_pnl"]["pnl"].null_count() == last.tables["position_pnl"].height > 0
    assert last.tables["pnl_sources"]["pnl"].null_count() == 6


def test_a_value_that_is_missing_leaves_its_gain_missing_and_no_other():
    exposures = lines(
        (DAYS[0], "A", 1.0, 10.0, 10.0, 0.0),
        (DAYS[0], "B", 1.0, 5.0, 5.0, 0.0),
        (DAYS[1], "A", 1.0, float("nan"), 0.0, 0.0),
        (DAYS[1], "B", 1.0, 7.0, 0.0, 0.0),
    )
    frame = snapshots(equity=[100.0, 102.0], pnl=[0.0, 2.0], external=[100.0, 0.0])
    rows = gains_of_dates(exposures, frame).filter(pl.col("date") == DAYS[1])
    assert dict(rows.select("symbol", "pnl").iter_rows()) == {"A": None, "B": 2.0}


def test_parts_add_up_to_the_pnl_on_every_date_and_over_all():
    tables = usual_results(2).tables
    frame, total = tables["attribution"], dict(tables["attribution_total"].iter_rows())
    assert math.isclose(total["sum"], total["pnl"], rel_tol=1e-9, abs_tol=1e-6)
    grouped = ["market", "rates", "styles", "trading", "income", "option_convexity", "residual"]
    by_date = frame.filter(pl.col("part").is_in(grouped)).group_by("date").agg(pl.col("pnl").sum())
    both = by_date.join(frame.filter(pl.col("part") == "pnl"), on="date")
    assert both.height == tables["snapshots"].height
    np.testing.assert_allclose(both["pnl"], both["pnl_right"], atol=1e-6)
    last = frame.group_by("part", maintain_order=True).agg(pl.col("cumulative").last())
    for part, value in last.iter_rows():
        if part in total:
            assert math.isclose(value, total[part], rel_tol=1e-9, abs_tol=1e-6), part


def test_dates_without_parts_are_in_no_sum():
    measures = pl.DataFrame(
        {"date": DAYS, "from_market": [1.0, None, 4.0], "from_residual": [1.0, 2.0, float("nan")]}
    )
    by_date, total = cumulative_attribution(measures, snapshots(pnl=[2.0, 2.0, 5.0]))
    assert by_date["date"].unique().to_list() == DAYS[:1]
    assert dict(total.iter_rows()) == {"market": 1.0, "residual": 1.0, "sum": 2.0, "pnl": 2.0}


def test_measures_without_attribution_have_no_parts():
    by_date, total = cumulative_attribution(pl.DataFrame({"date": DAYS}), snapshots(pnl=[1.0] * 3))
    assert (by_date.height, total.height) == (0, 0)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 9), held=st.integers(0, 12), seed=st.integers(0, 1000))
def test_pairs_of_the_packed_triangle_are_those_of_the_matrix(n, held, seed):
    rng = np.random.default_rng(seed)
    symbols = sorted({f"s{i}" for i in rng.integers(0, 30, n)})
    n = len(symbols)
    matrix = rng.uniform(-1, 1, (n, n)).astype(np.float32)
    upper = [(i, j) for i in range(n) for j in range(i + 1, n)]
    table = pl.DataFrame(
        {
            "date": [DAYS[0]],
            "symbols": [symbols],
            "pairs": [[float(matrix[i, j]) for i, j in upper]],
            "n_obs": [[i * 20 + j for i, j in upper]],
        },
        schema=CORRELATIONS,
    )
    names = sorted({f"s{i}" for i in rng.integers(0, 30, held)})
    weights = rng.normal(size=len(names)).round(1)
    positions = pl.DataFrame(
        {"symbol": names, "weight": weights}, schema={"symbol": pl.String, "weight": pl.Float64}
    )
    sizes = sizes_of_symbols(
        positions, pl.DataFrame(schema={"symbol": pl.String, "underlying": pl.String})
    )
    alike, pairs = last_pairs(table, snapshots(equity=[1.0]), sizes)
    shown = [name for name in names if name in symbols]
    assert set(alike.filter("is_shown")["symbol"]) == set(shown)
    assert pairs.height == len(shown) * (len(shown) - 1) // 2
    for a, b, value, count in pairs.iter_rows():
        i, j = sorted((symbols.index(a), symbols.index(b)))
        assert np.float32(value) == matrix[i, j]
        assert count == i * 20 + j


def test_the_largest_by_weight_are_shown_and_options_count_with_what_they_are_on():
    n = MOST_ALIKE + 2
    symbols = [f"s{i:03d}" for i in range(n)]
    n_pairs = n * (n - 1) // 2
    table = pl.DataFrame(
        {
            "date": [DAYS[0]],
            "symbols": [symbols],
            "pairs": [[0.5] * n_pairs],
            "n_obs": [[9] * n_pairs],
        },
        schema=CORRELATIONS,
    )
    positions = pl.DataFrame(
        {"symbol": [*symbols, "call"], "weight": [*(i / n for i in range(n)), -2.0]}
    )
    known = pl.DataFrame({"symbol": ["call"], "underlying": ["s000"]})
    sizes = sizes_of_symbols(positions, known)
    alike, pairs = last_pairs(table, snapshots(equity=[1.0]), sizes)
    assert alike.row(0) == ("s000", -2.0, True, True)
    assert set(alike.filter(~pl.col("is_shown"))["symbol"]) == {"s001", "s002"}
    assert pairs.height == MOST_ALIKE * (MOST_ALIKE - 1) // 2


def test_correlations_that_are_no_triangle_are_refused():
    table = pl.DataFrame(
        {"date": [DAYS[0]], "symbols": [["a", "b", "c"]], "pairs": [[0.5]], "n_obs": [[9]]},
        schema=CORRELATIONS,
    )
    sizes = pl.DataFrame({"symbol": ["a"], "weight": [1.0]})
    with pytest.raises(ParameterError, match="1 pairs and 1 counts of 3 symbols"):
        last_pairs(table, snapshots(equity=[1.0]), sizes)


def test_bands_are_two_standard_errors_wide_on_each_side():
    measures = pl.DataFrame(
        {"date": DAYS[:2], "b": [1.0, None], "b_stderr": [0.25, 0.25], "c_stderr": [1.0, 1.0]}
    )
    assert bands(measures).rows() == [(DAYS[0], "b", 0.5, 1.5), (DAYS[1], "b", None, None)]


def test_failures_are_counted_by_analytic_and_reason():
    frame = pl.DataFrame(
        {
            "date": [DAYS[0], DAYS[2], None],
            "analytic": ["tail", "tail", "stress"],
            "reason": ["broken", "broken", "no prices"],
        }
    )
    assert failures_by_analytic(frame).rows() == [
        ("stress", "no prices", None, None, None),
        ("tail", "broken", 2, DAYS[0], DAYS[2]),
    ]


def test_only_rows_of_the_portfolio_and_failures_of_all_are_taken():
    result, portfolios, instruments = usual()
    key, other = portfolios["portfolio"][0], portfolios["portfolio"][1]
    failures = pl.DataFrame(
        {
            "portfolio": [key, other, None],
            "date": [DAYS[0], DAYS[0], None],
            "analytic": ["tail", "sector", "stress"],
            "reason": ["a", "b", "c"],
        }
    )
    found = portfolio_results(replace(result, failures=failures), PortfolioFacts(key), instruments)
    for name in ("snapshots", "measures", "exposures", "sectors", "stress"):
        assert found.tables[name]["portfolio"].unique().to_list() == [key]
        assert found.tables[name].height == getattr(result, name).filter(portfolio=key).height
    assert found.tables["failures"]["analytic"].to_list() == ["stress", "tail"]
    assert found.name == key


def test_positions_are_those_of_the_last_date_with_what_the_book_says_of_them():
    result, portfolios, instruments = usual()
    key = portfolios["portfolio"][0]
    last = result.snapshots.filter(portfolio=key)["date"].max()
    own = result.exposures.filter(portfolio=key, date=last).filter(pl.col("quantity") != 0)
    found = usual_results().tables["positions"]
    assert set(found["symbol"]) == set(own["symbol"])
    assert found["exposure"].abs().is_sorted(descending=True)
    both = found.join(own, on="symbol").join(instruments, on="symbol", suffix="_book")
    for name in ("quantity", "value", "weight", "price_age"):
        assert both[name].to_list() == both[f"{name}_right"].to_list()
    assert both["class"].to_list() == both["class_book"].to_list()
    assert both["unrealised"].to_list() == (both["value_right"] - both["cost_right"]).to_list()


def test_tables_that_are_missing_unknown_or_lack_columns_are_all_named():
    given = dict(usual_results().tables)
    del given["stress"]
    given["sectors"] = given["sectors"].drop("tilt")
    given["moods"] = pl.DataFrame()
    with pytest.raises(ParameterError) as caught:
        PortfolioResults("p", "p", "", "", given, {})
    for part in ("no table 'moods'", "'stress' is missing", "'sectors' lacks column 'tilt'"):
        assert part in str(caught.value)


def test_every_table_stands_in_the_results():
    assert set(usual_results().tables) == set(TABLES)
