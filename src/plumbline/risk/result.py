"""Frames of a measurement, keyed by portfolio and date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from plumbline.core.failure import Failure
from plumbline.kernels.segment_sums import segment_sums
from plumbline.risk.accounts import Accounts
from plumbline.risk.analytic import Analytic, MarketDays, Measures
from plumbline.risk.correlation_table import CORRELATIONS
from plumbline.risk.exposures import Exposures
from plumbline.risk.market import Market
from plumbline.risk.option_table import OPTIONS
from plumbline.risk.performance import Performance
from plumbline.risk.symbol_table import SYMBOLS

FAILURES: Final = {
    "portfolio": pl.String(),
    "date": pl.Date(),
    "analytic": pl.String(),
    "reason": pl.String(),
}
SECTORS: Final = {
    "portfolio": pl.String(),
    "date": pl.Date(),
    "sector": pl.String(),
    **dict.fromkeys(("net", "long", "short", "gross", "tilt"), pl.Float64()),
}
STRESS: Final = {
    "portfolio": pl.String(),
    "date": pl.Date(),
    "scenario": pl.String(),
    **dict.fromkeys(("pnl", "share", "coverage"), pl.Float64()),
}
_EQUITY: Final = (
    *("long", "short", "gross", "net", "cash", "equity", "leverage", "carried"),
    *("pnl", "realised", "unrealised", "dividends", "interest", "fees", "external"),
)
_GAINED: Final = (
    *("returns", "cumulative", "drawdown", "days_under_water"),
    *("month_to_date", "quarter_to_date", "year_to_date"),
)
LINE_FIGURES: Final = ("component_volatility", "component_var_95", "component_var_99")
"""Figures that analytics give of each position."""
_HELD: Final = ("quantity", "value", "cost", "traded", "dividends", "realised")


@final
@dataclass(frozen=True, eq=False)
class Block:
    """Some portfolios, measured on the dates of a market, or why an analytic could not."""

    names: tuple[str, ...]
    accounts: Accounts
    gained: Performance
    exposures: Exposures
    measures: Mapping[str, Measures | Failure]
    view: MarketDays

    @property
    def failing(self) -> dict[str, Failure]:
        """Return the analytics that could not measure it."""
        return {n: found for n, found in self.measures.items() if isinstance(found, Failure)}

    @property
    def dates(self) -> np.ndarray:
        """Return the dates."""
        return np.asarray(self.view.market.dates[self.view.days])

    @property
    def is_open(self) -> Bool[np.ndarray, "portfolios dates"]:
        """Return whether a portfolio is open on a date."""
        return np.asarray(~np.isnan(self.accounts.equity.equity[:, self.view.days]))


@final
@dataclass(frozen=True, eq=False)
class RiskResult:
    """What a measurement gave.

    Parameters
    ----------
    snapshots : a row a portfolio and date: value, cash, equity, what was gained, returns.
    exposures : a row a portfolio, date and symbol that is held or was traded, in this order.
    measures : a row a portfolio and date: the figures of all analytics, each with the coverage and
        the observations of its analytic.
    sectors : a row a portfolio, date and sector: net, long, short and gross weight, tilt.
    correlations : a row a date: the symbols that are held, the correlations of their pairs, seven
        digits, and the observations of each: the upper triangle, row by row.
    symbols : a row a date, analytic and symbol that is held: beta and alpha of its fit, R2,
        standard error and t of beta, observations.
    options : a row a date and option that is held: volatility, value by it, and Greeks.
    stress : a row a portfolio, date and scenario: P&L, its share of equity, and coverage.
    failures : ``portfolio date analytic reason``; null means all.
    """

    snapshots: pl.DataFrame
    exposures: pl.DataFrame
    measures: pl.DataFrame
    sectors: pl.DataFrame
    correlations: pl.DataFrame
    symbols: pl.DataFrame
    options: pl.DataFrame
    stress: pl.DataFrame
    failures: pl.DataFrame


def frames_of(
    block: Block, kinds: Mapping[str, Analytic], unprepared: Mapping[str, Failure]
) -> RiskResult:
    """Return the frames of a block, but for the analytics that fail everywhere.

    Parameters
    ----------
    block : portfolios that are measured.
    kinds : analytics by name.
    unprepared : those that fail on all portfolios and dates.
    """
    return RiskResult(
        snapshots=_snapshots(block),
        exposures=_exposures(block),
        measures=_measures(block, kinds),
        sectors=_long(block, "sectors", SECTORS),
        stress=_long(block, "stress", STRESS),
        correlations=pl.DataFrame(schema=CORRELATIONS),
        symbols=pl.DataFrame(schema=SYMBOLS),
        options=pl.DataFrame(schema=OPTIONS),
        failures=_failures(block, unprepared),
    )


def joined(parts: Sequence[RiskResult], unprepared: Mapping[str, Failure]) -> RiskResult:
    """Return the frames of all blocks, in their order; at least one."""
    everywhere = [
        {"portfolio": None, "date": None, "analytic": name, "reason": found.message}
        for name, found in unprepared.items()
    ]
    whole = {
        field.name: pl.concat([getattr(part, field.name) for part in parts])
        for field in fields(RiskResult)
    }
    failures = pl.DataFrame(everywhere, schema=FAILURES)
    return RiskResult(**whole | {"failures": pl.concat([failures, whole["failures"]])})


def _failures(block: Block, unprepared: Mapping[str, Failure]) -> pl.DataFrame:
    """Return the cells of which an analytic of a block fails."""
    is_open = pl.Series(block.is_open.ravel())
    cells = pl.DataFrame(_keys(block)).filter(is_open)
    frames = [
        cells.with_columns(analytic=pl.lit(name), reason=pl.lit(found.message))
        for name, found in block.failing.items()
        if name not in unprepared
    ]
    return pl.concat([pl.DataFrame(schema=FAILURES), *frames])


def _long(block: Block, name: str, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows that analytics of the block gave to a long table of a name."""
    label = list(schema)[2]
    frames = [pl.DataFrame(schema=schema)]
    names = pl.Series(list(block.names), dtype=pl.String)
    for measures in block.measures.values():
        found = None if isinstance(measures, Failure) else measures.tables.get(name)
        if found is not None:
            cell = found["portfolio"] * block.view.days.size + found["date"]
            order = np.argsort(cell, kind="stable")
            table = {column: np.asarray(values)[order] for column, values in found.items()}
            columns = [
                names.gather(pl.Series(table["portfolio"])).alias("portfolio"),
                pl.Series("date", block.dates[table["date"]].astype("datetime64[D]")),
                pl.Series(label, list(table[label]), dtype=pl.String),
                *(_column(column, table[column]) for column in list(schema)[3:]),
            ]
            frames.append(pl.DataFrame(columns).fill_nan(None))
    return pl.concat(frames)


def _keys(block: Block) -> dict[str, pl.Series]:
    """Return the columns of portfolio and date, portfolios outermost."""
    names, dates = block.names, block.dates
    days = pl.Series("date", np.tile(dates.astype("datetime64[D]"), len(names)))
    owner = pl.Series(np.repeat(np.arange(len(names), dtype=np.int64), dates.size))
    return {
        "portfolio": pl.Series("portfolio", list(names), dtype=pl.String).gather(owner),
        "date": days,
    }


def _column(name: str, table: np.ndarray) -> pl.Series:
    return pl.Series(name, np.ascontiguousarray(table).ravel())


def _snapshots(block: Block) -> pl.DataFrame:
    days, amounts = block.view.days, block.accounts.equity
    equity = {name: getattr(amounts, name)[:, days] for name in _EQUITY}
    gained = {name: getattr(block.gained, name)[:, days] for name in _GAINED}
    sessions = np.arange(amounts.pnl.shape[1])[days]
    stopped = (block.gained.stopped[:, None] >= 0) & (sessions >= block.gained.stopped[:, None])
    counts = _counts(block)
    tables = {**equity, **gained, "is_stopped": stopped, **counts}
    columns = [_column(name, table) for name, table in tables.items()]
    frame = pl.DataFrame([*_keys(block).values(), *columns]).fill_nan(None)
    return frame.filter(pl.col("equity").is_not_null()).rename({"returns": "return"})


def _counts(block: Block) -> dict[str, np.ndarray]:
    """Return how many positions portfolios have, and how many have an old price or none."""
    days, accounts, lines = block.view.days, block.accounts, block.accounts.lines
    is_held = accounts.at("quantity", days) != 0
    is_carried = accounts.at("is_carried", days)
    is_stale = is_held & (block.view.valuation.age[:, days][lines.symbol] > 0) & ~is_carried
    found = {"n_positions": is_held, "n_stale": is_stale, "n_unpriced": is_carried}
    return {
        name: segment_sums(table.astype(np.float64), lines.start).astype(np.int64)
        for name, table in found.items()
    }


def _exposures(block: Block) -> pl.DataFrame:
    days, accounts, lines = block.view.days, block.accounts, block.accounts.lines
    valuation = block.view.valuation
    held = {name: accounts.at(name, days) for name in _HELD}
    is_there = (held["quantity"] != 0) | (held["traded"] != 0)
    line, day = np.nonzero(is_there)
    order = np.argsort(lines.owner[line] * days.size + day, kind="stable")
    line, day = line[order], day[order]
    cell = line * days.size + day
    symbols = pl.Series(valuation.market.symbols, dtype=pl.String)
    equity = block.exposures.positive_equity[lines.owner[line], day]
    exposure = block.exposures.exposure.take(cell)
    age = valuation.age[lines.symbol[line], days[day]]
    is_carried = accounts.at("is_carried", days).take(cell)
    names = pl.Series(list(block.names), dtype=pl.String)
    columns = [
        names.gather(pl.Series(lines.owner[line])).alias("portfolio"),
        pl.Series("date", block.dates[day].astype("datetime64[D]")),
        symbols.gather(pl.Series(lines.symbol[line])).alias("symbol"),
        *(_column(name, table.take(cell)) for name, table in held.items()),
        _column("exposure", exposure),
        _column("weight", exposure / equity),
        _column("price_age", age),
        _column("is_carried", is_carried),
        _price_source(valuation.market, lines.symbol[line], days[day], age),
        *(_line_figure(block, name, cell) for name in LINE_FIGURES),
    ]
    return pl.DataFrame(columns).fill_nan(None)


def _line_figure(block: Block, name: str, cell: Int[np.ndarray, " rows"]) -> pl.Series:
    """Return what an analytic says of lines; null if none does."""
    for found in block.measures.values():
        if not isinstance(found, Failure) and name in found.lines:
            return _column(name, found.lines[name].take(cell))
    return pl.repeat(None, cell.size, dtype=pl.Float64, eager=True).alias(name)


def _price_source(
    market: Market,
    symbol: Int[np.ndarray, " rows"],
    session: Int[np.ndarray, " rows"],
    age: Int[np.ndarray, " rows"],
) -> pl.Series:
    """Return which source gave the last close; null where there are not several, or none did."""
    if market.source is None:
        return pl.repeat(None, age.size, dtype=pl.String, eager=True).alias("price_source")
    place = np.where(age >= 0, market.source[symbol, session - np.maximum(age, 0)], -1)
    known = pl.Series([*market.sources, None], dtype=pl.String)
    return known.gather(pl.Series(place % (len(market.sources) + 1))).alias("price_source")


def _measures(block: Block, kinds: Mapping[str, Analytic]) -> pl.DataFrame:
    shape = block.is_open.shape
    columns = list(_keys(block).values())
    for name, analytic in kinds.items():
        measured = block.measures[name]
        found = None if isinstance(measured, Failure) else measured
        for figure in analytic.names:
            table = np.full(shape, np.nan) if found is None else found.values[figure]
            columns.append(_column(figure, table))
        coverage = np.zeros(shape) if found is None else found.coverage
        n_obs = np.zeros(shape, dtype=np.int64) if found is None else found.n_obs
        columns.append(_column(f"{name}_coverage", coverage))
        columns.append(_column(f"{name}_n_obs", n_obs))
    return pl.DataFrame(columns).filter(_column("is_open", block.is_open)).fill_nan(None)
