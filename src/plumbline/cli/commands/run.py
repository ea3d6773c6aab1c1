"""Compute what is missing of a recipe."""

from typing import Annotated

import typer

from plumbline.cli.options import (
    AsJson,
    Attempts,
    ExecutorName,
    Memory,
    Overrides,
    ProjectFolder,
    RecipePath,
    TimeLimit,
    Workers,
)


def command(
    recipe: RecipePath = None,
    overrides: Overrides = None,
    project: ProjectFolder = None,
    executor: ExecutorName = None,
    workers: Workers = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute everything again, and store it.")
    ] = False,
    attempts: Attempts = None,
    time_limit: TimeLimit = None,
    memory: Memory = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: compute what is missing, then write its report.

    What did not change is not computed again. An interrupted run goes on where it stopped when
    the same command is given again. Exit code 3 says that a gate of the recipe said no.
    """
    from plumbline.api import run_workspace
    from plumbline.cli.progress import progress
    from plumbline.cli.study_text import before_run, print_summary
    from plumbline.cli.workspace import find_workspace, retries_of, run_options
    from plumbline.report.publish import publish

    with progress(quiet=as_json) as watcher:
        options = run_options(
            watcher,
            executor,
            workers,
            use_cache=not no_cache,
            retries=retries_of(attempts, time_limit),
            memory=memory,
        )
        workspace = find_workspace(recipe, project, overrides, watcher.step)
        before_run(workspace)
        study = run_workspace(workspace, options)
        paths = publish(study)
    print_summary(study, paths, as_json=as_json)
    study.check_gates()
