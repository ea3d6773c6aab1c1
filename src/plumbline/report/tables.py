"""HTML tables of numbers: units in the header, missing cells said to be missing."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

from plumbline.report.markup import Html, join, tag
from plumbline.report.values import MISSING, Style, finite, number_text


@final
class Column(NamedTuple):
    """A column: heading, key of its cell in a row, and style; text columns have none."""

    heading: str
    key: str
    style: Style | None = None

    @property
    def label(self) -> Html:
        """Heading with its unit."""
        unit = self.style.unit if self.style and self.style.unit in {"%", "bps"} else ""
        return join([self.heading, tag("small", unit)], " ") if unit else join([self.heading])


Row = Mapping[str, object]
"""Cells by key; one that is markup is placed as it is."""


def table(
    caption: str,
    columns: Sequence[Column],
    groups: Mapping[str, Sequence[Row]],
    reason: str = "",
    kind: str = "",
) -> Html:
    """Return a table that scrolls inside its box on a narrow screen.

    Parameters
    ----------
    caption : what the table holds.
    columns : the first one names the row.
    groups : heading of a group of rows to its rows; an empty heading is not shown.
    reason : why cells may be missing; shown below if any is.
    kind : ``sortable`` lets the script of a page order the rows by a column.
    """
    heads = [tag("th", c.label, scope="col", class_="num" if c.style else "text") for c in columns]
    bodies = []
    for heading, rows in groups.items():
        lines = [tag("tr", *(_cell(row, c, c is columns[0]) for c in columns)) for row in rows]
        if heading:
            wide = tag("th", tag("span", heading), scope="rowgroup", colspan=f"{len(columns)}")
            lines.insert(0, tag("tr", wide, class_="group"))
        bodies.append(tag("tbody", *lines))
    head = tag("thead", tag("tr", *heads))
    attributes = {"class_": kind} if kind else {}
    drawn = tag("table", tag("caption", caption), head, *bodies, **attributes)
    return join([scrolling(drawn, caption), missing_note(drawn, reason)])


def scrolling(content: Html, label: str) -> Html:
    """Return a box that scrolls sideways and can be reached by keyboard."""
    return tag("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")


def missing_note(content: Html, reason: str) -> Html:
    """Return the line below a table that explains its missing cells, if it has any."""
    if f">{MISSING}<" not in content:
        return Html()
    why = reason or "the value is missing or not finite in the results"
    return tag("p", f"{MISSING}: not available: {why}.", class_="note")


def number_cell(value: float | None, style: Style, /, **attributes: str) -> Html:
    """Return a right-aligned cell; a missing number is greyed."""
    text = number_text(value, style)
    given = {"class_": "num"} | attributes
    if text == MISSING:
        given["class_"] += " missing"
    return tag("td", text, **given)


def _cell(row: Row, column: Column, first: bool) -> Html:
    value = row.get(column.key)
    if column.style is not None and not first and not isinstance(value, Html):
        return number_cell(finite(value), column.style)
    text = value if isinstance(value, Html) else MISSING if value is None else str(value)
    if column.style is not None and not isinstance(value, Html):
        text = number_text(finite(value), column.style)
    kind = "num" if column.style else f"text col-{column.key}"
    return tag("th", text, scope="row", class_=kind) if first else tag("td", text, class_=kind)
