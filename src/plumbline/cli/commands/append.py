"""Add bars to a data set of the lake."""

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.options import (
    AsJson,
    Memory,
    ProjectFolder,
    SourceFiles,
    SourceKind,
    SourceOptions,
)
from plumbline.core.errors import SourceError


def command(
    name: Annotated[str, typer.Argument(help="Data set that is there.")],
    files: SourceFiles = None,
    source: SourceKind = None,
    options: SourceOptions = None,
    correct: Annotated[
        bool,
        typer.Option(
            "--correct", help="Let other values of bars that are there take the place of those."
        ),
    ] = False,
    memory: Memory = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Add bars to a data set, on its calendar and by its cleaning rules.

    Rows that are there already change nothing; rows with other values are refused, unless they
    correct. The cost is that of the bars around the new ones, whatever the size of the data set.
    `plumbline data diff NAME` lists what changed.
    """
    from plumbline.cli.ingested_text import tell_ingested
    from plumbline.cli.progress import progress
    from plumbline.cli.source_words import named_source, note_how_to_say
    from plumbline.cli.workspace import find_project, roomy

    reader, _ = named_source(files, source, options)
    opened = roomy(find_project(project), memory)
    with progress(quiet=as_json) as watcher:
        try:
            done = opened.lake_for(reader).append(
                name, reader, corrects=correct, base=Path.cwd(), progress=watcher.step
            )
        except SourceError as error:
            note_how_to_say(error.problems, fixed=("calendar", "conflicts"))
            raise
    opened.codes.save()
    tell_ingested(done, as_json=as_json)
