from dataclasses import replace
from datetime import date

import polars as pl

from plumbline.stages.portfolio_index import INDEX_FIGURES, portfolio_index
from tests.report.portfolio_samples import usual


def indexed(result, portfolios):
    return portfolio_index(portfolios, result.snapshots, result.measures, result.failures)


def test_a_row_holds_the_figures_of_the_last_date():
    result, portfolios, _ = usual()
    frame = indexed(result, portfolios)
    assert frame["portfolio"].to_list() == portfolios["portfolio"].to_list()
    assert frame["owner"].to_list() == portfolios["owner"].to_list()
    for row in frame.iter_rows(named=True):
        key = {"portfolio": row["portfolio"], "date": row["date"]}
        assert row["date"] == result.snapshots.filter(portfolio=key["portfolio"])["date"].max()
        [seen] = result.snapshots.filter(**key).to_dicts()
        [measured] = result.measures.filter(**key).to_dicts()
        for name in INDEX_FIGURES:
            if name != "n_failures":
                assert row[name] == {**measured, **seen}[name], name


def test_a_portfolio_without_failures_has_none():
    result, portfolios, _ = usual()
    assert result.failures.height == 0
    assert set(indexed(result, portfolios)["n_failures"]) == {0}


def test_a_portfolio_that_ended_earlier_keeps_its_own_last_date():
    result, portfolios, _ = usual()
    last = result.snapshots["date"].max()
    first = pl.col("portfolio") == portfolios["portfolio"][0]
    ended = replace(result, snapshots=result.snapshots.filter(~(first & (pl.col("date") == last))))
    dates = indexed(ended, portfolios)["date"].to_list()
    assert dates[0] < last
    assert set(dates[1:]) == {last}


def test_failures_of_the_last_date_are_counted_by_analytic_those_of_all_included():
    result, portfolios, _ = usual()
    last = result.snapshots["date"].max()
    a, b = portfolios["portfolio"][:2]
    failures = pl.DataFrame(
        [
            (a, last, "tail", "x"),
            (a, date(2000, 1, 3), "sector", "of another date"),
            (None, None, "stress", "of all"),
            (b, None, "stress", "again"),
        ],
        schema=result.failures.schema,
        orient="row",
    )
    frame = indexed(replace(result, failures=failures), portfolios)
    assert frame["n_failures"].to_list() == [2, *[1] * (frame.height - 1)]


def test_a_portfolio_that_is_not_measured_stands_there_without_figures():
    result, _, _ = usual()
    frame = indexed(result, pl.DataFrame({"portfolio": ["unknown"]}))
    assert frame.drop("portfolio").row(0) == (None,) * (frame.width - 1)


def test_figures_that_were_not_measured_are_missing():
    result, portfolios, _ = usual()
    bare = replace(result, measures=result.measures.select("portfolio", "date"))
    frame = indexed(bare, portfolios)
    assert frame["var_95"].null_count() == frame.height
    assert frame["equity"].null_count() == 0
