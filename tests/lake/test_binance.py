"""Klines of Binance's archives become the same bars in whatever shape they come."""

import hashlib
import struct
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from plumbline.core.calendar import Calendar
from plumbline.core.errors import ParameterError
from plumbline.lake import packed
from plumbline.lake.klines import read_klines
from plumbline.lake.sources.binance import Binance
from plumbline.lake.sources.mark_price import MarkPrice
from tests.lake.made_klines import (
    HEADER,
    MARCH,
    SPOT_HEADER,
    STEP_MS,
    gzipped,
    row,
    rows,
    text,
    zipped,
)
from tests.lake.refusals import refused

GRID = "24/7 5m"
NAME = "BTCUSDT-5m-2020-03"
FIELDS = ("open", "high", "low", "close", "volume", "quote_volume", "count", "taker_buy_volume")


def bars_of(lake, source, base: Path) -> tuple[str, list[str]]:
    """Return the id of what a source gives, and the rules of its quality report."""
    done = lake.ingest("x", source, calendar=GRID, base=base)
    return done.dataset.dataset_id, sorted(done.quality["rule"].unique())


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("csv", text(rows(30))),
        ("csv", text(rows(30), header=None)),
        ("csv", text(rows(30), header=SPOT_HEADER)),
        ("csv", text(rows(30), end="\r\n")),
        ("csv", text(rows(30), header=None, end="\r\n")),
        ("csv", "\ufeff" + text(rows(30))),
        ("csv", "\ufeff" + text(rows(30), header=None, end="\r\n")),
        ("csv", text(rows(30)).rstrip("\n")),
        ("csv", text(rows(30)).replace("\n", "\n\n")),
        (
            "csv",
            "".join(
                f'"{line.replace(",", chr(34) + "," + chr(34))}"\n'
                for line in text(rows(30)).splitlines()
            ),
        ),
        ("csv", text(rows(30, unit=1000))),
        ("csv", text(rows(30, unit=1000), header=None)),
        ("csv.gz", gzipped(text(rows(30)))),
        ("csv.gz", gzipped(text(rows(12))) + gzipped(text(rows(30)[12:], header=None))),
        ("CSV.GZ", gzipped(text(rows(30), header=None))),
        ("zip", zipped((f"{NAME}.csv", text(rows(30))))),
        ("zip", zipped((f"{NAME}.csv", text(rows(30, unit=1000), header=None)))),
    ],
)
def test_every_shape_of_a_month_gives_the_same_bars(lake, write, tmp_path, ending, content):
    write(f"plain/{NAME}.csv", text(rows(30)))
    write(f"other/{NAME}.{ending}", content)
    expected = bars_of(lake, Binance("plain"), tmp_path)
    assert bars_of(lake, Binance("other"), tmp_path) == expected
    panel = lake.panel("x")
    assert panel.assets == ("BTCUSDT",)
    cells = np.array(rows(30))
    for name, column in zip(FIELDS, (1, 2, 3, 4, 5, 7, 8, 9), strict=True):
        assert_array_equal(panel[name][:, 0], cells[:, column].astype(float))
    assert_array_equal(
        lake.dataset("x").closes().astype("datetime64[ms]").astype(np.int64),
        cells[:, 0].astype(np.int64) + STEP_MS,
    )


@pytest.mark.parametrize("asset", ["BTCUSDT", "ETHUSDT"])
def test_real_months_equal_the_independent_parquet_of_the_same_months(lake, shared_data, asset):
    folder = shared_data / "crypto_5m_um"
    lake.ingest("x", Binance("raw_sample"), calendar=GRID, base=folder)
    expected = pl.read_parquet(folder / f"{asset}_5m_2020-2024.parquet").with_columns(
        bar_close=pl.col("open_time").dt.cast_time_unit("us") + pl.duration(minutes=5)
    )
    panel = lake.panel("x", assets=asset)
    known = ~np.isnan(panel["close"][:, 0])
    times = lake.dataset("x").closes()[known]
    month = expected.filter(
        pl.col("bar_close").is_between(
            pl.lit(times[0]).dt.replace_time_zone("UTC"),
            pl.lit(times[-1]).dt.replace_time_zone("UTC"),
        )
    )
    assert month.height == known.sum() == 31 * 288
    assert_array_equal(month["bar_close"].dt.replace_time_zone(None).to_numpy(), times)
    for name in FIELDS:
        values = panel[name][known, 0]
        if name == "quote_volume":  # the parquet holds float32
            values = values.astype(np.float32)
        assert_array_equal(values, month[name].to_numpy(), err_msg=name)


def test_real_months_in_other_shapes_give_the_same_id(lake, shared_data, write, tmp_path):
    """Months of the parquet set, written without header, in microseconds, zipped."""
    month = (
        pl.read_parquet(shared_data / "crypto_5m_um" / "ETHUSDT_5m_2020-2024.parquet")
        .filter(pl.col("open_time").dt.strftime("%Y-%m") == "2021-05")
        .with_columns(pl.col("open_time").dt.epoch("ms"))
    )
    step = pl.lit(299_999)
    for unit, header, name in ((1, True, "ms"), (1000, False, "us")):
        opens = pl.col("open_time") * unit
        table = month.select(
            opens,
            *("open", "high", "low", "close", "volume"),
            (opens + (step + 1) * unit - 1).alias("close_time"),
            *("quote_volume", "count", "taker_buy_volume"),
            pl.lit(0.5).alias("taker_buy_quote_volume"),
            pl.lit(0).alias("ignore"),
        )
        content = table.write_csv(include_header=header)
        write(f"{name}/ETHUSDT-5m-2021-05.zip", zipped(("ETHUSDT-5m-2021-05.csv", content)))
    assert bars_of(lake, Binance("ms"), tmp_path) == bars_of(lake, Binance("us"), tmp_path)
    assert lake.dataset("x").n_bars == month.height


@pytest.mark.parametrize("asset", ["1000PEPEUSDT", "BTCUSDT_210625", "币安人生USDT", "A-B USDT"])
def test_the_name_of_a_file_tells_asset_and_length_of_a_bar(lake, write, tmp_path, asset):
    write(f"{asset}-5m-2020-03-01.csv", text(rows(3)))
    bars_of(lake, Binance("*.csv"), tmp_path)
    assert lake.dataset("x").assets == (asset,)


def test_a_name_that_tells_nothing_needs_asset_and_interval(lake, write, tmp_path):
    write("march.csv", text(rows(3)))
    problems = refused(lake, Binance("march.csv"), tmp_path, GRID)
    assert problems == (
        "march.csv: its name does not tell an asset as in BTCUSDT-5m-2020-03.zip; say asset",
        (
            "march.csv: its name does not tell the length of a bar as in BTCUSDT-5m-2020-03.zip; "
            "say interval"
        ),
    )
    bars_of(lake, Binance("march.csv", asset="X", interval="5m"), tmp_path)
    assert lake.dataset("x").assets == ("X",)


def test_one_asset_cannot_be_stated_of_files_of_several(lake, write, tmp_path):
    for name in ("BTCUSDT-5m-2020-03", "ETHUSDT-5m-2020-03"):
        write(f"in/{name}.csv", text(rows(3)))
    (problem,) = refused(lake, Binance("in", asset="X"), tmp_path, GRID)
    assert problem == (
        "asset: X is said of files of 2 assets: BTCUSDT, ETHUSDT; take those of one asset"
    )


def test_bars_of_another_length_than_the_calendars_are_refused(lake, write, tmp_path):
    write("BTCUSDT-1h-2020-03.csv", text(rows(3)))
    (problem,) = refused(lake, Binance("*.csv"), tmp_path, GRID)
    assert problem == (
        "BTCUSDT-1h-2020-03.csv: holds bars of 1h, the calendar has bars of 5m; say calendar: "
        "'24/7 1h', or take files of 5m alone"
    )
    (problem,) = refused(lake, Binance("*.csv"), tmp_path, "XNYS")
    assert problem == "the exchange never closes: say calendar: '24/7 1h', not XNYS"


def test_a_folder_stands_for_its_archives_at_any_depth_and_for_nothing_else(lake, write, tmp_path):
    write(f"d/spot/{NAME}.zip", zipped((f"{NAME}.csv", text(rows(3)))))
    write(f"d/spot/{NAME}.zip.txt", "0" * 64)
    write("d/BTCUSDT-5m-2020-04.csv.gz", gzipped(text(rows(3, MARCH + 3 * STEP_MS))))
    write("d/.hidden/BTCUSDT-5m-2020-05.csv", "nonsense")
    source = Binance("d")
    assert [p.name for p in source.files(tmp_path)] == [
        "BTCUSDT-5m-2020-04.csv.gz",
        f"{NAME}.zip",
    ]
    assert bars_of(lake, source, tmp_path)[1] == ["unsorted"]
    assert lake.dataset("x").n_rows == 6
    write("empty/notes.md", "")
    (problem,) = refused(lake, Binance("empty"), tmp_path, GRID)
    assert problem == "the folder 'empty' holds no file that ends .csv, .csv.gz or .zip"


def test_an_archive_is_held_to_the_checksum_beside_it(lake, write, tmp_path):
    packed = zipped((f"{NAME}.csv", text(rows(3))))
    path = write(f"d/{NAME}.zip", packed)
    stated = hashlib.sha256(path.read_bytes()).hexdigest()
    write(f"d/{NAME}.zip.CHECKSUM", f"{stated}  {NAME}.zip\n")
    bars_of(lake, Binance("d"), tmp_path)
    assert lake.dataset("x").n_rows == 3
    write("d/BTCUSDT-5m-2020-04.csv.gz", gzipped(text(rows(3, MARCH + 3 * STEP_MS))))
    write("d/BTCUSDT-5m-2020-04.csv.gz.CHECKSUM", "none\n")
    write(f"d/{NAME}.zip.CHECKSUM", f"{'0' * 64}  {NAME}.zip\n")
    wrong, none = sorted(refused(lake, Binance("d"), tmp_path, GRID))
    assert wrong == (
        f"d/{NAME}.zip: cannot be read: its SHA-256 is {stated[:12]}…, {NAME}.zip.CHECKSUM states "
        "000000000000…; fetch both again"
    )
    assert none.endswith("beside it states no SHA-256; fetch both again")


def test_overlapping_months_merge_where_they_agree(lake, write, tmp_path):
    write("in/BTCUSDT-5m-2020-03.csv", text(rows(6)))
    write("in/BTCUSDT-5m-2020-03-01.csv.gz", gzipped(text([*rows(6)[3:], row(6)], header=None)))
    done = lake.ingest("x", Binance("in"), calendar=GRID, base=tmp_path)
    assert done.dataset.n_rows == 7
    found = done.quality.filter(pl.col("rule") != "unsorted")
    assert found.select("rule", "action", "value").rows() == [("duplicate", "dropped", 1.0)] * 3


def test_overlapping_months_that_differ_are_refused_with_both_places(lake, write, tmp_path):
    other = row(4)
    other[4] = "99.5"
    write("in/BTCUSDT-5m-2020-03.csv", text(rows(6)))
    write("in/BTCUSDT-5m-2020-04.zip", zipped(("BTCUSDT-5m-2020-04.csv", text([other], None))))
    (problem,) = refused(lake, Binance("in"), tmp_path, GRID)
    assert problem.startswith(
        "conflicting rows of BTCUSDT, bar closing 2020-03-01 00:25:00 UTC: close: 105.5 or 99.5 "
        "(in/BTCUSDT-5m-2020-03.csv, line 6; in/BTCUSDT-5m-2020-04.zip, line 1)"
    )


def test_fields_are_chosen_and_wrong_ones_are_named(lake, write, tmp_path):
    write(f"{NAME}.csv", text(rows(3)))
    bars_of(lake, Binance("*.csv", fields=("close", "volume")), tmp_path)
    assert lake.dataset("x").fields == ("close", "volume")
    with pytest.raises(ParameterError, match="no 'clos'; did you mean 'close'"):
        Binance("*.csv", fields="clos")
    with pytest.raises(ParameterError, match="paths must name"):
        Binance("")


def test_mark_prices_have_names_of_their_own(lake, write, tmp_path):
    cells = [[c if i in (0, 1, 2, 3, 4, 6) else "0" for i, c in enumerate(r)] for r in rows(3)]
    write(f"{NAME}.csv", text(cells))
    lake.ingest("x", MarkPrice("*.csv"), calendar=GRID, base=tmp_path)
    panel = lake.panel("x")
    assert lake.dataset("x").fields == ("mark_close", "mark_high", "mark_low", "mark_open")
    assert panel["mark_high"][:, 0].tolist() == [102.25, 103.25, 104.25]


def changed(cells: list[list[str]], line: int, column: int, cell: str) -> list[list[str]]:
    """Return klines, without a header, with one cell of a line (from 1) changed."""
    return [
        [cell if (i, j) == (line - 1, column) else c for j, c in enumerate(r)]
        for i, r in enumerate(cells)
    ]


US = str(int(row(2)[0]) * 1000)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            text([*rows(3), *rows(3)[:0]]) + text(rows(2, MARCH + 3 * STEP_MS)),
            (
                ", line 5: the header stands in the middle; the file is several files joined, cut "
                "it there"
            ),
        ),
        (text([*rows(3)[:2], row(2)[:11]]), ", line 4: 11 cells, the header has 12"),
        (text([*rows(3)[:2], row(2)[:11]], None), ", line 3: 11 cells, a line has 12"),
        (text([*rows(3), [*row(3), "0"]]), ", line 5: 13 cells, the header has 12"),
        (text(rows(3), HEADER.replace("quote_volume,", "", 1)), ", line 2: 12 cells"),
        (
            text([r[:9] for r in rows(3)], ",".join(HEADER.split(",")[:9])),
            (
                ": the first line holds 'open_time', 'open', 'high', 'low', 'close', 'volume', "
                "'close_time', 'quote_volume', 'count'; klines have the columns open_time,"
            ),
        ),
        (
            text(changed(rows(3), 2, 4, "abc"), None),
            ", line 2, column 'close': 'abc' is no finite number",
        ),
        (text(changed(rows(3), 2, 4, "")), ", line 3, column 'close': '' is no finite number"),
        (
            text(changed(rows(3), 2, 4, "inf")),
            ", line 3, column 'close': 'inf' is no finite number",
        ),
        (
            text(changed(rows(3), 2, 4, "nan")),
            ", line 3, column 'close': 'nan' is no finite number",
        ),
        (
            text(changed(rows(3), 2, 5, "12345678901234567")),
            ", line 3, column 'volume': '12345678901234567' does not become float64 without loss",
        ),
        (text(changed(rows(3), 2, 8, "1.5")), ", line 3, column 'count': '1.5' is no whole number"),
        (
            text(changed(rows(3), 3, 0, US), None),
            f", line 3, column 'open_time': '{US}' counts us, the first row ms: stamps are mixed",
        ),
        (
            text(changed(rows(3, unit=1000), 3, 0, row(2)[0]), None),
            (
                f", line 3, column 'open_time': '{row(2)[0]}' counts ms, the first row us: stamps "
                "are mixed"
            ),
        ),
        (text(changed(rows(3), 3, 0, "17"), None), ", line 3, column 'open_time': '17' is no time"),
        (
            text(changed(rows(3), 3, 6, row(2)[0])),
            (
                f", line 4, column 'close_time': '{row(2)[0]}' must be open_time and 300 seconds "
                "less one unit (ms)"
            ),
        ),
        (text(rows(3)).encode("utf-16"), ", line 1: byte 0xff is no UTF-8 text"),
        (text(rows(3)).encode() + b"\xe9", ", line 5: byte 0xe9 is no UTF-8 text"),
        (text(rows(3)).encode() + b"\0", ", line 5: byte 0x00 is no UTF-8 text"),
        (text(rows(3)).replace("\n", "\r"), ", line 1: a line ends with a carriage return alone"),
        (b"", ": the file is empty"),
        (HEADER + "\n", ": the file is empty: it has a header and no row"),
        (text(rows(3)) + '"', ": a quotation mark is opened and never closed"),
        (text(rows(3)).replace(",", ";"), ": cells end with ';', not ','"),
        (gzipped(text(rows(3))), ": holds gzip, not text; end its name with .gz"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(lake, write, tmp_path, content, problem):
    write(f"in/{NAME}.csv", content)
    write("in/ETHUSDT-5m-2020-03.csv", text(rows(3)))
    problems = refused(lake, Binance("in"), tmp_path, GRID)
    assert any(p.startswith(f"in/{NAME}.csv{problem}") for p in problems), problems
    assert all(NAME in p for p in problems)


def test_cells_of_a_column_that_are_no_numbers_hide_none_that_are_not_finite(lake, write, tmp_path):
    cells = rows(9)
    for line, cell in ((2, "abc"), (4, "nan"), (6, "")):
        cells = changed(cells, line, 4, cell)
    write(f"{NAME}.csv", text(cells))
    what = "is no finite number such as 1234.5; no cell of a kline may be empty"
    assert refused(lake, Binance("*.csv"), tmp_path, GRID) == tuple(
        f"{NAME}.csv, line {line}, column 'close': {cell!r} {what}"
        for line, cell in ((3, "abc"), (5, "nan"), (7, ""))
    )


def test_an_odd_close_can_be_let_pass_and_is_reported(lake, write, tmp_path):
    write(f"{NAME}.csv", text(changed(rows(3), 3, 6, row(2)[0])))
    source = Binance("*.csv", odd_closes="flag")
    done = lake.ingest("x", source, calendar=GRID, base=tmp_path)
    assert done.quality.select("asset", "rule", "action").rows() == [
        ("BTCUSDT", "odd_close", "flagged")
    ]
    assert done.dataset.n_rows == 3


def encrypted(archive: bytes) -> bytes:
    """Return an archive whose one file says that it is encrypted."""
    marked = bytearray(archive)
    marked[6] |= 1
    at = archive.index(b"PK\x01\x02")
    marked[at + 8] |= 1
    return bytes(marked)


def shrunk(archive: bytes, size: int) -> bytes:
    """Return an archive that states a smaller size of its one file than it has."""
    lying = bytearray(archive)
    at = archive.index(b"PK\x01\x02")
    lying[at + 24 : at + 28] = struct.pack("<I", size)
    return bytes(lying)


ONE = (f"{NAME}.csv", text(rows(3)))
MANY = (f"{NAME}.csv", text(rows(300)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (zipped(ONE)[:-30], "the file is cut off: it has no list of its files; fetch it again"),
        (b"no archive", "the file holds no zip archive; fetch it again"),
        (zipped(), "the archive must hold one .csv file and nothing else; it holds nothing"),
        (
            zipped(ONE, ("b.csv", "")),
            f"the archive must hold one .csv file and nothing else; it holds '{NAME}.csv', 'b.csv'",
        ),
        (
            zipped(("a.txt", "")),
            "the archive must hold one .csv file and nothing else; it holds 'a.txt'",
        ),
        *(
            (
                zipped((name, text(rows(3)))),
                f"the archive holds {name!r}, a path that leads out of it; it is not unpacked",
            )
            for name in (
                f"../{NAME}.csv",
                f"/etc/{NAME}.csv",
                f"a/../../{NAME}.csv",
                f"C:/{NAME}.csv",
            )
        ),
        (
            zipped(("ETHUSDT-5m-2020-03.csv", text(rows(3)))),
            "the archive holds 'ETHUSDT-5m-2020-03.csv', the file of another name",
        ),
        (encrypted(zipped(ONE)), f"'{NAME}.csv' in the archive is encrypted; unpack it yourself"),
        (shrunk(zipped(MANY), 100), "cannot be read: Bad CRC-32"),
        (zipped((f"{NAME}.csv", "0" * 5_000_000)), "packed bytes hold more than 1048576 of text"),
        (zipped(MANY).replace(zipped(MANY)[200:230], b"x" * 30), "cannot be read: "),
    ],
)
def test_an_archive_that_is_no_plain_month_is_refused(lake, write, tmp_path, content, problem):
    write(f"in/{NAME}.zip", content)
    write("in/ETHUSDT-5m-2020-03.csv", text(rows(3)))
    problems = refused(lake, Binance("in"), tmp_path, GRID)
    assert any(p.startswith(f"in/{NAME}.zip: ") and problem in p for p in problems), problems
    assert not list(tmp_path.rglob("etc"))
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == [
        f"{NAME}.zip",
        "ETHUSDT-5m-2020-03.csv",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            gzipped(text(rows(300)))[:-40],
            "cannot be read: the file is cut off: its gzip has no end",
        ),
        (b"no gzip", "cannot be read: the file is no gzip: other bytes stand in it"),
        (gzipped("0" * 5_000_000), "packed bytes hold more than 1048576 of text"),
        (gzipped(text(rows(3))) + b"rest", "is no gzip: other bytes stand behind its gzip"),
        (
            gzipped(text(rows(3)))[:-8] + b"\0" * 8,
            "the file is damaged: Error -6 Incorrect checksum",
        ),
    ],
)
def test_a_gzip_that_is_cut_off_or_swells_is_refused(lake, write, tmp_path, content, problem):
    write(f"{NAME}.csv.gz", content)
    (told,) = refused(lake, Binance("*.gz"), tmp_path, GRID)
    assert told.startswith(f"{NAME}.csv.gz: ")
    assert problem in told


def test_text_of_real_size_is_far_from_the_limits(shared_data):
    for path in (shared_data / "crypto_5m_um" / "raw_sample").glob("*.gz"):
        data = path.read_bytes()
        assert 20 * len(packed.gunzipped(data)) < packed.allowed(len(data))


def test_a_zip_is_never_unpacked_to_disk(write, tmp_path, monkeypatch):
    path = write(f"{NAME}.zip", zipped(ONE))
    for name in ("extract", "extractall"):
        monkeypatch.setattr(zipfile.ZipFile, name, None)
    problems: list[str] = []
    assert packed.unpacked(path, path.name, problems) == ONE[1].encode()
    assert problems == []


def test_a_file_that_changes_while_it_is_read_is_refused(lake, write, tmp_path, monkeypatch):
    path = write(f"{NAME}.csv", text(rows(3)))
    whole = Binance.rows

    def meddled(self, *arguments):
        found = whole(self, *arguments)
        path.write_text(text(rows(4)))
        return found

    monkeypatch.setattr(Binance, "rows", meddled)
    (problem,) = refused(lake, Binance("*.csv"), tmp_path, GRID)
    assert problem.endswith("changed while it was read; run again when it is written")


def test_rows_out_of_order_and_off_the_grid_are_reported(lake, write, tmp_path):
    cells = rows(6)
    off = [str(int(row(9)[0]) + 1), *row(9)[1:6], str(int(row(9)[6]) + 1), *row(9)[7:]]
    write(f"{NAME}.csv", text([cells[1], cells[0], *cells[2:], off]))
    _, rules = bars_of(lake, Binance("*.csv"), tmp_path)
    assert rules == ["off_calendar", "unsorted"]
    assert lake.dataset("x").n_rows == 6


def test_gaps_of_the_exchange_stay_and_are_reported(lake, write, tmp_path):
    write(f"{NAME}.csv", text([row(i) for i in (0, 1, 4, 5, 6, 7, 8, 9)]))
    done = lake.ingest("x", Binance("*.csv"), calendar=GRID, base=tmp_path)
    found = done.quality.filter(rule="gap")
    assert found.select("action", "value").rows() == [("marked", 2.0)]
    assert np.isnan(lake.panel("x")["close"][2:4]).all()


@given(
    prices=st.lists(
        st.decimals(0, 10**9, places=8, allow_nan=False, allow_infinity=False), min_size=1
    )
)
def test_numbers_become_the_nearest_float64(tmp_path_factory, prices):
    path = tmp_path_factory.mktemp("klines") / f"{NAME}.csv"
    cells = [[*row(i)[:4], f"{price:f}", *row(i)[5:]] for i, price in enumerate(prices)]
    path.write_text(text(cells))
    problems: list[str] = []
    table = read_klines(path, path.name, problems)
    assert table is not None, problems
    assert table.frame["close"].to_list() == [float(price) for price in prices]
    assert table.where(len(prices) - 1) == f"{NAME}.csv, line {len(prices) + 1}"


def test_threads_do_not_change_the_order_of_files(write, tmp_path):
    for month in range(1, 10):
        start = MARCH + month * 3 * STEP_MS
        write(f"in/BTCUSDT-5m-2020-0{month}.csv", text(rows(3 + month % 3 * 500, start)))
    source, calendar = Binance("in"), Calendar("24/7", "5m")
    heights = [frame.height for frame in source.bars(tmp_path, calendar, [])]
    assert heights == [3 + month % 3 * 500 for month in range(1, 10)]


@pytest.mark.parametrize("name", ["./", "."])
def test_an_archive_of_a_file_without_a_name_is_refused(lake, tmp_path, name):
    (tmp_path / "BTCUSDT-5m-2020-03.zip").write_bytes(zipped((name, "x")))
    (problem,) = refused(lake, Binance("*.zip"), tmp_path, "24/7 5m")
    assert "must hold one .csv file and nothing else" in problem
