"""What the page of one portfolio shows: its frames, and the tables that are made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, final

import polars as pl

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.risk.analytic import Analytic, all_analytics
from plumbline.risk.result import RiskResult
from plumbline.stages.portfolio_sums import (
    bands,
    cumulative_attribution,
    failures_by_analytic,
    gains_by_position,
    gains_by_source,
    gains_of_dates,
    last_pairs,
    last_positions,
    sizes_of_symbols,
)

TABLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "snapshots": (
            *("date", "long", "short", "gross", "net", "cash", "equity", "leverage", "carried"),
            *("pnl", "realised", "unrealised", "dividends", "interest", "fees", "external"),
            *("return", "cumulative", "drawdown", "month_to_date", "quarter_to_date"),
            *("year_to_date", "is_stopped", "n_positions", "n_stale", "n_unpriced"),
        ),
        "measures": ("date",),
        "exposures": (
            *("date", "symbol", "quantity", "value", "cost", "traded", "dividends"),
            *("exposure", "weight", "price_age", "is_carried"),
        ),
        "sectors": ("date", "sector", "net", "long", "short", "gross", "tilt"),
        "stress": ("date", "scenario", "pnl", "share", "coverage"),
        "failures": ("analytic", "reason", "n_dates", "first", "last"),
        "positions": (
            *("symbol", "class", "sector", "quantity", "value", "cost", "exposure", "weight"),
            *("price_age", "is_carried", "is_stale", "pnl_day", "unrealised", "pnl_period"),
        ),
        "position_pnl": (*("symbol", "pnl", "dividends", "n_dates", "first", "last", "is_held"),),
        "pnl_sources": ("source", "pnl", "n_dates"),
        "attribution": ("date", "part", "pnl", "cumulative"),
        "attribution_total": ("part", "pnl"),
        "bands": ("date", "figure", "low", "high"),
        "alike": ("symbol", "weight", "has_pairs", "is_shown"),
        "pairs": ("symbol", "other", "correlation", "n_obs"),
    }
)
"""The tables of a portfolio and the columns that each must have; further columns are kept."""


@final
@dataclass(frozen=True)
class PortfolioFacts:
    """Who a portfolio is.

    Parameters
    ----------
    portfolio : its key.
    name, owner, currency : as the book says; an empty text where it says nothing.
    """

    portfolio: str
    name: str = ""
    owner: str = ""
    currency: str = ""


@final
@dataclass(frozen=True)
class ResultOrigin:
    """Where results come from; what is empty is said not to be recorded.

    Parameters
    ----------
    run_id, finished : the run and when it ended, ISO 8601, UTC.
    store : where results are kept, in words.
    code : digest of the code that made them.
    versions : library to version.
    """

    run_id: str = ""
    finished: str = ""
    store: str = ""
    code: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class AnalyticWords:
    """What an analytic says of itself.

    Parameters
    ----------
    definition : one line.
    units : figure to its unit.
    """

    definition: str
    units: Mapping[str, str]


@final
@dataclass(frozen=True, eq=False)
class PortfolioResults:
    """Everything that the report of one portfolio shows.

    Weights, returns, coverages and value at risk are decimals; amounts are in ``currency``. A
    value that is null, NaN or infinite counts as missing and is shown as such, never as zero.

    Parameters
    ----------
    portfolio, name, owner, currency : as of :class:`PortfolioFacts`.
    tables : a frame for each name in ``TABLES``; rows of one portfolio, rising in date.
    words : analytic to what it says of itself, in the order of the page.
    provenance : None for results that no run made.

    Raises
    ------
    ParameterError
        If a table is missing or unknown, or lacks a column; all problems at once.
    """

    portfolio: str
    name: str
    owner: str
    currency: str
    tables: Mapping[str, pl.DataFrame]
    words: Mapping[str, AnalyticWords]
    provenance: ResultOrigin | None = None

    def __post_init__(self) -> None:
        problems = [
            f"no table {name!r} ({nearest_names(name, TABLES)})"
            for name in self.tables
            if name not in TABLES
        ]
        for name, columns in TABLES.items():
            if name not in self.tables:
                problems.append(f"table {name!r} is missing; give it without rows if it is empty")
                continue
            given = self.tables[name].columns
            problems += [
                f"table {name!r} lacks column {column!r} ({nearest_names(column, given)})"
                for column in columns
                if column not in given
            ]
        if problems:
            raise ParameterError(f"results of portfolio {self.portfolio!r}: " + "; ".join(problems))


def portfolio_results(
    result: RiskResult,
    facts: PortfolioFacts,
    instruments: pl.DataFrame | None = None,
    provenance: ResultOrigin | None = None,
    analytics: Mapping[str, Analytic] | None = None,
) -> PortfolioResults:
    """Return what the page of one portfolio shows.

    Parameters
    ----------
    result : frames of a measurement, of this portfolio or of more.
    facts : who the portfolio is.
    instruments : ``symbol``, and ``class``, ``sector`` and ``underlying`` if they are known.
    provenance : where the results come from.
    analytics : that were measured, by name; default: all of the room.

    Returns
    -------
    The frames, rows of this portfolio alone, and what is added up from them. Gains of positions
    are missing on dates before which sessions are missing among the frames: there the change of
    equity is not what the date gained and what came from outside.

    Raises
    ------
    ParameterError
        If a frame lacks a column, or correlations are no upper triangle.

    Notes
    -----
    Cost: O(rows of the portfolio), and a look at each row of the others.
    """
    key = facts.portfolio
    snapshots, measures, exposures, sectors, stress = (
        _of(frame, key)
        for frame in (
            *(result.snapshots, result.measures, result.exposures),
            *(result.sectors, result.stress),
        )
    )
    known = _known(instruments)
    gains = gains_of_dates(exposures, snapshots)
    totals = gains_by_position(gains, exposures, snapshots)
    positions = last_positions(exposures, snapshots, known, gains, totals)
    attribution, attribution_total = cumulative_attribution(measures, snapshots)
    sizes = sizes_of_symbols(positions, known)
    alike, pairs = last_pairs(result.correlations, snapshots, sizes)
    tables = {
        "snapshots": snapshots,
        "measures": measures,
        "exposures": exposures,
        "sectors": sectors,
        "stress": stress,
        "failures": failures_by_analytic(_of_failures(result.failures, key)),
        "positions": positions,
        "position_pnl": totals,
        "pnl_sources": gains_by_source(gains, snapshots),
        "attribution": attribution,
        "attribution_total": attribution_total,
        "bands": bands(measures),
        "alike": alike,
        "pairs": pairs,
    }
    kinds = all_analytics() if analytics is None else analytics
    words = {name: words_of(analytic) for name, analytic in kinds.items()}
    who = (facts.name or key, facts.owner, facts.currency)
    return PortfolioResults(key, *who, tables, words, provenance)


def words_of(analytic: Analytic) -> AnalyticWords:
    """Return the first line of an analytic's docstring and its units."""
    lines = (type(analytic).__doc__ or "").strip().splitlines()
    return AnalyticWords(lines[0] if lines else "", dict(analytic.units))


def _of(frame: pl.DataFrame, portfolio: str) -> pl.DataFrame:
    return frame.filter(pl.col("portfolio") == portfolio).sort("date", maintain_order=True)


def _of_failures(frame: pl.DataFrame, portfolio: str) -> pl.DataFrame:
    key = pl.col("portfolio")
    return frame.filter(key.is_null() | (key == portfolio))


def _known(instruments: pl.DataFrame | None) -> pl.DataFrame:
    """Return class, sector and underlying of symbols; null where they are not known."""
    columns = ("symbol", "class", "sector", "underlying")
    if instruments is None:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String()))
    return instruments.select(
        pl.col(name).cast(pl.String)
        if name in instruments.columns
        else pl.lit(None, dtype=pl.String).alias(name)
        for name in columns
    ).unique("symbol", keep="first", maintain_order=True)
