"""Weights by sector, and concentration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import ClassVar, Final, final

import numpy as np

from plumbline.kernels.concentration import concentration, group_weights
from plumbline.risk.analytic import Analytic, MarketDays, Measures, PortfolioDays, Prepared

UNKNOWN: Final = "unknown"
"""The sector of a symbol that states none."""


@final
@dataclass(frozen=True)
class Sector(Analytic):
    """Net, long, short and gross weight by sector, the tilt against a benchmark, and concentration.

    Weights are of equity and of all that is held: private assets and what is carried without a
    price have a sector too. The tilt of a sector is its net weight less that of the benchmark.
    Concentration is that of gross weights, each symbol once, options with their underlying.

    Parameters
    ----------
    benchmark_sectors : sector -> weight in the benchmark; empty: there is no tilt.

    References
    ----------
    Hirschman, "The paternity of an index", American Economic Review 54 (1964) 761.
    """

    benchmark_sectors: Mapping[str, float] = field(default_factory=dict)

    units: ClassVar = {
        "herfindahl": "sum of squared shares of gross weight",
        "effective_positions": "1 over herfindahl",
        "top_3": "share of gross weight",
        "top_10": "share of gross weight",
    }

    @property
    def sessions(self) -> int:
        """Return 1: weights are those of the date."""
        return 1

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the sectors and that of each symbol."""
        own = [name or UNKNOWN for name in days.sectors]
        names = sorted({*own, *self.benchmark_sectors})
        place = {name: i for i, name in enumerate(names)}
        return {
            "names": names,
            "group": np.array([place[name] for name in own], dtype=np.int64),
            "benchmark": np.array([self.benchmark_sectors.get(n, np.nan) for n in names]),
        }

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios, and the table of sectors."""
        weights = portfolios.exposures.all_weights
        found = concentration(weights)
        values = {
            "herfindahl": found.herfindahl,
            "effective_positions": 1.0 / found.herfindahl,
            "top_3": found.top_3,
            "top_10": found.top_10,
        }
        names = prepared["names"]
        sides = group_weights(weights, prepared["group"], len(names))
        long, short = sides[:, :, :, 0], sides[:, :, :, 1]
        net, gross = long + short, long - short
        benchmark = prepared["benchmark"]
        tilt = (
            net - np.where(np.isnan(benchmark), 0.0, benchmark)
            if len(self.benchmark_sectors)
            else net * np.nan
        )
        p, d, g = np.nonzero((gross > 0) | (~np.isnan(benchmark) & (weights.gross > 0)[:, :, None]))
        table = {
            "portfolio": p,
            "date": d,
            "sector": np.array(names, dtype=object)[g],
            "net": net[p, d, g],
            "long": long[p, d, g],
            "short": short[p, d, g],
            "gross": gross[p, d, g],
            "tilt": tilt[p, d, g],
        }
        # one by one: numpy's order would depend on sectors that others hold
        covered = reduce(np.add, np.moveaxis(gross, 2, 0), np.zeros_like(weights.gross))
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing is held
            coverage = covered / weights.gross
        return Measures(values, coverage, found.n_symbols, {"sectors": table})
