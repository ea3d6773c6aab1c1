"""Measuring keeps the libraries beneath it in hand."""

from dataclasses import dataclass, field
from typing import ClassVar, final

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from plumbline.risk.analytic import Analytic, MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.measurement import measure
from tests.risk.made_books import HELD, among, made_book, made_history


def blas_threads() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@final
@dataclass(frozen=True)
class Watching(Analytic):
    """Nothing but how many threads BLAS has while symbols are prepared and portfolios measured."""

    seen: dict[str, set[int]] = field(default_factory=dict)

    units: ClassVar = {"nothing": "none"}

    @property
    def sessions(self) -> int:
        """Return 1."""
        return 1

    def prepare(self, days: MarketDays) -> Prepared:
        """Look."""
        del days
        self.seen["prepare"] = blas_threads()
        return {}

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Look."""
        del prepared
        self.seen["compute"] = blas_threads()
        equity = portfolios.exposures.equity
        return Measures({"nothing": equity}, equity, np.ones(equity.shape, dtype=np.int64))


def test_blas_has_one_thread_while_analytics_compute_and_its_own_again_afterwards():
    market = made_history(3)
    book = made_book(np.random.default_rng(5), among(market, HELD), 3)
    watching = Watching()
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        measure(book, market, dates=market.dates[-1:].tolist(), analytics={"watching": watching})
        assert blas_threads() == before
    assert watching.seen == {"prepare": {1}, "compute": {1}}
    assert before == {2}
