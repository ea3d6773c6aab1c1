"""Which column of a file is the time, which the asset, and which are fields."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from plumbline.core.column_names import ASSET_NAMES, BAR_NAMES, OPENING_NAMES, field_name
from plumbline.core.errors import nearest_names
from plumbline.lake.problem_text import listed

if TYPE_CHECKING:
    from plumbline.lake.raw_table import RawTable
    from plumbline.lake.tabular_source import TabularSource

_UNNAMED = re.compile(r"|Unnamed: \d+|__index_level_\d+__")  # as pandas writes an index
_VALUE = re.compile(r"^\s*[+-]?(\d[\d.,:eE+/TZ -]*|\d{4}-\d{2}-\d{2}.*)\s*$")


@final
@dataclass(frozen=True)
class Roles:
    """Columns of a file by what they mean.

    Parameters
    ----------
    bar : column of times.
    asset : column of asset names; None if the table is wide or one file is one asset.
    values : our name -> column: fields of a long table, assets of a wide one.
    notes : column -> what the quality report says of it: ``name_taken`` and ``unnamed_column`` are
        left out, ``unadjusted_close`` stands beside a close that nobody chose.
    """

    bar: str
    asset: str | None
    values: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)


def find_roles(table: "RawTable", source: "TabularSource", problems: list[str]) -> Roles | None:
    """Return the role of each column, or None; append what is wrong.

    Parameters
    ----------
    table : the file's columns.
    source : its ``columns``, ``fields``, ``form`` and ``asset`` say what is meant.
    problems : list that problems are appended to.
    """
    before = len(problems)
    header, name = table.frame.columns, table.name
    is_named = any(field_name(c) in BAR_NAMES or c in source.columns.values() for c in header)
    if source.form == "long" and not is_named and any(_VALUE.match(c) for c in header):
        problems.append(
            f"{name}: the header is missing: the first line holds values ({listed(header, 8)})"
        )
        return None
    for word, column in source.columns.items():
        if column not in header:
            hint = nearest_names(column, header)
            problems.append(f"{name}: no column {column!r} for {word!r}; {hint}")
    bar = _one_of("bar", BAR_NAMES, header, source, name, problems)
    if bar is not None and field_name(bar) in OPENING_NAMES and source.time_label == "close":
        problems.append(
            f"{name}: column {bar!r} looks like opening times; say time_label: open, "
            "or columns: {bar: …} if it is not"
        )
    if source.form == "wide":
        notes = {} if bar is None else _row_numbers(table, bar, problems)
        values = _wide_values([c for c in header if c not in notes], bar, name, problems)
        return None if len(problems) > before or bar is None else Roles(bar, None, values, notes)
    asset = None
    if source.asset is None:
        asset = _one_of("asset", ASSET_NAMES, header, source, name, problems)
    notes = _no_fields([c for c in header if c not in (bar, asset)], source)
    left = [c for c in header if c not in notes]
    values = _long_values(left, (bar, asset), source, name, problems)
    if {"close", "adj_close"} <= values.keys() and "close" not in source.columns:
        notes[values["adj_close"]] = "unadjusted_close"
    return None if len(problems) > before or bar is None else Roles(bar, asset, values, notes)


def _one_of(
    word: str,
    usual: Sequence[str],
    header: Sequence[str],
    source: "TabularSource",
    name: str,
    problems: list[str],
) -> str | None:
    if word in source.columns:
        column = source.columns[word]
        return column if column in header else None
    mapped = set(source.columns.values())
    found = [c for c in header if field_name(c) in usual and c not in mapped]
    if len(found) == 1:
        return found[0]
    advice = f"say which with columns: {{{word}: …}}"
    if word == "asset":
        advice += (
            ", or form: wide if every other column is an asset, or asset: '{stem}' if a file is "
            "one asset that its name tells (all of it but the ending: BRK.B of BRK.B.csv)"
        )
    if found:
        problems.append(f"{name}: {word} could be {' or '.join(map(repr, found))}; {advice}")
        return None
    near = [f"{c!r} ({h})" for c in header if (h := _near(c, usual))]
    hint = f"; near: {', '.join(near)}" if near else ""
    problems.append(
        f"{name}: no {word} column; found: {listed([repr(column) for column in header])}; "
        f"known: {', '.join(usual)}{hint}; {advice}"
    )
    return None


def _near(column: str, usual: Sequence[str]) -> str:
    hint = nearest_names(field_name(column), usual)
    return hint if hint.startswith("did you mean") else ""


def _row_numbers(table: "RawTable", bar: str, problems: list[str]) -> dict[str, str]:
    """Return the columns of a wide table without a name that count its rows; refuse others."""
    notes = {}
    for column in table.frame.columns:
        if column == bar or not _UNNAMED.fullmatch(column.strip()):
            continue
        if table.counts_rows(column):
            notes[column] = "unnamed_column"
        else:
            problems.append(
                f"{table.name}: column {column!r} has no name of an asset and does not count the "
                "rows; name it, or take it out of the file (in pandas: to_csv(index=False))"
            )
    return notes


def _no_fields(columns: Sequence[str], source: "TabularSource") -> dict[str, str]:
    """Return the columns of a long table that are no field: unnamed, or of a name given away."""
    notes = {}
    for column in columns:
        if column in source.columns.values():
            continue
        if _UNNAMED.fullmatch(column.strip()):
            notes[column] = "unnamed_column"
        elif field_name(column) in source.columns:
            notes[column] = "name_taken"
    return notes


def _wide_values(
    header: Sequence[str], bar: str | None, name: str, problems: list[str]
) -> dict[str, str]:
    assets = [column for column in header if column != bar]
    if not assets:
        problems.append(f"{name}: a wide table needs a column for each asset; it has none")
    return {asset: asset for asset in assets}


def _long_values(
    header: Sequence[str],
    taken: tuple[str | None, str | None],
    source: "TabularSource",
    name: str,
    problems: list[str],
) -> dict[str, str]:
    ours = {column: word for word, column in source.columns.items()}
    named = [(ours.get(c, field_name(c)), c) for c in header if c not in taken]
    for word, count in Counter(word for word, _ in named).items():
        if count > 1 or not word:
            same = ", ".join(repr(c) for w, c in named if w == word)
            problems.append(f"{name}: columns {same} would all be the field {word!r}; rename them")
    values = dict(named)
    if source.fields is not None:
        lacking = [word for word in source.fields if word not in values]
        problems.extend(
            f"{name}: no column for field {word!r}; {nearest_names(word, values)}"
            for word in lacking
        )
        values = {word: values[word] for word in source.fields if word in values}
    if not values and None not in taken:
        problems.append(f"{name}: no column is left for a field")
    return values
