"""Frames of one portfolio, added up for the eye: gains of positions, parts of P&L, pairs."""

from typing import Final

import polars as pl

from plumbline.core.errors import ParameterError

MOST_ALIKE: Final = 60
"""Symbols whose pairs are shown, largest by weight."""

_SLACK: Final = 1e-6  # of the larger equity, which rounding may leave of an identity
_FROM: Final = "from_"
_STDERR: Final = "_stderr"


def gains_of_dates(exposures: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """Return what each symbol gained on each date: ``date symbol pnl dividends``.

    Parameters
    ----------
    exposures, snapshots : of one portfolio, rising in date.

    Returns
    -------
    Change of value less the net cost of trades, with dividends. Null where the session before is
    not among the dates: equity has changed by something else than ``pnl`` and ``external``.
    """
    days = _whole_dates(snapshots)
    rows = exposures.select("date", "symbol", "value", "traded", "dividends")
    moved = rows.join(days.drop_nulls("after"), on="date").select(
        pl.col("after").alias("date"), "symbol", before="value"
    )
    both = rows.join(moved, on=["date", "symbol"], how="full", coalesce=True)
    # what is not held at one end is worth 0 there; a value that is missing stays so
    is_row = both.join(rows.select("date", "symbol", here=True), on=["date", "symbol"], how="left")
    is_row = is_row.join(
        moved.select("date", "symbol", there=True), on=["date", "symbol"], how="left"
    )
    zero = {"value": "here", "traded": "here", "dividends": "here", "before": "there"}
    filled = is_row.with_columns(
        pl.when(pl.col(flag).is_null()).then(0.0).otherwise(_finite(name)).alias(name)
        for name, flag in zero.items()
    )
    pnl = pl.col("value") - pl.col("before") - pl.col("traded") + pl.col("dividends")
    return (
        filled.join(days.select("date", "is_whole"), on="date")
        .select(
            "date",
            "symbol",
            pl.when(pl.col("is_whole")).then(pnl).alias("pnl"),
            "dividends",
        )
        .sort("date", "symbol")
    )


def gains_by_position(
    gains: pl.DataFrame, exposures: pl.DataFrame, snapshots: pl.DataFrame
) -> pl.DataFrame:
    """Return what each symbol gained over all dates, largest in size first.

    Parameters
    ----------
    gains : as :func:`gains_of_dates` gives them.
    exposures, snapshots : of the portfolio.

    Returns
    -------
    ``symbol``, ``pnl`` and ``dividends``, ``n_dates`` with a gain, ``first`` and ``last`` date with
    one, and ``is_held`` at the end.
    """
    held = _last(exposures, snapshots).filter(pl.col("quantity") != 0)["symbol"]
    known = pl.col("pnl").is_not_null()
    return (
        gains.group_by("symbol")
        .agg(
            _sum("pnl"),
            _sum("dividends"),
            n_dates=known.sum().cast(pl.Int64),
            first=pl.col("date").filter(known).min(),
            last=pl.col("date").filter(known).max(),
        )
        .with_columns(is_held=pl.col("symbol").is_in(held.to_list()))
        .sort(pl.col("pnl").abs(), "symbol", descending=[True, False], nulls_last=True)
    )


def gains_by_source(gains: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """Return positions, dividends paid as flows, interest and fees, their sum, and the P&L.

    Parameters
    ----------
    gains : as :func:`gains_of_dates` gives them.
    snapshots : of the portfolio.

    Returns
    -------
    ``source`` and ``pnl``, added up over the dates on which gains of positions are known, and
    ``n_dates``, how many those are.
    """
    days = snapshots.join(
        _whole_dates(snapshots).filter("is_whole").select("date"), on="date", how="semi"
    )
    own = gains.join(days.select("date"), on="date", how="semi")

    def total(frame: pl.DataFrame, column: str) -> float | None:
        found: float | None = frame.select(_sum(column)).item() if days.height else None
        return found

    of_lines = total(own, "pnl") if own.height else 0.0 if days.height else None
    paid, by_line = total(days, "dividends"), total(own, "dividends") if own.height else 0.0
    flows = None if paid is None or by_line is None else paid - by_line
    fees = total(days, "fees")
    sources = {
        "positions": of_lines,
        "dividends_paid_as_flows": flows,
        "interest": total(days, "interest"),
        "fees": None if fees is None else -fees,
    }
    known = [value for value in sources.values() if value is not None]
    sources["sum"] = sum(known) if len(known) == len(sources) else None
    sources["pnl"] = total(days, "pnl")
    schema = {"source": pl.String(), "pnl": pl.Float64()}
    found = pl.DataFrame({"source": list(sources), "pnl": list(sources.values())}, schema=schema)
    return found.with_columns(n_dates=pl.lit(days.height, dtype=pl.Int64))


def last_positions(
    exposures: pl.DataFrame,
    snapshots: pl.DataFrame,
    instruments: pl.DataFrame,
    gains: pl.DataFrame,
    totals: pl.DataFrame,
) -> pl.DataFrame:
    """Return what is held on the last date, largest exposure first.

    Parameters
    ----------
    exposures, snapshots : of the portfolio.
    instruments : ``symbol class sector underlying``.
    gains, totals : as :func:`gains_of_dates` and :func:`gains_by_position` give them.
    """
    day = _last(gains, snapshots).select("symbol", pnl_day="pnl")
    carried = pl.col("is_carried")
    return (
        _last(exposures, snapshots)
        .filter(pl.col("quantity") != 0)
        .drop("portfolio", "date", strict=False)
        .join(instruments.drop("underlying"), on="symbol", how="left", maintain_order="left")
        .join(day, on="symbol", how="left", maintain_order="left")
        .join(
            totals.select("symbol", pnl_period="pnl"),
            on="symbol",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            is_stale=(pl.col("price_age") > 0) & ~carried,
            unrealised=pl.col("value") - pl.col("cost"),
        )
        .sort(pl.col("exposure").abs(), "symbol", descending=[True, False], nulls_last=True)
    )


def cumulative_attribution(
    measures: pl.DataFrame, snapshots: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the parts of P&L through time, and each over all dates.

    Parameters
    ----------
    measures, snapshots : of the portfolio.

    Returns
    -------
    by_date : ``date part pnl cumulative``: the parts in their order, ``styles`` and ``income``,
        which are the sums of the factors beside market and rates, and of dividends, interest and
        fees, and ``pnl``, that of the snapshots. Dates without parts are left out of all.
    total : ``part pnl``: each part, ``sum`` of the parts and ``pnl``.
    """
    parts = [name for name in measures.columns if name.startswith(_FROM)]
    names = [name.removeprefix(_FROM) for name in parts]
    by_date = {"date": pl.Date(), "part": pl.String(), "pnl": pl.Float64()}
    if not parts:
        empty = pl.DataFrame(schema=by_date | {"cumulative": pl.Float64()})
        return empty, pl.DataFrame(schema={"part": pl.String(), "pnl": pl.Float64()})
    known = measures.select(
        "date", *(_finite(n).alias(s) for n, s in zip(parts, names, strict=True))
    )
    gained = snapshots.select("date", _finite("pnl").alias("pnl"))
    wide = known.drop_nulls().join(gained, on="date", how="inner").sort("date")
    alone = {"market", "rates", "trading", "option_convexity", "residual"}
    income = [name for name in names if name in {"dividends", "interest", "fees"}]
    styles = [name for name in names if name not in alone and name not in income]
    wide = wide.with_columns(
        pl.sum_horizontal(styles).alias("styles") if styles else pl.lit(0.0).alias("styles"),
        pl.sum_horizontal(income).alias("income") if income else pl.lit(0.0).alias("income"),
        pl.sum_horizontal(names).alias("sum"),
    )
    columns = [*names, "styles", "income", "pnl"]
    long = (
        wide.unpivot(columns, index="date", variable_name="part", value_name="amount")
        .rename({"amount": "pnl"})
        .with_columns(cumulative=pl.col("pnl").cum_sum().over("part"))
    )
    total = (
        wide.select(_sum(name) for name in (*names, "sum", "pnl"))
        .unpivot(variable_name="part", value_name="amount")
        .rename({"amount": "pnl"})
    )
    return long, total


def bands(measures: pl.DataFrame) -> pl.DataFrame:
    """Return figures that have a standard error, two of them down and up.

    Parameters
    ----------
    measures : of the portfolio.

    Returns
    -------
    ``date figure low high``.
    """
    schema = {"date": pl.Date(), "figure": pl.String(), "low": pl.Float64(), "high": pl.Float64()}
    found = [pl.DataFrame(schema=schema)]
    for error in (name for name in measures.columns if name.endswith(_STDERR)):
        figure = error.removesuffix(_STDERR)
        if figure in measures.columns:
            spread = 2.0 * _finite(error)
            ends = {"low": _finite(figure) - spread, "high": _finite(figure) + spread}
            found.append(measures.select("date", pl.lit(figure).alias("figure"), **ends))
    return pl.concat(found)


def failures_by_analytic(failures: pl.DataFrame) -> pl.DataFrame:
    """Return failing cells by analytic and reason: how many dates, the first and the last.

    Parameters
    ----------
    failures : ``date analytic reason``; a date that is null means all, of which there is no count.
    """
    return (
        failures.group_by("analytic", "reason")
        .agg(
            n_dates=pl.when(pl.col("date").is_null().any())
            .then(None)
            .otherwise(pl.col("date").n_unique().cast(pl.Int64)),
            first=pl.col("date").min(),
            last=pl.col("date").max(),
        )
        .sort("analytic", "reason")
    )


def sizes_of_symbols(positions: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """Return the weights that positions have, options by their underlying.

    Parameters
    ----------
    positions : ``symbol weight``.
    instruments : ``symbol underlying``.

    Returns
    -------
    ``symbol weight``, largest in size first.
    """
    target = pl.coalesce("underlying", "symbol")
    return (
        positions.select("symbol", _finite("weight").alias("weight"))
        .join(instruments.select("symbol", "underlying"), on="symbol", how="left")
        .group_by(target.alias("symbol"))
        .agg(_sum("weight"))
        .sort(pl.col("weight").abs(), "symbol", descending=[True, False], nulls_last=True)
    )


def last_pairs(
    correlations: pl.DataFrame, snapshots: pl.DataFrame, sizes: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return correlations of what is held on the last date.

    Parameters
    ----------
    correlations : ``date symbols pairs n_obs``, the upper triangle, row by row.
    snapshots : of the portfolio.
    sizes : as :func:`sizes_of_symbols` gives them.

    Returns
    -------
    alike : ``symbol weight has_pairs is_shown``: the symbols, whether the table has them, and
        whether they are among the ``MOST_ALIKE`` largest.
    pairs : ``symbol other correlation n_obs`` of those that are shown, in their order.

    Raises
    ------
    ParameterError
        If there are not as many pairs as the symbols have.
    """
    row = _last(correlations, snapshots)
    symbols: list[str] = row["symbols"][0].to_list() if row.height else []
    place = {symbol: at for at, symbol in enumerate(symbols)}
    alike = sizes.with_columns(has_pairs=pl.col("symbol").is_in(symbols))
    alike = alike.with_columns(
        is_shown=pl.col("has_pairs") & (pl.col("has_pairs").cum_sum() <= MOST_ALIKE)
    )
    shown = alike.filter("is_shown")["symbol"].to_list()
    n = len(symbols)
    values = row["pairs"][0] if n else pl.Series("pairs", [], dtype=pl.Float32)
    counts = row["n_obs"][0] if n else pl.Series("n_obs", [], dtype=pl.UInt16)
    if {len(values), len(counts)} != {n * (n - 1) // 2}:
        raise ParameterError(
            f"correlations have {len(values)} pairs and {len(counts)} counts of {n} symbols; give "
            f"the upper triangle row by row, {n * (n - 1) // 2} of each"
        )
    couples = [(a, b) for i, a in enumerate(shown) for b in shown[i + 1 :]]
    ends = [sorted((place[a], place[b])) for a, b in couples]
    at = pl.Series([i * n - i * (i + 1) // 2 + j - i - 1 for i, j in ends], dtype=pl.UInt32)
    pairs = pl.DataFrame(
        {
            "symbol": pl.Series([a for a, _ in couples], dtype=pl.String),
            "other": pl.Series([b for _, b in couples], dtype=pl.String),
            "correlation": values.gather(at),
            "n_obs": counts.gather(at),
        }
    )
    return alike, pairs


def _whole_dates(snapshots: pl.DataFrame) -> pl.DataFrame:
    """Return dates, the next, and whether the session before is there or nothing was held then."""
    equity, before = _finite("equity"), _finite("equity").shift(1, fill_value=0.0)
    rest = equity - before - _finite("pnl") - _finite("external")
    size = pl.max_horizontal(equity.abs(), before.abs(), pl.lit(1.0))
    return snapshots.select(
        "date",
        after=pl.col("date").shift(-1),
        is_whole=(rest.abs() <= _SLACK * size).fill_null(value=False),
    )


def _last(frame: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the last date of the snapshots; none if they have no date."""
    last = snapshots["date"].max() if snapshots.height else None
    return frame.filter(pl.col("date") == pl.lit(last, dtype=pl.Date))


def _finite(name: str) -> pl.Expr:
    column = pl.col(name).cast(pl.Float64)
    return pl.when(column.is_finite()).then(column)


def _sum(name: str) -> pl.Expr:
    """Return the sum of what is there; null if nothing is."""
    column = _finite(name)
    return pl.when(column.count() > 0).then(column.sum()).alias(name)
