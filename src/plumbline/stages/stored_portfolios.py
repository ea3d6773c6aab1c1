"""What a store holds of portfolios, as their pages show it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, final

import polars as pl

from plumbline.engine.project import Project
from plumbline.ledger.queries import get_run, list_runs
from plumbline.risk.analytic import Analytic
from plumbline.risk.book import Book
from plumbline.risk.option_table import OPTIONS
from plumbline.risk.result import RiskResult
from plumbline.risk.symbol_table import SYMBOLS
from plumbline.stages.nightly_parts import analytics_of
from plumbline.stages.portfolio_books import stored_book
from plumbline.stages.portfolio_index import portfolio_index
from plumbline.stages.portfolio_results import (
    PortfolioFacts,
    PortfolioResults,
    ResultOrigin,
    portfolio_results,
)
from plumbline.stages.recipe import Recipe
from plumbline.store.portfolio_store import PortfolioStore
from plumbline.store.tables import FRAMES

_RUNS = 200  # that are looked at for the last one of a recipe


@final
@dataclass(frozen=True, eq=False)
class StoredPortfolios:
    """Portfolios of a nightly recipe, as a store holds them.

    Parameters
    ----------
    store : of the results.
    book : of the recipe: who the portfolios are, and what they hold.
    kinds : analytics of the recipe by name.
    origin : where the results come from.
    """

    store: PortfolioStore
    book: Book
    kinds: Mapping[str, Analytic]
    origin: ResultOrigin
    _correlations: dict[date, pl.DataFrame] = field(default_factory=dict, init=False, repr=False)

    def results(self, portfolios: Sequence[str]) -> Iterator[PortfolioResults]:
        """Yield what the page of each portfolio shows.

        Cost: a read of each portfolio's rows, and of the correlations of their last dates.
        """
        known = {row["portfolio"]: row for row in self.book.portfolios.iter_rows(named=True)}
        for name in portfolios:
            row = known.get(name, {})
            facts = PortfolioFacts(
                name, row.get("name", ""), row.get("owner", ""), row.get("currency", "")
            )
            yield portfolio_results(
                self._result(name), facts, self.book.instruments, self.origin, self.kinds
            )

    def index(self) -> pl.DataFrame:
        """Return the last figures of every portfolio of the book."""
        names = self.book.portfolios.select("portfolio", "name", "owner", "currency")
        latest = (self.store.latest(table) for table in ("snapshots", "measures", "failures"))
        return portfolio_index(names, *latest)

    def _result(self, name: str) -> RiskResult:
        own = [name]
        frames: dict[str, Any] = {t: self.store.read(t, portfolios=own) for t in FRAMES}
        dates = frames["snapshots"]["date"].to_list()
        last = dates[-1] if dates else date.min
        if last not in self._correlations:
            found = self.store.read("correlations", first=last, last=last)
            self._correlations[last] = found
        shown = {"correlations": self._correlations[last]}
        unshown = {"symbols": SYMBOLS, "options": OPTIONS}
        frames |= {name: pl.DataFrame(schema=schema) for name, schema in unshown.items()}
        return RiskResult(**frames | shown)


def stored_portfolios(project: Project, recipe: Recipe, store: PortfolioStore) -> StoredPortfolios:
    """Return the portfolios of a nightly recipe in a store.

    Raises
    ------
    UnknownNameError
        If the recipe's book is not there.
    """
    document = recipe.document
    book, _ = stored_book(project, str(document["book"]), document.get("book_version"))
    kinds = analytics_of(document, recipe.base)
    return StoredPortfolios(store, book, kinds, _origin(project, recipe, store))


def _origin(project: Project, recipe: Recipe, store: PortfolioStore) -> ResultOrigin:
    """Return the last run of a recipe that ended, as a page tells it."""
    for run in list_runs(project.database, _RUNS):
        if run["pipeline"] == recipe.name and run["finished"] is not None:
            found = get_run(project.database, run["id"])
            ended = run["finished"].isoformat(timespec="seconds") + "Z"
            versions: dict[str, str] = found["machine"]["libraries"]
            return ResultOrigin(run["id"], ended, store.label, "", versions)
    return ResultOrigin(store=store.label)
