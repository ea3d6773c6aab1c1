"""Coarse bars one by one, from lists of the base bars that each is made of."""

import math

import numpy as np


def resampled(closes, fields, members, how):
    """Return field -> (bars, assets) of coarse bars.

    closes : base closes. fields : name -> (T, A). members : for each coarse bar the base closes
    that it is made of. how : name -> first, highest, lowest, last, sum.
    """
    place = {close: i for i, close in enumerate(closes)}
    n_assets = next(iter(fields.values())).shape[1]
    out = {name: np.full((len(members), n_assets), np.nan) for name in fields}
    for bar, wanted in enumerate(members):
        if any(close not in place for close in wanted):
            continue
        rows = [place[close] for close in wanted]
        for asset in range(n_assets):
            if not all(
                any(not math.isnan(values[row, asset]) for values in fields.values())
                for row in rows
            ):
                continue
            for name, values in fields.items():
                own = [float(values[row, asset]) for row in rows]
                out[name][bar, asset] = _value(own, how[name])
    return out


def _value(own, how):
    if how == "first":
        return own[0]
    if how == "last":
        return own[-1]
    if any(math.isnan(value) for value in own):
        return math.nan
    if how == "highest":
        return max(own)
    if how == "lowest":
        return min(own)
    total = own[0]
    for value in own[1:]:
        total += value
    return total
