"""Show data sets."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder
from plumbline.core.errors import ParameterError

if TYPE_CHECKING:
    from plumbline.lake.dataset import Dataset
    from plumbline.lake.lake import Lake


def command(
    name: Annotated[
        str | None,
        typer.Argument(help="Data set to show. Default: list all.", show_default=False),
    ] = None,
    quality: Annotated[bool, typer.Option("--quality", help="Show what cleaning found.")] = False,
    files: Annotated[bool, typer.Option("--files", help="Show the Parquet files.")] = False,
    forget: Annotated[
        str | None,
        typer.Option(
            "--forget",
            metavar="VERSION|all",
            help="Take an earlier version away, or with 'all' the whole data set, and the files "
            "that nothing else holds. The newest version goes with 'all' only.",
            show_default=False,
        ),
    ] = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the data sets of the lake, or show one: fields, span, quality, files.

    The files are ordinary Parquet (bar_close, asset, fields): DuckDB and polars read them directly.
    """
    from plumbline.cli.workspace import find_project

    lake = find_project(project).lake
    if forget is not None:
        _forget(lake, name, forget, as_json=as_json)
        return
    if name is None:
        rows = [
            {key: value for key, value in row.items() if key != "source"}
            | _span(lake.dataset(row["dataset_id"]))
            for row in lake.datasets()
        ]
        none = "no data sets in this project; plumbline ingest or plumbline run stores some"
        text = console.table([_short(r) for r in rows]) if rows else none
        console.emit(rows, lambda: text, as_json=as_json)
        return
    dataset = lake.dataset(name)
    shown: dict[str, Any] = {
        "name": dataset.name,
        "version": dataset.version,
        "dataset_id": dataset.dataset_id,
        "rows": dataset.n_rows,
        "fields": list(dataset.fields),
        "assets": list(dataset.assets),
        "first_bar": dataset.first_bar,
        "last_bar": dataset.last_bar,
        **_span(dataset),
    }
    if quality:
        shown["quality"] = lake.quality(dataset).to_dicts()
    if files:
        shown["files"] = [str(path) for path in lake.segment_paths(dataset)]
    console.emit(shown, lambda: _text(shown), as_json=as_json)


def _forget(lake: "Lake", name: str | None, which: str, *, as_json: bool) -> None:
    from plumbline.lake.soundness import forget_dataset, forget_version

    if name is None:
        raise ParameterError(f"--forget {which} needs the name of a data set before it")
    number = int(which) if which.isdecimal() else 0
    if not number and which != "all":
        raise ParameterError(f"--forget {which!r} must be the number of a version, or 'all'")
    n_files = forget_version(lake, name, number) if number else forget_dataset(lake, name)
    data = {"name": name, "forgotten": number or which, "files_removed": n_files}
    what = f"{name} version {number}" if number else f"{name} with all its versions"
    text = f"{what} is forgotten; {console.counted(n_files, 'file')} removed"
    console.emit(data, lambda: text, as_json=as_json)


def _span(dataset: "Dataset") -> dict[str, str]:
    """Return the first and the last close as ISO text."""
    from plumbline.engine.bar_dates import utc_text

    ends = (dataset.first_bar, dataset.last_bar)
    first, last = (utc_text(dataset.closes(bar, bar)[0].item()) for bar in ends)
    return {"first_close": first, "last_close": last}


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a data set in the list for people: dates instead of bar numbers."""
    shown = {key: row[key] for key in ("name", "version", "dataset_id", "created")}
    shown |= {key: row[key] for key in ("calendar", "frequency", "first_close", "last_close")}
    return shown | {"dataset_id": row["dataset_id"][:12], "n_rows": row["n_rows"]}


def _text(shown: dict[str, Any]) -> str:
    assets = shown["assets"]
    names = ", ".join(assets[:12]) + (f" … ({len(assets)} in all)" if len(assets) > 12 else "")
    lines = [
        f"{shown['name']} version {shown['version']}",
        f"id      {shown['dataset_id']}",
        f"rows    {shown['rows']}",
        f"fields  {', '.join(shown['fields'])}",
        f"assets  {names}",
        f"bars    {shown['first_close']} … {shown['last_close']} (close)",
        f"numbers {shown['first_bar']} … {shown['last_bar']} in the calendar",
    ]
    if "quality" in shown:
        found = shown["quality"]
        nothing = f"cleaning found nothing in {shown['name']}"
        lines += ["", console.table(found) if found else nothing]
    return "\n".join([*lines, *shown.get("files", ())])
