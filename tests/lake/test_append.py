"""Rows added to a data set give what cleaning all its rows together gives, and cost few parts."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plumbline.core.calendar import Calendar
from plumbline.core.errors import ParameterError, SourceError, StaleVersionError, UnknownNameError
from plumbline.lake import appending, ingesting, versions
from plumbline.lake.cleaning import clean
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.extension import Base, arranged_rows, extend
from plumbline.lake.lake import Lake
from plumbline.lake.numbering import cut_by_part, row_numbers
from plumbline.lake.opening import open_lake
from plumbline.lake.preparation import make_dataset
from plumbline.lake.prepared import report_of
from plumbline.lake.segments import Segment
from plumbline.lake.soundness import forget_dataset, forget_version
from plumbline.lake.sources.csv import Csv
from plumbline.lake.sources.parquet import Parquet
from plumbline.ledger.database import Database
from tests.lake.made_bars import hours

CALENDAR = Calendar("24/7", "1h")
FILE = Segment("0" * 64, 0, 0, 0, 0)
LIMIT = np.datetime64("2024-03-15T08:00", "us")  # the first bar of a part


def dirty(rng: np.random.Generator, n_assets: int, n_bars: int) -> pl.DataFrame:
    """Return hourly bars about a limit of parts, with every kind of dirt."""
    start = LIMIT + int(rng.integers(-n_bars, 1)) * np.timedelta64(1, "h")
    times = start + np.arange(n_bars) * np.timedelta64(1, "h")
    frames = []
    for i in range(n_assets):
        close = np.round(np.exp(rng.normal(3, 0.05, n_bars)), 3)
        volume = rng.integers(0, 3, n_bars).astype(float)
        for at in np.flatnonzero(rng.random(n_bars) < 0.06):
            close[at] *= rng.choice([10.0, 0.1, 100.0, -1.0, 0.0, np.inf, 1e60])
        if rng.random() < 0.4:  # a stretch without trades, with or without an end
            cut, end = np.sort(rng.integers(0, n_bars + 1, 2))
            close[cut:end], volume[cut:end] = close[min(cut, n_bars - 1)], 0.0
        high = close * rng.choice([1.0, 1.01, 0.99], n_bars, p=[0.3, 0.65, 0.05])
        keep = rng.random(n_bars) > 0.15
        close[rng.random(n_bars) < 0.05] = np.nan
        table = {"bar_close": times, "asset": [f"A{i}"] * n_bars, "close": close, "high": high}
        frame = pl.DataFrame({**table, "volume": volume}).filter(pl.Series(keep))
        frames.append(frame)
    zoned = pl.col("bar_close").dt.replace_time_zone("UTC")
    return pl.concat(frames).with_columns(zoned)


def told(quality: pl.DataFrame) -> list[tuple]:
    """Return the report without what is a count of a whole reading, or says what was added."""
    of_reading = ["unsorted", "no_asset", "name_space", "correction", "duplicate"]
    return quality.filter(~pl.col("rule").is_in(of_reading)).rows()


class Kept:
    """A data set in memory, to which rows are added."""

    def __init__(self, frame: pl.DataFrame, rules: CleaningRules) -> None:
        self.how = (rules, CALENDAR)
        self.bars, self.quality = clean(frame, *self.how)
        if not self.bars.height:
            return
        numbers = row_numbers(self.bars, CALENDAR)
        self.dataset = make_dataset(self.bars, CALENDAR, numbers)
        self.parts = cut_by_part(self.bars, numbers, "1h")

    def add(self, frame: pl.DataFrame, *, corrects: bool = False) -> None:
        findings: list[pl.DataFrame] = []
        new = arranged_rows([frame], self.how, findings)
        base = Base(
            self.dataset,
            self.quality,
            lambda number: self.parts[number],
            lambda part_ids: dict.fromkeys(part_ids, (FILE,)),
        )
        made = extend(base, new, findings, self.how, corrects=corrects)
        self.dataset, self.quality = made.dataset, report_of(made.quality)
        numbers = {part.number for part in self.dataset.parts}
        self.parts = {number: rows for number, rows in self.parts.items() if number in numbers}
        for number, rows in made.rows.by_part.items():
            old = [self.parts[number]] if made.rows.kept[number] else []
            self.parts[number] = pl.concat([*old, rows], how="diagonal")
        self.bars = pl.concat(self.parts.values(), how="diagonal").sort("asset", "bar_close")


def assert_same(kept: Kept, want: Kept) -> None:
    assert kept.dataset.dataset_id == want.dataset.dataset_id
    assert kept.dataset.parts == want.dataset.parts
    assert kept.bars.equals(want.bars)
    assert told(kept.quality) == told(want.quality)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_assets=st.integers(1, 3),
    n_bars=st.integers(3, 70),
    n_cuts=st.integers(1, 4),
    ohlc=st.sampled_from(["flag", "missing"]),
    frozen=st.sampled_from(["flag", "missing"]),
    frozen_bars=st.integers(2, 6),
)
@settings(max_examples=60, deadline=None)
def test_rows_appended_in_steps_equal_all_rows_at_once(
    seed, n_assets, n_bars, n_cuts, ohlc, frozen, frozen_bars
):
    rng = np.random.default_rng(seed)
    bars = dirty(rng, n_assets, n_bars)
    rules = CleaningRules(ohlc=ohlc, frozen=frozen, frozen_bars=frozen_bars)
    times = bars["bar_close"].unique().sort().to_numpy()
    assume(times.size > 1)
    cuts = np.sort(rng.choice(times[1:], min(n_cuts, times.size - 1), replace=False))
    place = pl.Series("step", np.searchsorted(cuts, bars["bar_close"].to_numpy(), side="right"))
    steps = bars.with_columns(place).partition_by("step", include_key=False, as_dict=True)
    ordered = [steps[key] for key in sorted(steps)]
    kept = Kept(ordered[0], rules)
    assume(kept.bars.height)
    for step in ordered[1:]:
        if is_refused(kept, step):
            return
        kept.add(step)
    assert_same(kept, Kept(bars, rules))


def is_refused(kept: Kept, step: pl.DataFrame) -> bool:
    """Return whether rows come behind an end that was cut off, which is not kept."""
    cut = set(kept.quality.filter(rule="frozen_tail")["asset"])
    if kept.how[0].frozen != "missing" or not cut & set(step["asset"]):
        return False
    with pytest.raises(ParameterError, match="frozen ends"):
        kept.add(step)
    return True


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(3, 70),
    n_cells=st.integers(1, 8),
    frozen_bars=st.integers(2, 6),
)
@settings(max_examples=60, deadline=None)
def test_corrected_rows_equal_a_rebuild_from_corrected_data(seed, n_bars, n_cells, frozen_bars):
    rng = np.random.default_rng(seed)
    bars = dirty(rng, 3, n_bars)
    rules = CleaningRules(ohlc="missing", frozen_bars=frozen_bars)
    kept = Kept(bars, rules)
    assume(kept.bars.height and bars.height > n_cells)
    rows = bars[np.sort(rng.choice(bars.height, n_cells, replace=False)).tolist()]
    factor = pl.Series(rng.choice([1.0, 1.01, 10.0, np.nan], rows.height))
    corrections = rows.with_columns(pl.col("close") * factor, pl.col("high") * factor)
    corrected = bars.update(corrections, on=["asset", "bar_close"], include_nulls=True)
    want = Kept(corrected, rules)
    assume(want.bars.height)
    kept.add(corrections, corrects=True)
    assert_same(kept, want)


def test_a_correction_that_joins_a_long_frozen_run_to_the_end_finds_its_start():
    frame = hours(200, "AAA").with_columns(volume=pl.lit(1.0))
    dead = pl.int_range(pl.len()) >= 100
    frame = frame.with_columns(
        pl.when(dead).then(99.0).otherwise("close").alias("close"),
        pl.when(dead).then(0.0).otherwise("volume").alias("volume"),
    )
    last = pl.int_range(pl.len()) == frame.height - 1
    moved = frame.with_columns(pl.when(last).then(98.0).otherwise("close").alias("close"))
    for frozen in ("flag", "missing"):
        rules = CleaningRules(frozen=frozen)
        kept = Kept(moved, rules)
        assert kept.quality.filter(rule="frozen_tail").is_empty()
        kept.add(frame.tail(1), corrects=True)
        assert_same(kept, Kept(frame, rules))


def test_a_field_that_comes_late_completes_the_bars_that_lack_it():
    frame = hours(40, "AAA")
    kept = Kept(frame, CleaningRules())
    for part in (slice(0, 20), slice(20, 40)):
        kept.add(frame[part].select("bar_close", "asset", volume=pl.lit(2.0)))
    assert_same(kept, Kept(frame.with_columns(volume=pl.lit(2.0)), CleaningRules()))


@pytest.fixture
def two_months(lake: Lake, tmp_path: Path) -> Lake:
    hours(1440, "AAA", "BBB").write_parquet(tmp_path / "old.parquet")
    lake.ingest("bars", Parquet("old.parquet"), calendar="24/7 1h", base=tmp_path)
    return lake


def write(frame: pl.DataFrame, folder: Path, name: str = "new") -> Parquet:
    frame.write_parquet(folder / f"{name}.parquet")
    return Parquet(f"{name}.parquet")


def day_after(n_bars: int = 24) -> pl.DataFrame:
    return hours(1440 + n_bars, "AAA", "BBB").filter(
        pl.col("bar_close") > pl.datetime(2024, 2, 29, 23, 59, time_zone="UTC") + timedelta(hours=1)
    )


def test_a_day_appended_shares_every_old_file_and_writes_its_rows(two_months, tmp_path):
    before = set(two_months.segment_paths("bars"))
    done = two_months.append("bars", write(day_after(), tmp_path), base=tmp_path)
    after = set(two_months.segment_paths("bars"))
    assert (done.created, done.dataset.version) == (True, 2)
    assert before < after
    (fresh,) = after - before
    assert pl.read_parquet(fresh).equals(day_after().sort("asset", "bar_close"))
    assert two_months.panel("bars").n_bars == 1464
    assert two_months.panel(two_months.dataset("bars", 1)).n_bars == 1440


def test_rows_that_are_there_make_no_version(two_months, tmp_path):
    source = write(day_after(), tmp_path)
    first = two_months.append("bars", source, base=tmp_path)
    again = two_months.append("bars", source, base=tmp_path)
    assert (again.created, again.dataset) == (False, first.dataset)
    assert [row["version"] for row in two_months.datasets("bars")] == [1, 2]


def test_other_values_conflict_unless_they_correct(two_months, tmp_path):
    late = hours(3, "BBB", start="2024-01-10T05:00").with_columns(pl.col("close") + 0.25)
    before = two_months.dataset("bars"), sorted(two_months.segment_folder.iterdir())
    with pytest.raises(SourceError, match=r"--correct") as caught:
        two_months.append("bars", write(late, tmp_path), base=tmp_path)
    assert len(caught.value.problems) == 3
    assert "new.parquet, row 1" in caught.value.problems[0]
    assert (two_months.dataset("bars"), sorted(two_months.segment_folder.iterdir())) == before
    done = two_months.append("bars", write(late, tmp_path), corrects=True, base=tmp_path)
    assert done.dataset.version == 2
    assert done.quality.filter(rule="correction").height == 3
    panel = two_months.panel("bars")
    at = np.searchsorted(panel.bars, np.datetime64("2024-01-10T05:00"))
    assert panel["close"][at, panel.assets.index("BBB")] == late["close"][0]


def test_a_new_field_and_a_new_asset_join_the_data_set(two_months, tmp_path):
    more = hours(24, "CCC", start="2024-02-29T02:00").with_columns(volume=pl.lit(1.0))
    done = two_months.append("bars", write(more, tmp_path), base=tmp_path)
    assert done.dataset.assets == ("AAA", "BBB", "CCC")
    assert done.dataset.fields == ("close", "volume")
    volume = two_months.panel("bars", "volume")
    assert np.nansum(volume["volume"], axis=0).tolist() == [0.0, 0.0, 24.0]


def test_files_laid_beside_the_known_ones_are_read_alone(lake, tmp_path, monkeypatch):
    hours(1440, "AAA", "BBB").write_parquet(tmp_path / "a.parquet")
    source = Parquet("*.parquet")
    lake.ingest("bars", source, calendar="24/7 1h", base=tmp_path)
    day_after().write_parquet(tmp_path / "b.parquet")
    read = []
    bars = Parquet.bars

    def spied(self, *rest):
        read.append(tuple(Path(path).name for path in self.paths))
        return bars(self, *rest)

    monkeypatch.setattr(Parquet, "bars", spied)
    done = lake.ingest("bars", source, calendar="24/7 1h", base=tmp_path)
    assert read == [("b.parquet",)]
    elsewhere = open_lake(tmp_path / "elsewhere")
    want = elsewhere.ingest("bars", source, calendar="24/7 1h", base=tmp_path)
    assert done.dataset.dataset_id == want.dataset.dataset_id
    assert done.quality.equals(want.quality)
    read.clear()
    again = lake.ingest("bars", source, calendar="24/7 1h", base=tmp_path)
    assert (read, again.created) == ([], False)


def test_files_that_overlap_the_known_ones_make_all_be_read(lake, tmp_path):
    hours(1440, "AAA").write_parquet(tmp_path / "a.parquet")
    source = Parquet("*.parquet")
    lake.ingest("bars", source, calendar="24/7 1h", base=tmp_path)
    other = hours(10, "AAA").with_columns(pl.col("close") + 1)
    other.write_parquet(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"conflicting rows of AAA.*a\.parquet, row 1; b\.par"):
        lake.ingest("bars", source, calendar="24/7 1h", base=tmp_path)
    assert lake.dataset("bars").version == 1


def test_many_small_files_of_a_part_become_one(two_months, tmp_path):
    days = day_after(40)
    close = pl.col("bar_close")
    for stamp in days["bar_close"].unique().sort():
        two_months.append("bars", write(days.filter(close == stamp), tmp_path), base=tmp_path)
    assert two_months.dataset("bars").version == 41
    assert len(two_months.segment_paths("bars")) < 20
    whole = hours(1480, "AAA", "BBB")
    assert (
        two_months.scan("bars")
        .collect()
        .sort("asset", "bar_close")
        .equals(whole.sort("asset", "bar_close"))
    )


def test_a_writer_that_was_overtaken_adds_to_what_is_there_by_then(
    two_months, tmp_path, monkeypatch
):
    source = write(day_after(), tmp_path)
    slow = appending.commit
    other = hours(24, "CCC", start="2024-02-29T02:00")

    def overtaken(store, prepared, progress=None):
        monkeypatch.setattr(appending, "commit", slow)
        two_months.append("bars", write(other, tmp_path, "other"), base=tmp_path)
        return slow(store, prepared, progress)

    monkeypatch.setattr(appending, "commit", overtaken)
    done = two_months.append("bars", source, base=tmp_path)
    assert (done.dataset.version, done.dataset.assets) == (3, ("AAA", "BBB", "CCC"))
    assert two_months.panel("bars").n_bars == 1464


def test_a_writer_that_is_overtaken_for_ever_gives_up_and_writes_nothing(
    two_months, tmp_path, monkeypatch
):
    def overtaken(*_):
        raise StaleVersionError("changed by another process")

    monkeypatch.setattr(appending, "commit", overtaken)
    with pytest.raises(StaleVersionError, match="another process"):
        two_months.append("bars", write(day_after(), tmp_path), base=tmp_path)
    assert two_months.dataset("bars").version == 1


def test_rows_are_added_though_the_files_were_put_together_and_taken_away_meanwhile(
    two_months, tmp_path, monkeypatch
):
    two_months.append("bars", write(day_after(5), tmp_path), base=tmp_path)
    written = ingesting._written

    def disturbed(store, *rest):
        made = written(store, *rest)
        monkeypatch.setattr(ingesting, "_written", written)
        two_months.compact("bars")
        forget_version(two_months, "bars", 1)
        for path in two_months.segment_folder.glob("*.parquet"):
            if path not in two_months.segment_paths("bars"):
                path.unlink()  # as clearing away does, once they are old
        return made

    monkeypatch.setattr(ingesting, "_written", disturbed)
    done = two_months.append("bars", write(day_after(), tmp_path), base=tmp_path)
    assert done.dataset.version == 3
    assert two_months.panel("bars").n_bars == 1464


def test_forgetting_spares_a_file_that_another_data_set_has_named_again(
    two_months, tmp_path, monkeypatch
):
    removed = versions.remove_version

    class Between:
        """Ingests the same bars under another name when the rows of the first are gone."""

        done = False

    begin = Database.begin

    def watched(self):
        if Between.done is None:
            Between.done = True
            source = Parquet("old.parquet")
            two_months.ingest("other", source, calendar="24/7 1h", base=tmp_path)
        return begin(self)

    def remove(*rest):
        Between.done = None
        return removed(*rest)

    monkeypatch.setattr(versions, "remove_version", remove)
    monkeypatch.setattr(Database, "begin", watched)
    assert forget_dataset(two_months, "bars") == 0
    assert Between.done
    assert two_months.panel("other").n_bars == 1440


def test_a_frozen_end_that_was_cut_takes_no_rows(lake, tmp_path):
    frame = hours(60, "AAA").with_columns(volume=pl.lit(1.0))
    close = pl.col("bar_close")
    dead = close > frame["bar_close"][29]
    frame = frame.with_columns(
        pl.when(dead).then(99.0).otherwise("close").alias("close"),
        pl.when(dead).then(0.0).otherwise("volume").alias("volume"),
    )
    rules = CleaningRules(frozen="missing")
    source = write(frame.head(55), tmp_path)
    lake.ingest("bars", source, calendar="24/7 1h", base=tmp_path, rules=rules)
    assert lake.dataset("bars").n_rows == 31
    with pytest.raises(ParameterError, match="frozen ends of AAA were cut off"):
        lake.append("bars", write(frame.tail(5), tmp_path), base=tmp_path)


def test_another_field_may_not_come_to_tell_frozen_ends(two_months, tmp_path):
    counted = hours(1440, "AAA", "BBB").with_columns(count=pl.lit(5.0))
    two_months.append("bars", write(counted, tmp_path), base=tmp_path)
    late = day_after().with_columns(count=pl.lit(1.0), volume=pl.lit(0.5))
    before = two_months.dataset("bars")
    with pytest.raises(ParameterError, match="told by 'count' and would now be told by 'volume'"):
        two_months.append("bars", write(late, tmp_path), base=tmp_path)
    assert two_months.dataset("bars") == before


def test_an_asset_whose_only_row_is_no_bar_is_named(two_months, tmp_path):
    stray = hours(1, "CCC", start="2024-03-01T02:30").head(1)
    new = pl.concat([day_after(), stray])
    done = two_months.append("bars", write(new, tmp_path), base=tmp_path)
    assert done.quality.filter(rule="off_calendar")["asset"].to_list() == ["CCC"]
    assert done.quality.filter(rule="no_value")["asset"].to_list() == ["CCC"]


def test_a_bar_without_values_that_comes_again_is_reported_once(lake, tmp_path):
    empty = pl.int_range(pl.len()) == 5
    frame = hours(30, "AAA").with_columns(pl.when(~empty).then("close").alias("close"))
    lake.ingest("bars", write(frame.head(20), tmp_path), calendar="24/7 1h", base=tmp_path)
    done = lake.append("bars", write(frame[3:], tmp_path, "more"), base=tmp_path)
    assert done.dataset.n_rows == 29
    assert done.quality.filter(rule="empty_bar").height == 1


def test_a_name_that_means_nothing_takes_no_rows(lake, tmp_path):
    with pytest.raises(UnknownNameError, match="no dataset 'bars'"):
        lake.append("bars", write(day_after(), tmp_path), base=tmp_path)


def test_text_is_appended_as_it_was_ingested(lake, write, tmp_path):
    write("a.csv", "date,symbol,close\n2024-01-02,AAA,10\n2024-01-03,AAA,11\n")
    lake.ingest("bars", Csv("a.csv"), calendar="24/7", base=tmp_path)
    write("b.csv", "date,symbol,close\n2024-01-04,AAA,100\n2024-01-05,AAA,12\n")
    done = lake.append("bars", Csv("b.csv"), base=tmp_path)
    assert lake.panel("bars")["close"][:, 0].tolist()[:2] == [10.0, 11.0]
    assert np.isnan(lake.panel("bars")["close"][2, 0])  # a wrong tick, told by the next bar
    assert done.quality.filter(rule="outlier")["value"].to_list() == [100.0]
