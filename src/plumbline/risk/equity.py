"""Equity of portfolios through time: value and cash, what was gained, and returns of it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.position_accounting import Holdings
from plumbline.kernels.segment_sums import segment_sums

Table = Float[np.ndarray, "portfolios sessions"]


@final
@dataclass(frozen=True, eq=False)
class Flows:
    """Cash that came and went by itself, session by session.

    Parameters
    ----------
    opening : cash of the first day; at the session of ``opened``.
    opened : session on which a portfolio opens.
    contributions, withdrawals : external; both 0 or more.
    dividends, interest : paid to the portfolio.
    fees : charged to it, 0 or more; those of trades are not in it.
    """

    opening: Float[np.ndarray, " portfolios"]
    opened: Int[np.ndarray, " portfolios"]
    contributions: Table
    withdrawals: Table
    dividends: Table
    interest: Table
    fees: Table

    @property
    def first(self) -> int:
        """Return the first session on which something flows or a portfolio opens."""
        tables = (self.contributions, self.withdrawals, self.dividends, self.interest, self.fees)
        flows = np.any([table.any(axis=0) for table in tables], axis=0)
        known = np.append(np.flatnonzero(flows), self.opened)
        return int(known.min(initial=self.fees.shape[1] - 1))

    def since(self, session: int) -> "Flows":
        """Return what flows from a session on."""
        return Flows(
            self.opening,
            self.opened - session,
            *(
                table[:, session:]
                for table in (
                    self.contributions,
                    self.withdrawals,
                    self.dividends,
                    self.interest,
                    self.fees,
                )
            ),
        )


@final
@dataclass(frozen=True, eq=False)
class Equity:
    """Portfolios at the close of each session; NaN before they open.

    Parameters
    ----------
    long, short : market value, short is negative.
    carried : the part of value, in size, that has no price.
    cash : may be negative, which is margin.
    equity : cash and value.
    pnl : what was gained on the session.
    realised, unrealised : of price changes; they add up, with dividends, interest and fees, to pnl.
    dividends, interest, fees : of the session.
    external : opening cash, contributions less withdrawals.
    """

    long: Table
    short: Table
    carried: Table
    cash: Table
    equity: Table
    pnl: Table
    realised: Table
    unrealised: Table
    dividends: Table
    interest: Table
    fees: Table
    external: Table

    @property
    def gross(self) -> Table:
        """Return the size of all holdings."""
        return np.asarray(self.long - self.short)

    @property
    def net(self) -> Table:
        """Return the value of all holdings."""
        return np.asarray(self.long + self.short)

    @property
    def leverage(self) -> Table:
        """Return gross over equity; NaN where equity is 0 or less."""
        return np.where(
            self.equity > 0, self.gross / np.where(self.equity > 0, self.equity, 1), np.nan
        )


def roll_forward(
    holdings: Holdings,
    start: Int[np.ndarray, " portfolios_and_one"],
    fees: Table,
    flows: Flows,
) -> Equity:
    """Return the equity of portfolios from their lines and flows.

    Parameters
    ----------
    holdings : of all lines, on the last sessions of the flows; nothing happens before them.
    start : place of each portfolio's first line.
    fees : of trades, on all sessions.
    flows : of cash, on all sessions.

    Notes
    -----
    Change of equity = pnl + external, exactly but for rounding. Cost: O(lines x sessions).
    """
    first = fees.shape[1] - holdings.value.shape[1]
    flows, fees = flows.since(first), fees[:, first:]

    def total(values: Float[np.ndarray, "lines sessions"]) -> Table:
        return segment_sums(values, start)

    value, traded, realised = (
        total(holdings.value),
        total(holdings.traded),
        total(holdings.realised),
    )
    dividends = total(holdings.dividends) + flows.dividends
    charged = fees + flows.fees
    sessions = np.arange(value.shape[1])
    is_first = sessions == flows.opened[:, None]
    external = (
        flows.contributions - flows.withdrawals + np.where(is_first, flows.opening[:, None], 0)
    )
    cash = np.cumsum(external + dividends + flows.interest - charged - traded, axis=1)
    unrealised = np.diff(value - total(holdings.cost), axis=1, prepend=0.0)
    pnl = realised + unrealised + dividends + flows.interest - charged
    is_open: Bool[np.ndarray, "portfolios sessions"] = sessions >= flows.opened[:, None]
    known = {
        "long": total(np.maximum(holdings.value, 0.0)),
        "short": total(np.minimum(holdings.value, 0.0)),
        "carried": total(np.where(holdings.is_carried, np.abs(holdings.value), 0.0)),
        "cash": cash,
        "equity": cash + value,
        "pnl": pnl,
        "realised": realised,
        "unrealised": unrealised,
        "dividends": dividends,
        "interest": flows.interest,
        "fees": charged,
        "external": external,
    }
    closed = np.full((is_open.shape[0], first), np.nan)
    opened = {name: np.where(is_open, table, np.nan) for name, table in known.items()}
    return Equity(**{name: np.hstack([closed, table]) for name, table in opened.items()})
