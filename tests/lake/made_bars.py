"""Hourly bars of made closes, without gaps."""

import numpy as np
import polars as pl


def hours(n_bars: int, *assets: str, start: str = "2024-01-01T01:00") -> pl.DataFrame:
    times = np.datetime64(start, "us") + np.arange(n_bars) * np.timedelta64(1, "h")
    frames = [
        pl.DataFrame(
            {
                "bar_close": times,
                "asset": [name] * n_bars,
                "close": 10.0 * (i + 1) + np.arange(n_bars) % 7,
            }
        )
        for i, name in enumerate(assets)
    ]
    return pl.concat(frames).with_columns(pl.col("bar_close").dt.replace_time_zone("UTC"))
