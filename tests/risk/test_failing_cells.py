"""An analytic that fails on a portfolio and date leaves all other cells as they are."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plumbline.core.errors import MissingDataError
from plumbline.core.failure import Failure
from plumbline.risk.analytic import Analytic, Measures, PortfolioDays, Prepared
from plumbline.risk.analytics.market_beta import MarketBeta
from plumbline.risk.measurement import Measurement, measure
from tests.risk.made_books import HELD, among, made_book, made_history

N_DATES = 4


@final
@dataclass(frozen=True)
class Net(Analytic):
    """The sum of weights, which one portfolio has not on one session."""

    broken: tuple[float, int] | None = None  # its net value, and the session

    units: ClassVar = {"net_weight": "share of equity"}

    @property
    def sessions(self) -> int:
        """Return 1."""
        return 1

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the sums, or fail if the broken cell is among them."""
        del prepared
        equity = portfolios.accounts.equity
        days = portfolios.days.days
        net = (equity.long + equity.short)[:, days]
        if self.broken is not None and ((net == self.broken[0]) & (days == self.broken[1])).any():
            raise MissingDataError("this cell is broken")
        ones = np.ones(net.shape)
        return Measures({"net_weight": net}, ones, ones.astype(np.int64))


@pytest.fixture(scope="module")
def measured():
    market = made_history(3)
    book = made_book(np.random.default_rng(5), among(market, HELD), 12)
    dates = market.dates[-N_DATES:].tolist()
    kinds = {"net": Net(), "market_beta": MarketBeta()}
    return book, market, dates, kinds, measure(book, market, dates=dates, analytics=kinds)


def test_one_broken_cell_is_the_only_one_that_is_missing(measured):
    book, market, dates, kinds, whole = measured
    nets = whole.measures.filter(pl.col("net_weight").is_unique(), pl.col("net_weight") != 0)
    cell = nets.row(nets.height // 2, named=True)
    session = int(np.searchsorted(market.dates, np.datetime64(cell["date"])))
    broken = kinds | {"net": Net((cell["net_weight"], session))}
    found = measure(book, market, dates=dates, analytics=broken)
    expected = pl.DataFrame(
        [(cell["portfolio"], cell["date"], "net", "this cell is broken")],
        schema=found.failures.schema,
        orient="row",
    )
    assert_frame_equal(found.failures, expected)
    is_cell = (pl.col("portfolio") == cell["portfolio"]) & (pl.col("date") == cell["date"])
    assert found.measures.filter(is_cell)["net_weight"].to_list() == [None]
    assert found.measures.filter(is_cell)["net_coverage"].to_list() == [0.0]
    assert_frame_equal(found.measures.filter(~is_cell), whole.measures.filter(~is_cell))
    assert_frame_equal(
        found.measures.drop("net_weight", "net_coverage", "net_n_obs"),
        whole.measures.drop("net_weight", "net_coverage", "net_n_obs"),
    )
    assert_frame_equal(found.snapshots, whole.snapshots)
    assert_frame_equal(found.exposures, whole.exposures)
    keys = found.exposures.select("portfolio", "date", "symbol")
    assert_frame_equal(keys, keys.sort("portfolio", "date", "symbol"))


def test_what_else_an_analytic_raises_passes_unless_the_caller_takes_it(measured):
    book, market, dates, kinds, _ = measured

    def forgiving(compute):
        try:
            return compute()
        except ZeroDivisionError as error:
            return Failure("ZeroDivisionError", str(error))

    broken = {"market_beta": kinds["market_beta"], "bug": Bug()}
    with pytest.raises(ZeroDivisionError, match="a bug"):
        measure(book, market, dates=dates, analytics=broken)
    found = Measurement.of(book, market, broken, dates, attempt=forgiving).part(
        0, book.portfolios.height
    )
    assert set(found.failures["reason"]) == {"a bug"}
    assert found.failures.height == found.snapshots.height
    assert found.measures["market_beta"].is_not_null().any()


@final
@dataclass(frozen=True)
class Bug(Analytic):
    """One that cannot compute anything."""

    units: ClassVar = {"nothing": "none"}

    @property
    def sessions(self) -> int:
        """Return 1."""
        return 1

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Raise what no analytic should."""
        raise ZeroDivisionError("a bug")
