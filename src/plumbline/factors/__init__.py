"""Factors: what moves all assets, what is left of each, and whether a signal ranks what is left.

The room promises that residual returns are causal (bar t is explained by coefficients that end
before it), that what looks ahead on purpose lives in ``forward_returns`` alone, and that every
evaluation carries the conventions of its figures.

The factor models are found by name in ``plumbline.factors.model.models``. A name that is also a
file's or a folder's (``models``, ``factor_returns``, ``forward_returns``) is not given here: import
it from its module.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "Evaluation": "evaluation",
    "EvaluationOptions": "options",
    "FactorModel": "model",
    "evaluate": "evaluation",
    "neutralised_signal": "neutralisation",
    "quantile_buckets": "quantiles",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
