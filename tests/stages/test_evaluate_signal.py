"""The stages of an evaluation, run by the engine, beside the evaluation of whole panels."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pytest

from plumbline.core.panel import Panel
from plumbline.engine.executors.serial import Serial
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import create_project
from plumbline.engine.stage import Axes, Stage, TimeBlocks
from plumbline.factors.evaluation import evaluate
from plumbline.factors.figure_panel import as_panel, figure_names, from_panel
from plumbline.stages.evaluate_signal import EvaluateSignal
from plumbline.stages.mark_changes import MarkChanges
from plumbline.stages.measure_liquidity import MeasureLiquidity
from plumbline.stages.measure_signal import MeasureSignal
from plumbline.stages.rank_forwards import RankForwards
from plumbline.stages.shuffle_blocks import ShuffleBlocks
from plumbline.stages.sum_nulls import SumNulls
from tests.engine.pipelines import computed
from tests.factors.test_evaluation import OPTIONS, market, ragged_signal, sectors_of

LABELS = ("calm", "tense", "wild")
LONGEST = 150


@final
@dataclass(frozen=True)
class Given(Stage):
    """The first bars of one of the panels of a made world."""

    name: str
    n_bars: int
    fields: tuple[str, ...] = ("close", "volume")

    @property
    def partition(self):
        return TimeBlocks(16)

    def axes(self, inputs):
        panel = self.run(inputs)
        return Axes(panel.first_bar, panel.first_bar + panel.n_bars, panel.assets)

    def run(self, inputs):
        return world(self.n_bars, self.fields)[self.name]


def world(n_bars=LONGEST, fields=("close", "volume")):
    """Return prices with a gap that is longer than most blocks, a signal and a regime."""
    prices = market(3, LONGEST)
    close = np.array(prices["close"])
    close[20:90, 2] = np.nan
    prices = prices.with_fields({"close": close})
    states = np.arange(float(LONGEST)) % 3
    states[:5] = np.nan
    told = {"first_bar": prices.first_bar}
    signal = ragged_signal(3, prices.shape)
    panels = {
        "prices": prices.only(fields),
        "signal": Panel({"signal": signal}, prices.bars, prices.assets, **told),
        "regimes": Panel({"mood": states[:, None]}, prices.bars, ["market"], **told),
    }
    return {name: panel.head(n_bars) for name, panel in panels.items()}


def pipeline(options, size, n_bars=LONGEST, fields=("close", "volume"), sectors=None):
    has_liquidity = "volume" in fields
    known = sectors or {}
    told = (options.horizons, options.n_draws, options.seed)
    measure = MeasureSignal.of(options, known, size)
    named = tuple(sorted(set(known.values())))
    evaluation = EvaluateSignal("one", options, 20, named, (("mood", LABELS),), has_liquidity)
    prices = {"prices": "prices"}
    ranked = {"signal": "signal", "figures": "figures", "forward_ranks": "forward_ranks"}
    reads = {"figures": "figures", "regimes": "regimes"}
    figures = prices | {"signal": "signal", "changes": "changes"}
    nodes = [Node(name, Given(name, n_bars, fields)) for name in ("prices", "signal", "regimes")]
    nodes.append(Node("changes", MarkChanges(size), prices))
    if has_liquidity:
        nodes.append(Node("liquidity", MeasureLiquidity(options.impact_bars, size), prices))
        figures |= {"liquidity": "liquidity"}
    nodes.append(Node("figures", measure, figures))
    if options.n_draws:
        nodes.append(Node("forward_ranks", RankForwards(options.horizons, size), prices))
        nodes.append(Node("nulls", SumNulls(*told, size), ranked))
        nodes.append(Node("shuffles", ShuffleBlocks(*told), ranked))
        reads |= {"null_sums": "nulls", "shuffled": "shuffles"}
    return Pipeline("evaluation", (*nodes, Node("evaluation", evaluation, reads)))


def whole_tables(options, sectors, n_bars=LONGEST):
    panels = world(n_bars)
    states = panels["regimes"]["mood"][:, 0]
    return evaluate(
        {"one": panels["signal"]["signal"]},
        panels["prices"],
        options=options,
        sectors=sectors,
        regimes={"mood": [None if np.isnan(s) else LABELS[int(s)] for s in states]},
        rolling_bars=20,
    ).tables


def blocks_computed(project, result):
    """Return node -> labels of the blocks that a run computed, as the ledger has them."""
    blocks = {}
    for node, block in computed(project, result.run_id):
        blocks.setdefault(node, set()).add(block)
    return blocks


@pytest.fixture
def project(tmp_path):
    return create_project(tmp_path / "project")


@pytest.mark.parametrize(("size", "every_bars"), [(7, 1), (64, 3), (1_000, 1)])
def test_blocks_of_any_size_give_the_bits_of_an_evaluation_of_all_bars(project, size, every_bars):
    sectors = sectors_of(world()["prices"])
    options = replace(OPTIONS, every_bars=every_bars)
    done = project.engine.run(pipeline(options, size, sectors=sectors), Serial())
    found = project.engine.output(done, "evaluation")
    expected = whole_tables(options, sectors)
    assert found.keys() == expected.keys()
    for name, table in found.items():
        assert table.equals(expected[name]), name
        assert table.height or name == "signal_correlation", name
    assert set(found["ic_by_regime"]["state"]) == set(LABELS)


def test_books_that_are_held_longer_than_the_longest_horizon_reach_into_the_block_before(project):
    options = replace(OPTIONS, horizons=(1,), spread_horizon=9)
    done = project.engine.run(pipeline(options, 16), Serial())
    found = project.engine.output(done, "evaluation")
    expected = whole_tables(options, {})
    for name in ("spread", "spread_summary", "capacity", "quantile_history", "turnover"):
        assert found[name].equals(expected[name]), name


def test_added_bars_compute_the_last_blocks_alone_and_give_what_a_whole_run_gives(project):
    sectors = sectors_of(world()["prices"])
    project.engine.run(pipeline(OPTIONS, 16, 140, sectors=sectors), Serial())
    longer = project.engine.run(pipeline(OPTIONS, 16, 150, sectors=sectors), Serial())
    blocks = blocks_computed(project, longer)
    # bars 13 to 152 grow to 162: the block of bar 144 gains bars, that of bar 160 is new
    assert blocks["changes"] == blocks["liquidity"] == {"bars 144-159", "bars 160-175"}
    # the block before looks ahead into one that changed, and comes out as it was
    assert blocks["figures"] == blocks["forward_ranks"] == blocks["changes"] | {"bars 128-143"}
    assert blocks["nulls"] == blocks["changes"]
    found = project.engine.output(longer, "evaluation")
    expected = whole_tables(OPTIONS, sectors)
    for name, table in found.items():
        assert table.equals(expected[name]), name


def test_returns_that_follow_reach_back_over_the_edge_of_a_block(project):
    sectors = sectors_of(world()["prices"])
    project.engine.run(pipeline(OPTIONS, 16, 132, sectors=sectors), Serial())
    longer = project.engine.run(pipeline(OPTIONS, 16, 140, sectors=sectors), Serial())
    blocks = blocks_computed(project, longer)
    # bars 13 to 144 grow to 152: returns over 4 bars of the block before bar 144 were cut off
    assert blocks["changes"] == {"bars 144-159"}
    assert blocks["figures"] == blocks["forward_ranks"] == {"bars 128-143", "bars 144-159"}


def test_the_stages_do_without_what_is_optional(project):
    options = replace(OPTIONS, n_draws=0, n_resamples=0)
    done = project.engine.run(pipeline(options, 32, fields=("close",)), Serial())
    found = project.engine.output(done, "evaluation")
    empty = {name for name, table in found.items() if not table.height}
    assert empty == {
        *("ic_by_sector", "capacity", "bootstrap", "null_suite", "signal_correlation"),
    }


def test_figures_come_back_from_their_panel_as_they_were(project):
    sectors = sectors_of(world()["prices"])
    known = sorted(set(sectors.values()))
    done = project.engine.run(pipeline(OPTIONS, 1_000, sectors=sectors), Serial())
    panel = project.engine.output(done, "figures")
    figures = from_panel(panel, OPTIONS, known)
    assert panel.assets == figure_names(OPTIONS, known)
    assert as_panel(figures, panel, OPTIONS, known) == panel
    assert figures.sector_ic.shape == (2, 2, LONGEST)
    assert figures.group_sums.shape == (2, LONGEST, 3)
    assert figures.relative.shape == (LONGEST, 3)
