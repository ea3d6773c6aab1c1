"""What every store of portfolios does, wherever it keeps them."""

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.core.errors import ParameterError
from plumbline.risk.correlation_table import CORRELATIONS as GIVEN_CORRELATIONS
from plumbline.risk.option_table import OPTIONS as GIVEN_OPTIONS
from plumbline.risk.symbol_table import SYMBOLS as GIVEN_SYMBOLS
from plumbline.store.portfolio_store import Chunk, PortfolioStore, Written
from plumbline.store.tables import CORRELATIONS, DATED, FRAMES, LONG, SHARED, SNAPSHOTS
from tests.store.made import ID, assert_holds, chunk_of, keys_for, merged

Frames = dict[str, pl.DataFrame]


def names(frames: Frames) -> list[str]:
    return sorted(frames["snapshots"]["portfolio"].unique())


def dates(frames: Frames) -> list[date]:
    return sorted(frames["snapshots"]["date"].unique())


def test_the_tables_are_those_that_a_measurement_gives(frames: Frames) -> None:
    """The room does not know what measures; it holds the same columns."""
    for table, schema in {"snapshots": SNAPSHOTS, **LONG}.items():
        assert dict(frames[table].schema) == schema, table
    assert GIVEN_CORRELATIONS == CORRELATIONS
    assert {"symbols": GIVEN_SYMBOLS, "options": GIVEN_OPTIONS} == DATED
    assert min(frames[name].height for name in FRAMES) > 0
    assert frames["measures"].null_count().sum_horizontal()[0] > 0


def test_what_is_read_is_what_was_written_bit_for_bit(
    store: PortfolioStore, opened: Callable[[], PortfolioStore], frames: Frames
) -> None:
    chunk = chunk_of(frames)
    written = store.write(chunk, "run")
    assert written.rows == chunk.days.height
    assert written.n_bytes > 0
    assert written.seconds > 0
    assert_holds(store, [chunk])
    assert_holds(opened(), [chunk])


def test_an_empty_store_has_tables_without_rows(store: PortfolioStore) -> None:
    assert store.keys().schema == {
        "portfolio": pl.String,
        "date": pl.Date,
        "key": pl.String,
        "n_failures": pl.Int64,
    }
    assert store.date_keys().height == 0
    tables = {**LONG, "snapshots": SNAPSHOTS, "correlations": CORRELATIONS, **DATED}
    for name, schema in tables.items():
        assert dict(store.read(name).schema) == schema
        assert store.read(name).height == 0
    assert store.read("measures").columns == ID
    assert store.latest().height == 0


def test_a_chunk_takes_the_place_of_the_same_days_whole(
    store: PortfolioStore, frames: Frames
) -> None:
    whole = chunk_of(frames)
    some = chunk_of(frames, names(frames)[3:7], dates(frames)[2:4], salt="again")
    fewer = Chunk(some.days, {**some.frames, "exposures": some.frames["exposures"].head(3)})
    for chunk in (whole, some, fewer):
        store.write(chunk, "run")
    assert_holds(store, [whole, some, fewer])


def test_the_same_chunk_twice_changes_nothing(store: PortfolioStore, frames: Frames) -> None:
    first, other = chunk_of(frames), chunk_of(frames, names(frames)[:2], salt="x")
    store.write(first, "run")
    store.write(first, "another")
    assert_holds(store, [first])
    store.write(other, "run")
    store.write(first, "run")
    assert_holds(store, [first])


def test_removed_days_are_no_more_and_may_be_written_again(
    store: PortfolioStore, frames: Frames
) -> None:
    chunk = chunk_of(frames)
    store.write(chunk, "run")
    gone = chunk.days.select(ID).gather_every(3)
    absent = pl.DataFrame({"portfolio": ["nobody"], "date": [date(2020, 1, 1)]})
    store.remove(pl.concat([gone, absent]), "run")
    rest = chunk.days.join(gone, on=ID, how="anti")
    left = Chunk(rest, {n: f.join(rest, on=ID, how="semi") for n, f in chunk.frames.items()})
    assert_holds(store, [left])
    again = chunk_of(frames, names(frames)[:1])
    store.write(again, "run")
    assert_holds(store, [left, again])


def test_days_of_several_layouts_have_the_columns_of_all(
    store: PortfolioStore, opened: Callable[[], PortfolioStore], frames: Frames
) -> None:
    whole = chunk_of(frames)
    some = chunk_of(frames, names(frames)[:4])
    measures = (
        some.frames["measures"]
        .drop("var_95")
        .with_columns(new_figure=pl.lit(0.25), new_n_obs=pl.lit(7, pl.Int64))
    )
    other = Chunk(some.days, {**some.frames, "measures": measures})
    store.write(whole, "run")
    store.write(other, "run")
    assert_holds(store, [whole, other])
    assert_holds(opened(), [whole, other])
    mine = store.read("measures", portfolios=names(frames)[:1])
    assert "var_95" not in mine.columns
    assert set(mine["new_n_obs"]) == {7}
    asked = "SELECT portfolio, date, var_95, new_figure, new_n_obs FROM measures ORDER BY 1, 2"
    expected = store.read("measures").select(*ID, "var_95", "new_figure", "new_n_obs")
    assert_frame_equal(opened().sql(asked), expected)


def test_a_figure_that_changes_from_whole_numbers_to_doubles_is_refused(
    store: PortfolioStore, frames: Frames
) -> None:
    chunk = chunk_of(frames)
    store.write(chunk, "run")
    measures = chunk.frames["measures"].with_columns(pl.col("tail_n_obs").cast(pl.Float64))
    with pytest.raises(ParameterError, match="tail_n_obs are of whole numbers in one place"):
        store.write(Chunk(chunk.days, {**chunk.frames, "measures": measures}), "run")
    assert_holds(store, [chunk])


def test_portfolios_and_dates_are_picked(store: PortfolioStore, frames: Frames) -> None:
    chunk = chunk_of(frames)
    store.write(chunk, "run")
    some, (first, last) = names(frames)[2:5], (dates(frames)[1], dates(frames)[3])
    for name in FRAMES:
        rows = chunk.frames[name]
        is_some = pl.col("portfolio").is_in(some)
        found = store.read(name, portfolios=some, first=first, last=last)
        assert_frame_equal(found, rows.filter(is_some, pl.col("date").is_between(first, last)))
        assert_frame_equal(store.read(name, portfolios=some), rows.filter(is_some))
        assert_frame_equal(store.read(name, first=last), rows.filter(pl.col("date") >= last))
        assert store.read(name, portfolios=[]).height == 0
    with pytest.raises(ParameterError, match="no table 'returns'; known: snapshots, exposures"):
        store.read("returns")


def test_the_latest_rows_are_those_of_each_portfolios_newest_date(
    store: PortfolioStore, frames: Frames
) -> None:
    whole = chunk_of(frames)
    store.write(whole, "run")
    gone = whole.days.filter(
        pl.col("portfolio").is_in(names(frames)[:2]), pl.col("date") > dates(frames)[2]
    )
    store.remove(gone.select(ID), "run")
    for name in FRAMES:
        rows = whole.frames[name].join(gone, on=ID, how="anti", maintain_order="left")
        newest = store.keys().group_by("portfolio").agg(pl.col("date").max())
        expected = rows.join(newest, on=ID, how="semi", maintain_order="left")
        assert_frame_equal(store.latest(name), expected)
    assert store.latest().height == len(names(frames))


def test_a_query_sees_the_tables_as_they_are_read(store: PortfolioStore, frames: Frames) -> None:
    whole, some = chunk_of(frames), chunk_of(frames, names(frames)[:5], salt="again")
    store.write(whole, "run")
    store.write(some, "run")
    for name in ("snapshots", "measures"):
        assert_frame_equal(
            store.sql(f"SELECT * FROM {name} ORDER BY 1, 2"),  # noqa: S608  # ours
            merged(name, [whole, some]),
            check_dtypes=False,
        )
    for name, label in (("exposures", "symbol"), ("sectors", "sector"), ("stress", "scenario")):
        found = store.sql(f"SELECT * FROM {name}")  # noqa: S608  # ours
        expected = merged(name, [whole, some]).sort(*ID, label)
        assert_frame_equal(found.sort(*ID, label), expected)
    counted = store.sql("SELECT count(*) AS n, sum(n_failures) AS failures FROM days")
    assert counted["n"].item() == whole.days.height
    assert int(counted["failures"].item()) == merged("failures", [whole, some]).height
    for query in ("DELETE FROM days", "CREATE TABLE x AS SELECT 1 AS a"):
        with pytest.raises(Exception, match=r"give one SELECT|read-only transaction"):
            store.sql(query)
    assert_holds(store, [whole, some])


def test_tables_of_dates_are_kept_by_date(store: PortfolioStore, frames: Frames) -> None:
    rows, fits = frames["correlations"], frames["symbols"]
    keys = keys_for(rows.select(portfolio=pl.lit("p0"), date="date")).select("date", "key")
    assert rows["pairs"].list.len().sum() > 100
    assert fits.group_by("date").len()["len"].min() > 10

    def written(dates: pl.Series, order: pl.DataFrame) -> Written:
        own = {name: frames[name].filter(pl.col("date").is_in(dates.implode())) for name in SHARED}
        return store.write_dates(own, order, "run")

    written(rows["date"].head(4), keys.head(4))
    again = written(rows["date"].tail(4), keys.tail(4).sort("date", descending=True))
    assert again.rows == 4
    assert_frame_equal(store.read("correlations"), rows)
    assert_frame_equal(store.read("symbols"), fits)
    assert_frame_equal(store.date_keys(), keys)
    day = rows["date"][2]
    assert_frame_equal(store.read("correlations", first=day, last=day), rows.slice(2, 1))
    assert_frame_equal(store.read("symbols", first=day, last=day), fits.filter(date=day))
    assert_frame_equal(store.read("options"), frames["options"])
    assert frames["options"].height > 0
    found = store.sql("SELECT * FROM symbols ORDER BY date, analytic, symbol")
    assert_frame_equal(found, fits.sort("date", "analytic", "symbol"))
    counts = store.sql("SELECT date, n_pairs FROM correlations ORDER BY date")
    assert counts["n_pairs"].to_list() == rows["pairs"].list.len().to_list()


def test_a_date_may_have_one_of_its_tables_alone(store: PortfolioStore, frames: Frames) -> None:
    rows, fits = frames["correlations"], frames["symbols"]
    keys = keys_for(rows.select(portfolio=pl.lit("p0"), date="date")).select("date", "key")
    store.write_dates({"symbols": fits}, keys, "run")
    assert_frame_equal(store.read("symbols"), fits)
    assert store.read("correlations").height == 0
    assert store.sql("SELECT date FROM correlations").height == 0
    store.write_dates({"correlations": rows}, keys, "run")  # takes the place of the whole date
    assert_frame_equal(store.read("correlations"), rows)
    assert store.read("symbols").height == 0
    store.write_dates({}, keys.head(0), "run")
    assert_frame_equal(store.date_keys(), keys)


def test_a_date_on_which_nothing_is_held_has_a_row_of_empty_lists(
    store: PortfolioStore, frames: Frames
) -> None:
    rows = frames["correlations"]
    is_held = pl.int_range(pl.len()) % 3 > 0
    lists = [n for n, kind in rows.schema.items() if isinstance(kind, pl.List)]
    some = rows.with_columns(
        pl.when(is_held).then(pl.col(name)).otherwise(pl.col(name).list.head(0)) for name in lists
    )
    keys = keys_for(rows.select(portfolio=pl.lit("p0"), date="date")).select("date", "key")
    store.write_dates({"correlations": some}, keys, "run")
    assert (store.read("correlations")["symbols"].list.len() == 0).any()
    assert_frame_equal(store.read("correlations"), some)


def test_removed_dates_are_no_more_and_may_be_written_again(
    store: PortfolioStore, frames: Frames
) -> None:
    rows = frames["correlations"]
    keys = keys_for(rows.select(portfolio=pl.lit("p0"), date="date")).select("date", "key")
    store.write_dates({name: frames[name] for name in SHARED}, keys, "run")
    gone = [*rows["date"].gather_every(2), date(2020, 1, 1)]
    assert store.remove_dates(gone, "run").rows == len(gone)
    stays = ~pl.col("date").is_in(gone)
    assert_frame_equal(store.date_keys(), keys.filter(stays))
    for name in SHARED:
        assert_frame_equal(store.read(name), frames[name].filter(stays))
    store.compact()
    assert_frame_equal(store.read("correlations"), rows.filter(stays))
    store.write_dates({name: frames[name] for name in SHARED}, keys, "run")
    assert_frame_equal(store.read("correlations"), rows)


def test_who_wrote_the_newest_days_is_known(store: PortfolioStore, frames: Frames) -> None:
    assert store.writers() == []
    whole = chunk_of(frames)
    store.write(whole, "first")
    assert store.writers() == ["first"]
    newest = chunk_of(frames, names(frames)[:1], dates(frames)[-1:], salt="again")
    store.write(newest, "second")
    assert store.writers() == ["first", "second"]
    store.remove(whole.days.select(ID), "third")
    assert store.writers() == []


def test_tables_of_dates_that_do_not_fit_their_keys_are_refused(
    store: PortfolioStore, frames: Frames
) -> None:
    rows, fits = frames["correlations"], frames["symbols"]
    keys = keys_for(rows.select(portfolio=pl.lit("p0"), date="date")).select("date", "key")
    for tables, known, words in (
        ({"correlations": rows.head(2)}, keys.head(3), "correlations and their keys are of other"),
        ({"symbols": fits}, keys.head(3), "symbols and their keys are of other dates"),
        ({"correlations": pl.concat([rows, rows])}, keys, "have a date twice"),
        ({"betas": fits}, keys, "a date has no table betas; known: correlations, symbols"),
        ({"symbols": fits.drop("t")}, keys, "symbols have the columns"),
    ):
        with pytest.raises(ParameterError, match=words):
            store.write_dates(tables, known, "run")
    assert store.date_keys().height == 0


def test_statements_do_not_grow_with_portfolios_or_positions(
    store: PortfolioStore, frames: Frames
) -> None:
    few, many = chunk_of(frames, names(frames)[:1], dates(frames)[:1]), chunk_of(frames)
    store.write(few, "run")  # the layout is made known
    counts = [store.write(chunk, "run").statements for chunk in (few, many)]
    assert counts[0] == counts[1] <= 8
    removed = [store.remove(c.days.select(ID), "run").statements for c in (few, many)]
    assert removed[0] == removed[1] <= 6
    assert store.statements >= sum(counts) + sum(removed)


def test_merging_files_changes_no_row(store: PortfolioStore, frames: Frames) -> None:
    chunks = [chunk_of(frames, [name]) for name in names(frames)]
    chunks += [chunk_of(frames, names(frames)[:3], salt="again")]
    for chunk in chunks:
        store.write(chunk, "run")
    keys = keys_for(frames["correlations"].select(portfolio=pl.lit("p0"), date="date"))
    for i in range(frames["correlations"].height):
        own = {"correlations": frames["correlations"].slice(i, 1)}
        store.write_dates(own, keys.select("date", "key").slice(i, 1), "run")
    store.compact()
    assert_holds(store, chunks)
    assert_frame_equal(store.read("correlations"), frames["correlations"])
    assert store.compact() == 0
    later = chunk_of(frames, names(frames)[2:4], salt="later")
    store.write(later, "run")
    assert_holds(store, [*chunks, later])


def test_an_empty_chunk_is_written_at_no_cost(store: PortfolioStore, frames: Frames) -> None:
    written = store.write(chunk_of(frames, []), "run")
    assert (written.rows, written.n_bytes) == (0, 0)
    assert store.keys().height == 0


def test_a_day_may_lack_a_snapshot_measures_and_all_rows(
    store: PortfolioStore, frames: Frames
) -> None:
    whole = chunk_of(frames)
    bare = {n: f.join(whole.days.head(5), on=ID, how="anti") for n, f in whole.frames.items()}
    chunk = Chunk(whole.days.sample(fraction=1.0, shuffle=True, seed=1), bare)
    store.write(chunk, "run")
    assert_holds(store, [chunk])
    only_failures = Chunk(whole.days, {"failures": whole.frames["failures"]})
    store.write(only_failures, "run")
    assert_frame_equal(store.read("failures"), whole.frames["failures"])
    assert store.read("measures").height == 0
    n_failures = whole.frames["failures"].height
    assert store.keys()["n_failures"].sum() == n_failures


def wrong_chunks(frames: Frames) -> dict[str, Chunk]:
    chunk = chunk_of(frames)
    days, held = chunk.days, chunk.frames

    def with_days(*changes: pl.Expr) -> Chunk:
        return Chunk(days.with_columns(*changes), held)

    def with_frame(name: str, frame: pl.DataFrame) -> Chunk:
        return Chunk(days, {**held, name: frame})

    return {
        "must be 32 hex digits": with_days(pl.lit("x").alias("key")),
        "is there twice among the days": Chunk(pl.concat([days, days.head(1)]), held),
        "exposures have rows of portfolio": Chunk(days.tail(-1), held),
        "stress are not sorted": with_frame("stress", held["stress"].reverse()),
        "sectors have the columns": with_frame("sectors", held["sectors"].drop("tilt")),
        "snapshots have several rows": with_frame(
            "snapshots", pl.concat([held["snapshots"].head(1), held["snapshots"]])
        ),
        "zero character in symbol": with_frame(
            "exposures", held["exposures"].with_columns(symbol=pl.lit("A\0"))
        ),
        "a row without symbol": with_frame(
            "exposures", held["exposures"].with_columns(symbol=pl.lit(None, pl.String))
        ),
        "measures hold what cannot be stored: a_word is String": with_frame(
            "measures", held["measures"].with_columns(a_word=pl.lit("x"))
        ),
        "whole numbers go up to": with_frame(
            "measures", held["measures"].with_columns(tail_n_obs=pl.lit(2**60, pl.Int64))
        ),
        "a chunk has no frame returns": with_frame("returns", held["stress"]),
    }


def test_what_cannot_be_stored_is_refused_and_leaves_what_was_there(
    store: PortfolioStore, frames: Frames
) -> None:
    first = chunk_of(frames, names(frames)[:1])
    store.write(first, "run")
    for told, chunk in wrong_chunks(frames).items():
        with pytest.raises(ParameterError, match=told):
            store.write(chunk, "run")
    assert_holds(store, [first])


def test_numbers_of_all_kinds_come_back_with_their_bits(
    store: PortfolioStore, frames: Frames
) -> None:
    odd = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7976931348623157e308]
    odd += [0.1 + 0.2, None]
    chunk = chunk_of(frames)
    values = pl.Series("x", odd * 100, dtype=pl.Float64)
    held = {
        name: frame.with_columns(
            values.head(frame.height).alias(column)
            for column, kind in frame.schema.items()
            if kind == pl.Float64 and frame.height <= values.len()
        )
        for name, frame in chunk.frames.items()
    }
    assert held["measures"]["var_95"].is_nan().any()
    whole = Chunk(chunk.days, held)
    store.write(whole, "run")
    assert_holds(store, [whole])
