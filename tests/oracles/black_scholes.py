"""The value of one European option, as an integral over prices at expiry."""

import itertools

import numpy as np
from scipy.integrate import quad


def value_of(spot, strike, years, rate, dividend_yield, volatility, *, is_call):
    """Return the discounted mean of what the option pays, prices at expiry being log-normal."""
    drift = (rate - dividend_yield - volatility**2 / 2) * years
    width = volatility * np.sqrt(years)
    sign = 1 if is_call else -1

    def paid(z):
        at_expiry = spot * np.exp(drift + width * z)
        return max(sign * (at_expiry - strike), 0.0) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

    kink = (np.log(strike / spot) - drift) / width
    points = sorted({-12.0, float(np.clip(kink, -12, 12)), 12.0})
    total = sum(
        quad(paid, low, high, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
        for low, high in itertools.pairwise(points)
    )
    return np.exp(-rate * years) * total
