"""Options that several commands share."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from plumbline.core.errors import ParameterError

RecipePath = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RECIPE]",
        help="Recipe file (YAML). Default: study.yaml of the project.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the recipe, such as model.window=126. May be repeated.",
        show_default=False,
    ),
]
ProjectFolder = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="Project folder. Default: that of the working folder, or of the recipe's.",
        show_default=False,
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="Data sets as their names meant then (UTC); a day means its end.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor", help="serial or processes. Default: PLUMBLINE_EXECUTOR, else serial."
    ),
]
Attempts = Annotated[
    int | None,
    typer.Option(
        "--attempts",
        min=1,
        help="Tries of a block whose failure may pass: lost worker, time limit, disk. Default: 3.",
        show_default=False,
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Compute everything again, and store it.")
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory that this may take, such as 4GB. Default: PLUMBLINE_MEMORY, else "
        "no limit for a run, and the memory of the machine for work on data.",
        show_default=False,
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        help="Longest time of a block in a worker process; one that takes longer is ended.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Worker processes. Default: PLUMBLINE_WORKERS."),
]
SourceFiles = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, folders, or patterns in quotes; none of remote sources.", show_default=False
    ),
]
SourceKind = Annotated[
    str | None,
    typer.Option("--source", help="csv, binance ... Default: by the files' endings and names."),
]
SourceOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="Parameter of the source, such as form=wide or columns.bar=Date.",
        show_default=False,
    ),
]
StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="parquet, or postgresql://… Default: PLUMBLINE_STORE, else parquet in the project.",
        show_default=False,
    ),
]


def dated(text: str | None, option: str) -> date | None:
    """Return the date of an option's text, or None without one.

    Raises
    ------
    ParameterError
        If it is none.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ParameterError(f"{option} {text!r} must be a date such as 2024-01-31") from None
