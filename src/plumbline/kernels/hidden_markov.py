"""Hidden Markov models with Gaussian states: fit by expectation-maximisation, filter forwards.

The filter is the only reader of states: a probability of bar t is that of the bars up to t. What
smooths backwards exists inside the fit alone, whose bars all lie before those that it serves.
"""

from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.compilation import compiled
from plumbline.kernels.inputs import as_input, whole_number_problems

_STAY = 0.95  # probability of staying in a state that a fit starts from
_LEAST_VARIANCE = 1e-6  # of a state, share of the series' own: no state shrinks to one value
_LEAST_TRANSITION = 1e-12  # no state is ever ruled out for good
_LEAST_WEIGHT = 1e-8  # bars of a state below which its parameters stay
_ROUNDING = 1e-12  # a deviation this small beside its values is rounding


@final
class HiddenMarkov(NamedTuple):
    """A fitted model, states in order of their variance; NaN throughout if there is no fit.

    Parameters
    ----------
    mean, variance : (S,) of each state, in units of the series and its square.
    transition : (S, S) probability of going from a state (row) to another (column).
    log_likelihood : of the series under the model, its states starting alike.
    n_iterations : steps that the fit took.
    """

    mean: Float[np.ndarray, " states"]
    variance: Float[np.ndarray, " states"]
    transition: Float[np.ndarray, "states states"]
    log_likelihood: float
    n_iterations: int


def fit_hidden_markov(
    x: ArrayLike, n_states: int, *, max_iterations: int = 200, tolerance: float = 1e-7
) -> HiddenMarkov:
    """Fit Gaussian states to one series by expectation-maximisation.

    The start is fixed: all states have the series' mean; their variances are those of equal groups
    of squared deviations, smallest first; a state lasts 20 bars. The same series gives the same
    bits. All states are alike likely on the first bar. A missing bar moves the states and says
    nothing of them. The likelihood has several peaks; the one found is the start's.

    Cost: O(T·S²) a step; 1,000 bars and 2 states take about 5 ms.

    Parameters
    ----------
    x : (T,) values, any unit; what is not finite is missing.
    n_states : S, at least 2.
    max_iterations : steps at most.
    tolerance : the fit ends with a step that adds less than this share of the log-likelihood.

    Returns
    -------
    HiddenMarkov. NaN of a series of fewer than 2·S values or of one that is constant to rounding.

    Raises
    ------
    ParameterError
        If the shape or a parameter is none of these; every problem is named.

    References
    ----------
    Baum, Petrie, Soules and Weiss, "A maximization technique occurring in the statistical analysis
    of probabilistic functions of Markov chains", Annals of Mathematical Statistics 41 (1970)
    164-171. Rabiner, "A tutorial on hidden Markov models and selected applications in speech
    recognition", Proceedings of the IEEE 77 (1989) 257-286 (scaling).
    """
    series = as_input(x)
    problems = whole_number_problems(n_states=n_states, max_iterations=max_iterations)
    if series.ndim != 1 or np.ndim(x) == 0:
        problems.append(f"x has shape {np.shape(x)}, needs (bars,)")
    if not problems and n_states < 2:
        problems.append(f"n_states={n_states} must be at least 2")
    if not problems and max_iterations < 1:
        problems.append(f"max_iterations={max_iterations} must be at least 1")
    if not 0 <= tolerance < np.inf:
        problems.append(f"tolerance={tolerance} must be a number of at least 0")
    if problems:
        raise ParameterError("fit_hidden_markov: " + "; ".join(problems))
    values = np.where(np.isfinite(series), series, np.nan)
    level, scale = _level_and_scale(values)
    if np.isfinite(values).sum() < 2 * n_states or scale == 0.0:
        nothing = np.full(n_states, np.nan)
        return HiddenMarkov(nothing, nothing, np.full((n_states, n_states), np.nan), np.nan, 0)
    standard = as_input((values - level) / scale)
    mean, variance = np.zeros(n_states), _spread_variances(standard, n_states)
    transition = np.full((n_states, n_states), (1.0 - _STAY) / (n_states - 1))
    np.fill_diagonal(transition, _STAY)
    likelihood, n_steps = maximise(
        standard, mean, variance, transition, (int(max_iterations), float(tolerance))
    )
    order = np.argsort(variance, kind="stable")
    n_values = np.isfinite(values).sum()
    return HiddenMarkov(
        level + scale * mean[order],
        scale * scale * variance[order],
        transition[order][:, order],
        float(likelihood - n_values * (np.log(scale) + 0.5 * np.log(2.0 * np.pi))),
        int(n_steps),
    )


def filtered_probabilities(x: ArrayLike, model: HiddenMarkov) -> Float[np.ndarray, "bars states"]:
    """Return the probability of each state at each bar, given the bars up to it.

    All states are alike likely before the first bar is seen. A missing bar has the probability
    that the one before it predicts. O(T·S²).

    Parameters
    ----------
    x : (T,) values in the units of the model; what is not finite is missing.
    model : see :func:`fit_hidden_markov`.

    Returns
    -------
    (T, S) probabilities, rows of sum 1; NaN throughout if the model has none.

    References
    ----------
    Hamilton, "A new approach to the economic analysis of nonstationary time series and the business
    cycle", Econometrica 57 (1989) 357-384.
    """
    series = as_input(x)
    found = np.full((len(series), len(model.mean)), np.nan)
    if not np.isfinite(model.mean).all():
        return found
    values = as_input(np.where(np.isfinite(series), series, np.nan))
    densities = np.empty_like(found)
    fill_densities(values, model.mean, model.variance, densities)
    filter_forward(densities, model.transition, found, np.empty(len(series)))
    return found


@compiled
def maximise(
    x: Float[np.ndarray, " bars"],
    mean: Float[np.ndarray, " states"],
    variance: Float[np.ndarray, " states"],
    transition: Float[np.ndarray, "states states"],
    ends: tuple[int, float],
) -> tuple[float, int]:
    """Improve a model of a series of unit variance until it stands still.

    Parameters
    ----------
    x : values; NaN is missing.
    mean, variance, transition : the start, overwritten by the fit.
    ends : steps at most, and the share of the log-likelihood below which a step is the last.

    Returns
    -------
    Log-likelihood without its constant, before the last step, and the number of steps.
    """
    n_bars, n_states = x.shape[0], mean.shape[0]
    densities, filtered = np.empty((n_bars, n_states)), np.empty((n_bars, n_states))
    scales = np.empty(n_bars)
    before = -np.inf
    n_steps = 0
    for step in range(ends[0]):
        total = fill_densities(x, mean, variance, densities)
        total += filter_forward(densities, transition, filtered, scales)
        n_steps = step + 1
        if total - before <= ends[1] * (1.0 + np.abs(total)):
            return total, n_steps
        before = total
        update(x, densities, filtered, scales, (mean, variance, transition))
    return before, n_steps


@compiled
def fill_densities(
    x: Float[np.ndarray, " bars"],
    mean: Float[np.ndarray, " states"],
    variance: Float[np.ndarray, " states"],
    densities: Float[np.ndarray, "bars states"],
) -> float:
    """Write each state's density of each value over the highest of them, 1 where it is missing.

    Returns
    -------
    Sum of the logarithms of the highest, without the constant of the normal density.
    """
    n_states = mean.shape[0]
    total = 0.0
    for t in range(x.shape[0]):
        if np.isnan(x[t]):
            densities[t] = 1.0
            continue
        highest = -np.inf
        for s in range(n_states):
            sd = np.sqrt(variance[s])
            distance = min(np.abs((x[t] - mean[s]) / sd), 1e150)  # its square is a number
            densities[t, s] = -np.log(sd) - 0.5 * distance * distance
            highest = max(highest, densities[t, s])
        for s in range(n_states):
            densities[t, s] = np.exp(densities[t, s] - highest)
        total += highest
    return total


@compiled
def filter_forward(
    densities: Float[np.ndarray, "bars states"],
    transition: Float[np.ndarray, "states states"],
    filtered: Float[np.ndarray, "bars states"],
    scales: Float[np.ndarray, " bars"],
) -> float:
    """Write the probability of each state given the bars up to each.

    Parameters
    ----------
    densities : see :func:`fill_densities`.
    transition : from a state (row) to another (column).
    filtered : the probabilities.
    scales : sum of the weights of each bar, by which they were divided.

    Returns
    -------
    Sum of the logarithms of the scales.
    """
    n_states = transition.shape[0]
    total = 0.0
    for t in range(densities.shape[0]):
        scale = 0.0
        for s in range(n_states):
            expected = 1.0 / n_states
            if t > 0:
                expected = 0.0
                for i in range(n_states):
                    expected += filtered[t - 1, i] * transition[i, s]
            filtered[t, s] = expected * densities[t, s]
            scale += filtered[t, s]
        for s in range(n_states):
            filtered[t, s] /= scale
        scales[t] = scale
        total += np.log(scale)
    return total


@compiled
def update(
    x: Float[np.ndarray, " bars"],
    densities: Float[np.ndarray, "bars states"],
    filtered: Float[np.ndarray, "bars states"],
    scales: Float[np.ndarray, " bars"],
    model: tuple[
        Float[np.ndarray, " states"],
        Float[np.ndarray, " states"],
        Float[np.ndarray, "states states"],
    ],
) -> None:
    """Overwrite mean, variance and transition by those that the expected states have."""
    mean, variance, transition = model
    n_bars, n_states = densities.shape
    weight, total, squares = np.zeros(n_states), np.zeros(n_states), np.zeros(n_states)
    moves = np.zeros((n_states, n_states))
    later, here = np.ones(n_states), np.ones(n_states)  # what the bars after say of each state
    for t in range(n_bars - 1, -1, -1):
        if t < n_bars - 1:
            for i in range(n_states):
                here[i] = 0.0
                for j in range(n_states):
                    step = transition[i, j] * densities[t + 1, j] * later[j] / scales[t + 1]
                    moves[i, j] += filtered[t, i] * step
                    here[i] += step
            later[:] = here
        if not np.isnan(x[t]):
            for s in range(n_states):
                share = filtered[t, s] * later[s]
                weight[s] += share
                total[s] += share * x[t]
                squares[s] += share * x[t] * x[t]
    for i in range(n_states):
        if weight[i] > _LEAST_WEIGHT:
            mean[i] = total[i] / weight[i]
            spread = squares[i] / weight[i] - mean[i] * mean[i]
            variance[i] = max(spread, _LEAST_VARIANCE)
        n_moves = moves[i].sum()
        if n_moves > _LEAST_WEIGHT:
            for j in range(n_states):
                transition[i, j] = max(moves[i, j] / n_moves, _LEAST_TRANSITION)


def _level_and_scale(values: Float[np.ndarray, " bars"]) -> tuple[float, float]:
    """Return mean and standard deviation; 0 for the latter where all is rounding."""
    there = values[np.isfinite(values)]
    largest = np.abs(there).max(initial=0.0)
    if largest == 0.0:
        return 0.0, 0.0
    share = there / largest  # the squares of these fit a number, whatever the unit
    mean = share.mean()
    deviation = np.sqrt(np.square(share - mean).mean())
    return float(mean * largest), float(deviation * largest) if deviation > _ROUNDING else 0.0


def _spread_variances(
    standard: Float[np.ndarray, " bars"], n_states: int
) -> Float[np.ndarray, " states"]:
    """Return the mean of each of equal groups of squares, smallest first."""
    squares = np.sort(np.square(standard[np.isfinite(standard)]))
    groups = np.array_split(squares, n_states)
    return np.maximum([group.mean() for group in groups], _LEAST_VARIANCE)
