"""Nightly runs, plans and portfolio-days in a few lines, and as data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from plumbline.cli import console
from plumbline.core.errors import UnknownNameError
from plumbline.core.wording import counted, named

if TYPE_CHECKING:
    from plumbline.stages.nightly_plan import NightlyPlan
    from plumbline.stages.nightly_run import NightlyResult
    from plumbline.store.portfolio_store import PortfolioStore

_LISTED: Final = 20
_EXACT_FROM: Final = 100.0
_REMOVED: Final = "from before their portfolio opens, or of dates that the prices lack"


def plan_data(plan: "NightlyPlan") -> dict[str, Any]:
    """Return what ``--json`` prints of a plan."""
    from plumbline.stages.nightly_changes import changes_since
    from plumbline.stages.nightly_plan import State

    inputs = plan.inputs
    has_changed = State.CHANGED.name.lower() in plan.counts
    changes = changes_since(inputs) if has_changed else None
    return {
        "book": inputs.recipe.resolved["book"],
        "version": inputs.version.version,
        "portfolios": inputs.book.portfolios.height,
        "first": plan.span[0] if plan.span else None,
        "last": plan.span[1] if plan.span else None,
        "counts": plan.counts,
        "to_compute": int(plan.is_due.sum()),
        "to_remove": plan.gone.height,
        "dates_of_shared_tables": list(plan.dates),
        "dates_of_shared_tables_to_remove": list(plan.gone_dates),
        "reasons": plan.reasons().to_dicts(),
        "changes": None if changes is None else {**asdict(changes), "told": str(changes)},
        "due": plan.listed().to_dicts(),
        "others": list(plan.others),
        "warnings": [*inputs.warnings, *others_told(plan.others)],
    }


def others_told(names: Sequence[str]) -> list[str]:
    """Return that a store holds portfolios that the book lacks, if it does."""
    if not names:
        return []
    told = f"the store holds {named(names)}, which the book lacks"
    return [f"{told}; to take them away: plumbline risk forget {names[0]}"]


def plan_text(data: Mapping[str, Any], *, show_all: bool = False) -> str:
    """Return a plan as text."""
    from plumbline.stages.nightly_plan import State

    n_portfolios = counted(data["portfolios"], "portfolio")
    span = f"{data['first']} to {data['last']}" if data["first"] else "none is open then"
    lines = [f"book {data['book']} version {data['version']}: {n_portfolios}, {span}"]
    spans = {row["reason"]: row for row in data["reasons"]}
    for name, n in data["counts"].items():
        words = State[name.upper()].words
        told = f", {_span(spans[words])}" if words in spans else ""
        lines.append(f"  {n:>10,} portfolio-days {words}{told}")
    if data["changes"] is not None:
        lines.append(data["changes"]["told"])
    lines.append(f"{data['to_compute']:,} portfolio-days to compute")
    if data["to_remove"]:
        lines.append(f"{data['to_remove']:,} to remove: {_REMOVED}")
    if data["dates_of_shared_tables"]:
        lines.append(f"shared tables of {counted(len(data['dates_of_shared_tables']), 'date')}")
    gone = data["dates_of_shared_tables_to_remove"]
    if gone:
        lines.append(
            f"shared tables of {counted(len(gone), 'date')} to remove, on which no "
            "portfolio is open"
        )
    due = data["due"] if show_all else data["due"][:_LISTED]
    if due:
        lines += ["", console.table(due)]
    if len(data["due"]) > len(due):
        lines.append(f"… and {len(data['due']) - len(due):,} more lines; to list all: --all")
    lines += [f"warning: {text}" for text in data["warnings"]]
    return "\n".join(lines)


def _span(row: Mapping[str, Any]) -> str:
    n_portfolios = counted(row["portfolios"], "portfolio")
    return f"of {n_portfolios}, {row['first']} to {row['last']}"


def run_data(result: "NightlyResult") -> dict[str, Any]:
    """Return what ``--json`` prints of a run."""
    tally = result.tally
    return {
        "run_id": result.run_id,
        "seconds": result.seconds,
        "portfolio_days": dict(result.counts),
        "removed": result.n_removed,
        "warnings": [*result.warnings, *others_told(result.others)],
        "stored": tally.done,
        "phases": dict(tally.seconds),
        "rows": dict(tally.rows),
        "statements": tally.statements,
        "bytes": tally.n_bytes,
        "coverage": {
            name: total / n if n else None for name, (total, n) in sorted(tally.coverage.items())
        },
        "failures": [
            {"analytic": analytic, "reason": reason, "portfolio_days": n}
            for (analytic, reason), n in sorted(tally.failures.items())
        ],
    }


def run_text(data: Mapping[str, Any]) -> str:
    """Return a run as text."""
    there = sum(data["portfolio_days"].get(name, 0) for name in ("current", "kept"))
    rate = data["stored"] / data["seconds"] if data["seconds"] else 0.0
    phases = ", ".join(f"{name} {spent:.2f} s" for name, spent in data["phases"].items())
    lines = [
        f"run {data['run_id']}: {data['stored']:,} portfolio-days stored, {there:,} were up to "
        f"date; {data['seconds']:.2f} s"
        + (f", {rate:,.0f} portfolio-days a second" if data["stored"] else ""),
    ]
    if data["removed"]:
        lines.append(f"{data['removed']:,} removed: {_REMOVED}")
    if phases:
        lines.append(f"phases, writing beside computing: {phases}")
    low = {n: c for n, c in data["coverage"].items() if c is not None and c < 0.999}
    if low:
        told = ", ".join(f"{name} {share:.1%}" for name, share in low.items())
        lines.append(f"mean coverage below 100 %: {told}")
    lines += [f"warning: {text}" for text in data["warnings"]]
    return "\n".join(lines)


def pages_text(data: Mapping[str, Any]) -> str:
    """Return a run and its pages as text."""
    pages = data["pages"]
    n_pages = counted(len(pages) - 1, "portfolio")
    return f"{run_text(data)}\npages of {n_pages}: {pages['index']}"


def status_text(data: Mapping[str, Any]) -> str:
    """Return what a store holds as text."""
    lines = [f"store {data['store']}"]
    alone = data["dates_of_shared_tables_alone"]
    left = f"shared tables of {counted(alone, 'date')} beside, on which no portfolio is left"
    if not data["portfolio_days"]:
        lines.append("holds no portfolio-day; plumbline risk run computes them")
        return "\n".join([*lines, left] if alone else lines)
    lines.append(
        f"{data['portfolio_days']:,} portfolio-days of {data['portfolios']:,} portfolios, "
        f"{data['first']} to {data['last']}, {data['dates']:,} dates, "
        f"{data['dates_with_shared_tables']:,} of them with shared tables"
    )
    if data["portfolio_days_with_failures"]:
        lines.append(
            f"{data['portfolio_days_with_failures']:,} of them have an analytic that failed"
        )
    if alone:
        lines.append(left)
    behind = data["portfolios_behind"]
    if behind:
        lines += [f"{len(behind):,} portfolios end before that:", console.table(behind[:_LISTED])]
    return "\n".join(lines)


def day_of(store: "PortfolioStore", portfolio: str, day: date | None) -> dict[str, Any]:
    """Return all that a store holds of a portfolio on a date; default: its newest.

    Raises
    ------
    UnknownNameError
        If there is no such date; it names those that are near.
    """
    from plumbline.store.tables import FRAMES

    own = [portfolio]
    if day is None:
        days = store.read("snapshots", portfolios=own)["date"]
        day = days.to_list()[-1]
    frames = {t: store.read(t, portfolios=own, first=day, last=day) for t in FRAMES}
    if not frames["snapshots"].height:
        dates = store.read("snapshots", portfolios=own)["date"].to_list()
        near = sorted(sorted(dates, key=lambda known: abs(known - day))[:2])
        raise UnknownNameError(
            f"{portfolio} has no {day} in {store.label}: its {len(dates)} dates go from "
            f"{dates[0]} to {dates[-1]}; near it: {', '.join(str(known) for known in near)}"
        )
    keys = ("portfolio", "date")
    rows = {name: frame.drop(keys).to_dicts() for name, frame in frames.items()}
    return {
        "portfolio": portfolio,
        "date": day,
        **{name: _plain(rows[name][0]) for name in ("snapshots", "measures")},
        **{name: _plain(rows[name]) for name in ("exposures", "sectors", "stress", "failures")},
    }


def day_text(data: Mapping[str, Any]) -> str:
    """Return a portfolio-day as text."""
    snapshot, measures = data["snapshots"], data["measures"]
    lines = [f"{data['portfolio']} on {data['date']}", ""]
    lines += [console.table([{"": k, "value": _amount(v)} for k, v in snapshot.items()]), ""]
    held = [row for row in data["exposures"] if row["quantity"]]
    columns = ("symbol", "quantity", "value", "weight", "price_age", "is_carried")
    if held:
        rows = [{c: _amount(row[c]) for c in columns} for row in held]
        lines += [console.table(rows), ""]
    else:
        lines += ["holds nothing", ""]
    lines += [console.table(_figures(measures)), ""]
    if data["stress"]:
        lines += [console.table(data["stress"]), ""]
    if data["failures"]:
        lines += ["failed:", console.table(data["failures"])]
    return "\n".join(lines).rstrip()


def _amount(value: Any) -> Any:
    """Return a large number to the cent, and others as they are."""
    is_large = isinstance(value, float) and abs(value) >= _EXACT_FROM
    return f"{value:,.2f}" if is_large else value


def _plain(rows: Any) -> Any:
    """Return cells as JSON has them: null for what is no number."""
    if isinstance(rows, dict):
        return {name: _plain(value) for name, value in rows.items()}
    if isinstance(rows, list):
        return [_plain(row) for row in rows]
    return None if isinstance(rows, float) and not math.isfinite(rows) else rows


def _figures(measures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row a figure, with the coverage and the observations of its analytic."""
    rows: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for name, value in measures.items():
        if name.endswith("_coverage"):
            for row in waiting:
                row["coverage"] = value
        elif name.endswith("_n_obs"):
            for row in waiting:
                row["observations"] = value
            waiting.clear()
        else:
            waiting.append({"figure": name, "value": value, "coverage": None, "observations": None})
            rows.append(waiting[-1])
    return rows
