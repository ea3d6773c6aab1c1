"""Hidden Markov models by enumerating every path of states; for series of a few bars."""

import itertools
import math

import numpy as np


def density(value: float, mean: float, variance: float) -> float:
    if math.isnan(value):
        return 1.0
    return math.exp(-((value - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


def paths(x, mean, variance, transition):
    """Yield each path of states and its joint probability with the series."""
    n_states = len(mean)
    for path in itertools.product(range(n_states), repeat=len(x)):
        weight = 1.0 / n_states
        for t, state in enumerate(path):
            weight *= density(x[t], mean[state], variance[state])
            weight *= transition[path[t - 1]][state] if t else 1.0
        yield path, weight


def filtered(x, mean, variance, transition) -> np.ndarray:
    """Return the probability of each state at each bar given the bars up to it."""
    out = np.zeros((len(x), len(mean)))
    for t in range(len(x)):
        for path, weight in paths(x[: t + 1], mean, variance, transition):
            out[t, path[-1]] += weight
        out[t] /= out[t].sum()
    return out


def log_likelihood(x, mean, variance, transition) -> float:
    return math.log(sum(weight for _, weight in paths(x, mean, variance, transition)))


def step(x, mean, variance, transition):
    """Return the model of one step of expectation-maximisation."""
    n_bars, n_states = len(x), len(mean)
    share = np.zeros((n_bars, n_states))
    moves = np.zeros((n_states, n_states))
    total = 0.0
    for path, weight in paths(x, mean, variance, transition):
        total += weight
        for t, state in enumerate(path):
            share[t, state] += weight
            if t:
                moves[path[t - 1], state] += weight
    share, moves = share / total, moves / total
    there = [t for t in range(n_bars) if not math.isnan(x[t])]
    weights = [math.fsum(share[t, s] for t in there) for s in range(n_states)]
    new_mean = [math.fsum(share[t, s] * x[t] for t in there) / weights[s] for s in range(n_states)]
    new_variance = [
        math.fsum(share[t, s] * (x[t] - new_mean[s]) ** 2 for t in there) / weights[s]
        for s in range(n_states)
    ]
    return new_mean, new_variance, (moves / moves.sum(axis=1, keepdims=True)).tolist()


def start(x, n_states: int):
    """Return the model that a fit starts from."""
    there = np.array([value for value in x if not math.isnan(value)])
    squares = np.sort((there - there.mean()) ** 2)
    variance = [float(group.mean()) for group in np.array_split(squares, n_states)]
    transition = [
        [0.95 if i == j else 0.05 / (n_states - 1) for j in range(n_states)]
        for i in range(n_states)
    ]
    return [float(there.mean())] * n_states, variance, transition
