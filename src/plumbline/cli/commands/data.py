"""Show data sets."""

from typing import Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder


def command(
    name: Annotated[
        str | None,
        typer.Argument(help="Data set to show. Default: list all.", show_default=False),
    ] = None,
    quality: Annotated[bool, typer.Option("--quality", help="Show what cleaning found.")] = False,
    files: Annotated[bool, typer.Option("--files", help="Show the Parquet files.")] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the data sets of the lake, or show one: fields, span, quality, files.

    The files are ordinary Parquet (bar_close, asset, fields): DuckDB and polars read them directly.
    """
    from plumbline.cli.workspace import find_project

    lake = find_project(project).lake
    if name is None:
        rows = [
            {k: v for k, v in row.items() if k != "source"} | {"dataset_id": row["dataset_id"]}
            for row in lake.datasets()
        ]
        none = "no data sets in this project; plumbline ingest or plumbline run stores some"
        text = console.table([_short(r) for r in rows]) if rows else none
        console.emit(rows, lambda: text, as_json=as_json)
        return
    dataset = lake.dataset(name)
    first, last = (dataset.closes(b, b)[0] for b in (dataset.first_bar, dataset.last_bar))
    shown: dict[str, Any] = {
        "name": dataset.name,
        "version": dataset.version,
        "dataset_id": dataset.dataset_id,
        "rows": dataset.n_rows,
        "fields": list(dataset.fields),
        "assets": list(dataset.assets),
        "first_close": str(first),
        "last_close": str(last),
    }
    if quality:
        shown["quality"] = lake.quality(name).to_dicts()
    if files:
        shown["files"] = [str(path) for path in lake.segment_paths(dataset)]
    console.emit(shown, lambda: _text(shown), as_json=as_json)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "dataset_id": row["dataset_id"][:12]}


def _text(shown: dict[str, Any]) -> str:
    assets = shown["assets"]
    names = ", ".join(assets[:12]) + (f" … ({len(assets)} in all)" if len(assets) > 12 else "")
    lines = [
        f"{shown['name']} version {shown['version']}",
        f"id      {shown['dataset_id']}",
        f"rows    {shown['rows']}",
        f"fields  {', '.join(shown['fields'])}",
        f"assets  {names}",
        f"bars    {shown['first_close']} … {shown['last_close']} (close, UTC)",
    ]
    if "quality" in shown:
        found = shown["quality"]
        nothing = f"cleaning found nothing in {shown['name']}"
        lines += ["", console.table(found) if found else nothing]
    return "\n".join([*lines, *shown.get("files", ())])
