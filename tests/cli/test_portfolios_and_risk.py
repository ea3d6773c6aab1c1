"""The commands of portfolios: import, run, show, report, and what they say of what is wrong."""

import os
from datetime import date

import numpy as np
import polars as pl
import pytest

from plumbline.cli.app import call
from plumbline.risk.analytics.tail import Tail
from tests.cli.words import FILES, SIZE, document, said
from tests.stages.nightly_projects import BOOK, LOAD

N_DAYS = LOAD.portfolios * LOAD.dates
GROUPS = {
    "portfolios": ("import", "list", "show", "export", "forget"),
    "risk": ("run", "plan", "restate", "status", "show", "forget", "report", "synthesize"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "load"
    assert call(["risk", "synthesize", str(folder), *SIZE]) == 0
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """Return a project with the files of a made load, as the working folder."""
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert call(["init", "."]) == 0
    return tmp_path


@pytest.fixture
def imported(folder):
    assert call(["portfolios", "import", "synthetic", *FILES]) == 0
    return folder


@pytest.mark.parametrize(("name", "word"), [(n, w) for n, words in GROUPS.items() for w in words])
def test_every_command_of_a_group_explains_itself(capsys, name, word):
    code, out, _ = said(capsys, name, word, "--help")
    assert code == 0
    assert len(out.split()) > 20
    assert "--json" in out


def test_a_made_load_is_imported_measured_shown_and_reported(capsys, imported):
    plan = document(capsys, "risk", "plan")
    assert plan["counts"] == {"missing": N_DAYS}
    assert len(plan["due"]) == LOAD.portfolios
    run = document(capsys, "risk", "run")
    assert run["stored"] == N_DAYS
    assert run["failures"] == []
    assert run["rows"]["snapshots"] == N_DAYS
    status = document(capsys, "risk", "status")
    assert status["portfolio_days"] == N_DAYS
    assert status["portfolios"] == LOAD.portfolios
    assert status["portfolios_behind"] == []
    day = document(capsys, "risk", "show", "P000001")
    assert day["date"] == str(status["last"])
    assert day["snapshots"]["equity"] == pytest.approx(
        day["snapshots"]["cash"] + sum(row["value"] for row in day["exposures"])
    )
    files = document(capsys, "risk", "report", "P000001", "P000002")
    assert list(files) == ["P000001", "P000002", "index"]
    index = (imported / "reports" / "nightly" / "index.html").read_text()
    assert "P000005" in index
    again = document(capsys, "risk", "run")
    assert (again["stored"], again["portfolio_days"]) == (0, {"current": N_DAYS})


def test_run_takes_a_nightly_recipe_and_other_verbs_say_what_does(capsys, imported):
    run = document(capsys, "run", "nightly.yaml")
    assert run["stored"] == N_DAYS
    code, _, err = said(capsys, "run", "nightly.yaml", "--workers", "2", "--attempts", "3")
    assert code == 2
    assert "--workers, --attempts does not go with" in err
    for verb in ("plan", "verify", "report"):
        code, _, err = said(capsys, verb, "nightly.yaml")
        assert code == 2, err
        assert "has no graph of blocks" in err
    assert not (imported / "study.yaml").exists()
    assert call(["init", ".", "--kind", "factor_study"]) == 0
    code, _, err = said(capsys, "risk", "run", "study.yaml")
    assert code == 2
    assert "not nightly" in err


def test_texts_say_what_the_documents_hold(capsys, imported):
    _, out, _ = said(capsys, "risk", "plan")
    assert f"{N_DAYS} portfolio-days to compute" in out
    _, out, _ = said(capsys, "risk", "run")
    assert f"{N_DAYS} portfolio-days stored, 0 were up to date" in out
    assert "portfolio-days a second" in out
    _, out, _ = said(capsys, "risk", "status")
    assert f"{N_DAYS} portfolio-days of {LOAD.portfolios} portfolios" in out
    _, out, _ = said(capsys, "risk", "show", "P000000")
    assert "market_beta" in out
    assert "S0000" in out
    _, out, _ = said(capsys, "runs", "last")
    assert "portfolio_days" in out


def test_restate_needs_to_be_told_which(capsys, imported):
    said(capsys, "risk", "run")
    code, _, err = said(capsys, "risk", "restate")
    assert code == 2
    assert "--portfolio NAME" in err
    done = document(capsys, "risk", "restate", "--portfolio", "P000002", "--sessions", "3")
    assert done["stored"] == 3


@pytest.mark.parametrize(
    ("words", "stored", "rest"),
    [
        (["run"], N_DAYS, "the same command goes on from there"),
        (["restate", "--sessions", "3"], 3 * LOAD.portfolios, "computes all of them again"),
    ],
)
def test_an_interrupted_run_says_how_many_portfolio_days_are_stored(
    capsys, imported, monkeypatch, words, stored, rest
):
    monkeypatch.setattr("plumbline.stages.nightly_run.record_tally", interrupted)
    code, out, err = said(capsys, "risk", *words)
    assert (code, out) == (130, "")
    told, last = err.splitlines()[-2:]
    assert told.startswith(f"{stored} of {stored} portfolio-days stored; ")
    assert told.endswith(rest)
    assert last == "plumbline: interrupted"
    assert document(capsys, "risk", "status")["portfolio_days"] == stored


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_cell_that_fails_gives_exit_code_1_and_runs_retry_mends_it(capsys, imported, monkeypatch):
    compute = Tail.compute
    last = np.datetime64(pl.read_parquet("prices.parquet")["date"].max())

    def failing(self, prepared, portfolios):
        dates = portfolios.days.market.dates[portfolios.days.days].astype("datetime64[D]")
        if "P000003" in portfolios.accounts.lines.portfolios and last in dates:
            raise ZeroDivisionError("planted")
        return compute(self, prepared, portfolios)

    with monkeypatch.context() as broken:
        broken.setattr(Tail, "compute", failing)
        code, out, err = said(capsys, "risk", "run")
    assert code == 1
    assert f"{N_DAYS} portfolio-days stored" in out
    assert "tail failed on 1 portfolio-day: ZeroDivisionError: planted" in err
    assert "plumbline runs retry" in err
    code, out, _ = said(capsys, "runs", "last", "--failures")
    assert "planted" in out
    assert document(capsys, "risk", "status")["portfolio_days_with_failures"] == 1
    shown = document(capsys, "risk", "show", "P000003")
    assert shown["failures"] == [{"analytic": "tail", "reason": "ZeroDivisionError: planted"}]
    code, out, err = said(capsys, "runs", "retry")
    assert code == 0, err
    assert "1 portfolio-days stored" in out
    assert document(capsys, "risk", "status")["portfolio_days_with_failures"] == 0


def test_broken_rows_are_all_named_and_nothing_is_imported(capsys, folder):
    (folder / "bad.csv").write_text(
        "portfolio,date,symbol,quantity,price\n"
        "P000000,2023-01-04,NOSUCH,1,3\n"
        "P000000,2023-13-04,S000001,1,3\n"
        "P9,2023-01-04,S000001,0,-3\n"
    )
    words = [word if word != "trades.parquet" else "bad.csv" for word in FILES]
    code, _, err = said(capsys, "portfolios", "import", "synthetic", *words)
    assert code == 1
    for told in ("line 2, column 'symbol': 'NOSUCH'", "line 3, column 'date': '2023-13-04'"):
        assert told in err
    assert "book synthetic, nothing is imported: 5 problems" in err
    assert "line 4, column 'quantity'" in err
    assert "line 4, column 'price'" in err
    assert document(capsys, "portfolios", "list") == []


def test_books_are_listed_shown_and_exported(capsys, imported):
    (row,) = document(capsys, "portfolios", "list")
    assert (row["book"], row["version"], row["portfolios"]) == ("synthetic", 1, LOAD.portfolios)
    assert len(document(capsys, "portfolios", "list", "synthetic")) == LOAD.portfolios
    shown = document(capsys, "portfolios", "show", "synthetic", "P000002")
    assert shown["portfolio"]["portfolio"] == "P000002"
    assert len(shown["trades"]) >= LOAD.positions
    _, out, _ = said(capsys, "portfolios", "show", "synthetic", "P000002")
    assert "opening_cash" in out
    files = document(capsys, "portfolios", "export", "synthetic", "out")
    assert sorted(files) == sorted(BOOK)
    code, _, err = said(capsys, "portfolios", "export", "synthetic", "out")
    assert code == 1
    assert "there already" in err
    words = [f"{word}" for t in BOOK for word in (f"--{t.replace('_', '-')}", f"out/{t}.csv")]
    code, out, _ = said(capsys, "portfolios", "import", "synthetic", *words)
    assert code == 0
    assert "nothing changed; version 1" in out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["risk", "show", "P0000001"], 2, "did you mean 'P000001'"),
        (["risk", "show", "P000001", "--date", "2020-01-01"], 2, "has no 2020-01-01"),
        (["risk", "show", "P000001", "--date", "2023-01-14"], 2, "near it: 2023-01-11, 2023-01-12"),
        (["risk", "show", "P000001", "--date", "yesterday"], 2, "must be a date such as"),
        (["risk", "report", "X"], 2, "no portfolio 'X'"),
        (["risk", "run", "--portfolio", "X"], 2, "no portfolio 'X'"),
        (["risk", "run", "--store", "mysql://x"], 2, "postgresql"),
        (["risk", "run", "--store", "files"], 2, "no store of portfolios 'files'"),
        (
            ["risk", "plan", "--from", "2030-01-01", "--to", "2029-01-01"],
            2,
            "plumbline: --from 2030-01-01 must not be after --to 2029-01-01",
        ),
        (
            ["portfolios", "export", "synthetic", "out", "--format", "xls"],
            2,
            "plumbline: --format 'xls' must be one of csv, parquet",
        ),
        (["risk", "synthesize", "."], 1, "there already"),
        (["risk", "synthesize", "new", "--positions", "900"], 2, "ask for fewer positions"),
        (["portfolios", "import", "b"], 2, "at least one table"),
        (["portfolios", "import", "b", "--trades", "none.csv"], 1, "none.csv: cannot be read"),
        (["portfolios", "show", "synthetic", "X"], 2, "no portfolio 'X'"),
        (["portfolios", "list", "others"], 2, "no book 'others'"),
        (["portfolios", "import", "b", "--decimal", "x"], 2, "--decimal"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(capsys, imported, words, code, told):
    said(capsys, "risk", "run", "--sessions", "2")
    found, _, err = said(capsys, *words)
    assert told in err
    assert found == code


def test_correlations_of_dates_without_a_portfolio_are_counted_apart(capsys, imported):
    said(capsys, "risk", "run", "--to", "2023-01-05")
    said(capsys, "risk", "run", "--portfolio", "P000001")
    status = document(capsys, "risk", "status")
    assert (status["dates"], status["dates_with_shared_tables"]) == (LOAD.dates, LOAD.dates)
    assert status["dates_of_shared_tables_alone"] == 0
    said(capsys, "risk", "forget", "P000001")
    status = document(capsys, "risk", "status")
    assert (status["dates"], status["dates_with_shared_tables"]) == (3, 3)
    assert status["dates_of_shared_tables_alone"] == LOAD.dates - 3
    _, out, _ = said(capsys, "risk", "status")
    assert "shared tables of 5 dates beside, on which no portfolio is left" in out
    said(capsys, "risk", "forget", *(f"P00000{i}" for i in (0, *range(2, LOAD.portfolios))))
    _, out, _ = said(capsys, "risk", "status")
    assert "no portfolio-day" in out
    assert "shared tables of 8 dates beside" in out


def changed(symbol, day):
    """Change a close in the file of prices."""
    is_it = (pl.col("symbol") == symbol) & (pl.col("date") == day)
    close = pl.when(is_it).then(pl.col("close") * 1.1).otherwise(pl.col("close"))
    pl.read_parquet("prices.parquet").with_columns(close=close).write_parquet("prices.parquet")


def test_plan_says_which_inputs_changed_and_from_which_date_on(capsys, imported):
    first = document(capsys, "risk", "run")["run_id"]
    held = pl.read_parquet("trades.parquet").filter(portfolio="P000000")["symbol"][0]
    changed(held, date(2023, 1, 6))
    plan = document(capsys, "risk", "plan")
    (reason,) = plan["reasons"]
    assert reason["reason"] == "prices, trades or settings changed"
    assert (reason["first"], reason["last"]) == ("2023-01-06", "2023-01-12")
    assert reason["days"] == plan["to_compute"] == 5 * reason["portfolios"]
    assert plan["changes"]["run_id"] == first
    (told,) = plan["changes"]["found"]
    assert "data set prices (version 2" in told
    assert "plumbline data diff prices" in told
    pl.read_parquet("trades.parquet").head(1).drop("trade_id").write_csv("more.csv")
    said(capsys, "portfolios", "import", "synthetic", "--append", "--trades", "more.csv")
    _, out, _ = said(capsys, "risk", "plan", "--set", "by_lots=true")
    assert f"since run {first}" in out
    assert "the recipe's by_lots; book synthetic (version 2" in out
    assert f"of {LOAD.portfolios} portfolios, 2023-01-03 to 2023-01-12" in out
    said(capsys, "risk", "run", "--from", "2023-01-12")
    _, out, _ = said(capsys, "risk", "plan")
    assert "which left these out" in out


def test_plan_and_what_shows_results_work_where_nothing_can_be_written(
    capsys, imported, monkeypatch
):
    said(capsys, "risk", "run", "--to", "2023-01-05")
    book = {word: said(capsys, *word) for word in [("risk", "plan"), ("risk", "status")]}
    before = states(imported)
    monkeypatch.setattr("plumbline.ledger.database.os.access", lambda _, mode: mode != os.W_OK)
    for words, found in book.items():
        assert said(capsys, *words)[:2] == found[:2]
    for words in (["risk", "show", "P000001"], ["portfolios", "list"]):
        assert said(capsys, *words)[0] == 0
    code, _, err = said(capsys, "risk", "run")
    assert code == 1
    assert "readonly database; see that" in err
    assert states(imported) == before
    changed("S000001", date(2023, 1, 6))
    code, _, err = said(capsys, "risk", "plan")
    assert code == 1
    assert "data.prices: the lake lacks what these files hold" in err
    assert "a copy that can be written" in err


def states(folder):
    """Return size and time of writing of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_portfolios_and_books_are_taken_away_by_name(capsys, imported):
    said(capsys, "risk", "run", "--sessions", "2")
    assert document(capsys, "risk", "forget", "P000001")["portfolio_days"] == 2
    assert document(capsys, "risk", "status")["portfolios"] == LOAD.portfolios - 1
    code, _, err = said(capsys, "risk", "forget", "P000001")
    assert (code, "no portfolio 'P000001'" in err) == (2, True)
    assert document(capsys, "portfolios", "forget", "synthetic")["versions"] == 1
    assert document(capsys, "portfolios", "list") == []


def test_an_amount_that_is_none_is_refused_and_a_book_has_a_plain_name(capsys, imported):
    trades = pl.read_parquet("trades.parquet")
    trades.head(1).with_columns(quantity=1e200, price=1e200).write_csv("huge.csv")
    code, _, err = said(
        capsys, "portfolios", "import", "synthetic", "--append", "--trades", "huge.csv"
    )
    assert code == 1
    assert "line 2, column 'quantity'" in err
    assert "which is no amount" in err
    for name in ("", "../evil", "a b"):
        code, _, err = said(capsys, "portfolios", "import", name, *FILES)
        assert code == 2
        assert "the name of a book must be" in err


def test_a_store_without_portfolios_says_how_to_fill_it(capsys, imported):
    code, _, err = said(capsys, "risk", "report")
    assert code == 1
    assert "plumbline risk run" in err
    _, out, _ = said(capsys, "risk", "status")
    assert "plumbline risk run" in out


@pytest.mark.parametrize("words", [["status"], ["show", "P0"], ["forget", "--all"]])
def test_what_only_reads_a_server_makes_no_store_there(capsys, imported, postgres, words):
    url = postgres.fresh()
    code, _, err = said(capsys, "risk", *words, "--store", url)
    assert code == 1
    assert "holds no store of portfolios; check the schema's name" in err
    schema = url.partition("schema=")[2]
    query = f"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'"  # noqa: S608  # ours
    assert postgres.execute(query) == [(0,)]


def test_results_of_all_portfolios_are_taken_away_when_asked(capsys, imported):
    code, _, err = said(capsys, "risk", "forget")
    assert code == 2
    assert "by name or with --all" in err
    document(capsys, "risk", "run")
    _, out, _ = said(capsys, "risk", "forget", "--all")
    assert f"{N_DAYS} portfolio-days of all portfolios taken away" in out
    assert document(capsys, "risk", "status")["portfolio_days"] == 0


def test_results_go_to_the_server_that_a_setting_names(capsys, imported, monkeypatch, postgres):
    monkeypatch.setenv("PLUMBLINE_STORE", postgres.fresh())
    assert document(capsys, "risk", "run")["stored"] == N_DAYS
    status = document(capsys, "risk", "status")
    assert status["store"].startswith("postgresql://")
    assert status["portfolio_days"] == N_DAYS
    monkeypatch.delenv("PLUMBLINE_STORE")
    assert document(capsys, "risk", "status")["portfolio_days"] == 0
