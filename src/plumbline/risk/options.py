"""European options: value, sensitivities and implied volatility after Black, Scholes and Merton."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr

DAYS_A_YEAR = 365.0
_STEPS = 100  # of bisection at the worst; each halves the bracket
_LEAST, _MOST = 1e-4, 10.0  # volatilities between which an implied one is looked for
_CLOSE = 1e-12  # relative width of the bracket at which the search ends

Array = Float[np.ndarray, "..."]


@final
@dataclass(frozen=True, eq=False)
class Contracts:
    """Options, one an entry; arrays broadcast against each other.

    Parameters
    ----------
    spot : price of the underlying.
    strike : above 0.
    years : to expiry, calendar days over 365; 0 at expiry.
    rate : continuously compounded, a year.
    dividend_yield : continuous, a year.
    is_call : else a put.
    """

    spot: Array
    strike: Array
    years: Array
    rate: Array
    dividend_yield: Array
    is_call: Bool[np.ndarray, "..."]

    @property
    def intrinsic(self) -> Array:
        """Return what exercise gives now."""
        inside = np.where(self.is_call, 1.0, -1.0) * (self.spot - self.strike)
        return np.asarray(np.maximum(inside, 0.0))

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Return the values between which an option's lies, at volatility 0 and without end."""
        spot, strike = self.discounted
        sign = np.where(self.is_call, 1.0, -1.0)
        return np.maximum(sign * (spot - strike), 0.0), np.where(self.is_call, spot, strike)

    @property
    def discounted(self) -> tuple[Array, Array]:
        """Return spot less dividends and strike, as of now; NaN where an input is no contract's."""
        with np.errstate(all="ignore"):  # what overflows or is undefined becomes NaN below
            spot = np.asarray(self.spot * np.exp(-self.dividend_yield * self.years))
            strike = np.asarray(self.strike * np.exp(-self.rate * self.years))
            is_own = (self.spot >= 0) & (self.strike > 0) & (self.years >= 0)
            is_own &= np.isfinite(spot + strike + self.years)
        return np.where(is_own, spot, np.nan), np.where(is_own, strike, np.nan)


@final
@dataclass(frozen=True, eq=False)
class Greeks:
    """Value and sensitivities of one option on one unit.

    Parameters
    ----------
    value : in the currency of the underlying.
    delta : change of value for 1 of the underlying.
    gamma : change of delta for 1 of the underlying.
    vega : change of value for a point of volatility, 0.01.
    theta : change of value for a calendar day that passes.
    rho : change of value for 1 % of the rate.
    """

    value: Array
    delta: Array
    gamma: Array
    vega: Array
    theta: Array
    rho: Array


def greeks(contracts: Contracts, volatility: Array) -> Greeks:
    """Return value and sensitivities; at expiry, volatility 0 and spot 0 those of the limit.

    Parameters
    ----------
    contracts : spot 0 or above, strike above 0, years 0 or more.
    volatility : a year, as a fraction; 0 or above.

    Returns
    -------
    NaN where an input is NaN, infinite or outside these, and of a sensitivity that is larger than
    any number. Nothing warns. Cost: O(options).

    References
    ----------
    Hull, "Options, Futures, and Other Derivatives", chapters 15, 17 and 19.
    """
    with np.errstate(all="ignore"):  # limits are put in, and what is undefined is taken out
        found, is_known = _formulas(contracts, np.asarray(volatility))
        is_known = is_known & np.isfinite(volatility) & (volatility >= 0)
        return Greeks(
            **{
                name: np.where(is_known & np.isfinite(figure), figure, np.nan)
                for name, figure in found.items()
            }
        )


def _formulas(c: Contracts, volatility: Array) -> tuple[dict[str, Array], Bool[np.ndarray, "..."]]:
    """Return figures by name, and where the contracts and the width of prices are numbers."""
    sign = np.where(c.is_call, 1.0, -1.0)
    spot, strike = c.discounted
    width = np.asarray(volatility * np.sqrt(c.years))
    d1 = _distance(spot, strike, width)
    d2 = d1 - width
    density = _density(d1)
    share, exercise = ndtr(sign * d1), ndtr(sign * d2)
    is_wide = width > 0
    root = np.where(is_wide, width, 1.0)
    carry = np.exp(-c.dividend_yield * c.years)
    decay = np.where(is_wide, spot * density * volatility * volatility / (2 * root), 0.0)
    yearly = -decay - sign * c.rate * strike * exercise + sign * c.dividend_yield * spot * share
    found = {
        "value": sign * (spot * share - strike * exercise),
        "delta": sign * carry * share,
        "gamma": np.where(is_wide & (spot > 0), carry * density / (c.spot * root), 0.0),
        "vega": spot * density * np.sqrt(c.years) / 100,
        "theta": np.where(c.years > 0, yearly, 0.0) / DAYS_A_YEAR,
        "rho": sign * c.years * strike * exercise / 100,
    }
    arrays = {name: np.asarray(figure) for name, figure in found.items()}
    return arrays, np.asarray(np.isfinite(width + spot + strike))


def _distance(spot: Array, strike: Array, width: Array) -> Array:
    """Return d1 of the textbook; without width the limit."""
    d1 = np.log(spot / strike) / width + width / 2
    limit = np.where(spot > strike, np.inf, np.where(spot < strike, -np.inf, 0.0))
    return np.where(width > 0, d1, limit)


def _density(d1: Array) -> Array:
    return np.asarray(np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi))


def _value_and_vega(
    contracts: Contracts, discounted: tuple[Array, Array], volatility: Array
) -> tuple[Array, Array]:
    """Return two of the figures alone, as the search needs them at every step."""
    spot, strike = discounted
    sign, root = np.where(contracts.is_call, 1.0, -1.0), np.sqrt(contracts.years)
    width = np.asarray(volatility * root)
    d1 = _distance(spot, strike, width)
    value = sign * (spot * ndtr(sign * d1) - strike * ndtr(sign * (d1 - width)))
    return np.asarray(value), np.asarray(spot * _density(d1) * root / 100)


@np.errstate(all="ignore")  # what is undefined is NaN, and a step without slope is none
def implied_volatility(contracts: Contracts, price: Array) -> Array:
    """Return the volatility at which an option is worth its price; NaN where there is none.

    Looked for between 0.0001 and 10. There is none at expiry, nor for a price at or outside
    :attr:`Contracts.bounds`, nor where an input is none that :func:`greeks` takes. Nothing warns.

    Notes
    -----
    Newton's step where it stays in the bracket, else half of it. Cost: about six values an option.
    """
    price, *_ = np.broadcast_arrays(np.asarray(price, dtype=float), contracts.spot, contracts.years)
    low, high = np.full(price.shape, _LEAST), np.full(price.shape, _MOST)
    discounted = contracts.discounted
    least, most = (_value_and_vega(contracts, discounted, bound)[0] for bound in (low, high))
    exists = (contracts.years > 0) & (price > least) & (price < most)
    span = np.where(contracts.years > 0, contracts.years, 1.0)
    distance = np.abs(np.log(contracts.spot / contracts.strike))
    guess = np.clip(np.sqrt(2 * distance / span), 0.05, 2.0)
    guess = np.where(np.isnan(guess), 0.2, guess)
    is_found = ~exists
    for _ in range(_STEPS):
        value, vega = _value_and_vega(contracts, discounted, guess)
        error = value - price
        high = np.where(error > 0, guess, high)
        low = np.where(error <= 0, guess, low)
        step = guess - error / (vega * 100)
        is_inside = (step > low) & (step < high)
        new = np.where(is_inside, step, (low + high) / 2)
        is_done = np.abs(new - guess) <= _CLOSE * guess
        guess = np.where(is_found, guess, new)  # once found it stands, however long others take
        is_found |= is_done
        if is_found.all():
            break
    return np.where(exists, guess, np.nan)
