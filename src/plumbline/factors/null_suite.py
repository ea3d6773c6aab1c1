"""What the mean rank IC would be by chance: three ways to take the signal's knowledge away.

Ranks less their mean stand for signal and forward returns, with zero where a value is missing. A
permutation that treats all assets alike gives a bar's sum of products the mean 0 and a known
variance; the sum is divided by what makes the variance 1/(n - 1), that of a rank correlation over
the bar's n pairs. Gaps thus change neither the spread of a draw nor how its bars hang together, and
without gaps a draw is the rank IC of the permuted signal itself.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from plumbline.factors.asset_nulls import UNIT_BITS, asset_sums
from plumbline.factors.ranked import Ranked
from plumbline.factors.shuffled_nulls import shuffled_draws
from plumbline.factors.tables import Axes, empty_table, table

NULLS: Final = ("random_ranks", "permuted_assets", "block_shuffled")
"""Random ranks on every bar; one permutation of assets for all bars; blocks of bars moved."""

_COLUMNS = ("signal", "horizon_bars", "null", "mean", "sd", "p_value", "n_draws", "seed")


def null_draws(
    ranked: Ranked, horizons: Sequence[int], *, n_draws: int, seed: int, first_bar: int = 0
) -> Float[np.ndarray, "nulls signals horizons draws"]:
    """Return mean rank ICs of signals that know nothing, in the order of ``NULLS``.

    A draw is a mean over the bars that have a rank IC. ``random_ranks`` replaces the signal by
    random ranks on every bar. ``permuted_assets`` hands every asset the signal of another one, the
    same on all bars, so that the signal keeps its autocorrelation. ``block_shuffled`` cuts those
    bars into blocks of max(3 horizons, √T, T/100) and hands a block of forward returns the signal
    of another block; the last blocks are whole, a rest at the start stays out.

    Parameters
    ----------
    ranked : what is tested.
    horizons : bars.
    n_draws : D, at least 1.
    seed : of the random streams; every signal meets the same ones, and none depends on the others.
    first_bar : calendar number of the first bar: random ranks belong to a bar, whatever is before.

    Returns
    -------
    NaN without a rank IC, and for ``block_shuffled`` with fewer than 8 blocks.

    References
    ----------
    Hemerik and Goeman, "Exact testing with random permutations", TEST 27 (2018) 811-825 (groups,
    and why the result itself counts as a draw). Künsch (1989), Annals of Statistics 17, 1217-1241
    (blocks).
    """
    sums = asset_sums(ranked, first_bar, n_draws=n_draws, seed=seed)
    shuffled = shuffled_draws(ranked, horizons, n_draws=n_draws, seed=seed)
    return all_draws(sums, shuffled, ranked.ic)


def all_draws(
    sums: Int[np.ndarray, "some_nulls signals horizons draws"],
    shuffled: Float[np.ndarray, "signals horizons draws"],
    ic: Float[np.ndarray, "signals horizons bars"],
) -> Float[np.ndarray, "nulls signals horizons draws"]:
    """Return mean rank ICs from the sums over all bars and the draws of moved blocks.

    Parameters
    ----------
    sums : of :func:`plumbline.factors.asset_nulls.asset_sums`.
    shuffled : of :func:`plumbline.factors.shuffled_nulls.shuffled_draws`.
    ic : rank ICs of all bars; NaN where there is none.
    """
    n_ic = np.isfinite(ic).sum(axis=2)[..., None]
    draws = np.concatenate([sums * 0.5**UNIT_BITS / np.maximum(n_ic, 1), shuffled[None]])
    return np.where(n_ic > 0, draws, np.nan)


def no_draws(
    ic: Float[np.ndarray, "signals horizons bars"],
) -> Float[np.ndarray, "nulls signals horizons none"]:
    """Return the draws of a suite that was left out."""
    return np.empty((len(NULLS), *ic.shape[:2], 0))


def null_table(
    axes: Axes,
    mean_ic: Float[np.ndarray, "signals horizons"],
    draws: Float[np.ndarray, "nulls signals horizons draws"],
    seed: int,
) -> pl.DataFrame:
    """Return mean and deviation of the draws, and how rare the mean rank IC is among them.

    The p-value counts draws at least as far as the result from the mean of draws and result
    together, the result itself as one of them.

    Returns
    -------
    signal, horizon_bars, null, mean, sd, p_value, n_draws, seed.
    """
    n_draws = draws.shape[3]
    if not n_draws:
        return empty_table(_COLUMNS)
    with np.errstate(invalid="ignore"):
        centre = (draws.sum(axis=3) + mean_ic) / (n_draws + 1)
        distance = np.abs(mean_ic - centre) * (1 - 1e-12)  # the same to rounding is as far
        n_far = (np.abs(draws - centre[..., None]) >= distance[..., None]).sum(axis=3)
        p_value = np.where(np.isnan(centre), np.nan, (1 + n_far) / (1 + n_draws))
        sd = draws.std(axis=3, ddof=1) if n_draws > 1 else np.full(p_value.shape, np.nan)
    figures = {"mean": draws.mean(axis=3), "sd": sd, "p_value": p_value}
    n_series = mean_ic.size
    return table(
        {
            **axes.repeat(len(NULLS)),
            "null": np.tile(np.array(NULLS, dtype=object), n_series),
            **{name: np.moveaxis(value, 0, -1).ravel() for name, value in figures.items()},
            "n_draws": np.full(n_series * len(NULLS), n_draws),
            "seed": np.full(n_series * len(NULLS), seed),
        }
    ).select(_COLUMNS)
