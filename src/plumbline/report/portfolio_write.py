"""Put the reports of portfolios, and the page of all of them, into a folder."""

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from plumbline.lake.durable import sync_folder, write_durably
from plumbline.report.paths import INDEX_STEM, ReportPaths, portfolio_stem
from plumbline.report.portfolio_index_page import index_page, pages_of
from plumbline.report.portfolio_page import portfolio_page
from plumbline.report.portfolio_twin import index_json, portfolio_json
from plumbline.report.write import make_report_folder
from plumbline.stages.portfolio_results import PortfolioResults, ResultOrigin


def write_portfolio_report(
    results: PortfolioResults, folder: str | os.PathLike[str], index: str = ""
) -> ReportPaths:
    """Write the page of a portfolio and its JSON twin.

    A reader sees an old or a new file, never a part; a file that holds the same already is left
    alone. The page is written last.

    Parameters
    ----------
    results : the portfolio.
    folder : made if it is not there.
    index : address of the page of all portfolios, relative to the folder; no link if empty.

    Returns
    -------
    The paths of both files: :func:`plumbline.report.paths.portfolio_stem` names them.

    Raises
    ------
    ParameterError
        If ``folder`` is, or lies under, a file.
    """
    place, stem = Path(folder), portfolio_stem(results.portfolio)
    paths = ReportPaths(place / f"{stem}.html", place / f"{stem}.json")
    texts = {
        paths.json: portfolio_json(results),
        paths.html: portfolio_page(results, paths.json.name, index),
    }
    _put(place, texts)
    return paths


def write_portfolio_index(
    frame: pl.DataFrame,
    folder: str | os.PathLike[str],
    title: str = "Portfolios",
    provenance: ResultOrigin | None = None,
) -> ReportPaths:
    """Write the page of all portfolios, ``index.html``, and its JSON twin.

    Parameters
    ----------
    frame : as :func:`plumbline.stages.portfolio_index.portfolio_index` gives it. A column ``page``
        has addresses of the portfolios' pages, relative to the folder, null without one; without
        the column they are those that :func:`write_portfolio_report` writes into the same folder.
    folder, title, provenance : where, what it is called, and where the numbers come from.

    Returns
    -------
    The paths of both files, written as :func:`write_portfolio_report` writes.

    Raises
    ------
    ParameterError
        If the frame lacks a column, a portfolio has no key or comes twice, an address leaves the
        folder, or ``folder`` is, or lies under, a file.
    """
    place = Path(folder)
    paths = ReportPaths(place / f"{INDEX_STEM}.html", place / f"{INDEX_STEM}.json")
    shown = frame.with_columns(pages_of(frame))
    texts = {
        paths.json: index_json(shown, provenance),
        paths.html: index_page(shown, title, paths.json.name, provenance),
    }
    _put(place, texts)
    return paths


def _put(place: Path, texts: Mapping[Path, str]) -> None:
    make_report_folder(place)
    for path, text in texts.items():
        content = text.encode()
        if not path.is_file() or path.read_bytes() != content:
            write_durably(path, content)
    sync_folder(place)
