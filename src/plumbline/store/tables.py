"""The tables that a store gives back, and the packed row of a portfolio-day that holds them.

A packed row has a portfolio's whole day: its key, the snapshot as scalars, the measures as one
array of doubles with the digest of their layout, and a column of arrays for each column of the
tables that have several rows a day. So a day is written, replaced and seen as a whole.
"""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

_ID: Final[dict[str, Any]] = {"portfolio": pl.String(), "date": pl.Date()}
_AMOUNTS: Final = (
    *("long", "short", "gross", "net", "cash", "equity", "leverage", "carried"),
    *("pnl", "realised", "unrealised", "dividends", "interest", "fees", "external"),
    *("return", "cumulative", "drawdown"),
)
SNAPSHOTS: Final[dict[str, Any]] = {
    **_ID,
    **dict.fromkeys(_AMOUNTS, pl.Float64()),
    "days_under_water": pl.Int64(),
    **dict.fromkeys(("month_to_date", "quarter_to_date", "year_to_date"), pl.Float64()),
    "is_stopped": pl.Boolean(),
    **dict.fromkeys(("n_positions", "n_stale", "n_unpriced"), pl.Int64()),
}
EXPOSURES: Final[dict[str, Any]] = {
    **_ID,
    "symbol": pl.String(),
    **dict.fromkeys(
        ("quantity", "value", "cost", "traded", "dividends", "realised", "exposure", "weight"),
        pl.Float64(),
    ),
    "price_age": pl.Int64(),
    "is_carried": pl.Boolean(),
    "price_source": pl.String(),
    **dict.fromkeys(("component_volatility", "component_var_95", "component_var_99"), pl.Float64()),
}
SECTORS: Final[dict[str, Any]] = {
    **_ID,
    "sector": pl.String(),
    **dict.fromkeys(("net", "long", "short", "gross", "tilt"), pl.Float64()),
}
STRESS: Final[dict[str, Any]] = {
    **_ID,
    "scenario": pl.String(),
    **dict.fromkeys(("pnl", "share", "coverage"), pl.Float64()),
}
FAILURES: Final[dict[str, Any]] = {**_ID, "analytic": pl.String(), "reason": pl.String()}
CORRELATIONS: Final[dict[str, Any]] = {
    "date": pl.Date(),
    "symbols": pl.List(pl.String()),
    "pairs": pl.List(pl.Float32()),
    "n_obs": pl.List(pl.UInt16()),
}
SYMBOLS: Final[dict[str, Any]] = {
    "date": pl.Date(),
    "symbol": pl.String(),
    "analytic": pl.String(),
    **dict.fromkeys(("beta", "alpha", "r2", "stderr", "t"), pl.Float64()),
    "n_obs": pl.Int64(),
}
OPTIONS: Final[dict[str, Any]] = {
    "date": pl.Date(),
    "symbol": pl.String(),
    **dict.fromkeys(
        ("volatility", "value", "delta", "gamma", "vega", "theta", "rho"), pl.Float64()
    ),
}
DATED: Final = {"symbols": SYMBOLS, "options": OPTIONS}
"""Tables of any number of rows a date, which belong to no portfolio."""

LONG: Final = {
    "exposures": EXPOSURES,
    "sectors": SECTORS,
    "stress": STRESS,
    "failures": FAILURES,
}
"""Tables of any number of rows a portfolio-day."""

OPTIONAL: Final = ("price_source",)
"""Texts and dates that may be missing."""

FRAMES: Final = ("snapshots", "exposures", "measures", "sectors", "stress", "failures")
"""Tables of a chunk."""

SHARED: Final = ("correlations", *DATED)
"""Tables of dates, which belong to no portfolio."""

TABLES: Final = (*FRAMES, *SHARED)
"""Tables that can be read."""

DAYS: Final[dict[str, Any]] = {**_ID, "owner": pl.String(), "key": pl.String()}
KEYS: Final[dict[str, Any]] = {**_ID, "key": pl.String(), "n_failures": pl.Int64()}
DATE_KEYS: Final[dict[str, Any]] = {"date": pl.Date(), "key": pl.String()}
DATE_HEAD: Final[dict[str, Any]] = {
    **DATE_KEYS,
    "n_pairs": pl.Int64(),
    "symbols": CORRELATIONS["symbols"],
}
HEAD: Final[dict[str, Any]] = {
    **DAYS,
    "n_failures": pl.Int64(),
    "has_snapshot": pl.Boolean(),
    "layout": pl.String(),
}
"""Scalars of a packed row beside the snapshot's; the layout is null where nothing was measured."""


def values_of(table: str, schema: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return, for the columns of a table but portfolio and date, its packed name and type."""
    return {name: (f"{table}_{name}", kind) for name, kind in schema.items() if name not in _ID}


SCALARS: Final = dict(values_of("snapshots", SNAPSHOTS).values())
LISTS: Final = {
    packed: kind
    for table, schema in LONG.items()
    for packed, kind in values_of(table, schema).values()
}
DATE_LISTS: Final = {
    packed: kind
    for table, schema in DATED.items()
    for packed, kind in values_of(table, schema).values()
}
DATES: Final[dict[str, Any]] = {
    **DATE_HEAD,
    **{name: pl.List(kind) for name, kind in DATE_LISTS.items()},
    "content": pl.Binary(),
}
"""Columns of a packed date, in order; the content is a file of Arrow, ``pairs n_obs``, or empty."""

PACKED: Final[dict[str, Any]] = {
    **HEAD,
    **SCALARS,
    "measures": pl.List(pl.Float64()),
    **{name: pl.List(kind) for name, kind in LISTS.items()},
}
"""Columns of a packed row, in order."""


def columns_of(table: str) -> list[str]:
    """Return the columns of packed rows, or packed dates, that a table is made from."""
    if table == "snapshots":
        return [*_ID, "has_snapshot", *SCALARS]
    if table == "measures":
        return [*_ID, "layout", "measures"]
    if table == "correlations":
        return ["date", "symbols", "content"]
    if table in DATED:
        return ["date", *(packed for packed, _ in values_of(table, DATED[table]).values())]
    return [*_ID, *(packed for packed, _ in values_of(table, LONG[table]).values())]
