"""Books of portfolios: import them from files, list, show, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder
from plumbline.core.errors import ParameterError
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.risk.book import Book

group = typer.Typer(help=__doc__, rich_markup_mode=None, no_args_is_help=True)

_SHOWN = 20
BookName = Annotated[str, typer.Argument(metavar="BOOK", help="Name of the book.")]
BookVersion = Annotated[
    int | None, typer.Option("--version", min=1, help="A version of it. Default: the newest.")
]


@group.command("import")
def import_(
    book: BookName,
    portfolios: Annotated[Path | None, typer.Option("--portfolios", metavar="FILE")] = None,
    trades: Annotated[Path | None, typer.Option("--trades", metavar="FILE")] = None,
    cash_flows: Annotated[Path | None, typer.Option("--cash-flows", metavar="FILE")] = None,
    instruments: Annotated[Path | None, typer.Option("--instruments", metavar="FILE")] = None,
    positions: Annotated[Path | None, typer.Option("--positions", metavar="FILE")] = None,
    append: Annotated[
        bool,
        typer.Option("--append", help="Add rows to what the book has; else they take its place."),
    ] = False,
    calendar: Annotated[
        str | None,
        typer.Option("--calendar", help="Of a new book. Default: XNYS.", show_default=False),
    ] = None,
    opening_cash: Annotated[
        float | None,
        typer.Option(
            "--opening-cash",
            help="Of portfolios that positions open. Default: what their entries cost.",
            show_default=False,
        ),
    ] = None,
    decimal: Annotated[str, typer.Option("--decimal", help="Decimal mark of text.")] = ".",
    delimiter: Annotated[
        str | None,
        typer.Option("--delimiter", help="Of text. Default: found.", show_default=False),
    ] = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Import a book of portfolios from CSV or Parquet files, or nothing if a row is wrong.

    Every broken line of all files is named. A table that is given takes the place of the book's,
    or with --append comes beside it; tables that are not given stay. Earlier versions are kept.
    """
    from plumbline.cli.workspace import find_project
    from plumbline.lake.delimited import Marks
    from plumbline.stages.portfolio_books import Import, import_book

    named = {
        "portfolios": portfolios,
        "trades": trades,
        "cash_flows": cash_flows,
        "instruments": instruments,
        "positions": positions,
    }
    if decimal not in (".", ","):
        raise ParameterError(f"--decimal {decimal!r} must be . or ,")
    files = {table: path for table, path in named.items() if path is not None}
    marks = Marks(decimal=decimal, delimiter=delimiter)
    how = Import(append, calendar, opening_cash, marks)
    done = import_book(find_project(project), book, files, how)
    data = {
        "book": book,
        "version": done.version.version,
        "digest": done.version.digest,
        "is_new": done.is_new,
        "rows": dict(done.rows),
        "rows_before": dict(done.before),
    }
    console.emit(data, lambda: _imported(data), as_json=as_json)


def _imported(data: dict[str, Any]) -> str:
    rows = ", ".join(
        counted(n, table.removesuffix("s").replace("_", " ")) for table, n in data["rows"].items()
    )
    if not data["is_new"]:
        return f"{data['book']}: nothing changed; version {data['version']} has {rows}"
    return f"{data['book']}: version {data['version']}, {rows}"


@group.command("list")
def list_(
    book: Annotated[
        str | None,
        typer.Argument(metavar="[BOOK]", help="Default: all books.", show_default=False),
    ] = None,
    version: BookVersion = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the books of a project, or the portfolios of one."""
    from plumbline.cli.workspace import find_project
    from plumbline.stages.portfolio_books import book_names, book_versions, stored_book

    opened = find_project(project)
    if book is None:
        rows = [
            {
                "book": name,
                "version": newest.version,
                "created": newest.created,
                "portfolios": stored_book(opened, name)[0].portfolios.height,
            }
            for name in book_names(opened)
            for newest in book_versions(opened, name)[:1]
        ]
        none = "no books in this project; plumbline portfolios import makes one"
        console.emit(rows, lambda: console.table(rows) if rows else none, as_json=as_json)
        return
    found, _ = stored_book(opened, book, version)
    counts = found.trades.group_by("portfolio").len("trades")
    joined = found.portfolios.join(counts, on="portfolio", how="left", maintain_order="left")
    listed = joined.fill_null(0).to_dicts()
    console.emit(listed, lambda: console.table(listed), as_json=as_json)


@group.command()
def show(
    book: BookName,
    portfolio: Annotated[str, typer.Argument(help="Which portfolio.")],
    version: BookVersion = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what a book says of a portfolio: trades, flows, instruments."""
    from plumbline.cli.workspace import find_project
    from plumbline.stages.portfolio_books import stored_book

    found, stored = stored_book(find_project(project), book, version)
    own = found.only([portfolio])
    symbols = own.trades["symbol"].unique()
    data = {
        "book": book,
        "version": stored.version,
        "portfolio": own.portfolios.to_dicts()[0],
        "trades": own.trades.to_dicts(),
        "cash_flows": own.cash_flows.to_dicts(),
        "instruments": own.instruments.filter(own.instruments["symbol"].is_in(symbols)).to_dicts(),
    }
    console.emit(data, lambda: _shown(own), as_json=as_json)


def _shown(own: "Book") -> str:
    about = own.portfolios.to_dicts()[0]
    lines = [f"{name}: {value}" for name, value in about.items()]
    for name, frame in (("trade", own.trades), ("cash flow", own.cash_flows)):
        rows = frame.drop("portfolio").tail(_SHOWN).to_dicts()
        more = f", the last {_SHOWN}" if frame.height > _SHOWN else ""
        head = counted(frame.height, name) + more
        lines += ["", head, *([console.table(rows)] if rows else [])]
    return "\n".join(lines)


@group.command()
def export(
    book: BookName,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="It may hold none of the files.")],
    form: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    version: BookVersion = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the tables of a book as files, which an import takes."""
    from plumbline.cli.workspace import find_project
    from plumbline.stages.portfolio_books import FORMATS, export_book, stored_book

    if form not in FORMATS:
        raise ParameterError(f"--format {form!r} must be one of {', '.join(FORMATS)}")
    found, _ = stored_book(find_project(project), book, version)
    files = {table: str(path) for table, path in export_book(found, folder, form).items()}
    console.emit(files, lambda: "\n".join(files.values()), as_json=as_json)


@group.command()
def forget(book: BookName, project: ProjectFolder = None, as_json: AsJson = False) -> None:
    """Take a book and all its versions away. Results that are stored of it stay.

    `plumbline risk forget` takes results away.
    """
    from plumbline.cli.workspace import find_project
    from plumbline.stages.portfolio_books import forget_book

    n_versions = forget_book(find_project(project), book)
    data = {"book": book, "versions": n_versions}
    text = f"{book}: {counted(n_versions, 'version')} taken away"
    console.emit(data, lambda: text, as_json=as_json)
