"""Folders of Parquet and Arrow files become the same bars as one table."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from plumbline.lake.sources.arrow import Arrow
from plumbline.lake.sources.parquet import Parquet
from tests.lake.refusals import refused

HOURS = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in range(1, 6)]


def table(asset: str) -> pl.DataFrame:
    values = np.arange(5.0) + len(asset)
    return pl.DataFrame({"bar_close": HOURS, "symbol": asset, "close": values})


def id_of(lake, source, base) -> str:
    return lake.ingest("x", source, calendar="24/7 1h", base=base).dataset.dataset_id


WRITERS = {
    "parquet": pl.DataFrame.write_parquet,
    "pq": pl.DataFrame.write_parquet,
    "arrow": pl.DataFrame.write_ipc,
    "feather": pl.DataFrame.write_ipc,
    "ipc": pl.DataFrame.write_ipc_stream,
}


@pytest.mark.parametrize("ending", WRITERS)
def test_a_folder_of_any_format_gives_the_bars_of_one_table(lake, tmp_path, ending):
    whole = pl.concat([table("AAA"), table("BB")])
    whole.write_parquet(tmp_path / "one.parquet")
    expected = id_of(lake, Parquet("one.parquet"), tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    WRITERS[ending](table("AAA"), tmp_path / "in" / f"a.{ending}")
    WRITERS[ending](table("BB"), tmp_path / "in" / "deep" / f"b.{ending}")
    (tmp_path / "in" / "_SUCCESS").write_text("")
    assert id_of(lake, Arrow("in"), tmp_path) == expected


def test_partitions_of_a_hive_name_the_asset_and_nothing_else(lake, tmp_path):
    whole = pl.concat([table("A/A"), table("BB")])
    whole.write_parquet(tmp_path / "one.parquet")
    expected = id_of(lake, Parquet("one.parquet"), tmp_path)
    for folder, asset in (("symbol=A%2FA", "A/A"), ("symbol=BB", "BB")):
        place = tmp_path / "in" / folder / "year=2024" / "month=01"
        place.mkdir(parents=True)
        table(asset).drop("symbol").write_parquet(place / "part-0.parquet")
    assert id_of(lake, Arrow("in"), tmp_path) == expected


def test_a_partition_of_another_name_is_taken_if_columns_names_it(lake, tmp_path):
    place = tmp_path / "in" / "pair=BB"
    place.mkdir(parents=True)
    table("BB").drop("symbol").write_parquet(place / "part-0.parquet")
    (problem,) = refused(lake, Arrow("in"), tmp_path, "24/7 1h")
    assert problem.startswith("in/pair=BB/part-0.parquet: no asset column")
    id_of(lake, Arrow("in", columns={"asset": "pair"}), tmp_path)
    assert lake.dataset("x").assets == ("BB",)


def test_numbers_become_float64_exactly_or_not_at_all(lake, tmp_path):
    (tmp_path / "in").mkdir()
    exact = pl.DataFrame(
        {
            "bar_close": HOURS[:2],
            "symbol": pl.Series(["A", "A"], dtype=pl.Categorical),
            "single": pl.Series([0.1, None], dtype=pl.Float32),
            "fixed": pl.Series([Decimal("1.25"), Decimal("0.10")], dtype=pl.Decimal(10, 2)),
            "whole": pl.Series([2**53, 1], dtype=pl.Int64),
        }
    )
    exact.write_ipc(tmp_path / "in" / "a.arrow")
    id_of(lake, Arrow("in"), tmp_path)
    panel = lake.panel("x")
    assert panel["single"][0, 0] == np.float32(0.1)
    assert np.isnan(panel["single"][1, 0])
    assert panel["fixed"][:, 0].tolist() == [1.25, 0.1]
    assert panel["whole"][:, 0].tolist() == [2.0**53, 1.0]
    exact.with_columns(whole=pl.Series([2**53 + 1, 1])).write_ipc(tmp_path / "in" / "a.arrow")
    (problem,) = refused(lake, Arrow("in"), tmp_path, "24/7 1h")
    assert problem.startswith(
        "in/a.arrow, row 1, column 'whole': '9007199254740993' does not become float64 without loss"
    )


def test_files_that_cannot_be_read_are_all_named(lake, write, tmp_path):
    whole = WRITERS["arrow"](table("A"), None).getvalue()
    write("in/a.arrow", whole[: len(whole) // 2])
    write("in/b.parquet", "date,symbol,close\n")
    write("in/c.feather", b"FEA1 and more")
    write("in/d.ipc", b"")
    write("in/symbol=A/e.parquet", WRITERS["parquet"](table("A"), tmp_path / "e") or b"")
    (tmp_path / "in" / "symbol=A" / "e.parquet").write_bytes((tmp_path / "e").read_bytes())
    place = tmp_path / "in" / "symbol=__HIVE_DEFAULT_PARTITION__"
    place.mkdir()
    table("A").drop("symbol").write_parquet(place / "f.parquet")
    problems = refused(lake, Arrow("in"), tmp_path, "24/7 1h")
    assert [p.split(":")[0] for p in problems[:4]] == [
        "in/a.arrow",
        "in/b.parquet",
        "in/c.feather",
        "in/d.ipc",
    ]
    assert problems[1].endswith("it holds text, not Parquet; say source: csv")
    assert "write it again, as version 2" in problems[2]
    assert problems[4] == (
        "in/symbol=A/e.parquet: columns stand in the file and in its folder's name: 'symbol'"
    )
    assert "is no asset name; none may be empty" in problems[5]
