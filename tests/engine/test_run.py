from collections.abc import Callable

import numpy as np
import pytest

from plumbline.core.errors import MissingDataError
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project, open_project
from plumbline.engine.run import RunOptions
from plumbline.ledger.queries import get_run, list_runs, tasks_of_run
from tests.engine.pipelines import BLOCKS, computed, in_state, states, study
from tests.engine.toys import ASSETS, Prices, Rounded, Summary

pytestmark = pytest.mark.usefixtures("each_database")

WEALTH = {place for place in BLOCKS if place[0] == "wealth"}


def test_a_run_computes_every_block_once_and_a_second_run_none(project: Project) -> None:
    first = project.engine.run(study(), Serial())
    assert computed(project, first.run_id) == BLOCKS
    assert first.counts == {"computed": len(BLOCKS)}
    second = open_project(project.root).engine.run(study(), Serial())
    assert in_state(project, second.run_id, "cached") == BLOCKS
    assert second.digests == first.digests


@pytest.mark.parametrize("workers", [2, 4])
def test_processes_give_the_bits_of_serial_and_compute_the_same_blocks(
    project: Project, tmp_path, another_database: Callable[[], None], workers: int
) -> None:
    from plumbline.engine.project import create_project

    alone = project.engine.run(study(), Serial())
    another_database()
    other = create_project(tmp_path / "other")
    shared = other.engine.run(study(), Processes(workers))
    assert shared.digests == alone.digests
    assert computed(other, shared.run_id) == BLOCKS
    workers_seen = {t["worker"] for t in tasks_of_run(other.database, shared.run_id)}
    own = {t["worker"] for t in tasks_of_run(project.database, alone.run_id)}
    assert workers_seen.isdisjoint(own)


def test_the_output_is_what_the_formulas_say(project: Project) -> None:
    result = project.engine.run(study(), Serial())
    close = Prices().run({})["close"]
    expected = np.full(close.shape, np.nan)
    expected[1:] = close[1:] / close[:-1] - 1
    returns = project.engine.output(result, "returns")
    np.testing.assert_array_equal(returns["return"], expected)
    assert (returns.first_bar, returns.assets) == (37, ASSETS)
    wealth = project.engine.output(result, "wealth")["wealth"]
    np.testing.assert_allclose(wealth[-1], close[-1] / close[0], rtol=1e-12)
    demeaned = project.engine.output(result, "demeaned")
    np.testing.assert_allclose(np.nanmean(demeaned["return"], axis=0), 0, atol=1e-15)
    with pytest.raises(MissingDataError, match="did you mean 'wealth'"):
        project.engine.output(result, "weath")


def test_a_changed_parameter_computes_what_depends_on_it_and_no_more(project: Project) -> None:
    project.engine.run(study(), Serial())
    result = project.engine.run(study(scale=2.0), Serial())
    assert computed(project, result.run_id) == {("summary", "all")}
    result = project.engine.run(study(Prices(seed=2)), Serial())
    assert computed(project, result.run_id) == BLOCKS
    result = project.engine.run(study(), Serial())
    assert computed(project, result.run_id) == set()


def test_an_input_computed_to_equal_content_ends_the_wave(project: Project) -> None:
    before = project.engine.run(study(Rounded(digits=3)), Serial())
    result = project.engine.run(study(Rounded(digits=3, unused=1)), Serial())
    assert computed(project, result.run_id) == {("prices", "all")}
    assert in_state(project, result.run_id, "cached") == BLOCKS - {("prices", "all")}
    assert result.digests == before.digests


def test_a_longer_series_equals_a_full_run_and_computes_only_what_its_bars_reach(
    project: Project, tmp_path, another_database: Callable[[], None]
) -> None:
    from plumbline.engine.project import create_project

    project.engine.run(study(), Serial())
    longer = study(Prices(n_bars=120))
    grown = project.engine.run(longer, Serial())
    another_database()
    full = create_project(tmp_path / "other").engine.run(longer, Serial())
    assert grown.digests == full.digests
    done = computed(project, grown.run_id)
    # the toy's prices are one block, so all returns are computed again; old ones come out equal
    assert {place for place in done if place[0] == "wealth"} == {
        ("wealth", "bars 128-143"),
        ("wealth", "bars 144-159"),
    }
    assert WEALTH - done == WEALTH - {("wealth", "bars 128-143")}


def test_a_scan_hands_its_state_on(project: Project) -> None:
    result = project.engine.run(study(), Serial())
    returns = project.engine.output(result, "returns")["return"]
    expected = np.cumprod(1 + np.nan_to_num(returns), axis=0)
    wealth = project.engine.output(result, "wealth")["wealth"]
    np.testing.assert_allclose(wealth, expected, rtol=1e-12)
    assert len({result.digests[place] for place in WEALTH}) == len(WEALTH)


def test_without_the_cache_every_block_is_computed_again_and_stored(project: Project) -> None:
    first = project.engine.run(study(), Serial())
    again = project.engine.run(study(), Serial(), RunOptions(use_cache=False))
    assert computed(project, again.run_id) == BLOCKS
    assert again.digests == first.digests
    reasons = {t["reason"] for t in tasks_of_run(project.database, again.run_id)}
    assert reasons == {"the cache is off"}
    third = project.engine.run(study(), Serial())
    assert computed(project, third.run_id) == set()


def test_the_ledger_names_the_run_its_recipe_and_its_end(project: Project) -> None:
    options = RunOptions(recipe=("text of the recipe", "ab" * 32))
    result = project.engine.run(study(), Serial(), options)
    run = get_run(project.database, "last")
    assert run["id"] == result.run_id
    assert (run["recipe"], run["recipe_digest"]) == options.recipe
    assert (run["state"], run["executor"]) == ("done", "Serial()")
    assert run["finished"] >= run["started"]
    assert run["codes"]
    (listed,) = list_runs(project.database)
    assert listed["counts"] == {"computed": len(BLOCKS)}


def test_two_nodes_with_equal_work_share_one_result(project: Project) -> None:
    nodes = (*study().nodes, Node("twin", Summary(), {"returns": "returns", "wealth": "wealth"}))
    result = project.engine.run(Pipeline("study", nodes), Serial())
    assert result.digests["twin", "all"] == result.digests["summary", "all"]
    assert project.engine.cache.statistics().n_results == len(BLOCKS)
    assert set(states(project, result.run_id)) == BLOCKS | {("twin", "all")}


def test_equal_contents_are_stored_once(project: Project) -> None:
    project.engine.run(study(), Serial())
    before = project.engine.cache.statistics()
    project.engine.run(study(), Serial(), RunOptions(use_cache=False))
    assert project.engine.cache.statistics() == before
