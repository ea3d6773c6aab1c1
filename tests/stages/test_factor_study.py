"""The factor study from files to tables: incremental, parallel and verified runs are one result."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from plumbline.api import Options, init, prepare, run, verify
from plumbline.cli.app import call
from plumbline.core.errors import RecipeError
from plumbline.engine.health import checks_of
from plumbline.engine.plan import State
from plumbline.engine.project import open_project
from plumbline.ledger.models import Artefact, TaskRecord
from plumbline.ledger.queries import list_runs, tasks_of_run
from plumbline.report.collect import StudyInputs, collect
from tests.study_files import RECIPE, copied, edit_price, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return run(write_study(folder / "a"), project=init(folder / "a"))


@pytest.fixture
def folder(planned_study, tmp_path) -> Path:
    return copied(planned_study, tmp_path)


@pytest.fixture
def ran(finished_study, tmp_path) -> Path:
    """Return a project whose study has run."""
    return copied(finished_study, tmp_path)


def states_in_ledger(folder, run_id):
    with open_project(folder).database.read() as connection:
        query = select(TaskRecord.node, TaskRecord.block, TaskRecord.state)
        rows = connection.execute(query.where(TaskRecord.run_id == run_id)).all()
    return {(node, block): state for node, block, state in rows}


def digests_in_ledger(folder):
    """Return the digests of all stored results; two of one block do not differ."""
    with open_project(folder).database.read() as connection:
        rows = connection.execute(select(Artefact.node, Artefact.block, Artefact.digest)).all()
    found = {(node, block): digest for node, block, digest in rows}
    assert len(found) == len(rows)
    return found


def computed(folder, run_id):
    return {p for p, state in states_in_ledger(folder, run_id).items() if state == "computed"}


def test_every_table_has_every_signal(study):
    for name in ("summary", "ic", "ic_by_year", "decay", "quantiles", "spread", "spread_summary"):
        assert set(study.tables[name]["signal"]) == {"momentum", "residual_momentum"}, name
    assert study.tables["summary"]["mean_ic"].is_not_null().all()


def test_a_signal_of_the_study_is_the_formula_on_the_prices(study):
    close = study.workspace.project.lake.panel(study.workspace.datasets["stocks"])["close"]
    expected = np.full(close.shape, np.nan)
    expected[60:] = close[55:-5] / close[:-60] - 1
    np.testing.assert_array_equal(study.panel("signal:momentum")["signal"], expected)


def test_causal_residuals_are_regressions_on_the_past_alone(study):
    returns = study.panel("returns")["return"]
    factors = study.panel("factor_returns")["return"]
    model = study.panel("factor_model")
    for row, column in ((200, 3), (333, 7), (450, 11)):
        x = np.column_stack([np.ones(60), factors[row - 60 : row]])
        y = returns[row - 60 : row, column]
        keep = np.isfinite(y)
        beta = np.linalg.lstsq(x[keep], y[keep], rcond=None)[0]
        expected = returns[row, column] - np.array([1.0, *factors[row]]) @ beta
        assert model["residual_return"][row, column] == pytest.approx(expected, abs=1e-12)


def test_nothing_changed_means_nothing_computed(folder):
    first = run(folder / "study.yaml")
    second = run(folder / "study.yaml")
    assert set(first.result.counts) == {"computed"}
    assert set(second.result.counts) == {"cached"}
    assert computed(folder, second.result.run_id) == set()
    assert second.result.digests == first.result.digests


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_processes_gives_the_bits_of_one(folder, study, workers):
    done = run(folder / "study.yaml", options=Options("processes", workers))
    assert done.result.digests == study.result.digests
    assert computed(folder, done.result.run_id) == set(done.result.digests)
    again = run(folder / "study.yaml")
    assert again.result.digests == study.result.digests
    assert computed(folder, again.result.run_id) == set()


def test_two_runs_at_once_end_well_with_the_bits_of_one_and_every_block_in_the_ledger(
    folder, study
):
    program = Path(sys.executable).with_name("plumbline")
    many = ["--executor", "processes", "--workers", "2"]
    pair = [
        subprocess.Popen(
            [program, "run", folder / "study.yaml", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for options in ([], many)
    ]
    errors = [process.communicate(timeout=300)[1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], errors
    database = open_project(folder).database
    runs = {run["id"]: run["state"] for run in list_runs(database)}
    assert list(runs.values()) == ["done", "done"]
    rows = [(run_id, task) for run_id in runs for task in tasks_of_run(database, run_id)]
    makers = {}
    for run_id, task in rows:
        if task["state"] == "computed":
            assert task["worker"].startswith("process ")
            makers.setdefault((task["node"], task["block"]), set()).add((run_id, task["worker"]))
        else:
            assert task["state"] == "cached"
    assert set(makers) == set(study.result.digests)
    for run_id in runs:
        places = [(t["node"], t["block"]) for i, t in rows if i == run_id]
        assert sorted(places) == sorted(study.result.digests)
    assert digests_in_ledger(folder) == study.result.digests
    assert all(check.ok for check in checks_of(open_project(folder), deep=True))


def test_one_edited_price_names_and_computes_exactly_what_depends_on_it(ran):
    before = run(ran / "study.yaml")
    edit_price(ran, 2010, "ABT")
    workspace = prepare(ran / "study.yaml")
    changes = workspace.changes()
    assert set(changes) == {"stocks"}
    assert changes["stocks"].select("field", "asset", "change").rows() == [
        ("close", "ABT", "changed")
    ]
    plan = workspace.project.engine.plan(workspace.pipeline)
    must = {d.task.place for d in plan.decisions if d.state is State.RUN}
    may = {d.task.place for d in plan.decisions if d.state is State.FOLLOWS}
    assert all("input prices changed" in d.reason for d in plan.decisions if d.state is State.RUN)
    assert {node for node, _ in must | may}.isdisjoint({"factor_returns"})

    after = run(ran / "study.yaml")
    done = computed(ran, after.result.run_id)
    assert must <= done <= must | may
    changed = {p for p, d in after.result.digests.items() if before.result.digests[p] != d}
    assert changed <= done
    fresh = ran.parent / "fresh"
    write_study(fresh)
    for year in (2009, 2010):
        (fresh / "prices" / f"{year}.csv").write_bytes(
            (ran / "prices" / f"{year}.csv").read_bytes()
        )
    full = run(fresh / "study.yaml", project=init(fresh))
    assert full.result.digests == after.result.digests
    assert computed(fresh, full.result.run_id) == set(full.result.digests)
    found = verify(prepare(ran / "study.yaml"), Options(), sample=12)
    assert [v for v in found.compared if not v.equal] == []
    assert len(found.compared) == 12


def test_appended_bars_compute_the_last_blocks_and_equal_a_full_run(folder):
    path = folder / "prices" / "2010.csv"
    whole = pl.read_csv(path)
    days = sorted(whole["date"].unique())
    whole.filter(pl.col("date") <= days[-2]).write_csv(path)
    first = run(folder / "study.yaml")
    whole.write_csv(path)
    second = run(folder / "study.yaml")
    done = computed(folder, second.result.run_id)
    blocks = {block for node, block in second.result.digests if node == "returns"}
    last = max(blocks, key=lambda label: int(label.split("-")[1]))
    for node in ("returns", "factor_model", "signal:momentum", "signal:residual_momentum"):
        assert {block for n, block in done if n == node} == {last}, node
    old = {p: d for p, d in first.result.digests.items() if p not in done}
    assert {p: second.result.digests[p] for p in old} == old

    fresh = folder.parent / "fresh"
    write_study(fresh)
    whole.write_csv(fresh / "prices" / "2010.csv")
    full = run(fresh / "study.yaml", project=init(fresh))
    assert full.result.digests == second.result.digests


def test_a_parameter_of_one_signal_leaves_the_other_alone(ran):
    again = run(ran / "study.yaml", overrides=["signals.momentum.skip_bars=6"])
    nodes = {node for node, _ in computed(ran, again.result.run_id)}
    own = {f"{kind}:momentum" for kind in ("signal", "figures", "nulls", "shuffles", "evaluation")}
    assert nodes == own | {"correlation_sums", "signal_correlation"}


def test_neutralised_signals_are_uncorrelated_with_the_betas(folder):
    (folder / "sectors.csv").write_text(
        "symbol,sector\n"
        + "".join(
            f"{name},{'x' if i % 2 else 'y'}\n"
            for i, name in enumerate(sorted(set(pl.read_csv(folder / "prices/2010.csv")["symbol"])))
        )
    )
    done = run(
        folder / "study.yaml",
        overrides=["neutralise.betas=true", "neutralise.sectors=sectors.csv"],
    )
    residual = done.panel("neutral:momentum")["signal"]
    model = done.panel("factor_model")
    for row in (200, 400):
        keep = np.isfinite(residual[row])
        assert keep.sum() >= 10
        assert residual[row][keep].sum() == pytest.approx(0, abs=1e-10)
        for name in ("beta_market", "beta_size"):
            assert residual[row][keep] @ model[name][row][keep] == pytest.approx(0, abs=1e-10)


def test_what_the_data_lack_is_named_all_at_once(folder):
    text = RECIPE.replace("market: SPY", "market: SPYY").replace(
        "prices: stocks", "prices: stocks\n  assets: [ABT, ABTT]"
    )
    (folder / "study.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        run(folder / "study.yaml")
    found = "\n".join(caught.value.problems)
    assert "SPYY" in found
    assert "did you mean 'SPY'" in found
    assert "ABTT" in found
    assert "did you mean 'ABT'" in found


def test_a_gate_says_no_with_the_number(folder):
    from plumbline.core.errors import GateError

    gate = "{metric: t_hac, subject: 'momentum:5', at_least: 99}"
    done = run(folder / "study.yaml", overrides=[f"gates=[{gate}]"])
    with pytest.raises(GateError, match="is below 99"):
        done.check_gates()
    assert "failed: gate on t_hac of momentum:5: " in repr(done)
    assert "failed: gate on t_hac of momentum:5: " in done.write_report().html.read_text()


def test_the_report_shows_the_run_and_is_written_once(folder):
    from plumbline.report.publish import publish

    first = publish(run(folder / "study.yaml"))
    second = publish(run(folder / "study.yaml"))
    assert first.is_new
    assert not second.is_new
    text = first.html.read_text()
    assert "momentum" in text
    first.html.write_text("edited")
    assert publish(run(folder / "study.yaml")).is_new
    assert first.html.read_text().startswith("<!")


def test_every_signal_has_a_tear_sheet_that_is_mended_and_goes_with_it(folder):
    from plumbline.report.publish import publish

    place = publish(run(folder / "study.yaml")).html.parent
    sheets = {"momentum.html", "momentum.json", "residual_momentum.html", "residual_momentum.json"}
    names = {path.name for path in place.iterdir()}
    assert names == {"study.html", "study.json", ".made_from", *sheets}
    assert '<a href="momentum.html">' in (place / "study.html").read_text()
    (place / "residual_momentum.json").write_text("edited")
    assert publish(run(folder / "study.yaml")).is_new
    assert (place / "residual_momentum.json").read_text() != "edited"
    assert not publish(run(folder / "study.yaml")).is_new

    (place / "residual_momentum.json").write_text("mine")
    (place / "notes.html").write_text("mine too")
    path = folder / "study.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "residual_momentum" not in line))
    assert publish(run(path)).is_new
    names = {path.name for path in place.iterdir()}
    kept = {"residual_momentum.json", "notes.html"}
    assert (
        names == {"study.html", "study.json", ".made_from", "momentum.html", "momentum.json"} | kept
    )


def test_a_run_of_stored_results_has_its_numbers_too(folder):
    from plumbline.ledger.queries import metrics_of_run

    ids = [run(folder / "study.yaml").result.run_id for _ in range(2)]
    found = [metrics_of_run(open_project(folder).database, run_id) for run_id in ids]
    first, second = ({(m["name"], m["subject"]): m["value"] for m in rows} for rows in found)
    assert first
    assert second == first


def test_the_report_tells_what_cleaning_found_in_these_files(folder):
    from plumbline.report.publish import publish

    path = folder / "prices" / "2010.csv"
    clean = path.read_text()
    path.write_text(clean + clean.splitlines()[7] + "\n")
    assert "duplicate" in publish(run(folder / "study.yaml")).html.read_text()
    path.write_text(clean)
    again = run(folder / "study.yaml")
    assert set(again.result.counts) == {"cached"}
    assert "duplicate" not in publish(again).html.read_text()


def test_the_provenance_names_every_data_set_with_its_version_span_and_cleaning(folder):
    path = folder / "etfs.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[7] + "\n")
    study = run(folder / "study.yaml")
    workspace = study.workspace
    inputs = StudyInputs(
        workspace.recipe,
        workspace.datasets["stocks"],
        workspace.quality("stocks"),
        study.tables,
        study.warnings,
        study.result,
        workspace.project.database,
        data={name: (d, workspace.quality(name)) for name, d in workspace.datasets.items()},
    )
    stocks, etfs = collect(inputs).provenance.data
    lake = workspace.project.lake
    for origin, name in ((stocks, "stocks"), (etfs, "etfs")):
        assert (origin.name, origin.dataset, origin.version) == (name, name, 1)
        assert origin.dataset_id == lake.dataset(name).dataset_id
        assert origin.n_rows == lake.dataset(name).n_rows
        assert origin.span == "2009-01-02 to 2010-12-31"
    assert stocks.cleaning["dropped"] == 0
    assert etfs.cleaning["dropped"] == 2  # a cell of each fund


def test_series_of_two_calendars_are_refused(folder):
    text = RECIPE.replace(
        "    field: close\n    calendar: XNYS", "    field: close\n    calendar: 24/7"
    )
    (folder / "study.yaml").write_text(text)
    with pytest.raises(RecipeError, match="put both on one calendar"):
        run(folder / "study.yaml")


def test_a_gate_needs_a_bound(folder):
    with pytest.raises(RecipeError, match="at_least or at_most"):
        run(folder / "study.yaml", overrides=["gates=[{metric: t_hac, subject: 'momentum:5'}]"])


def test_workers_without_processes_are_refused():
    from plumbline.core.errors import ParameterError

    with pytest.raises(ParameterError, match="processes"):
        Options("serial", 4).make_executor()


def test_a_damaged_segment_ends_a_run_with_what_to_type_and_that_restores_it(ran, capsys):
    first = run(ran / "study.yaml")
    for path in (ran / ".plumbline" / "segments").glob("*.parquet"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    command = ["run", str(ran / "study.yaml"), "--set", "block_bars=96"]
    assert call(command) == 1
    said = capsys.readouterr().err
    told = re.findall(r"- (\S+) \[.*segment ([0-9a-f]{12}) at", said)
    assert said.count("is damaged") == len(told) == len(set(told))
    assert "stored result" not in said
    assert "to restore data set stocks type `plumbline doctor --deep`" in said
    assert "then the same command again" in said
    assert call(["doctor", "--deep", "--project", str(ran)]) == 1
    said = capsys.readouterr().err
    assert "stocks version 1 lacks 3 of 3 files" in said
    assert call(command) == 0
    assert call(["doctor", "--deep", "--project", str(ran)]) == 0
    again = run(ran / "study.yaml")
    assert again.result.digests == first.result.digests
    assert computed(ran, again.result.run_id) == set()


def test_a_block_of_an_evaluation_is_no_shorter_than_what_it_reads_around_it(folder):
    def block_bars(*overrides):
        pipeline = prepare(folder / "study.yaml", overrides=overrides).pipeline
        stages = {node.name: node.stage for node in pipeline.nodes}
        names = (
            "figures:momentum",
            "nulls:momentum",
            "changes",
            "forward_ranks",
            "signal:momentum",
        )
        return [stages[name].partition.bars for name in names]

    own = block_bars()[0]
    assert block_bars() == [own] * 5
    longer = block_bars(f"evaluation.horizons=[{own + 1}]")
    assert longer == [2 * own] * 4 + [own]
