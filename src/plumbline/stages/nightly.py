"""Nightly runs from a recipe's file: what they would do, what they did, what they left."""

import shlex
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import polars as pl

from plumbline.core.address import Address
from plumbline.core.errors import MissingDataError, ParameterError, UnknownNameError, nearest_names
from plumbline.core.settings import read_settings
from plumbline.engine.project import Project
from plumbline.ledger.queries import get_run
from plumbline.stages.nightly_inputs import NightlyInputs, nightly_inputs
from plumbline.stages.nightly_parts import Span
from plumbline.stages.nightly_plan import Choice, NightlyPlan, nightly_plan
from plumbline.stages.nightly_run import NightlyOptions, NightlyResult, run_nightly
from plumbline.stages.recipe import Recipe
from plumbline.stages.run_recipe import recipe_of_run
from plumbline.stages.workspace import Workspace, prepare
from plumbline.store.opening import PARQUET, open_store
from plumbline.store.portfolio_store import PortfolioStore

RECIPE = "nightly.yaml"


@final
@dataclass(frozen=True)
class Task:
    """What is asked of a nightly recipe.

    Parameters
    ----------
    store : ``parquet``, or the address of a PostgreSQL database; None for what
        ``PLUMBLINE_STORE`` says, else ``parquet``.
    choice : which portfolio-days may be touched.
    span : sessions that are asked for; None for those of the recipe.
    """

    store: str | Address | None = None
    choice: Choice = field(default_factory=Choice)
    span: Span | None = None


def open_portfolio_store(
    project: Project, place: str | Address | None = None, *, is_made: bool = False
) -> PortfolioStore:
    """Open the store of a project's portfolios; close it when done.

    Parameters
    ----------
    place : as :class:`Task`.

    Raises
    ------
    ParameterError
        If the place is none.
    StoreError, MissingExtraError
        If it cannot be used.
    """
    chosen = place or read_settings().store or PARQUET
    return open_store(chosen, project.store, project.database, is_made=is_made)


def require_nightly(recipe: Recipe) -> None:
    """Refuse a recipe of another kind.

    Raises
    ------
    ParameterError
        With the command that takes it.
    """
    if recipe.is_graph:
        raise ParameterError(
            f"{recipe.origin.subject} is of kind {recipe.resolved['kind']}, not nightly; type: "
            "plumbline run RECIPE"
        )


def inputs_of(workspace: Workspace, task: Task) -> NightlyInputs:
    """Return what a nightly recipe's run computes from.

    Raises
    ------
    ParameterError
        If the recipe is of another kind.
    """
    require_nightly(workspace.recipe)
    return nightly_inputs(workspace, task.span)


def plan_task(workspace: Workspace, task: Task | None = None) -> NightlyPlan:
    """Say what a nightly run would compute, and why; nothing is computed."""
    task = task or Task()
    with closing(open_portfolio_store(workspace.project, task.store)) as store:
        return nightly_plan(inputs_of(workspace, task), store, task.choice)


def run_task(
    workspace: Workspace, task: Task | None = None, options: NightlyOptions | None = None
) -> NightlyResult:
    """Compute and store what a nightly recipe lacks.

    Raises
    ------
    StoreError
        If the store refuses.
    """
    task = task or Task()
    with closing(open_portfolio_store(workspace.project, task.store)) as store:
        plan = nightly_plan(inputs_of(workspace, task), store, task.choice)
        result = run_nightly(plan, store, options)
        store.compact()
        return result


def retry_nightly(
    project: Project, run: str, store: str | Address | None, options: NightlyOptions
) -> NightlyResult:
    """Compute again all portfolio-days of a run's recipe of which an analytic failed.

    Parameters
    ----------
    project, run : which run.
    store : as :class:`Task`.
    options : who is told.

    Raises
    ------
    MissingDataError
        If the run was not of a nightly recipe.
    """
    recipe = recipe_of_run(project, run)
    if recipe.is_graph:
        raise MissingDataError(f"run {run} is of kind {recipe.resolved['kind']}, not nightly")
    run_id = get_run(project.database, run)["id"]
    task = Task(store, Choice(only_failed=True))
    workspace = prepare(recipe, project=project)
    return run_task(workspace, task, replace(options, retried=run_id))


def status_of(store: PortfolioStore) -> dict[str, Any]:
    """Return what a store holds: portfolios, portfolio-days, dates, failures.

    Correlations belong to no portfolio, so those of a date stay when its portfolios are taken away;
    they are counted apart.
    """
    days = store.keys()
    shared = store.date_keys()["date"]
    n_with = int(shared.is_in(days["date"].unique().implode()).sum())
    behind = (
        days.group_by("portfolio")
        .agg(pl.col("date").max().alias("last"))
        .filter(pl.col("last") < pl.col("last").max())
        .sort("last", "portfolio")
    )
    return {
        "store": store.label,
        "portfolios": days["portfolio"].n_unique(),
        "portfolio_days": days.height,
        "first": days["date"].min(),
        "last": days["date"].max(),
        "dates": days["date"].n_unique(),
        "dates_with_shared_tables": n_with,
        "dates_of_shared_tables_alone": shared.len() - n_with,
        "portfolio_days_with_failures": int((days["n_failures"] > 0).sum()),
        "portfolios_behind": behind.to_dicts(),
    }


def known_portfolios(store: PortfolioStore, named: Sequence[str]) -> list[str]:
    """Return names of portfolios that a store holds, each once.

    Raises
    ------
    UnknownNameError
        If it lacks one; all such are named.
    """
    known = store.latest()["portfolio"].to_list()
    unknown = [name for name in named if name not in set(known)]
    if unknown:
        told = "; ".join(f"no portfolio {n!r}; {nearest_names(n, known)}" for n in unknown)
        raise UnknownNameError(f"the store {store.label} has {told}")
    return list(dict.fromkeys(named))


def forget_portfolios(store: PortfolioStore, named: Sequence[str] | None = None) -> int:
    """Take all dates of portfolios out of a store; return how many portfolio-days.

    Parameters
    ----------
    store : written to.
    named : portfolios; None for all, and for what belongs to none of them.

    Raises
    ------
    UnknownNameError
        If it lacks one; all such are named, and nothing is taken away.
    """
    days = store.keys().select("portfolio", "date")
    if named is None:
        store.remove_dates(store.date_keys()["date"].to_list(), "forget")
    else:
        days = days.filter(pl.col("portfolio").is_in(known_portfolios(store, named)))
    store.remove(days, "forget")
    return days.height


def recipe_file(project: Project) -> Path:
    """Return the nightly recipe of a project.

    Raises
    ------
    ParameterError
        If it has none.
    """
    path = project.root / RECIPE
    if not path.is_file():
        raise ParameterError(
            f"name a nightly recipe: {path} does not exist; to make one: plumbline init "
            f"{shlex.quote(str(project.root))} --kind nightly"
        )
    return path
