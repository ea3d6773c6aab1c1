"""Show, compare and keep in order the data sets of the lake."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from plumbline.cli import console
from plumbline.cli.options import AsJson, AsOf, Memory, ProjectFolder
from plumbline.core.errors import ParameterError
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.lake.dataset import Dataset
    from plumbline.lake.lake import Lake


class _Data(TyperGroup):
    """Commands on data sets; a word that is none of them names a data set to show."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = (*self.commands, *ctx.help_option_names)
        if not args or args[0] not in known:
            args = ["show", *args]
        return super().parse_args(ctx, args)


group = typer.Typer(cls=_Data, help=__doc__, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Data set.", show_default=False)]
Version = Annotated[
    int | None, typer.Option("--version", min=1, help="A version of it. Default: the newest.")
]


@group.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(help="Data set to show. Default: list all.", show_default=False),
    ] = None,
    quality: Annotated[bool, typer.Option("--quality", help="Show what cleaning found.")] = False,
    files: Annotated[bool, typer.Option("--files", help="Show the Parquet files.")] = False,
    version: Version = None,
    as_of: AsOf = None,
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
    `plumbline data NAME` is short for `plumbline data show NAME`.
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
    dataset = lake.dataset(name, version, as_of)
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


@group.command()
def log(name: Name, project: ProjectFolder = None, as_json: AsJson = False) -> None:
    """List the versions of a data set, the newest first: when, how much, from which source."""
    from plumbline.cli.workspace import find_project

    lake = find_project(project).lake
    lake.dataset(name)  # refuses a name that means nothing
    rows: list[dict[str, Any]] = []
    before = 0
    for row in lake.datasets(name):
        rows.insert(0, {**row, "more_rows": row["n_rows"] - before})
        before = row["n_rows"]
    columns = ("version", "created", "dataset_id", "n_rows", "more_rows")
    short = [
        {key: row[key] for key in columns} | {"dataset_id": row["dataset_id"][:12]} for row in rows
    ]
    console.emit(rows, lambda: console.table(short), as_json=as_json)


@group.command()
def diff(
    name: Name,
    a: Annotated[int | None, typer.Argument(min=1, help="Default: the version before B.")] = None,
    b: Annotated[int | None, typer.Argument(min=1, help="Default: the newest version.")] = None,
    memory: Memory = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show the values in which two versions of a data set differ: asset, bar, field, both values.

    With --json all of them; as text the first, and the extent of what was added.
    """
    from plumbline.cli.difference_text import difference_lines
    from plumbline.cli.workspace import find_project, roomy
    from plumbline.lake.differences import summary

    lake = roomy(find_project(project), memory).lake
    after = lake.dataset(name, b)
    if a is None and after.version < 2:
        raise ParameterError(f"{name} has no version before this one to compare it with")
    before = lake.dataset(name, after.version - 1 if a is None else a)
    changes = lake.diff(before, after)
    data = {
        "name": name,
        "before": before.version,
        "after": after.version,
        **summary(changes),
        "values": changes.to_dicts(),
    }
    label = f"{name} {before.version} -> {after.version}"
    console.emit(data, lambda: "\n".join(difference_lines(label, changes)), as_json=as_json)


@group.command()
def compact(
    name: Name, memory: Memory = None, project: ProjectFolder = None, as_json: AsJson = False
) -> None:
    """Write the parts of a data set that lie in several files as one each. No id changes.

    Files that earlier versions hold stay; those that nothing names any more go with `plumbline gc`.
    """
    from plumbline.cli.progress import progress
    from plumbline.cli.workspace import find_project, roomy

    lake = roomy(find_project(project), memory).lake
    with progress(quiet=as_json) as watcher:
        done = lake.compact(name, watcher.step)
    text = (
        f"{name}: {done.n_before} files became {done.n_after}"
        if done.n_parts
        else (f"{name}: every part lies in one file")
    )
    if done.n_left:
        text += f"; {done.n_left} that nothing names go with: plumbline gc"
    console.emit({"name": name, **done._asdict()}, lambda: text, as_json=as_json)


@group.command()
def resample(
    name: Name,
    to: Annotated[
        list[str],
        typer.Option(
            "--to", metavar="CALENDAR", help="Coarser grid: '24/7 1h', XNYS ... May be repeated."
        ),
    ],
    how: Annotated[
        list[str] | None,
        typer.Option(
            "--how",
            metavar="FIELD=HOW",
            help="How values of a field are put together: first, highest, lowest, last or sum. "
            "Prices and volumes are known.",
        ),
    ] = None,
    memory: Memory = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Store coarser bars of a data set, for all grids from one scan, as NAME.1h, NAME.XNYS ...

    A coarse bar is there if all its bars are there; it is labelled by its close.
    """
    from plumbline.cli.progress import progress
    from plumbline.cli.workspace import find_project, roomy
    from plumbline.core.calendar import ALWAYS_OPEN, grid_of

    wrong = [word for word in how or () if not all(word.partition("="))]
    if wrong:
        raise ParameterError(f"--how {', '.join(wrong)} must read FIELD=HOW, such as vwap=last")
    ways = {word.partition("=")[0]: word.partition("=")[2] for word in how or ()}
    grids = {target: grid_of(target) for target in to}
    ends = {t: grid[1] if grid[0] == ALWAYS_OPEN else grid[0] for t, grid in grids.items()}
    lake = roomy(find_project(project), memory).lake
    dataset = lake.dataset(name)
    targets = {f"{dataset.name}.{ends[target]}": target for target in to}
    with progress(quiet=as_json) as watcher:
        done = lake.resample(dataset, targets, ways, watcher.step)
    rows = [
        {
            "name": label,
            "version": one.dataset.version,
            "created": one.created,
            "calendar": " ".join(one.dataset.grid),
            "n_rows": one.dataset.n_rows,
            "dataset_id": one.dataset.dataset_id,
        }
        for label, one in done.items()
    ]
    short = [row | {"dataset_id": str(row["dataset_id"])[:12]} for row in rows]
    console.emit(rows, lambda: console.table(short), as_json=as_json)


@group.command()
def export(
    name: Name,
    delta: Annotated[
        Path, typer.Option("--delta", metavar="DIR", help="Folder of the Delta Lake table.")
    ],
    version: Version = None,
    as_of: AsOf = None,
    memory: Memory = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a data set as the newest version of a Delta Lake table.

    The table is made if it is not there; nothing is written if it holds this content already.
    """
    from plumbline.cli.progress import progress
    from plumbline.cli.workspace import find_project, roomy

    lake = roomy(find_project(project), memory).lake
    dataset = lake.dataset(name, version, as_of)
    with progress(quiet=as_json) as watcher:
        number = lake.export_delta(dataset, delta, watcher.step)
    what = f"{name} version {dataset.version}"
    text = (
        f"{delta} holds {what} already"
        if number is None
        else (f"{what} is version {number} of {delta}: {dataset.n_rows} rows")
    )
    data = {"name": name, "version": dataset.version, "delta": str(delta), "delta_version": number}
    console.emit(data, lambda: text, as_json=as_json)


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
    text = f"{what} is forgotten; {counted(n_files, 'file')} removed"
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
    names = ", ".join(map(console.one_line, assets[:12])) + (
        f" … ({len(assets)} in all)" if len(assets) > 12 else ""
    )
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
