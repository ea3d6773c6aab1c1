"""Read bars into the lake."""

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli import console
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
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    files: SourceFiles = None,
    calendar: Annotated[
        str | None,
        typer.Option("--calendar", help="Grid of bars: XNYS, '24/7 1h' ... Default: 24/7."),
    ] = None,
    source: SourceKind = None,
    options: SourceOptions = None,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="KEY=VALUE", help="Cleaning rule, such as ohlc=missing."),
    ] = None,
    memory: Memory = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Read bars into the lake: checked, cleaned by stated rules, stored by content.

    They come from files, or from a source across a network, as with --source ccxt. What cannot be
    read as bars is refused with every problem listed, and then nothing is stored. The same content
    gives the same data set, whatever the files are called.
    """
    from plumbline.cli.ingested_text import tell_ingested
    from plumbline.cli.progress import progress
    from plumbline.cli.source_words import named_source, note_how_to_say
    from plumbline.cli.workspace import find_project, roomy
    from plumbline.core.calendar import ALWAYS_OPEN

    reader, cleaning = named_source(files, source, options, rules)
    opened = roomy(find_project(project), memory)
    if calendar is None:
        calendar = ALWAYS_OPEN
        console.note(f"calendar {calendar} is assumed; for another say --calendar, such as XNYS")
    with progress(quiet=as_json) as watcher:
        try:
            done = opened.lake_for(reader).ingest(
                name,
                reader,
                calendar=calendar,
                rules=cleaning,
                base=Path.cwd(),
                progress=watcher.step,
            )
        except SourceError as error:
            note_how_to_say(error.problems)
            raise
    opened.codes.save()
    tell_ingested(done, as_json=as_json)
