"""Sums over the assets of each bar: of groups, their members, and of trades."""

import math

import numpy as np
from jaxtyping import Float, Int8

from plumbline.kernels.compilation import compiled


def as_groups(groups: Int8[np.ndarray, "bars assets"]) -> Int8[np.ndarray, "bars assets"]:
    """Return groups as the kernels take them: read-only, in C order."""
    array = np.ascontiguousarray(groups).view()
    array.flags.writeable = False
    return array


@compiled
def fill_group_sums(
    groups: Int8[np.ndarray, "bars assets"],
    values: Float[np.ndarray, "bars assets"],
    sums: Float[np.ndarray, "bars groups"],
    counts: Float[np.ndarray, "bars groups"],
) -> None:
    """Write the sum and the number of the values of each group; O(T·A).

    Parameters
    ----------
    groups : (T, A) groups 1 … Q; 0 for none.
    values : (T, A); what is not finite is not there.
    sums, counts : (T, Q), written; assets are added in their order.
    """
    sums[:] = 0.0
    counts[:] = 0.0
    for bar in range(groups.shape[0]):
        for asset in range(groups.shape[1]):
            group, value = groups[bar, asset], values[bar, asset]
            if group > 0 and np.abs(value) < np.inf:
                sums[bar, group - 1] += value
                counts[bar, group - 1] += 1.0


@compiled
def fill_members(
    groups: Int8[np.ndarray, "bars assets"],
    lag: int,
    stayed: Float[np.ndarray, "bars groups"],
) -> None:
    """Write how many assets are in each group, and were in it a lag before; O(T·A·Q).

    Parameters
    ----------
    groups : (T, A) groups 1 … Q; 0 for none.
    lag : bars; 0 counts the members, else nobody stayed on the first ``lag`` bars.
    stayed : (T, Q), written.
    """
    stayed[:lag] = 0.0
    for bar in range(lag, groups.shape[0]):
        now, then = groups[bar], groups[bar - lag]
        for q in range(stayed.shape[1]):
            count = 0
            for asset in range(now.shape[0]):
                count += (now[asset] == q + 1) & (then[asset] == q + 1)
            stayed[bar, q] = count


@compiled
def fill_impact(
    traded: Float[np.ndarray, "bars assets"],
    steepness: Float[np.ndarray, "bars assets"],
    value_usd: Float[np.ndarray, "bars assets"],
    sums: Float[np.ndarray, "4 bars"],
) -> None:
    """Write sums over the trades whose impact is known, assets added in their order; O(T·A).

    Parameters
    ----------
    traded : (T, A) values bought, or sold below 0, of a capital of 1.
    steepness : (T, A) volatility over the root of the value traded, USD; NaN where unknown.
    value_usd : (T, A) value traded.
    sums : (4, T), written: impact of a capital of 1 USD and a coefficient of 1, value, share of the
        value traded in the asset, and number of the trades.
    """
    for bar in range(traded.shape[0]):
        paid, known, taken, count = 0.0, 0.0, 0.0, 0.0
        for asset in range(traded.shape[1]):
            size, slope = abs(traded[bar, asset]), steepness[bar, asset]
            if size > 0.0 and abs(slope) < np.inf:
                paid += size * math.sqrt(size) * slope
                known += size
                taken += size / value_usd[bar, asset]
                count += 1.0
        sums[0, bar], sums[1, bar], sums[2, bar], sums[3, bar] = paid, known, taken, count
