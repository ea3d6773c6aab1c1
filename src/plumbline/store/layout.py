"""Which figures the array of measures of a portfolio-day holds: their names and types, in order."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, final

import polars as pl

from plumbline.core.errors import ParameterError

_KINDS: Final[dict[str, Any]] = {
    kind: getattr(pl, kind)()
    for kind in ("Float64", "Int64", "Int32", "Int16", "Int8", "UInt32", "UInt16", "UInt8")
}


@final
@dataclass(frozen=True)
class Layout:
    """Columns of measures.

    Parameters
    ----------
    columns : name and name of the type of each, in order.
    """

    columns: tuple[tuple[str, str], ...]

    @cached_property
    def digest(self) -> str:
        """Return the 32 hex digits that stand for it in a packed row."""
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()

    @property
    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.columns)

    @property
    def schema(self) -> dict[str, Any]:
        """Return the types by name."""
        return {name: _KINDS[kind] for name, kind in self.columns}

    @property
    def names(self) -> list[str]:
        """Return the names."""
        return [name for name, _ in self.columns]

    def is_whole(self, name: str) -> bool:
        """Return whether a column holds whole numbers."""
        return dict(self.columns)[name] != "Float64"


def layout_of(schema: Mapping[str, Any]) -> Layout:
    """Return the layout of a frame of measures.

    Parameters
    ----------
    schema : types by name, with ``portfolio`` and ``date`` or without.

    Raises
    ------
    ParameterError
        If a column is neither of doubles nor of whole numbers; every such is named.
    """
    columns = {n: str(t) for n, t in schema.items() if n not in ("portfolio", "date")}
    wrong = [f"{name} is {kind}" for name, kind in columns.items() if kind not in _KINDS]
    if wrong:
        raise ParameterError(
            f"measures hold what cannot be stored: {', '.join(wrong)}; allowed: {', '.join(_KINDS)}"
        )
    return Layout(tuple(columns.items()))


def layout_from(text: str) -> Layout:
    """Return the layout of a text that :attr:`Layout.text` gave."""
    return Layout(tuple((name, kind) for name, kind in json.loads(text)))


def union_of(layouts: Iterable[Layout]) -> dict[str, bool]:
    """Return the names of several layouts, the first layout's first, and whether they are whole."""
    found: dict[str, bool] = {}
    for layout in layouts:
        for name in layout.names:
            found.setdefault(name, layout.is_whole(name))
    return found


def require_agreement(layout: Layout, known: Sequence[Layout]) -> None:
    """Refuse a layout in which a column is whole that is not so in others, or the reverse.

    Raises
    ------
    ParameterError
        If there is one: the union of the tables would change its type, and with it what people ask.
    """
    before = union_of(known)
    wrong = [n for n in layout.names if before.get(n, layout.is_whole(n)) != layout.is_whole(n)]
    if wrong:
        raise ParameterError(
            f"measures {', '.join(wrong)} are of whole numbers in one place and of doubles in "
            "another, of those that are stored: give the figure another name"
        )
