"""Run the example study."""

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.options import AsJson, ExecutorName, NoCache, Workers


def command(
    folder: Annotated[Path, typer.Argument(help="Project folder of the demo.")] = Path("demo"),
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            help="Example recipe. Default: examples/us_equity.yaml of the repository.",
            show_default=False,
        ),
    ] = None,
    executor: ExecutorName = None,
    workers: Workers = None,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Run the example: a factor study of 120 US stocks on real daily prices, 2007-2017.

    Needs the repository's examples folder. The second call computes nothing, because nothing
    changed; edit a price in examples/data and `plumbline plan` names what must be computed again.
    """
    from plumbline.api import run_workspace
    from plumbline.cli.examples import example_recipe
    from plumbline.cli.progress import progress
    from plumbline.cli.study_text import before_run, print_summary
    from plumbline.cli.workspace import run_options
    from plumbline.engine.project import create_project
    from plumbline.report.publish import publish
    from plumbline.stages.workspace import prepare

    path = example_recipe(recipe)
    with progress(quiet=as_json) as watcher:
        options = run_options(watcher, executor, workers, use_cache=not no_cache)
        workspace = prepare(path, project=create_project(folder), reading=watcher.step)
        before_run(workspace)
        study = run_workspace(workspace, options)
        paths = publish(study)
    print_summary(study, paths, as_json=as_json)
    study.check_gates()
