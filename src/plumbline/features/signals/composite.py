"""Several signals of a study as one."""

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.features.signal import PART, Signal


@final
@dataclass(frozen=True)
class Composite(Signal):
    """Weighted mean of other signals of the study, each brought to one scale across assets.

    On each bar every part is scaled across the assets that have a value; the composite of an asset
    is Σ weight·scaled / Σ |weight| over the parts that it has. Values that err in different ways
    say more together than one by one. A part is the signal of the universe's members, before
    anything is neutralised in it.
    NaN where an asset has fewer than ``min_parts`` parts; a part whose values are all alike on a
    bar is missing there.

    Parameters
    ----------
    of : labels of the parts in the study, each once.
    weights : one a part, not zero; a negative one turns its part around. Default: equal.
    scaling : ``zscore`` (less the mean, over the standard deviation), ``rank`` ((rank - 0.5) / n
        less 0.5, so within -0.5 … 0.5) or ``gaussian_rank`` (normal quantiles of the ranks).
    min_parts : parts that a value needs, 1 … their number. Default: all. With fewer, the values of
        a bar may rest on different parts.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Grinold and Kahn, "Active Portfolio Management" (2000), chapters 10-11. Asness, Moskowitz and
    Pedersen, "Value and momentum everywhere", Journal of Finance 68 (2013) 929-985 (ranks).
    """

    of: tuple[str, ...] = ("momentum", "low_volatility")
    weights: tuple[float, ...] | None = None
    scaling: Literal["zscore", "rank", "gaussian_rank"] = "zscore"
    min_parts: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        given = () if self.weights is None else self.weights
        n_parts = len(self.of)
        rules = (
            (0 < n_parts == len(set(self.of)), "of must name labels, each once"),
            (
                all(math.isfinite(weight) and weight != 0 for weight in given),
                "weights must be numbers other than 0",
            ),
            (
                self.weights is None or len(given) == n_parts,
                f"weights must be as many as the {n_parts} labels in of",
            ),
            (
                self.min_parts is None or 1 <= self.min_parts <= n_parts,
                f"min_parts must lie in 1 … {n_parts}, the labels in of",
            ),
        )
        refuse(self, broken(rules))

    @property
    def is_cross_sectional(self) -> bool:
        """Return that a value also depends on the other assets of its bar."""
        return True

    def requires(self) -> frozenset[str]:
        """Return the fields it reads: the study's signals of these labels."""
        return frozenset(f"{PART}{label}" for label in self.of)

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on: none."""
        return 0

    @property
    def least_fields(self) -> int:
        """Return how many parts a value needs."""
        return len(self.of) if self.min_parts is None else self.min_parts

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the composite of every bar and asset, in units of the scaling. O(T·A·log A)."""
        weights = self.weights or (1.0,) * len(self.of)
        total, weight, n_parts = (np.zeros(panel.shape) for _ in range(3))
        for label, own in zip(self.of, weights, strict=True):
            scaled = self._scaled(panel[f"{PART}{label}"])
            is_there = np.isfinite(scaled)
            with np.errstate(over="ignore"):
                total += np.where(is_there, own * scaled, 0.0)
                weight += np.where(is_there, abs(own), 0.0)
            n_parts += is_there
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(n_parts >= self.least_fields, total / weight, np.nan)
        return np.where(np.isfinite(mean), mean, np.nan)

    def _scaled(self, part: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
        """Return a part on its scale; NaN on bars where it tells no assets apart."""
        from plumbline.kernels.cross_scaling import gaussian_rank, rank, zscore

        if self.scaling == "zscore":
            return zscore(part)
        scaled = rank(part) - 0.5 if self.scaling == "rank" else gaussian_rank(part)
        scaled[(np.nan_to_num(scaled) == 0).all(axis=1)] = np.nan
        return scaled
