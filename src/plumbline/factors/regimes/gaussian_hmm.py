"""States of a market by a hidden Markov model, fitted on the past and filtered forwards."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.factors.regime import Regime

_LEAST_BARS = 20  # a state, of a fit
_NO_SMOOTHING = (
    "smoothed must be false: a smoothed state reads the bars after its own, which nobody had at "
    "that bar, so it would validate by the future"
)


@final
@dataclass(frozen=True)
class GaussianHMM(Regime):
    """A market that moves among states of normal returns; calm has the lowest variance.

    Every ``refit_bars`` bars, on bars whose calendar number is a multiple of it, the model is
    fitted by expectation-maximisation to the ``fit_bars`` bars before. The bars up to the next fit
    take their probabilities from that model by the forward filter, which starts with the first
    bar of the fit: row t is the probability given the bars up to t, under parameters that end
    before t. States are ordered by variance, so that a label keeps its meaning from one fit to the
    next. The start of a fit is fixed; there is no randomness. A fit needs 60 % of its returns; a
    bar without a return takes what the bar before predicts.

    Parameters
    ----------
    n_states : states, 2 … 8.
    fit_bars : bars of a fit, at least 20 a state. 1,008 is four years of sessions.
    refit_bars : bars between fits, at least 1. 63 is a quarter of sessions.
    max_iterations : steps of a fit at most, at least 1.
    smoothed : false. A smoothed probability reads the bars after its own, so nobody had it at that
        bar, and what it validates is the future: it is refused.

    Raises
    ------
    ParameterError
        If a parameter is outside its range, or smoothed states are asked for; every problem is
        named.

    References
    ----------
    Hamilton, "A new approach to the economic analysis of nonstationary time series and the business
    cycle", Econometrica 57 (1989) 357-384 (the filter). Ryden, Terasvirta and Asbrink, "Stylized
    facts of daily return series and the hidden Markov model", Journal of Applied Econometrics 13
    (1998) 217-244.
    """

    n_states: int = 2
    fit_bars: int = 1008
    refit_bars: int = 63
    max_iterations: int = 200
    smoothed: bool = False

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (2 <= self.n_states <= 8, "n_states must lie in 2 … 8"),
            (
                self.fit_bars >= _LEAST_BARS * self.n_states,
                f"fit_bars must be at least {_LEAST_BARS} times n_states",
            ),
            (self.refit_bars >= 1, "refit_bars must be at least 1"),
            (self.max_iterations >= 1, "max_iterations must be at least 1"),
            (not self.smoothed, _NO_SMOOTHING),
        )
        refuse(self, broken(rules))

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the states, lowest variance first."""
        if self.n_states == 2:
            return ("calm", "turbulent")
        if self.n_states == 3:
            return ("calm", "normal", "turbulent")
        return tuple(f"variance_{s + 1}" for s in range(self.n_states))

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.fit_bars + self.refit_bars - 1

    @property
    def least_bars(self) -> int:
        """Return the bars of the first state: those of a fit, and its own."""
        return self._needed + 1

    @property
    def _needed(self) -> int:
        return math.ceil(0.6 * self.fit_bars)

    def probabilities(
        self, returns: Float[np.ndarray, " bars"], *, first_bar: int = 0
    ) -> Float[np.ndarray, "bars states"]:
        """Return the filtered probability of each state at each bar.

        Cost: a fit every ``refit_bars``, O(``fit_bars``·S²) a step of it.
        """
        from plumbline.kernels.hidden_markov import filtered_probabilities, fit_hidden_markov

        n_bars = len(returns)
        found = np.full((n_bars, self.n_states), np.nan)
        first_fit = first_bar - first_bar % self.refit_bars
        for row in range(first_fit - first_bar, n_bars, self.refit_bars):
            start, stop = max(row - self.fit_bars, 0), min(row + self.refit_bars, n_bars)
            past = returns[start : max(row, 0)]
            if np.isfinite(past).sum() < self._needed:
                continue
            model = fit_hidden_markov(past, self.n_states, max_iterations=self.max_iterations)
            found[row:stop] = filtered_probabilities(returns[start:stop], model)[row - start :]
        return found
