"""Where the P&L of a session came from: factors, trading, dividends, and what is left."""

from functools import reduce
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.segment_sums import segment_sums
from plumbline.kernels.weighted_sums import weighted_sums
from plumbline.risk.accounts import Accounts
from plumbline.risk.exposures import Exposures
from plumbline.risk.joint_model import FACTORS, JointFit
from plumbline.risk.valuation import OPTION, Valuation

PARTS: Final = (
    *FACTORS,
    *("trading", "dividends", "interest", "fees", "option_convexity", "residual"),
)

Table = Float[np.ndarray, "portfolios dates"]


def attribute(
    accounts: Accounts,
    valuation: Valuation,
    before: Exposures,
    fit: JointFit,
) -> dict[str, Table]:
    """Return the parts of the P&L of each date; they add up to it.

    Parameters
    ----------
    accounts : of some portfolios, on all sessions.
    valuation : of the symbols.
    before : exposures at the close of the session before each date.
    fit : of the joint model on the dates.

    Returns
    -------
    A part for each factor, exposure times slope times return, 0 for what has no fit; ``trading``,
    from the price of a trade to the close; ``dividends``, ``interest``, ``fees`` (negative);
    ``option_convexity``, what options gained beyond delta times the move of the underlying; and
    ``residual``, the rest.

    Notes
    -----
    Slopes are those of total returns, so what a factor explains holds dividends too, which the
    residual gives back. Cost: O(lines x dates x factors).
    """
    lines, equity = accounts.lines, accounts.equity
    days = fit.days
    dollars, _ = weighted_sums(before.dollars, fit.beta)
    by_factor = np.nan_to_num(dollars) * np.nan_to_num(fit.factor_returns)
    trading, convexity = _of_lines(accounts, valuation, before, days)
    parts = {name: by_factor[:, :, k] for k, name in enumerate(FACTORS)}
    parts["trading"] = segment_sums(trading, lines.start)
    parts["dividends"] = equity.dividends[:, days]
    parts["interest"] = equity.interest[:, days]
    parts["fees"] = 0.0 - equity.fees[:, days]  # 0 without fees, where a minus sign gives -0
    parts["option_convexity"] = segment_sums(convexity, lines.start)
    told = reduce(np.add, parts.values())  # one by one: numpy's order depends on the shape
    parts["residual"] = equity.pnl[:, days] - told
    return parts


def _of_lines(
    accounts: Accounts,
    valuation: Valuation,
    before: Exposures,
    days: Int[np.ndarray, " dates"],
) -> tuple[Float[np.ndarray, "lines dates"], Float[np.ndarray, "lines dates"]]:
    """Return what trades gained up to the close, and what options gained beyond their delta."""
    symbol, earlier = accounts.lines.symbol, np.maximum(days - 1, 0)
    is_first = days == 0
    held = np.where(is_first, 0.0, accounts.at("quantity", earlier))
    worth = np.where(is_first, 0.0, accounts.at("value", earlier))
    marks = valuation.marks
    kept = held * marks.split[:, days][symbol]
    bought, traded = accounts.at("quantity", days) - kept, accounts.at("traded", days)
    unit = marks.multiplier[symbol][:, None] * marks.price[:, days][symbol]
    gained = accounts.at("value", days) - worth - traded
    has_price = ~np.isnan(unit) & ~np.isnan(marks.price[:, earlier][symbol])
    at_close = np.where(has_price, bought * np.where(np.isnan(unit), 0.0, unit), 0.0)
    trading = np.where(has_price, at_close - traded, 0.0)
    is_bought = (kept == 0) & (bought != 0)
    trading = np.where(is_bought, gained, trading)
    with np.errstate(divide="ignore", invalid="ignore"):  # such moves are taken out
        moves = marks.price[:, days] * marks.split[:, days] / marks.price[:, earlier] - 1.0
    move = moves[valuation.underlying[symbol]]
    is_option = (valuation.kind[symbol] == OPTION)[:, None] & before.is_measured & ~is_first
    linear = np.where(is_option & np.isfinite(move), before.exposure * np.nan_to_num(move), 0.0)
    return trading, np.where(is_option, gained - trading - linear, 0.0)
