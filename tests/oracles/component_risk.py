"""Parts of volatility and of value at risk, line by line, with numpy's covariance and quantile."""

import numpy as np


def component_volatility(owner, symbol, weight, returns, ends, series):
    out = np.full(weight.shape, np.nan)
    for line in range(weight.shape[0]):
        for d, end in enumerate(ends):
            whole = series[owner[line], d]
            days = np.flatnonzero(~np.isnan(whole))
            if np.isnan(weight[line, d]) or days.size < 2 or np.ptp(whole[days]) == 0:
                continue
            sessions = end - (whole.size - 1) + days
            own = weight[line, d] * np.nan_to_num(returns[symbol[line], sessions])
            covariance = np.cov(own, whole[days])
            out[line, d] = covariance[0, 1] / np.sqrt(covariance[1, 1])
    return out


def component_quantile(owner, symbol, weight, returns, ends, series, tail):
    out = np.full(weight.shape, np.nan)
    for line in range(weight.shape[0]):
        for d, end in enumerate(ends):
            whole = series[owner[line], d]
            days = np.flatnonzero(~np.isnan(whole))
            if np.isnan(weight[line, d]) or days.size < 2:
                continue
            order = days[np.argsort(whole[days], kind="stable")]
            at = tail * (days.size - 1)
            one, two = order[int(at)], order[min(int(at) + 1, days.size - 1)]
            own = np.nan_to_num(returns[symbol[line]])
            back = end - (whole.size - 1)
            a, b = own[back + one], own[back + two]
            out[line, d] = -weight[line, d] * (a + (at - int(at)) * (b - a))
    return out
