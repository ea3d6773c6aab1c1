"""What a nightly run computes from: a book, prices, analytics, and keys of portfolio-days."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, final

import numpy as np

from plumbline.core.calendar import Calendar
from plumbline.core.digest import digest
from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.engine.project import Project
from plumbline.lake.room import Room
from plumbline.lake.table_sets import TableSet
from plumbline.risk.analytic import Analytic
from plumbline.risk.book import Book
from plumbline.risk.market import Market, chained_market
from plumbline.risk.measurement import Measurement, refuse_outside
from plumbline.risk.portfolio_keys import PortfolioKeys, portfolio_keys
from plumbline.risk.valuation import Valuation, valued
from plumbline.stages.nightly_parts import (
    Span,
    analytics_of,
    reading_of,
    require_known,
    span_of,
)
from plumbline.stages.nightly_warnings import book_warnings, stress_warnings
from plumbline.stages.portfolio_books import stored_book
from plumbline.stages.recipe import Recipe
from plumbline.stages.workspace import Workspace

_FIELDS: Final = ("close", "split", "dividend")


@final
@dataclass(frozen=True, eq=False)
class NightlyInputs:
    """Everything that a nightly run reads.

    Parameters
    ----------
    recipe : of kind nightly.
    project : that keeps books, prices and the ledger.
    book : all portfolios; trades behind the last price are left out.
    version : of the book.
    market : prices of all symbols.
    kinds : analytics by name.
    span : sessions that are asked for.
    warnings : what is not counted, cannot be valued, or is not converted.
    """

    recipe: Recipe
    project: Project
    book: Book
    version: TableSet
    market: Market
    kinds: Mapping[str, Analytic]
    span: Span
    warnings: tuple[str, ...] = ()

    @cached_property
    def valuation(self) -> Valuation:
        """Return what one of each symbol is worth."""
        return valued(self.market, self.book)

    @cached_property
    def keys(self) -> PortfolioKeys:
        """Return the keys of all portfolio-days."""
        return portfolio_keys(self.book, self.valuation, self.kinds)

    @cached_property
    def code(self) -> str:
        """Return the digest of the code that makes portfolio-days."""
        codes = self.project.codes
        own = codes.of_module(Measurement.__module__).digest
        found = [own, *(codes.of(kind).digest for kind in self.kinds.values())]
        codes.save()
        return digest(sorted(found))

    @property
    def keeps_code(self) -> bool:
        """Return whether days stay that other code made."""
        return bool(self.recipe.resolved["on_code_change"] == "keep")

    @cached_property
    def wanted(self) -> np.ndarray:
        """Return (T,) whether a session is asked for."""
        dates = self.market.dates
        out = np.ones(dates.size, dtype=np.bool_)
        if self.span.first is not None:
            out &= dates >= np.datetime64(self.span.first, "D")
        if self.span.last is not None:
            out &= dates <= np.datetime64(self.span.last, "D")
        if self.span.sessions is not None:
            last = np.flatnonzero(out)[: -self.span.sessions]
            out[last] = False
        if not out.any():
            raise ParameterError(
                f"no session of the prices lies {self.span}: they go from {dates[0]} to {dates[-1]}"
            )
        return out


def nightly_inputs(workspace: Workspace, span: Span | None = None) -> NightlyInputs:
    """Return what a nightly run of a workspace computes from; its new data are stored.

    Parameters
    ----------
    workspace : of a recipe of kind nightly.
    span : sessions that are asked for; default: those of the recipe.

    Raises
    ------
    UnknownNameError
        If there is no such book.
    BookError
        If trades lie before the prices, or adjustments and closes do not fit.
    MissingDataError, ParameterError
        If prices are of another calendar than the book's, lack closes or symbols that analytics
        read, or no session of them is asked for.
    """
    recipe, project = workspace.recipe, workspace.project
    document = recipe.document
    reading = reading_of(document)
    book, version = stored_book(
        project, str(document["book"]), document.get("book_version"), reading.conventions
    )
    workspace.store_data()
    market = _market(workspace, book.calendar, is_adjusted=reading.is_adjusted)
    last = market.dates[-1].item()
    priced = {s for s, row in market.place.items() if not np.isnan(market.close[row]).all()}
    of_data = (*workspace.losses(), *workspace.cleaned())
    warnings = (*book_warnings(book, market, priced), *of_data)
    book = book.until(last)
    refuse_outside(book, market)
    kinds = analytics_of(document, recipe.base)
    require_known(kinds, priced)
    asked = span or span_of(document)
    inputs = NightlyInputs(recipe, project, book, version, market, kinds, asked, warnings)
    more = stress_warnings(kinds.values(), market, inputs.wanted)  # wanted refuses an empty span
    return replace(inputs, warnings=(*warnings, *more))


def _market(workspace: Workspace, calendar: Calendar, *, is_adjusted: bool) -> Market:
    project, panels, problems = workspace.project, {}, []
    lake = project.lake.within(Room(project.room.limit))  # nobody is told of a panel each night
    for name in workspace.recipe.resolved["prices"]:
        dataset = workspace.datasets[name]
        if dataset.grid != (calendar.name, calendar.frequency):
            problems.append(
                f"data.{name} has bars of {' '.join(dataset.grid)}, the book those of "
                f"{calendar.name} {calendar.frequency}"
            )
            continue
        fields = [field for field in _FIELDS if field in dataset.fields]
        if not fields:
            problems.append(
                f"data.{name} has none of the fields {', '.join(_FIELDS)}; it has "
                f"{', '.join(dataset.fields)}"
            )
            continue
        panels[name] = lake.panel(dataset, fields)
    if problems:
        raise MissingDataError("; ".join(problems))
    return chained_market(panels, calendar, is_adjusted=is_adjusted)
