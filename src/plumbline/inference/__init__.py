"""Inference: how sure a number is. Arrays in, statistics with their conventions out.

The room promises that every result carries what it was computed with (lag, number of observations,
law of the statistic), that a missing value stays missing in time, and that where nothing can be
said the answer is NaN with a reason.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.inference.bootstrap import BootstrapMean as BootstrapMean
    from plumbline.inference.bootstrap import bootstrap_mean as bootstrap_mean
    from plumbline.inference.bootstrap import optimal_block_length as optimal_block_length
    from plumbline.inference.breaks import MeanBreak as MeanBreak
    from plumbline.inference.breaks import mean_break as mean_break
    from plumbline.inference.fixed_b import fixed_b_critical_value as fixed_b_critical_value
    from plumbline.inference.fixed_b import fixed_b_p_value as fixed_b_p_value
    from plumbline.inference.hac import HacMean as HacMean
    from plumbline.inference.hac import hac_mean as hac_mean

_EXPORTS = {
    "BootstrapMean": "bootstrap",
    "HacMean": "hac",
    "MeanBreak": "breaks",
    "bootstrap_mean": "bootstrap",
    "fixed_b_critical_value": "fixed_b",
    "fixed_b_p_value": "fixed_b",
    "hac_mean": "hac",
    "mean_break": "breaks",
    "optimal_block_length": "bootstrap",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)
