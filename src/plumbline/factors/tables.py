"""Frames of an evaluation: declared types, a figure that does not exist is null."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl

_TYPES = {
    "bar_close": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("signal", "null", "sector", "regime", "state"), pl.String()),
    **dict.fromkeys(("horizon_bars", "quantile", "lag_bars", "n_bars", "n"), pl.Int64()),
    **dict.fromkeys(("n_resamples", "n_draws", "seed", "year"), pl.Int64()),
}


@final
@dataclass(frozen=True)
class Axes:
    """What the rows of an evaluation's tables belong to.

    Parameters
    ----------
    signals : names, in the order given.
    horizons : bars.
    bars : (T,) close times.
    """

    signals: Sequence[str]
    horizons: Sequence[int]
    bars: np.ndarray

    def repeat(self, inner: int = 1) -> dict[str, Any]:
        """Return the columns signal and horizon_bars, signals outermost."""
        n_horizons = len(self.horizons)
        return {
            "signal": np.repeat(np.array(self.signals, dtype=object), n_horizons * inner),
            "horizon_bars": np.tile(np.repeat(self.horizons, inner), len(self.signals)),
        }


def table(columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return a frame with the declared types, NaN as null, NaT as null."""
    return pl.DataFrame([_series(name, np.asarray(values)) for name, values in columns.items()])


def empty_table(columns: Iterable[str]) -> pl.DataFrame:
    """Return a frame without rows."""
    return pl.DataFrame(schema={name: _TYPES.get(name, pl.Float64()) for name in columns})


def by_horizon(results: Sequence[Any], field: str) -> np.ndarray:
    """Return a field of the results of each horizon as (signals, horizons), flat."""
    return np.stack([getattr(result, field) for result in results], axis=1).ravel()


def _series(name: str, values: np.ndarray) -> pl.Series:
    kind = _TYPES.get(name, pl.Float64())
    if name == "bar_close":
        return pl.Series(name, values.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    if kind == pl.String():
        return pl.Series(name, list(values), dtype=kind)
    series = pl.Series(name, np.ascontiguousarray(values)).cast(kind)
    return series.fill_nan(None) if kind == pl.Float64() else series
