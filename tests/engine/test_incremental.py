"""Bars arrive: an incremental run is the same blocks, so it equals a full one bit for bit."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from plumbline.engine.executors.serial import Serial
from plumbline.engine.pipeline import DataInput, Node, Pipeline
from plumbline.engine.project import Project, create_project
from plumbline.lake.source import sources
from plumbline.ledger.models import Artefact, Lineage
from plumbline.ledger.queries import lineage_of
from tests.engine.pipelines import computed
from tests.engine.toys import Demean, Returns, Wealth

ASSETS = tuple(f"A{i}" for i in range(7))


def prices(n_days: int) -> pl.DataFrame:
    days = np.datetime64("2024-01-01") + np.arange(n_days)
    walk = np.cumsum(np.random.default_rng(5).standard_normal((400, len(ASSETS))), axis=0)
    close = 100 * np.exp(0.01 * walk[:n_days])
    return pl.DataFrame(
        {
            "date": np.repeat(days, len(ASSETS)),
            "symbol": list(ASSETS) * n_days,
            "close": close.ravel(),
        }
    )


def pipeline(project: Project, table: pl.DataFrame) -> Pipeline:
    folder = project.root / "data"
    folder.mkdir(exist_ok=True)
    table.write_csv(folder / "prices.csv")
    csv = sources["csv"]("prices.csv")  # type: ignore[call-arg]  # a field of this plug-in
    data = project.lake.ingest("prices", csv, calendar="24/7", base=folder).dataset
    nodes = (
        Node("returns", Returns(32), {"prices": DataInput(data, ("close",))}),
        Node("wealth", Wealth(), {"returns": "returns"}),
        Node("demeaned", Demean(), {"returns": "returns"}),
    )
    return Pipeline("daily", nodes)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "project")


def blocks(places: set[tuple[str, str]], node: str) -> set[int]:
    """Return the first bars of the time blocks of a node."""
    found = {label.removeprefix("bars ").split("-")[0] for name, label in places if name == node}
    return {int(first) for first in found}


def test_appended_bars_compute_the_blocks_that_they_reach_and_equal_a_full_run(
    project: Project, tmp_path: Path
) -> None:
    first = project.engine.run(pipeline(project, prices(182)), Serial())  # to the end of June
    all_old = computed(project, first.run_id)
    assert len(all_old) == len(first.digests)
    for n_days in (190, 240):
        grown = project.engine.run(pipeline(project, prices(n_days)), Serial())
        other = create_project(tmp_path / f"full {n_days}")
        full = other.engine.run(pipeline(other, prices(n_days)), Serial())
        assert grown.digests == full.digests
        assert computed(other, full.run_id) == set(full.digests)
    # bar numbers count days since 1970: 2024-06-30, a 24/7 bar that closes on July 1st, is 19905
    done = computed(project, grown.run_id)
    assert len(blocks(set(grown.digests), "returns")) == 8
    assert min(blocks(done, "returns")) > 19905 - 64
    assert min(blocks(done, "wealth")) > 19905 - 32
    assert {label for node, label in done if node == "demeaned"} == {
        "assets 0-2",
        "assets 3-5",
        "assets 6-8",
    }


def test_one_edited_price_computes_what_it_touches(project: Project) -> None:
    table = prices(182)
    first = project.engine.run(pipeline(project, table), Serial())
    row = pl.int_range(pl.len()) == 100 * len(ASSETS) + 4  # April 10th of A4
    edited = table.with_columns(pl.when(row).then(1e4).otherwise(pl.col("close")).alias("close"))
    second = project.engine.run(pipeline(project, edited), Serial())
    done = computed(project, second.run_id)
    changed = {p for p in first.digests if first.digests[p] != second.digests[p]}
    assert changed <= done
    assert len(blocks(changed, "returns")) == 1
    assert len(blocks(done, "returns")) <= 3  # the month is a block of the data set
    assert blocks(done, "wealth") == {
        bar for bar in blocks(set(first.digests), "wealth") if bar >= min(blocks(done, "wealth"))
    }
    assert {label for node, label in changed if node == "demeaned"} == {"assets 3-5"}


def test_results_are_walked_back_to_blocks_of_the_data_set(project: Project) -> None:
    made = pipeline(project, prices(100))
    project.engine.run(made, Serial())
    source = made.nodes[0].inputs["prices"]
    assert isinstance(source, DataInput)
    with project.database.read() as connection:
        key = connection.execute(
            select(Artefact.key).where(Artefact.node == "demeaned", Artefact.block == "assets 0-2")
        ).scalar_one()
        digests = {row["digest"] for row in lineage_of(project.database, key)}
        query = (
            select(Lineage.dataset_id, Lineage.name, Artefact.parts)
            .join(Artefact, Artefact.key == Lineage.key)
            .where(Artefact.digest.in_(digests))
        )
        rows = connection.execute(query).all()
    assert {(row[0], row[1]) for row in rows} == {(source.dataset.dataset_id, "prices")}
    assert all(json.loads(row[2])["stage"] == "tests.engine.toys.Returns" for row in rows)
    assert len(rows) == len(digests)
