"""What the rows of a table of correlations hold."""

from typing import Final

import polars as pl

CORRELATIONS: Final = {
    "date": pl.Date(),
    "symbols": pl.List(pl.String()),
    "pairs": pl.List(pl.Float32()),
    "n_obs": pl.List(pl.UInt16()),
}
