"""Run the example study, and value and measure the sample portfolios."""

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli import console
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
    """Run the examples: a factor study of 120 US stocks, 2007-2017, and three portfolios of them.

    The portfolios are valued and measured on every date of 2017, and have pages of their own. Needs
    the repository's examples folder. The second call computes nothing, because nothing changed;
    edit a price in examples/data and `plumbline plan` names what must be computed again.
    """
    from plumbline.api import run_workspace
    from plumbline.cli.examples import example_book, example_recipe
    from plumbline.cli.nightly_command import book_and_pages
    from plumbline.cli.nightly_text import pages_text
    from plumbline.cli.progress import progress
    from plumbline.cli.study_text import before_run, summary_data, summary_text
    from plumbline.cli.workspace import run_options
    from plumbline.engine.project import create_project
    from plumbline.report.publish import publish
    from plumbline.stages.workspace import prepare

    path = example_recipe(recipe)
    nightly, files = example_book(path)
    with progress(quiet=as_json) as watcher:
        options = run_options(watcher, executor, workers, use_cache=not no_cache)
        project = create_project(folder)
        workspace = prepare(path, project=project, reading=watcher.step)
        before_run(workspace)
        study = run_workspace(workspace, options)
        paths = publish(study)
        book = book_and_pages(project, nightly, files, watcher, is_forced=no_cache)
    data = {**summary_data(study, paths), "portfolios": book} if as_json else {}
    shown = (summary_text, pages_text)
    console.emit(data, lambda: f"{shown[0](study, paths)}\n{shown[1](book)}", as_json=as_json)
    study.check_gates()
