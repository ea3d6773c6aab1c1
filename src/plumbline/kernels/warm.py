"""Compile the kernels that production paths use, once, so that later processes load them.

A family is a public module of this package: what its functions need is compiled together.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.kernels.compiling_processes import compile_apart
from plumbline.kernels.kernel_cache import compiled_families, drop_old_folders, write_marker


def families_among(modules: Iterable[str]) -> frozenset[str]:
    """Return the families that are among modules, named as they are imported.

    Parameters
    ----------
    modules : such as ``plumbline.kernels.rolling``; others are passed over.
    """
    known = {f"{__package__}.{family}": family for family in _FAMILIES}
    return frozenset(known[module] for module in modules if module in known)


def is_warm(families: Iterable[str] | None = None) -> bool:
    """Return whether families of kernels, as their source is, lie compiled on disk.

    Cost: reads this package's source files, about a millisecond; imports no compiler.

    Parameters
    ----------
    families : default: all.
    """
    return not _cold(families)


def warm(
    progress: Callable[[str, int, int], None] | None = None,
    families: Iterable[str] | None = None,
) -> None:
    """Compile what is not compiled of families of kernels, and record it.

    Cost: 5 to 50 s of a core for a family on a machine that has compiled nothing, all cores at
    work, a millisecond after that. Writes to the kernel cache only, and keeps the folders of the
    five latest states of the source.

    Parameters
    ----------
    progress : called with what is being compiled, how many families are done, how many there are;
        the first call has 0 done, the last has all. Not called where nothing is to be compiled.
    families : default: all.

    Raises
    ------
    ParameterError
        If there is no such family.
    WorkerLostError
        If a process that compiles fails.
    """
    cold = _cold(families)

    def tell(running: Sequence[str], done: int) -> None:
        if progress is not None:
            progress(", ".join(_FAMILIES[name][0] for name in running) or "all", done, len(cold))

    if cold:
        compile_apart(cold, tell)
        drop_old_folders()


def compile_family(family: str) -> None:
    """Compile a family in this process, on tiny inputs, and record it."""
    for compile_variant in _FAMILIES[family][1]:
        compile_variant()
    write_marker(family)


def _cold(families: Iterable[str] | None) -> list[str]:
    """Return the families among these that are not compiled, in the order of the table."""
    chosen = frozenset(_FAMILIES if families is None else families)
    unknown = sorted(chosen - frozenset(_FAMILIES))
    if unknown:
        told = [
            f"no family of kernels {name!r}; {nearest_names(name, _FAMILIES)}" for name in unknown
        ]
        raise ParameterError("; ".join(told))
    compiled = compiled_families()
    return [name for name in _FAMILIES if name in chosen and name not in compiled]


def _warm_rolling() -> None:
    """Fit a panel without gaps; compiled code depends on no option and no shape."""
    from plumbline.kernels.regression import rolling_ols

    rolling_ols(_panel(24, 2), np.cos(np.arange(24.0))[:, None], 8)


def _warm_rolling_with_gaps() -> None:
    """Fit a panel with a gap."""
    from plumbline.kernels.regression import rolling_ols

    y = _panel(24, 2)
    y[3, 0] = np.nan
    rolling_ols(y, np.cos(np.arange(24.0))[:, None], 8)


def _warm_rolling_by_qr() -> None:
    """Fit a panel on a constant factor."""
    from plumbline.kernels.regression import rolling_ols

    rolling_ols(_panel(24, 2), np.ones((24, 1)), 8)


def _warm_neutralise() -> None:
    """Take two exposures out of a signal."""
    from plumbline.kernels.cross_section import neutralise

    neutralise(_panel(2, 6), _panel(2, 6, 2))


def _warm_rank_ic() -> None:
    """Correlate two signals with one panel of returns, by ranks and by values."""
    from plumbline.kernels.order_statistics import centred_ranks, pearson_ic, rank_ic

    rank_ic(_panel(2, 2, 6), _panel(1, 2, 6))
    pearson_ic(_panel(2, 2, 6), _panel(1, 2, 6))
    centred_ranks(_panel(2, 2, 6))


def _warm_scaling() -> None:
    """Clip, score and rank two bars, one mask for all."""
    from plumbline.kernels import cross_scaling

    x = _panel(2, 6)
    inside = x < np.inf
    cross_scaling.winsorise(x, mask=inside)
    cross_scaling.zscore(x, mask=inside)
    cross_scaling.gaussian_rank(x, mask=inside)


def _warm_orthogonal() -> None:
    """Orthogonalise two signals."""
    from plumbline.kernels.orthogonal import orthogonalise

    x = _panel(2, 2, 6)
    orthogonalise(x, mask=x[0] < np.inf)


def _warm_rolling_moments() -> None:
    """Take moments, extremes and averages of trailing windows."""
    from plumbline.kernels import rolling

    x = _panel(24, 2)
    rolling.rolling_moments(x, 8)
    rolling.rolling_extremes(x, 8)
    rolling.ewma(x, 2.0)


def _warm_rolling_order() -> None:
    """Take quantiles and ranks of trailing windows."""
    from plumbline.kernels import rolling_order

    x = _panel(24, 2)
    rolling_order.rolling_median(x, 8)
    rolling_order.rolling_rank(x, 8)


def _warm_rolling_pairs() -> None:
    """Correlate two panels over trailing windows."""
    from plumbline.kernels import rolling_pairs

    x = _panel(24, 2)
    rolling_pairs.rolling_corr(x, x, 8)


def _warm_hidden_markov() -> None:
    """Fit two states to a series, and filter it."""
    from plumbline.kernels.hidden_markov import filtered_probabilities, fit_hidden_markov

    x = _panel(24)
    filtered_probabilities(x, fit_hidden_markov(x, 2))


def _warm_recursive() -> None:
    """Filter a panel; compiled code depends on no option and no shape."""
    from plumbline.kernels.recursive_fit import recursive_ols

    recursive_ols(_panel(24, 2), np.cos(np.arange(24.0))[:, None], 8)


def _warm_group_sums() -> None:
    """Sum one bar, and count its members."""
    from plumbline.kernels.group_sums import (
        as_groups,
        fill_group_sums,
        fill_impact,
        fill_members,
    )
    from plumbline.kernels.inputs import as_input

    groups = as_groups(np.ones((1, 2), dtype=np.int8))
    one, other = np.empty((1, 1)), np.empty((1, 1))
    fill_group_sums(groups, as_input(_panel(1, 2)), one, other)
    fill_members(groups, 1, one)
    values = as_input(_panel(1, 2))
    fill_impact(values, values, values, np.empty((4, 1)))


def _warm_resampling() -> None:
    """Add a block to a resample."""
    from plumbline.kernels.resampled_blocks import add_blocks, sure_lengths

    bits = np.zeros((1, 1), dtype=np.uint64)
    add_blocks(
        np.zeros((5, 2)), bits[0], sure_lengths(bits[0]), bits, np.array([2]), np.zeros((1, 2))
    )


def _warm_spectral_sums() -> None:
    """Add a product of spectra."""
    from plumbline.kernels.spectral_sums import add_products

    spectrum = np.ones((1, 1, 2), dtype=complex)
    add_products(np.ones((1, 1)), spectrum[0], spectrum, np.zeros((1, 2), dtype=complex))


def _warm_accounting() -> None:
    """Carry one line through a day, and tell it from others."""
    from plumbline.kernels import digest_chains
    from plumbline.kernels.last_prices import last_prices
    from plumbline.kernels.position_accounting import (
        Marks,
        Trades,
        hold,
        mark_held,
        mark_rows,
    )
    from plumbline.kernels.segment_sums import segment_sums

    one, none = np.ones((1, 1)), np.zeros(1, dtype=np.int64)
    price, _ = last_prices(one, one)
    marks = Marks(price, one, one, none - 1, one[0], one[0])
    trades = Trades(np.array([0, 1]), none, one[0], one[0])
    held = hold(none, trades, marks, none == 0)
    mark_held(none, trades, marks, none, none, one == 1)
    mark_rows(none, one == 1, one == 1)
    segment_sums(held.value, np.array([0, 1]))
    word = digest_chains.chained_words(digest_chains.as_words(one))
    digest_chains.cell_words(none, none, digest_chains.row_words(word), (1, 1))
    digest_chains.pair_words(word, word)
    lines = digest_chains.LineWords(none, none, word, word[0])
    digest_chains.portfolio_words(none, np.array([0, 1]), one == 1, lines, word)


def _warm_weighted() -> None:
    """Add up one portfolio, and measure its returns."""
    from plumbline.kernels import (
        component_risk,
        concentration,
        series_tails,
        series_volatility,
        weighted_sums,
    )
    from plumbline.kernels.weighted_series import Weights, as_returns, weighted_series

    one, none = np.ones((1, 1)), np.zeros(1, dtype=np.int64)
    weights = Weights(np.array([0, 1]), none, one, one)
    returns, ends = as_returns(_panel(1, 504)), np.array([503])
    series, _ = weighted_series(weights, returns, ends, 504, least_share=0.5)
    series_volatility.series_volatility(series[0])
    series_tails.series_tails(series[0], 20)
    weighted_sums.weighted_sums(weights, one[None])
    weighted_sums.fewest_of_held(weights, none[None])
    concentration.concentration(weights)
    concentration.group_weights(weights, none, 1)
    holding = component_risk.Holding(none, none, one)
    component_risk.component_volatility(holding, returns, ends, series)
    place = none[None]
    component_risk.component_quantile(holding, returns, place, place, one)


def _warm_pairs() -> None:
    """Correlate two symbols, one with a gap, and measure a portfolio of both."""
    from plumbline.kernels.pair_correlation import pair_correlation
    from plumbline.kernels.portfolio_correlation import held_matrix, portfolio_correlation
    from plumbline.kernels.weighted_series import Weights
    from plumbline.kernels.window_levels import levels_of
    from plumbline.kernels.window_pairs import Windows

    returns = _panel(2, 24)
    returns[0, 3] = np.nan
    windows = Windows(returns, np.array([23]), 24, 0, 3)
    levels, one = levels_of(windows), np.ones((2, 1))
    pair_correlation(windows, levels, one == 1)
    weights = Weights(np.array([0, 2]), np.arange(2), one, one[:1])
    portfolio_correlation(weights, windows, levels)
    held_matrix(weights, windows, levels, 0, 0)


def _warm_ridge() -> None:
    """Fit two series on two factors, one with a gap."""
    from plumbline.kernels.standardised_ridge import standardised_ridge

    y = _panel(24, 2)
    y[3, 0] = np.nan
    x = np.cos(np.arange(48.0)).reshape(24, 2)
    standardised_ridge(y, x, np.array([23]), 24, min_obs=8, penalty=np.ones(2))


def _panel(*shape: int) -> Float[np.ndarray, "..."]:
    """Return values of no special structure."""
    return np.sin(np.arange(np.prod(shape), dtype=np.float64) ** 2).reshape(shape)


# What is compiled, and by what; those that take longest come first.
_FAMILIES: dict[str, tuple[str, tuple[Callable[[], None], ...]]] = {
    "regression": (
        "rolling regression",
        (_warm_rolling, _warm_rolling_with_gaps, _warm_rolling_by_qr),
    ),
    "rolling": ("moments of windows", (_warm_rolling_moments,)),
    "cross_section": ("neutralisation", (_warm_neutralise,)),
    "recursive_fit": ("recursive regression", (_warm_recursive,)),
    "rolling_order": ("order statistics of windows", (_warm_rolling_order,)),
    "order_statistics": ("correlation across assets", (_warm_rank_ic,)),
    "rolling_pairs": ("correlation of windows", (_warm_rolling_pairs,)),
    "cross_scaling": ("scaling across assets", (_warm_scaling,)),
    "weighted_series": ("returns of portfolios", (_warm_weighted,)),
    "pair_correlation": ("correlation of pairs", (_warm_pairs,)),
    "standardised_ridge": ("ridge regression", (_warm_ridge,)),
    "position_accounting": ("holdings", (_warm_accounting,)),
    "hidden_markov": ("hidden Markov models", (_warm_hidden_markov,)),
    "group_sums": ("sums over assets", (_warm_group_sums,)),
    "resampled_blocks": ("resampling", (_warm_resampling,)),
    "spectral_sums": ("products of spectra", (_warm_spectral_sums,)),
    "orthogonal": ("orthogonalisation", (_warm_orthogonal,)),
}
