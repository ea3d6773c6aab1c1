"""One row of figures for each portfolio: what a page of all portfolios lists."""

import polars as pl

INDEX_FIGURES = {
    "date": pl.Date(),
    "equity": pl.Float64(),
    "pnl": pl.Float64(),
    "year_to_date": pl.Float64(),
    "leverage": pl.Float64(),
    "market_beta": pl.Float64(),
    "market_beta_coverage": pl.Float64(),
    "var_95": pl.Float64(),
    "n_positions": pl.Int64(),
    "n_stale": pl.Int64(),
    "n_unpriced": pl.Int64(),
    "n_failures": pl.Int64(),
}
"""Columns of the index beside those that name a portfolio."""

_FROM_SNAPSHOTS = (
    *("equity", "pnl", "year_to_date", "leverage", "n_positions", "n_stale", "n_unpriced"),
)
_FROM_MEASURES = ("market_beta", "market_beta_coverage", "var_95")


def portfolio_index(
    portfolios: pl.DataFrame,
    snapshots: pl.DataFrame,
    measures: pl.DataFrame,
    failures: pl.DataFrame,
) -> pl.DataFrame:
    """Return the last figures of each portfolio.

    Parameters
    ----------
    portfolios : ``portfolio``, and ``name``, ``owner`` and ``currency`` if they are known.
    snapshots, measures, failures : as a measurement gives them.

    Returns
    -------
    A row for each of ``portfolios``, in their order, with ``INDEX_FIGURES`` of its last date;
    null where there is none. ``n_failures`` counts analytics that failed on that date.

    Notes
    -----
    Cost: O(rows).
    """
    who = ("portfolio", "name", "owner", "currency")
    named = portfolios.select(
        pl.col(c).cast(pl.String)
        if c in portfolios.columns
        else pl.lit(None, dtype=pl.String).alias(c)
        for c in who
    )
    last = snapshots.group_by("portfolio").agg(pl.col("date").max())
    keys = ["portfolio", "date"]
    found = last.join(snapshots.select(*keys, *_FROM_SNAPSHOTS), on=keys, how="left")
    kept = [name for name in _FROM_MEASURES if name in measures.columns]
    found = found.join(measures.select(*keys, *kept), on=keys, how="left")
    found = found.join(_failing(last, failures), on="portfolio", how="left")
    rows = named.join(found, on="portfolio", how="left", maintain_order="left")
    return rows.select(
        *who,
        *(
            pl.col(name).cast(dtype)
            if name in rows.columns
            else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in INDEX_FIGURES.items()
        ),
    )


def _failing(last: pl.DataFrame, failures: pl.DataFrame) -> pl.DataFrame:
    """Return how many analytics failed on the last date of each portfolio."""
    is_dated = pl.col("date").is_null() | (pl.col("date") == pl.col("date_last"))
    everywhere = failures.filter(pl.col("portfolio").is_null())
    own = failures.filter(pl.col("portfolio").is_not_null())
    days = last.rename({"date": "date_last"})
    shared = days.join(everywhere.drop("portfolio"), how="cross")
    mine = days.join(own, on="portfolio")
    both = pl.concat(
        [f.select("portfolio", "date", "date_last", "analytic") for f in (shared, mine)]
    )
    counts = (
        both.filter(is_dated)
        .group_by("portfolio")
        .agg(n_failures=pl.col("analytic").n_unique().cast(pl.Int64))
    )
    return (
        last.select("portfolio")
        .join(counts, on="portfolio", how="left")
        .with_columns(pl.col("n_failures").fill_null(0))
    )
