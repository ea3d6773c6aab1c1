"""Nightly runs compute what is missing or out of date, and end as a full run does."""

import subprocess
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.cli.nightly_text import plan_data, plan_text
from plumbline.core.errors import (
    BookError,
    MissingDataError,
    ParameterError,
    RecipeError,
    UnknownNameError,
)
from plumbline.ledger.queries import get_run, metrics_of_run, tasks_of_run
from plumbline.ledger.session import Ledger
from plumbline.risk.analytics.tail import Tail
from plumbline.risk.measurement import measure
from plumbline.stages.nightly import Task, forget_portfolios, retry_nightly, run_task
from plumbline.stages.nightly_inputs import NightlyInputs, nightly_inputs
from plumbline.stages.nightly_parts import Span, read_scenarios
from plumbline.stages.nightly_plan import Choice, State
from plumbline.stages.nightly_run import NightlyOptions
from plumbline.stages.portfolio_books import forget_book, import_book
from plumbline.store.tables import SHARED
from tests.stages.nightly_projects import LOAD, TABLES, Nights
from tests.store.conftest import writer_url

N_DAYS = LOAD.portfolios * LOAD.dates


@pytest.fixture(params=["parquet", "postgresql"])
def place(request):
    return (
        writer_url(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    )


@pytest.fixture
def nights(tmp_path, place):
    found = Nights.made(tmp_path / "made", place)
    found.run()
    return found


def assert_as_in_full(nights, folder):
    """Check that a store holds what a run of the same inputs in an empty one gives, bit for bit."""
    full = Nights(nights.project, nights.folder, None)
    if nights.place is None:
        full = Nights.made(folder)
        for table in ("portfolios", "trades", "cash_flows", "instruments", "prices"):
            (folder / f"{table}.parquet").write_bytes(
                (nights.folder / f"{table}.parquet").read_bytes()
            )
        full.import_book()
    full.run()
    ours, theirs = nights.tables(), full.tables()
    for name, frame in ours.items():
        assert_frame_equal(frame, theirs[name], check_exact=True)


def corrected(day, symbol, factor=1.01):
    is_it = (pl.col("date") == day) & (pl.col("symbol") == symbol)
    return lambda rows: rows.with_columns(
        pl.when(is_it).then(pl.col("close") * factor).otherwise("close").alias("close")
    )


def test_what_is_stored_is_what_is_measured(nights):
    inputs = nightly_inputs(nights.workspace())
    dates = inputs.market.dates[-LOAD.dates :].tolist()
    expected = measure(inputs.book, inputs.market, dates=dates, analytics=inputs.kinds)
    stored = nights.tables()
    for name in (*TABLES, *SHARED):
        frame = getattr(expected, name)
        assert_frame_equal(stored[name], frame, check_exact=True)
    assert stored["keys"].height == N_DAYS
    assert stored["date_keys"].height == LOAD.dates


def test_a_second_run_computes_nothing_and_writes_nothing(nights):
    before = nights.tables()
    plan = nights.plan()
    assert plan.is_done
    assert plan.counts == {"current": N_DAYS}
    result = nights.run()
    assert (result.tally.done, result.tally.statements) == (0, 0)
    for name, frame in nights.tables().items():
        assert_frame_equal(frame, before[name])


def test_a_run_loads_no_pandas(nights):
    task = f"{str(nights.folder / 'nightly.yaml')!r}, '--project', {str(nights.folder)!r}"
    stored = "" if nights.place is None else f", '--store', {nights.place!r}"
    program = (
        "import sys\nfrom plumbline.cli import main\n"
        f"sys.argv = ['plumbline', 'risk', 'restate', '--sessions', '1', {task}{stored}]\n"
        "try:\n    main()\nfinally:\n    print('pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.stdout.splitlines()[-1] == "False", told.stderr
    assert told.returncode == 0, told.stderr


def test_a_late_price_computes_the_days_of_those_that_hold_it_from_then_on(nights, tmp_path):
    inputs = nightly_inputs(nights.workspace())
    day = inputs.market.dates[-5].item()
    held = nights.tables()["exposures"].filter(date=day).filter(pl.col("quantity") != 0)
    shares = held.filter(pl.col("symbol").str.starts_with("S0"))
    symbol = shares["symbol"].mode()[0]
    nights.change("prices", corrected(day, symbol))
    plan = nights.plan()
    holders = set(held.filter(symbol=symbol)["portfolio"])
    assert set(plan.listed()["portfolio"]) >= holders
    listed = plan.listed().filter(pl.col("portfolio").is_in(sorted(holders)))
    assert set(listed.rows()) == {
        (name, State.CHANGED.words, 5, day, inputs.market.dates[-1].item()) for name in holders
    }
    assert len(plan.dates) == 5
    result = nights.run()
    assert result.tally.done == int(plan.is_due.sum()) < N_DAYS
    assert_as_in_full(nights, tmp_path / "full")


def test_a_late_trade_computes_its_portfolio_from_then_on(nights, tmp_path):
    inputs = nightly_inputs(nights.workspace())
    day = inputs.market.dates[-4].item()
    name = inputs.book.portfolios["portfolio"][2]
    known = inputs.book.trades.filter(pl.col("portfolio") == name)
    symbol = known.filter(pl.col("symbol").str.starts_with("S0"))["symbol"][0]
    row = known.head(1).with_columns(
        date=pl.lit(day), symbol=pl.lit(symbol), trade_id=pl.lit("late"), quantity=pl.lit(3.0)
    )
    nights.change("trades", lambda rows: pl.concat([rows, row]))
    listed = nights.plan().listed()
    assert listed.rows() == [(name, State.CHANGED.words, 4, day, inputs.market.dates[-1].item())]
    assert nights.run().tally.done == 4
    assert_as_in_full(nights, tmp_path / "full")


def test_a_new_portfolio_and_a_new_day_compute_themselves_alone(tmp_path, place):
    whole = tmp_path / "whole"
    nights = Nights.made(whole, place)
    rows = {t: pl.read_parquet(whole / f"{t}.parquet") for t in ("portfolios", "trades", "prices")}
    last = rows["prices"]["date"].max()
    name = rows["portfolios"]["portfolio"][3]
    for table in ("portfolios", "trades", "cash_flows"):
        path = whole / f"{table}.parquet"
        pl.read_parquet(path).filter(pl.col("portfolio") != name).write_parquet(path)
    nights.import_book()
    nights.change("prices", lambda frame: frame.filter(pl.col("date") < last))
    first = nights.run()
    assert first.tally.done == (LOAD.portfolios - 1) * (LOAD.dates - 1)
    assert any("not counted yet" in text for text in first.warnings) == bool(
        nights.workspace() and rows["trades"].filter(pl.col("date") == last).height
    )
    nights.change("prices", lambda _: rows["prices"])
    night = nights.run()
    assert night.tally.done == LOAD.portfolios - 1
    original = Nights.made(tmp_path / "original")
    for table in ("portfolios", "trades", "cash_flows"):
        (whole / f"{table}.parquet").write_bytes(
            (original.folder / f"{table}.parquet").read_bytes()
        )
    nights.import_book()
    onboarding = nights.run()
    assert onboarding.tally.done == LOAD.dates
    assert set(onboarding.counts) == {"current", "missing"}
    assert_as_in_full(nights, tmp_path / "full")


def test_days_from_before_a_portfolio_opens_are_removed(nights, tmp_path):
    inputs = nightly_inputs(nights.workspace())
    name, later = inputs.book.portfolios["portfolio"][0], inputs.market.dates[-6].item()

    def moved(rows):
        is_it = pl.col("portfolio") == name
        day = pl.when(is_it).then(pl.lit(later)).otherwise("opened_on").alias("opened_on")
        return rows.with_columns(day)

    def kept(rows):
        return rows.filter((pl.col("portfolio") != name) | (pl.col("date") >= later))

    for table, change in (("trades", kept), ("cash_flows", kept), ("portfolios", moved)):
        path = nights.folder / f"{table}.parquet"
        change(pl.read_parquet(path)).write_parquet(path)
    nights.import_book()
    plan = nights.plan()
    assert plan.gone.height == LOAD.dates - 6
    nights.run()
    own = nights.tables()["keys"].filter(portfolio=name)
    assert own["date"].min() == later
    assert_as_in_full(nights, tmp_path / "full")


def test_what_is_asked_for_alone_is_computed_and_forced_where_it_is_restated(nights):
    names = tuple(nights.tables()["keys"]["portfolio"].unique().sort()[:2])
    before = nights.tables()
    forced = Choice(names, is_forced=True)
    plan = nights.plan(choice=forced, span=Span(sessions=3))
    assert plan.counts == {"forced": 6}
    assert nights.run(choice=forced, span=Span(sessions=3)).tally.done == 6
    for name, frame in nights.tables().items():
        assert_frame_equal(frame, before[name], check_exact=True)
    days = sorted(before["keys"]["date"].unique().to_list())
    some = nights.plan(choice=replace(forced, portfolios=names[:1]), span=Span(days[1], days[2]))
    assert some.counts == {"forced": 2}


def test_a_cell_that_fails_is_recorded_and_tried_again_alone(nights, tmp_path, monkeypatch):
    store_before = nights.tables()
    victim = store_before["keys"]["portfolio"][0]
    day = store_before["keys"]["date"].max()
    compute = Tail.compute

    def failing(self, prepared, portfolios):
        dates = portfolios.days.market.dates[portfolios.days.days].astype("datetime64[D]")
        if victim in portfolios.accounts.lines.portfolios and np.datetime64(day) in dates:
            raise ZeroDivisionError("planted")
        return compute(self, prepared, portfolios)

    with monkeypatch.context() as broken:
        broken.setattr(Tail, "compute", failing)
        result = nights.run(choice=Choice((victim,), is_forced=True))
    assert result.told_failures() == ["tail failed on 1 portfolio-day: ZeroDivisionError: planted"]
    run = get_run(nights.project.database, result.run_id)
    assert run["state"] == "failed"
    assert ("tail", 1.0) in {
        (m["subject"], m["value"])
        for m in metrics_of_run(nights.project.database, result.run_id)
        if m["name"] == "failures"
    }
    after = nights.tables()
    assert after["failures"].rows() == [(victim, day, "tail", "ZeroDivisionError: planted")]
    own = (pl.col("portfolio") == victim) & (pl.col("date") == day)
    assert after["measures"].filter(own)["var_95"].to_list() == [None]
    figures = [c for c in after["measures"].columns if not c.startswith(("var_", "es_", "tail_"))]
    assert_frame_equal(
        after["measures"].select(figures).drop("worst_day"),
        store_before["measures"].select(figures).drop("worst_day"),
        check_exact=True,
    )
    assert nights.plan().counts == {"current": N_DAYS - 1, "failed": 1}
    again = retry_nightly(nights.project, result.run_id, nights.place, NightlyOptions())
    assert (again.tally.done, again.n_failures) == (1, 0)
    for name, frame in nights.tables().items():
        assert_frame_equal(frame, store_before[name], check_exact=True)


def test_other_code_computes_again_unless_the_recipe_keeps(nights, monkeypatch):
    monkeypatch.setattr(NightlyInputs, "code", "f" * 64)
    assert nights.plan().counts == {"code": N_DAYS}
    assert nights.plan("on_code_change=keep").counts == {"kept": N_DAYS}
    assert nights.plan("on_code_change=keep").is_done


def test_a_run_beside_another_of_the_recipe_is_told(tmp_path):
    nights, told = Nights.made(tmp_path / "made"), []
    workspace = nights.workspace()
    options = NightlyOptions(accompanied=told.extend)
    run_task(workspace, Task(), options)
    assert told == []
    recipe = workspace.recipe
    other = Ledger(nights.project.database).start_run(
        recipe.name, recipe.text, recipe.digest, "threads", (".", None)
    )
    run_task(workspace, Task(), options)
    assert told == [other]


def test_the_ledger_tells_of_a_run_by_phase(tmp_path):
    nights = Nights.made(tmp_path / "made")
    result = nights.run()
    found = metrics_of_run(nights.project.database, result.run_id)
    metrics = {(m["name"], m["subject"]): m["value"] for m in found}
    assert metrics["portfolio_days", "missing"] == N_DAYS
    assert metrics["rows", "snapshots"] == N_DAYS
    assert metrics["rows", "exposures"] == nights.tables()["exposures"].height
    assert metrics["statements", "write"] == result.tally.statements > 0
    assert metrics["seconds", "compute"] > 0
    assert 0.5 < metrics["coverage", "market_beta"] <= 1
    tasks = tasks_of_run(nights.project.database, result.run_id)
    assert [(t["node"], t["state"]) for t in tasks] == [("portfolio_days", "computed")]


def test_statements_are_as_many_however_many_portfolios_and_positions(tmp_path, postgres):
    counts = []
    for n, load in enumerate((LOAD, replace(LOAD, portfolios=12, positions=9))):
        nights = Nights.made(tmp_path / str(n), writer_url(postgres), load)
        counts.append(nights.run().tally.statements)
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("book=others", UnknownNameError, "no book 'others'"),
        ("book_version=9", UnknownNameError, "has no version 9"),
        ("analytics=[tails]", RecipeError, "did you mean 'tail'"),
        ("analytics.tail.window_bars=9999", RecipeError, "window_bars"),
        ("prices=[price]", RecipeError, "prices"),
        ("dates.first=2031-01-01", ParameterError, "no session of the prices lies from 2031-01-01"),
        ("dates.sessions=0", RecipeError, "sessions=0 must be at least 1"),
        ("benchmark=SPYX", ParameterError, "SPYX has no prices.*market_beta"),
        ("scenarios=none.yaml", RecipeError, "cannot be read"),
        ("is_adjusted=true", ParameterError, "splits and dividends already"),
        ("colour=red", RecipeError, "colour"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_computed(tmp_path, override, error, words):
    nights = Nights.made(tmp_path / "made")
    with pytest.raises(error, match=words):
        nights.run(override)
    assert nights.tables()["keys"].height == 0


def test_a_portfolio_that_is_not_there_is_refused_with_the_nearest(nights):
    with pytest.raises(ParameterError, match="no portfolio 'P00000'; did you mean"):
        nights.plan(choice=Choice(("P00000",)))


def test_days_of_a_session_that_the_prices_lose_are_removed(nights, tmp_path):
    last = nights.tables()["keys"]["date"].max()
    nights.change("prices", lambda rows: rows.filter(pl.col("date") < last))
    plan = nights.plan()
    assert not plan.is_done
    assert plan.gone["date"].unique().to_list() == [last]
    assert (plan.gone.height, plan.gone_dates) == (LOAD.portfolios, (last,))
    assert not plan.is_due.any()
    name = plan.gone["portfolio"][0]
    some = nights.plan(choice=Choice((name,)))
    assert (some.gone["portfolio"].to_list(), some.gone_dates) == ([name], ())
    assert nights.plan(choice=Choice(only_failed=True)).is_done
    told = plan_text(plan_data(plan))
    assert f"{LOAD.portfolios} to remove: from before" in told
    assert "shared tables of 1 date to remove" in told
    assert nights.run().n_removed == LOAD.portfolios
    assert nights.plan().is_done
    assert_as_in_full(nights, tmp_path / "full")


@pytest.fixture
def two_books(nights):
    rows = pl.read_parquet(nights.folder / "portfolios.parquet")
    rows.head(1).write_parquet(nights.folder / "one.parquet")
    import_book(nights.project, "other", {"portfolios": nights.folder / "one.parquet"})
    return nights


def test_a_second_book_on_the_store_of_another_is_refused_and_nothing_is_lost(two_books):
    nights, before = two_books, two_books.tables()
    with pytest.raises(ParameterError, match=r"of book 'synthetic', by run .* a store serves one"):
        nights.run("book=other")
    assert nights.plan().is_done
    assert forget_book(nights.project, "synthetic") == 1
    assert nights.plan("book=other").states.size
    for name, frame in nights.tables().items():
        assert_frame_equal(frame, before[name])


def test_a_second_book_has_a_store_of_its_own(two_books, postgres):
    own = Nights(two_books.project, two_books.folder, writer_url(postgres))
    assert own.run("book=other").tally.done == LOAD.dates
    assert two_books.plan().is_done
    assert own.plan("book=other").is_done


def test_the_store_of_another_project_is_refused_until_it_is_taken_over(tmp_path, postgres):
    url = writer_url(postgres)
    first = Nights.made(tmp_path / "first", url)
    first.run()
    before = first.tables()
    second = Nights.made(tmp_path / "second", url)
    with pytest.raises(ParameterError, match="which this project does not know: another project"):
        second.run()
    for name, frame in first.tables().items():
        assert_frame_equal(frame, before[name])
    with second.store() as store:
        assert forget_portfolios(store) == N_DAYS
    assert second.run().tally.done == N_DAYS
    assert_as_in_full(second, tmp_path / "full")
    with pytest.raises(ParameterError, match="which this project does not know: another project"):
        first.plan()


@pytest.mark.parametrize("place", ["parquet"], indirect=True)
def test_merged_files_know_who_wrote_them(nights):
    (run_id,) = writers_of(nights)
    name = nights.tables()["keys"]["portfolio"][0]
    with nights.store() as store:
        forget_portfolios(store, [name])
        store.compact()
    assert writers_of(nights) == [run_id]
    nights.run()


def writers_of(nights):
    with nights.store() as store:
        return store.writers()


def test_a_deleted_portfolio_is_told_until_it_is_taken_away(nights):
    name = nights.tables()["keys"]["portfolio"][0]
    for table in ("portfolios", "trades", "cash_flows"):
        path = nights.folder / f"{table}.parquet"
        pl.read_parquet(path).filter(pl.col("portfolio") != name).write_parquet(path)
    nights.import_book()
    assert nights.plan().others == (name,)
    assert nights.run().others == (name,)
    with nights.store() as store:
        assert forget_portfolios(store, [name]) == LOAD.dates
    assert nights.plan().others == ()
    assert name not in nights.tables()["snapshots"]["portfolio"]


def test_a_symbol_without_any_price_is_named(tmp_path):
    nights = Nights.made(tmp_path / "made")
    trades = pl.read_parquet(nights.folder / "trades.parquet")
    held = trades.filter(pl.col("symbol").str.starts_with("S0"))["symbol"][0]
    nights.change("prices", lambda rows: rows.filter(pl.col("symbol") != held))
    (told,) = nights.plan().inputs.warnings
    assert "1 traded symbol has no price in any data set" in told
    assert held in told


def test_rows_that_cleaning_takes_or_alters_are_told_each_night(tmp_path):
    nights = Nights.made(tmp_path / "made")
    assert not any("cleaning" in text for text in nights.run().warnings)
    nights.change("prices", lambda rows: pl.concat([rows, rows.head(1)]))
    bad = pl.int_range(pl.len()) == 3
    nights.change(
        "prices",
        lambda rows: rows.with_columns(close=pl.when(bad).then(-84.0).otherwise("close")),
    )
    for _ in range(2):
        (told,) = (text for text in nights.run().warnings if "cleaning" in text)
        assert "1 were changed by cleaning and 1 dropped; see: plumbline data" in told


def test_trades_before_the_prices_are_refused(tmp_path):
    nights = Nights.made(tmp_path / "made")
    late = pl.read_parquet(nights.folder / "trades.parquet")["date"].min()
    nights.change("prices", lambda rows: rows.filter(pl.col("date") > late))
    with pytest.raises((BookError, MissingDataError), match="prices go from"):
        nights.run()


def test_scenarios_come_from_a_file_and_enter_the_keys(tmp_path):
    nights = Nights.made(tmp_path / "made")
    nights.run()
    file = nights.folder / "scenarios.yaml"
    file.write_text("- {name: crash, shocks: {market: -0.3}}\n- {name: up, rates_bp: 50}\n")
    plan = nights.plan("scenarios=scenarios.yaml")
    assert plan.counts == {"changed": N_DAYS}
    nights.run("scenarios=scenarios.yaml")
    assert set(nights.tables()["stress"]["scenario"]) == {"crash", "up"}
    file.write_text("- {name: crash, shocks: {markt: -0.3}}\n- {nme: up}\n- 7\n")
    _, problems = read_scenarios(file)
    assert problems[0] == f"{file}, scenario 1: no factor 'markt': did you mean 'market'?"
    assert any("scenario 2: nme" in problem for problem in problems)
    assert problems[-1].endswith("scenario 3: 7 must be a mapping with a name")
    with pytest.raises(RecipeError, match="scenario 3"):
        nights.plan("scenarios=scenarios.yaml")


def test_splits_and_dividends_may_have_a_data_set_of_their_own(tmp_path):
    nights = Nights.made(tmp_path / "made")
    nights.run()
    before = nights.tables()
    prices = pl.read_parquet(nights.folder / "prices.parquet")
    happens = (pl.col("split") != 1) | (pl.col("dividend") != 0)
    actions = prices.filter(happens).select("date", "symbol", "split", "dividend")
    actions.write_parquet(nights.folder / "actions.parquet")
    nights.change("prices", lambda rows: rows.select("date", "symbol", "close"))
    text = (nights.folder / "nightly.yaml").read_text()
    more = "  actions:\n    source: parquet\n    paths: [actions.parquet]\n    calendar: XNYS\n"
    (nights.folder / "nightly.yaml").write_text(text + more)
    nights.run()
    after = nights.tables()
    for name in ("snapshots", "measures", "sectors", "stress"):
        assert_frame_equal(after[name], before[name], check_exact=True)
    given = set(after["exposures"]["price_source"].drop_nulls())
    assert given == {"prices"}


def test_dates_of_a_span_are_checked():
    told = r"first=2024-01-02 must not be after .*; got Span\(first=2024-01-02, last=2024-01-01\)"
    with pytest.raises(ParameterError, match=told):
        Span(date(2024, 1, 2), date(2024, 1, 1))
