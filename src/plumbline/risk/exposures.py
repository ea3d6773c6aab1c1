"""Weights of portfolios: what each line is exposed to, over equity."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.segment_sums import segment_sums
from plumbline.kernels.weighted_series import Weights
from plumbline.risk.accounts import Accounts
from plumbline.risk.valuation import Valuation


@final
@dataclass(frozen=True, eq=False)
class Exposures:
    """Exposures of lines on some dates.

    Parameters
    ----------
    start : (P + 1,) place of each portfolio's first line.
    symbol : (L,) row of the symbol that a line is exposed to, of an option its underlying.
    exposure : (L, D) in currency, signed; of what has no price, its carried value, of an option
        the last known if there is one.
    equity : (P, D).
    is_measured : (L, D) lines that have a price of a market; the others count into gross alone.
    """

    start: Int[np.ndarray, " portfolios_and_one"]
    symbol: Int[np.ndarray, " lines"]
    exposure: Float[np.ndarray, "lines dates"]
    equity: Float[np.ndarray, "portfolios dates"]
    is_measured: Bool[np.ndarray, "lines dates"]

    @cached_property
    def owner(self) -> Int[np.ndarray, " lines"]:
        """Return the portfolio of each line."""
        return np.repeat(np.arange(self.start.size - 1), np.diff(self.start))

    @cached_property
    def positive_equity(self) -> Float[np.ndarray, "portfolios dates"]:
        """Return equity, NaN where it is 0 or less: there are no weights of it."""
        return np.where(self.equity > 0, self.equity, np.nan)

    @cached_property
    def dollars(self) -> Weights:
        """Return the exposures of what is measured in currency, each symbol of a portfolio once.

        Gross is of these too: what an option takes from its underlying has its data all the same.
        """
        merged = self._merged(np.where(self.is_measured, self.exposure, 0.0))
        others = np.where(self.is_measured, 0.0, np.abs(self.exposure))
        return merged._replace(gross=merged.gross + segment_sums(others, self.start))

    @cached_property
    def weights(self) -> Weights:
        """Return the weights of what is measured, each symbol of a portfolio once."""
        return self._over_equity(self.dollars)

    @cached_property
    def all_weights(self) -> Weights:
        """Return the weights of all that is held, private assets and carried values included."""
        return self._over_equity(self._merged(self.exposure))

    def _merged(self, exposure: Float[np.ndarray, "lines dates"]) -> Weights:
        """Return exposures in currency, each symbol of a portfolio once, and their gross."""
        key = self.owner * (int(self.symbol.max(initial=0)) + 1) + self.symbol
        order = np.argsort(key, kind="stable")
        firsts = np.flatnonzero(np.diff(key[order], prepend=-1))
        merged = segment_sums(exposure[order], np.append(firsts, key.size))
        owner = self.owner[order][firsts]
        start = np.searchsorted(owner, np.arange(self.start.size))
        sizes = segment_sums(np.abs(merged), start)
        return Weights(start, self.symbol[order][firsts], merged, sizes)

    def _over_equity(self, dollars: Weights) -> Weights:
        owner = np.repeat(np.arange(self.start.size - 1), np.diff(dollars.start))
        weight = dollars.weight / self.positive_equity[owner]
        return dollars._replace(weight=weight, gross=dollars.gross / self.positive_equity)


def expose(accounts: Accounts, valuation: Valuation, days: Int[np.ndarray, " dates"]) -> Exposures:
    """Return the exposures of lines on some sessions.

    Parameters
    ----------
    accounts : of the portfolios on all sessions.
    valuation : of all symbols.
    days : sessions.
    """
    lines = accounts.lines
    unit = valuation.exposure[:, days][lines.symbol]
    quantity = accounts.at("quantity", days)
    has_unit = ~np.isnan(unit)
    known = quantity * np.where(has_unit, unit, 0.0)
    exposure = np.where(has_unit, known, accounts.at("value", days))
    is_measured = valuation.is_exposed[:, days][lines.symbol]
    is_measured &= valuation.is_measured[lines.symbol][:, None]
    symbol = valuation.underlying[lines.symbol]
    equity = accounts.equity.equity[:, days]
    return Exposures(lines.start, symbol, exposure, equity, is_measured)
