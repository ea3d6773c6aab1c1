"""Factors: what moves all assets, what is left of each, and whether a signal ranks what is left.

The room promises that residual returns are causal (bar t is explained by coefficients that end
before it), that what looks ahead on purpose lives in ``forward_returns`` alone, and that every
evaluation carries the conventions of its figures.

The factor models are found by name in ``plumbline.factors.model.models``, the regimes in
``plumbline.factors.regime.regimes``. A name that is also a file's or a folder's (``models``,
``regimes``, ``factor_returns``, ``forward_returns``, ``portfolio_exposures``,
``risk_decomposition``) is not given here: import it from its module.
"""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.factors.evaluation import Evaluation as Evaluation
    from plumbline.factors.evaluation import evaluate as evaluate
    from plumbline.factors.evaluation import evaluate_signal as evaluate_signal
    from plumbline.factors.model import FactorModel as FactorModel
    from plumbline.factors.neutralisation import neutralised_signal as neutralised_signal
    from plumbline.factors.options import EvaluationOptions as EvaluationOptions
    from plumbline.factors.quantiles import quantile_buckets as quantile_buckets
    from plumbline.factors.regime import Regime as Regime
    from plumbline.factors.risk_decomposition import exposures as exposures

_EXPORTS = {
    "Evaluation": "evaluation",
    "EvaluationOptions": "options",
    "FactorModel": "model",
    "Regime": "regime",
    "evaluate": "evaluation",
    "evaluate_signal": "evaluation",
    "exposures": "risk_decomposition",
    "neutralised_signal": "neutralisation",
    "quantile_buckets": "quantiles",
}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)
