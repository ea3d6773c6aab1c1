"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor", help="serial or processes. Default: PLUMBLINE_EXECUTOR, else serial."
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
