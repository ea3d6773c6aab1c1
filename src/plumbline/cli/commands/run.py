"""Compute what is missing of a recipe."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import (
    AsJson,
    AsOf,
    Attempts,
    ExecutorName,
    Memory,
    NoCache,
    Overrides,
    ProjectFolder,
    RecipePath,
    TimeLimit,
    Workers,
)
from plumbline.core.errors import ParameterError
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.stages.workspace import Workspace


def command(
    recipe: RecipePath = None,
    overrides: Overrides = None,
    project: ProjectFolder = None,
    as_of: AsOf = None,
    executor: ExecutorName = None,
    workers: Workers = None,
    no_cache: NoCache = False,
    attempts: Attempts = None,
    time_limit: TimeLimit = None,
    memory: Memory = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="Write a profile of the blocks that are computed, by node, as cProfile does.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="NODE",
            help="With --profile: compute the blocks of one node again, and store nothing.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: compute what is missing, then write its report.

    What did not change is not computed again. An interrupted run goes on where it stopped when
    the same command is given again. Exit code 3 says that a gate of the recipe said no.
    """
    from plumbline.api import run_workspace
    from plumbline.cli.nightly_command import refuse_options, run_nightly_recipe
    from plumbline.cli.progress import progress
    from plumbline.cli.study_text import before_run, print_summary
    from plumbline.cli.workspace import find_recipe, retries_of, roomy, run_options
    from plumbline.report.publish import publish
    from plumbline.stages.workspace import prepare

    if only is not None and profile is None:
        raise ParameterError(f"--only {only} goes with --profile FILE alone")
    loaded, opened = find_recipe(recipe, project, overrides)
    if not loaded.is_graph:
        refuse_options(
            loaded.origin.subject,
            as_of=as_of,
            executor=executor,
            workers=workers,
            attempts=attempts,
            time_limit=time_limit,
            memory=memory,
            profile=profile,
        )
        run_nightly_recipe((recipe, project, overrides), is_forced=no_cache, as_json=as_json)
        return
    with progress(quiet=as_json) as watcher:
        options = run_options(
            watcher,
            executor,
            workers,
            use_cache=not no_cache,
            retries=retries_of(attempts, time_limit),
            memory=memory,
        )
        if profile is not None:
            options = replace(options, profile=str(profile))
            options.make_executor()  # refuses what does not go together before data are read
        opened = roomy(opened, memory)
        workspace = prepare(loaded, project=opened, reading=watcher.step, as_of=as_of)
        before_run(workspace)
        if only is not None and profile is not None:
            _profile_node(workspace, only, profile, as_json=as_json)
            return
        study = run_workspace(workspace, options)
        paths = publish(study)
    if profile is not None:
        computed = study.result.counts.get("computed", 0)
        console.note(_written(profile) if computed else _NOTHING)
    print_summary(study, paths, as_json=as_json)
    study.check_gates()


_NOTHING = "no block was computed: no profile is written; with --no-cache all are"


def _profile_node(workspace: "Workspace", node: str, file: Path, *, as_json: bool) -> None:
    from plumbline.engine.profile import profile_node

    n_blocks = profile_node(workspace.project.engine, workspace.pipeline, node, str(file))
    data = {"node": node, "blocks": n_blocks, "profile": str(file)}
    blocks = counted(n_blocks, "block")
    text = f"{node}: {blocks} computed again, nothing stored; {_written(file)}"
    console.emit(data, lambda: text, as_json=as_json)


def _written(file: Path) -> str:
    return f"profile: {file}; to read it: python -m pstats {file}, or snakeviz {file}"
