"""Two versions of a data set differ in the values that a comparison of all rows finds."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline.core.errors import ParameterError
from plumbline.lake.sources.parquet import Parquet

VALUES = st.lists(st.sampled_from([None, 1.0, 2.0, 3.0]), min_size=8, max_size=8)


def table(start: str, close: list, volume: list) -> pl.DataFrame:
    times = pl.datetime_range(
        pl.lit(start).str.to_datetime("%Y-%m-%dT%H:%M", time_zone="UTC", time_unit="us"),
        interval="1h",
        end=pl.lit(start).str.to_datetime("%Y-%m-%dT%H:%M", time_zone="UTC", time_unit="us")
        + pl.duration(hours=3),
    )
    stamps = pl.select(times).to_series()
    asset = ["A"] * 4 + ["B"] * 4
    columns = {"bar_close": pl.concat([stamps, stamps]), "asset": asset}
    return pl.DataFrame({**columns, "close": close, "volume": volume}).with_columns(
        pl.col("close", "volume").cast(pl.Float64)
    )


def cells(frame: pl.DataFrame) -> dict[tuple, float]:
    return {
        (asset, close, field): value
        for field in ("close", "volume")
        for asset, close, value in frame.select("asset", "bar_close", field).rows()
        if value is not None
    }


@given(before=st.tuples(VALUES, VALUES), after=st.tuples(VALUES, VALUES), shift=st.booleans())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_differences_are_those_of_all_cells(lake, tmp_path, before, after, shift):
    old = table("2024-03-15T06:00", *before)  # a limit of parts lies among the bars
    new = table("2024-03-15T07:00" if shift else "2024-03-15T06:00", *after)
    if not cells(old) or not cells(new):
        return
    ids = []
    for name, frame in (("old", old), ("new", new)):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        source = Parquet(f"{name}.parquet")
        ids.append(lake.ingest(name, source, calendar="24/7 1h", base=tmp_path).dataset)
    was, is_now = cells(old), cells(new)
    want = {
        key: (was.get(key), is_now.get(key))
        for key in {*was, *is_now}
        if was.get(key) != is_now.get(key)
    }
    found = lake.diff(*ids)
    assert {(a, t, f): (x, y) for a, t, f, x, y, _ in found.rows()} == want
    assert found.height == len(want)
    for row in found.to_dicts():
        kind = "added" if row["before"] is None else "changed"
        assert row["change"] == ("removed" if row["after"] is None else kind)
    order = found.select("bar_close", "asset", "field").rows()
    assert order == sorted(order)


def test_versions_on_two_calendars_do_not_compare(lake, tmp_path):
    frame = table("2024-03-15T00:00", [1.0] * 8, [1.0] * 8)
    frame.filter(pl.col("bar_close").dt.hour() == 0).write_parquet(tmp_path / "day.parquet")
    frame.write_parquet(tmp_path / "hours.parquet")
    lake.ingest("day", Parquet("day.parquet"), calendar="24/7", base=tmp_path)
    lake.ingest("hours", Parquet("hours.parquet"), calendar="24/7 1h", base=tmp_path)
    with pytest.raises(ParameterError, match=r"24/7 1d and 24/7 1h have no bars in common"):
        lake.diff("day", "hours")
