"""The tables of a run, joined over its nodes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, final

from plumbline.core.errors import UnknownTableError
from plumbline.core.panel import Panel
from plumbline.engine.run import Engine, RunResult
from plumbline.engine.stage import Tables

if TYPE_CHECKING:
    import polars as pl

COMPARISON = "signal_correlation"
"""The node that compares the signals of a study."""

_PARTS = ("figures:", "nulls:", "shuffles:", "correlation_sums")
"""Nodes that hold what evaluations and comparisons are made from."""

_NODES = frozenset({"factor_fit", "risk_fit", "universe_members", "regime_states", COMPARISON})


def panel_nodes(nodes: Iterable[str]) -> list[str]:
    """Return the nodes of a study whose panels a reader asks for."""
    return [node for node in nodes if not (is_table_node(node) or node.startswith(_PARTS))]


@final
class StudyTables(dict[str, Any]):
    """Tables by name; a name that is not there is answered with the nearest that is."""

    def __missing__(self, name: str) -> NoReturn:
        raise UnknownTableError(str(name), self)


def is_table_node(node: str) -> bool:
    """Return whether a node of a study makes tables for its report."""
    return node in _NODES or node.startswith(("evaluation:", "neutral_fit:"))


def study_tables(engine: Engine, result: RunResult) -> "dict[str, pl.DataFrame]":
    """Return every table that the nodes of a run made.

    Tables of one name are stacked in the order of the nodes; ``coverage``, which has one column a
    signal, is joined on ``bar_close``.
    """
    import polars as pl

    found: dict[str, list[pl.DataFrame]] = {}
    for node in result.pieces:
        if is_table_node(node):
            value = engine.output(result, node)
            tables: Tables = {} if isinstance(value, Panel) else value
            for name, table in tables.items():
                found.setdefault(name, []).append(table)
    coverage = found.pop("coverage", [])
    joined = StudyTables(
        {name: pl.concat(tables, how="diagonal") for name, tables in found.items()}
    )
    if coverage:
        keys = ["bar_close", "n_assets_priced"]
        wide = coverage[0]
        for table in coverage[1:]:
            wide = wide.join(table, on=keys, how="full", coalesce=True)
        joined["coverage"] = wide.sort("bar_close")
    return joined
