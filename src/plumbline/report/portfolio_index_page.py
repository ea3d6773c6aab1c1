"""The page of all portfolios: one light HTML text whose script draws the rows that are seen.

Numbers travel as columns, rounded as they are shown; texts that repeat, once.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

import polars as pl

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.report.document import Document, document
from plumbline.report.markup import Html, join, json_block, tag
from plumbline.report.parts import Section
from plumbline.report.paths import portfolio_stem
from plumbline.report.portfolio_page import result_footer
from plumbline.report.tables import Column, number_cell, table
from plumbline.report.values import (
    AMOUNT,
    COUNT,
    MISSING,
    PERCENT,
    RATIO,
    RETURN,
    Style,
    finite_cells,
)
from plumbline.stages.portfolio_index import INDEX_FIGURES
from plumbline.stages.portfolio_results import ResultOrigin

STATIC_ROWS: Final = 50
"""Rows that stand in the page for readers without scripts."""

_PAGE: Final = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NAMED: Final = 10  # portfolios that a message names
_EXACT_TO: Final = 1e15


@final
class IndexColumn(NamedTuple):
    """A column of the list: column of the frame, heading, style, and the name that filters use."""

    key: str
    heading: str
    style: Style | None
    filter_name: str
    meaning: str


COLUMNS: Final = (
    IndexColumn("portfolio", "Portfolio", None, "", "Key, and the way to its page."),
    IndexColumn("name", "Name", None, "", "As the book says."),
    IndexColumn("owner", "Owner", None, "", "As the book says."),
    IndexColumn("currency", "Currency", None, "", "Of equity and P&L."),
    IndexColumn("date", "Last date", None, "", "Last session that was measured."),
    IndexColumn("equity", "Equity", AMOUNT, "equity", "Cash and market value."),
    IndexColumn("pnl", "P&L of the day", AMOUNT, "pnl", "Gained on the last date."),
    IndexColumn("year_to_date", "Year to date", RETURN, "ytd", "Time-weighted return."),
    IndexColumn("leverage", "Leverage", RATIO, "leverage", "Gross over equity."),
    IndexColumn("market_beta", "Market beta", RATIO, "beta", "Of holdings to the benchmark."),
    IndexColumn(
        "market_beta_coverage", "Beta covers", PERCENT, "covers",
        "Share of gross exposure that the beta rests on.",
    ),
    IndexColumn("var_95", "VaR 95", RETURN, "var", "Loss of equity that 5 % of days exceed."),
    IndexColumn("n_positions", "Positions", COUNT, "positions", "Held on the last date."),
    IndexColumn("n_stale", "Stale", COUNT, "stale", "Positions priced by an earlier session."),
    IndexColumn(
        "n_unpriced", "Unpriced", COUNT, "unpriced", "Positions carried without a recent price."
    ),
    IndexColumn("n_failures", "Failures", COUNT, "failures", "Analytics that failed on the date."),
)  # fmt: skip
"""The columns of the list, in their order."""


def pages_of(frame: pl.DataFrame) -> pl.Series:
    """Return the address of each portfolio's page, after a look at the whole frame.

    Raises
    ------
    ParameterError
        If a column is missing, a portfolio has no key or comes twice, or an address leaves the
        folder of the page.
    """
    wanted = ("portfolio", "name", "owner", "currency", *INDEX_FIGURES)
    lacking = [name for name in wanted if name not in frame.columns]
    if lacking:
        told = [f"{name!r} ({nearest_names(name, frame.columns)})" for name in lacking]
        raise ParameterError(f"index of portfolios lacks columns {', '.join(told)}")
    keys = frame["portfolio"]
    if keys.null_count():
        raise ParameterError(f"{keys.null_count()} portfolios of the index have no key; name each")
    twice = keys.filter(keys.is_duplicated()).unique(maintain_order=True).head(_NAMED).to_list()
    if twice:
        raise ParameterError(f"portfolios that come more than once in the index: {twice}")
    if "page" not in frame.columns:
        return pl.Series("page", [f"{portfolio_stem(key)}.html" for key in keys], dtype=pl.String)
    pages = frame["page"].cast(pl.String)
    wrong = [page for page in pages if page is not None and not _PAGE.fullmatch(page)][:_NAMED]
    if wrong:
        raise ParameterError(
            f"addresses of pages must be names below the folder, of letters, digits and _ . -; "
            f"given: {wrong}"
        )
    return pages


def index_page(
    frame: pl.DataFrame, title: str, twin: str = "", origin: ResultOrigin | None = None
) -> str:
    """Return the page of all portfolios as HTML: equal frames give equal text.

    Parameters
    ----------
    frame : ``COLUMNS`` and ``page``, a row a portfolio.
    title : heading of the page.
    twin : name of the file with its JSON twin, if there is one beside it.
    origin : where the numbers come from.

    Returns
    -------
    One HTML document, as :func:`plumbline.report.document.document` makes it.
    """
    dates = frame["date"].drop_nulls()
    latest = str(max(dates.to_list())) if len(dates) else "none"
    sections = [
        Section("portfolios", "Portfolios", "All portfolios", _list(frame)),
        Section("definitions", "Definitions", "What the columns are", _meanings()),
    ]
    footer = result_footer(origin, twin, {"Last date": latest})
    page = Document("Portfolio index", title, _facts(frame, latest), sections, footer)
    return document(page, json_block(_record(frame), id="portfolios-data"), ("portfolio_index.js",))


def _facts(frame: pl.DataFrame, latest: str) -> list[str]:
    n = frame.height
    counts = {
        "not measured": frame["date"].null_count(),
        f"behind {latest}": int((frame["date"] < frame["date"].max()).sum()) if n else 0,
        "with stale prices": int((frame["n_stale"] > 0).sum()),
        "with unpriced positions": int((frame["n_unpriced"] > 0).sum()),
        "with failures": int((frame["n_failures"] > 0).sum()),
    }
    told = [f"{count:,} {what}" for what, count in counts.items() if count]
    return [f"{n:,} portfolio{'' if n == 1 else 's'}", f"last date {latest}", *told]


def _list(frame: pl.DataFrame) -> Html:
    if not frame.height:
        return tag("p", "Not available: there are no portfolios.", class_="unavailable")
    names = ", ".join(column.filter_name for column in COLUMNS if column.filter_name)
    hint = (
        "Words are looked for in key, name, owner and currency; conditions such as beta>1.2, "
        f"ytd<-5 or failures>0 are of {names}, as they are shown. All have to hold."
    )
    field = tag(
        "input", type="search", id="filter", autocomplete="off", spellcheck="false",
        aria_describedby="filter-hint", placeholder="words, beta>1.2, failures>0",
    )  # fmt: skip
    asked = tag("label", "Filter ", field)
    count = tag("output", _shown(frame), id="shown", aria_live="polite")
    bar = tag("div", asked, count, class_="filter", hidden="")
    note = tag("p", hint, id="filter-hint", class_="note")
    without = tag("p", f"{_shown(frame)} Without scripts the page shows no more.", class_="notice")
    return join([tag("noscript", without), bar, _table(frame), note])


def _shown(frame: pl.DataFrame) -> str:
    n = min(frame.height, STATIC_ROWS)
    return f"{n:,} of {frame.height:,} portfolios, as given."


def _table(frame: pl.DataFrame) -> Html:
    heads = [
        tag("th", c.heading, *_unit(c), scope="col", class_="num" if c.style else "text")
        for c in COLUMNS
    ]
    head = frame.head(STATIC_ROWS)
    columns = [_cells(head, column) for column in COLUMNS]
    rows = [tag("tr", *(cells[at] for cells in columns)) for at in range(head.height)]
    caption = tag("caption", "All portfolios on their last date")
    drawn = tag("table", caption, tag("thead", tag("tr", *heads)), tag("tbody", *rows), id="list")
    label = "All portfolios"
    return tag("div", drawn, class_="scroll list", role="region", aria_label=label, tabindex="0")


def _unit(column: IndexColumn) -> list[Html | str]:
    if column.style is None or column.style.unit != "%":
        return []
    return [" ", tag("small", "%")]


def _cells(frame: pl.DataFrame, column: IndexColumn) -> list[Html]:
    if column.style is not None:
        return [number_cell(value, column.style) for value in finite_cells(frame[column.key])]
    texts = ["" if text is None else str(text) for text in frame[column.key].to_list()]
    if column.key != "portfolio":
        return [
            tag("td", text or MISSING, class_="text" if text else "text missing") for text in texts
        ]
    pages = frame["page"].to_list()
    return [
        tag("th", tag("a", text, href=page) if page else text, scope="row", class_="text")
        for text, page in zip(texts, pages, strict=True)
    ]


def _meanings() -> Html:
    rows = [{"column": c.heading, "meaning": c.meaning, "name": c.filter_name} for c in COLUMNS]
    columns = (
        Column("Column", "column"), Column("What it is", "meaning"), Column("In filters", "name")
    )  # fmt: skip
    return table("What the columns are", columns, {"": rows})


def _record(frame: pl.DataFrame) -> dict[str, object]:
    """Return what the script draws: columns, numbers as they are shown."""
    pages = frame["page"].to_list()
    keys = frame["portfolio"].to_list()
    plain = [
        None if page == f"{key}.html" else page or "" for key, page in zip(keys, pages, strict=True)
    ]
    return {
        "n": frame.height,
        "pages": [] if not any(page is not None for page in plain) else plain,
        "columns": [_coded(frame, column) for column in COLUMNS],
    }


def _coded(frame: pl.DataFrame, column: IndexColumn) -> Mapping[str, object]:
    head = {"heading": column.heading, "filter": column.filter_name}
    if column.style is None:
        texts = [None if text is None else str(text) for text in frame[column.key].to_list()]
        if column.key == "name" and texts == [str(key) for key in frame["portfolio"].to_list()]:
            return head | {"like": 0}
        words = list(dict.fromkeys(texts))
        if len(words) > len(texts) // 4:
            return head | {"text": texts}
        place = {word: at for at, word in enumerate(words)}
        return head | {"words": words, "at": [place[text] for text in texts]}
    style = column.style
    return head | {
        "digits": style.digits,
        "unit": "%" if style.unit == "%" else "",
        "y": _rounded(finite_cells(frame[column.key]), style),
    }


def _rounded(values: Sequence[float | None], style: Style) -> list[float | int | None]:
    """Return scaled values with the decimals that are shown."""
    made: list[float | int | None] = []
    for value in values:
        scaled = None if value is None else value * style.scale
        if scaled is None or not abs(scaled) < float("inf"):
            made.append(None)
        elif abs(scaled) >= _EXACT_TO:
            made.append(float(f"{scaled:.3g}"))
        else:
            made.append(round(scaled, style.digits) if style.digits else round(scaled))
    return made
