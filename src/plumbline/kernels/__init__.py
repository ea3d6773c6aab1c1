"""Compiled inner loops: arrays in, arrays out, the same bits for any cut of the same data.

``plumbline.kernels.warm`` compiles them all ahead of time.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.kernels.cross_scaling import gaussian_rank as gaussian_rank
    from plumbline.kernels.cross_scaling import rank as rank
    from plumbline.kernels.cross_scaling import winsorise as winsorise
    from plumbline.kernels.cross_scaling import zscore as zscore
    from plumbline.kernels.cross_section import neutralise as neutralise
    from plumbline.kernels.cross_section import unfitted_assets as unfitted_assets
    from plumbline.kernels.hidden_markov import HiddenMarkov as HiddenMarkov
    from plumbline.kernels.hidden_markov import filtered_probabilities as filtered_probabilities
    from plumbline.kernels.hidden_markov import fit_hidden_markov as fit_hidden_markov
    from plumbline.kernels.order_statistics import centred_ranks as centred_ranks
    from plumbline.kernels.order_statistics import pearson_ic as pearson_ic
    from plumbline.kernels.order_statistics import rank_ic as rank_ic
    from plumbline.kernels.orthogonal import Orthogonalised as Orthogonalised
    from plumbline.kernels.orthogonal import orthogonalise as orthogonalise
    from plumbline.kernels.recursive_fit import RecursiveFit as RecursiveFit
    from plumbline.kernels.recursive_fit import RecursiveOptions as RecursiveOptions
    from plumbline.kernels.recursive_fit import recursive_ols as recursive_ols
    from plumbline.kernels.regression import RollingFit as RollingFit
    from plumbline.kernels.regression import RollingOptions as RollingOptions
    from plumbline.kernels.regression import rolling_ols as rolling_ols
    from plumbline.kernels.rolling import ewma as ewma
    from plumbline.kernels.rolling import rolling_extremes as rolling_extremes
    from plumbline.kernels.rolling import rolling_max as rolling_max
    from plumbline.kernels.rolling import rolling_mean as rolling_mean
    from plumbline.kernels.rolling import rolling_min as rolling_min
    from plumbline.kernels.rolling import rolling_moments as rolling_moments
    from plumbline.kernels.rolling import rolling_skew as rolling_skew
    from plumbline.kernels.rolling import rolling_std as rolling_std
    from plumbline.kernels.rolling_order import rolling_median as rolling_median
    from plumbline.kernels.rolling_order import rolling_quantile as rolling_quantile
    from plumbline.kernels.rolling_order import rolling_rank as rolling_rank
    from plumbline.kernels.rolling_pairs import rolling_beta as rolling_beta
    from plumbline.kernels.rolling_pairs import rolling_corr as rolling_corr
    from plumbline.kernels.warm import is_warm as is_warm

_EXPORTS = {
    "HiddenMarkov": "hidden_markov",
    "Orthogonalised": "orthogonal",
    "RecursiveFit": "recursive_fit",
    "RecursiveOptions": "recursive_fit",
    "RollingFit": "regression",
    "RollingOptions": "regression",
    "centred_ranks": "order_statistics",
    "ewma": "rolling",
    "filtered_probabilities": "hidden_markov",
    "fit_hidden_markov": "hidden_markov",
    "gaussian_rank": "cross_scaling",
    "is_warm": "warm",
    "neutralise": "cross_section",
    "orthogonalise": "orthogonal",
    "pearson_ic": "order_statistics",
    "rank": "cross_scaling",
    "rank_ic": "order_statistics",
    "recursive_ols": "recursive_fit",
    "rolling_beta": "rolling_pairs",
    "rolling_corr": "rolling_pairs",
    "rolling_extremes": "rolling",
    "rolling_max": "rolling",
    "rolling_mean": "rolling",
    "rolling_median": "rolling_order",
    "rolling_min": "rolling",
    "rolling_moments": "rolling",
    "rolling_ols": "regression",
    "rolling_quantile": "rolling_order",
    "rolling_rank": "rolling_order",
    "rolling_skew": "rolling",
    "rolling_std": "rolling",
    "unfitted_assets": "cross_section",
    "winsorise": "cross_scaling",
    "zscore": "cross_scaling",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)
