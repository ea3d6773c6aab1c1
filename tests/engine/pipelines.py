"""The toy pipeline of the engine's tests, and questions to the ledger about its runs."""

from pathlib import Path
from typing import Any

from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project
from plumbline.ledger.queries import failures_of_run, tasks_of_run
from tests.engine.toys import Demean, Prices, Returns, Summary, Wealth

BLOCKS = {
    ("prices", "all"),
    ("returns", "bars 32-63"),
    ("returns", "bars 64-95"),
    ("returns", "bars 96-127"),
    ("returns", "bars 128-159"),
    ("demeaned", "assets 0-2"),
    ("demeaned", "assets 3-5"),
    ("demeaned", "assets 6-8"),
    *(("wealth", f"bars {i}-{i + 15}") for i in range(32, 144, 16)),
    ("summary", "all"),
}


def study(prices: Any = None, scale: float = 1.0, on_code_change: str = "recompute") -> Pipeline:
    nodes = (
        Node("prices", prices or Prices()),
        Node("returns", Returns(), {"prices": "prices"}),
        Node("demeaned", Demean(), {"returns": "returns"}),
        Node("wealth", Wealth(), {"returns": "returns"}),
        Node("summary", Summary(scale), {"returns": "returns", "wealth": "wealth"}),
    )
    return Pipeline("study", nodes, on_code_change)


def states(project: Project, run_id: str) -> dict[tuple[str, str], str]:
    return {(t["node"], t["block"]): t["state"] for t in tasks_of_run(project.database, run_id)}


def in_state(project: Project, run_id: str, state: str) -> set[tuple[str, str]]:
    return {place for place, found in states(project, run_id).items() if found == state}


def computed(project: Project, run_id: str) -> set[tuple[str, str]]:
    return in_state(project, run_id, "computed")


def last_run(project: Project) -> str:
    from plumbline.ledger.queries import get_run

    return str(get_run(project.database, "last")["id"])


def failures(project: Project, run_id: str) -> list[tuple[str, str, int, str]]:
    rows = failures_of_run(project.database, run_id)
    return [(row["node"], row["block"], row["attempt"], row["kind"]) for row in rows]


def files_of(project: Project, node: str, block: str, part: str = "") -> list[Path]:
    """Return the files of a stored block; ``part`` picks fields, tables or state by name."""
    import json

    from sqlalchemy import select

    from plumbline.ledger.models import Artefact

    query = select(Artefact.manifest).where(Artefact.node == node, Artefact.block == block)
    with project.database.read() as connection:
        manifest = json.loads(connection.execute(query).scalar_one())
    named = manifest.get(part) if part else {**manifest.get("fields", manifest.get("tables"))}
    return [project.engine.cache.objects.path(name) for name in named.values()]
