"""No study ends in silence: what it lacks is told at plan, run, in the ledger and the report."""

import dataclasses
import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from plumbline.cli.app import call
from plumbline.engine.code_digest import CodeDigests
from plumbline.features.signals.momentum import Momentum
from tests.cli.words import said

RECIPE = """\
name: made
data:
  stocks: {source: csv, paths: [prices.csv], calendar: 24/7}
  etfs: {source: csv, paths: [factors.csv], form: wide, field: close, calendar: 24/7}
universe: {prices: stocks}
factors:
  data: etfs
  definitions: {market: SPY, size: IWM}
model: {window: 12}
signals:
  momentum: {lookback_bars: 10, skip_bars: 1}
  residual_momentum: {lookback_bars: 10, skip_bars: 1}
evaluation: {horizons: [1, 3], n_quantiles: 2, spread_horizon: 2}
rolling_bars: 10
"""
N_BARS = 40
TABLES = ("summary", "decay", "quantiles", "spread_summary")


def walk(n_assets: int, seed: int = 0, n_bars: int = N_BARS) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (n_bars, n_assets)), axis=0))


def days(n: int, start: str = "2020-01-01") -> list[str]:
    return [str(date.fromisoformat(start) + timedelta(days=i)) for i in range(n)]


def write(folder: Path, prices: np.ndarray, factors: np.ndarray, start: str = "2020-01-01") -> None:
    rows = [
        f"{day},A{column},{price}"
        for day, row in zip(days(len(prices)), prices.tolist(), strict=True)
        for column, price in enumerate(row)
    ]
    (folder / "prices.csv").write_text("\n".join(["date,symbol,close", *rows]) + "\n")
    lines = [
        f"{day},{spy},{iwm}"
        for day, (spy, iwm) in zip(days(len(factors), start), factors.tolist(), strict=True)
    ]
    (folder / "factors.csv").write_text("\n".join(["date,SPY,IWM", *lines]) + "\n")
    (folder / "study.yaml").write_text(RECIPE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, walk(6), walk(2, 1))
    assert call(["init"]) == 0
    return tmp_path


def document(capsys, *words):
    code, out, err = said(capsys, *words, "--json")
    return code, json.loads(out), err


def ran(capsys, folder, *words):
    """Run, and return the warnings, which are the same in the ledger, the report and its twin."""
    code, shown, _ = document(capsys, "run", *words)
    assert code == 0
    told = shown["warnings"]
    assert [w["text"] for w in document(capsys, "runs", "last")[1]["warnings"]] == told
    twin = json.loads((folder / "reports" / "made" / "study.json").read_text())
    assert twin["warnings"] == told
    assert silent(twin) == []
    again = document(capsys, "run", *words)[1]
    assert set(again["blocks"]) == {"cached"}
    assert again["warnings"] == told
    return told


def silent(twin) -> list[tuple[str, str]]:
    """Return table and signal of every missing number that the report gives no reason for."""
    found = []
    for name in TABLES:
        columns = twin["tables"][name]["columns"]
        for i, signal in enumerate(columns["signal"]):
            lacks = any(values[i] is None for values in columns.values())
            if lacks and f"{name}.{signal}" not in twin["unavailable"]:
                found.append((name, signal))
    return found


def has(told: list[str], *words: str) -> bool:
    return any(all(word in text for word in words) for text in told)


def test_a_whole_study_has_no_warning(capsys, folder):
    code, shown, _ = document(capsys, "plan")
    assert (code, shown["warnings"]) == (0, [])
    assert ran(capsys, folder) == []
    twin = json.loads((folder / "reports" / "made" / "study.json").read_text())
    rows = list(zip(*twin["tables"]["uncomputed"]["columns"].values(), strict=True))
    assert ("factor_model", None, None, "too_few_observations", 48, 240, "windows") in rows
    assert ("factor_model", None, None, "rank_deficient", 0, 240, "windows") in rows
    page = (folder / "reports" / "made" / "study.html").read_text()
    assert "too_few_observations" in page[page.index('id="uncomputed"') :]


def test_sources_without_a_common_bar_are_refused_before_anything_is_stored(capsys, folder):
    write(folder, walk(6), walk(2, 1), start="2021-01-01")
    for verb in ("plan", "run"):
        code, _, err = said(capsys, verb)
        assert code == 2
        assert "2020-01-02 to 2020-02-10" in err
        assert "no bar in common" in err
    assert document(capsys, "data")[1] == []
    assert document(capsys, "runs")[1] == []


def test_one_asset_is_refused(capsys, folder):
    write(folder, walk(1), walk(2, 1))
    code, _, err = said(capsys, "run")
    assert code == 2
    assert "1 asset; a rank correlation" in err


def test_a_window_longer_than_the_data_is_told_by_plan_and_by_the_run(capsys, folder):
    words = ("--set", "model.window=100")
    code, shown, _ = document(capsys, "plan", *words)
    assert code == 0
    assert has(shown["warnings"], "first fit needs 60 bars", "40 bars in common")
    told = ran(capsys, folder, *words)
    assert told[: len(shown["warnings"])] == shown["warnings"]
    assert has(told, "no window has a fit: too few observations (240 of 240 windows)")
    assert has(told, "residual_momentum: no rank IC", "because the factor model has no fit")
    code, _, err = said(capsys, "run", *words)
    assert "warning: model: the first fit needs 60 bars" in err


def test_constant_prices_are_told_with_their_counts(capsys, folder):
    write(folder, np.full((N_BARS, 6), 50.0), walk(2, 1))
    assert document(capsys, "plan")[1]["warnings"] == []
    told = ran(capsys, folder)
    assert has(told, "momentum: no rank IC over 1 bar", "equal for all assets (29 of 40 bars)")
    assert has(told, "momentum: no spread", "equal values")
    assert has(told, "momentum: no returns of quantiles 2")
    assert has(told, "factor model", "constant returns (192 of 240 windows)")


def test_identical_factors_are_counted_as_rank_deficient(capsys, folder):
    spy = walk(1, 1)
    write(folder, walk(6), np.hstack([spy, spy]))
    told = ran(capsys, folder)
    counts = "too few observations (48 of 240 windows), rank deficient (192 of 240 windows)"
    assert has(told, "no window has a fit", counts)
    out = said(capsys, "runs", "last")[1]
    assert "warning: factor model: no window has a fit" in out


def test_more_quantiles_than_assets_leave_the_rank_ic(capsys, folder):
    words = ("--set", "evaluation.n_quantiles=9")
    assert has(document(capsys, "plan", *words)[1]["warnings"], "n_quantiles=9", "6 assets")
    told = ran(capsys, folder, *words)
    assert has(told, "momentum: no spread", "fewer values than groups (30 of 40 bars)")
    assert has(told, "momentum: no returns of quantiles 1-9 over 1, 3 bars: ")
    assert not has(told, "no rank IC")


def test_horizons_beyond_the_data_are_told(capsys, folder):
    words = ("--set", "evaluation.horizons=[1, 500]")
    assert has(document(capsys, "plan", *words)[1]["warnings"], "500 bars", "signals.momentum")
    told = ran(capsys, folder, *words)
    assert has(told, "momentum: no rank IC over 500 bars", "no forward return (30 of 40 bars)")
    assert said(capsys, "plan", "--set", "evaluation.horizons=[500]")[0] == 2


@pytest.mark.parametrize(
    "setting",
    [
        "model.window=1000000000",
        "model.window=-1",
        "rolling_bars=-1",
        "evaluation.horizons=[-1]",
        "evaluation.horizons=[1, 1000000000]",
        "evaluation.spread_horizon=-5",
        "signals.momentum={lookback_bars: -1}",
        "signals.residual_momentum.min_obs=500",
    ],
)
def test_absurd_windows_fail_before_the_data_are_read(capsys, folder, setting):
    (folder / "prices.csv").unlink()
    for verb in ("plan", "run"):
        code, _, err = said(capsys, verb, "--set", setting)
        assert code == 2
        assert f"--set {setting.split('=')[0]}" in err


def test_gaps_that_the_axes_do_not_show_are_found_by_the_run(capsys, folder):
    prices = walk(6)
    prices[3:37, 2:] = np.nan  # two assets are left on most bars
    write(folder, prices, walk(2, 1))
    assert document(capsys, "plan")[1]["warnings"] == []
    told = ran(capsys, folder)
    assert has(told, "momentum: no rank IC over 1 bar", "too few assets (29 of 40 bars)")


def test_run_says_what_cleaning_did_to_each_source(capsys, folder):
    lines = (folder / "prices.csv").read_text().splitlines()
    lines[5] = lines[5].rsplit(",", 1)[0] + ",-4"
    lines[9] = lines[9].rsplit(",", 1)[0] + ",0"
    (folder / "prices.csv").write_text("\n".join([*lines, lines[20], lines[21], lines[22]]) + "\n")
    out = said(capsys, "run")[1]
    assert "stocks: 2 rows changed by cleaning, 3 dropped" in out
    assert "see: plumbline data stocks --quality" in out
    assert "etfs: 0 rows changed by cleaning, 0 dropped\n" in out
    _, shown, _ = document(capsys, "run")
    assert shown["cleaning"]["stocks"]["changed"] == 2
    assert shown["cleaning"]["etfs"] == {"changed": 0, "dropped": 0, "noted": 0}


def test_a_damaged_result_stops_the_report_and_a_run_makes_it_again(capsys, folder):
    assert call(["run"]) == 0
    tables = (folder / ".plumbline" / "objects").glob("*/*.parquet")
    damaged = max(tables, key=lambda path: path.stat().st_size)
    content = bytearray(damaged.read_bytes())
    content[30] ^= 1
    damaged.write_bytes(content)
    n_runs = len(document(capsys, "runs")[1])
    for _ in range(2):
        code, _, err = said(capsys, "report")
        assert code == 1
        assert "is damaged" in err
        assert damaged.name in err
        assert "plumbline run" in err
    assert damaged.read_bytes() == bytes(content)
    assert len(document(capsys, "runs")[1]) == n_runs
    code, shown, _ = document(capsys, "run")
    assert shown["blocks"]["computed"] >= 1
    assert said(capsys, "report")[0] == 0


@pytest.mark.parametrize("content", [None, b"cut"])
def test_a_data_set_that_lacks_files_is_told_and_read_again(capsys, folder, content):
    assert call(["run"]) == 0
    lost = next(iter((folder / ".plumbline" / "segments").glob("*.parquet")))
    lost.unlink()
    if content is not None:
        lost.write_bytes(content)
    text = "1 of its files in the lake is missing or damaged; read again from the source"
    assert has(document(capsys, "plan")[1]["warnings"], text)
    code, _, err = said(capsys, "run")
    assert code == 0
    assert err.count(text) == 1
    assert lost.stat().st_size > 3
    assert text not in said(capsys, "run")[2]


def test_a_report_needs_no_price_files_that_the_lake_has_read(capsys, folder, tmp_path):
    assert call(["run"]) == 0
    assert said(capsys, "report", "--to", str(tmp_path / "before"))[0] == 0
    (folder / "prices.csv").rename(folder / "away.csv")
    code, _, err = said(capsys, "report", "--to", str(tmp_path / "after"))
    assert code == 0, err
    assert "data.stocks: file 'prices.csv' not found" in err
    assert "the lake has stocks version 1" in err
    twins = [json.loads((tmp_path / f / "study.json").read_text()) for f in ("before", "after")]
    assert twins[0]["tables"] == twins[1]["tables"]
    assert said(capsys, "run")[0] == 1
    other = ("--set", "data.stocks.rules.outliers=flag")
    code, _, err = said(capsys, "report", *other)
    assert code == 1
    assert "put the files back, or name dataset alone instead of source" in err


@pytest.fixture
def edit_momentum(monkeypatch):
    """Return what makes the code of one signal another one, as an edit of its file does."""

    def edit():
        of = CodeDigests.of

        def of_edited(self, plugin):
            found = of(self, plugin)
            is_edited = isinstance(getattr(plugin, "signal", None), Momentum)
            return dataclasses.replace(found, digest="f" * 64) if is_edited else found

        monkeypatch.setattr(CodeDigests, "of", of_edited)

    return edit


KEEP = ("--set", "on_code_change=keep", "--set", "block_bars=8")


def test_blocks_that_were_kept_are_told_apart_from_those_that_were_there(
    capsys, folder, edit_momentum
):
    out = said(capsys, "run", *KEEP)[1]
    assert "kept from" not in out
    edit_momentum()
    write(folder, walk(6, n_bars=44), walk(2, 1, n_bars=44))
    out = said(capsys, "run", *KEEP)[1].splitlines()
    shown = document(capsys, "runs", "last")[1]
    states = [(row["node"], row["state"]) for row in shown["blocks"]]
    n_kept = states.count(("signal:momentum", "kept"))
    assert n_kept > 1
    assert ("signal:momentum", "computed") in states
    assert sum(state == "kept" for _, state in states) == n_kept
    told = f"{n_kept} blocks were kept from other code: signal:momentum ({n_kept})"
    assert f"warning: {told}; plumbline runs last names them" in out
    n_computed = sum(state == "computed" for _, state in states)
    n_there = len(states) - n_computed - n_kept
    line = next(line for line in out if line.startswith("run "))
    assert f": {n_computed} of {len(states)} blocks computed in " in line
    assert line.endswith(f" s, {n_there} there already, {n_kept} kept")

    twin = json.loads((folder / "reports" / "made" / "study.json").read_text())
    source = twin["provenance"]
    assert source["blocks"] == {"cached": n_there, "computed": n_computed, "kept": n_kept}
    assert len(source["codes"]["signal:momentum"]) == 2
    assert "f" * 64 in source["codes"]["signal:momentum"]
    assert {len(codes) for node, codes in source["codes"].items() if node != "signal:momentum"} == {
        1
    }
    (kept,) = source["kept"]
    assert (kept["node"], kept["n_blocks"]) == ("signal:momentum", n_kept)
    old = next(code for code in source["codes"]["signal:momentum"] if code != "f" * 64)
    assert kept["reasons"][0].startswith(f"kept, made by code {old[:12]}: ")
    page = (folder / "reports" / "made" / "study.html").read_text()
    verdict = page[page.index('id="verdict"') :]
    assert told in verdict[: verdict.index("</section>")]
    assert f"{n_kept} kept from other code</dd>" in page


def test_a_report_is_written_again_when_what_it_shows_has_become_kept(
    capsys, folder, edit_momentum
):
    page = folder / "reports" / "made" / "study.html"
    assert call(["run", *KEEP]) == 0
    assert "kept from other code:" not in page.read_text()
    edit_momentum()
    out = said(capsys, "run", *KEEP)[1]
    assert "0 of " in out
    assert "nothing changed" not in out
    assert "kept from other code: signal:momentum (" in page.read_text()
    again = document(capsys, "run", *KEEP)[1]
    assert again["report_written"] is False
    assert again["kept"] == {"signal:momentum": again["blocks"]["kept"]}


def test_sessions_on_a_calendar_without_weekends_are_told_at_every_step(capsys, folder):
    rows = (folder / "prices.csv").read_text().splitlines()
    weekdays = [row for row in rows[1:] if date.fromisoformat(row.partition(",")[0]).weekday() < 5]
    (folder / "prices.csv").write_text("\n".join([rows[0], *weekdays]) + "\n")
    told = ("stocks: no asset has a value on", "24/7 1d", "Saturdays and Sundays", "such as XNYS")
    assert has(document(capsys, "plan")[1]["warnings"], *told)
    assert has(ran(capsys, folder), *told)
    assert has(document(capsys, "plan")[1]["warnings"], *told)
    shown = document(capsys, "ingest", "x", "prices.csv")[1]
    assert has(shown["warnings"], "x: no asset has a value on", "such as XNYS")


def test_an_adjusted_close_that_nobody_chose_is_told_by_plan_and_by_the_run(capsys, folder):
    text = (folder / "prices.csv").read_text().splitlines()
    rows = [f"{line},{line.rpartition(',')[2]}" for line in text[1:]]
    (folder / "prices.csv").write_text("\n".join([text[0] + ",Adj Close", *rows]) + "\n")
    expected = "stocks: returns are of close as it stands, not of adj_close"
    assert has(document(capsys, "plan")[1]["warnings"], expected)
    assert has(ran(capsys, folder), expected, "columns: {close: 'Adj Close'}")
    chosen = ("--set", "data.stocks.columns.close=Adj Close")
    assert ran(capsys, folder, *chosen) == []
    assert document(capsys, "run", *chosen)[1]["cleaning"]["stocks"]["noted"] == 1


def test_a_trailing_mean_that_cannot_be_is_told_once_in_a_run(capsys, folder):
    words = ("--set", "rolling_bars=252")
    told = ran(capsys, folder, *words)
    assert len([text for text in told if "252" in text]) == 1
    twin = json.loads((folder / "reports" / "made" / "study.json").read_text())
    assert "rolling_bars=252" in twin["unavailable"]["ic_rolling"]
    _, out, err = said(capsys, "run", *words)
    assert (out + err).replace(str(folder), "").count("252") == 1
