"""What a factor-research report is made from: tables, conventions and provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final, final

import polars as pl

from plumbline.core.errors import ParameterError, nearest_names
from plumbline.stages.gates import Verdict
from plumbline.stages.run_code import KeptBlocks

TABLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "summary": (
            *("signal", "horizon_bars", "mean_ic", "sd_ic", "icir", "t_hac", "p_value"),
            *("critical_5pct", "lag_bars", "n_bars", "mean_n_assets", "hit_rate"),
        ),
        "ic": ("bar_close", "signal", "horizon_bars", "rank_ic"),
        "ic_rolling": ("bar_close", "signal", "horizon_bars", "mean_ic"),
        "ic_by_year": ("year", "signal", "horizon_bars", "mean_ic", "n_bars"),
        "decay": ("signal", "horizon_bars", "mean_ic", "lower", "upper"),
        "quantiles": (
            *("signal", "horizon_bars", "quantile", "mean_return"),
            *("mean_return_demeaned", "n"),
        ),
        "spread": (
            *("bar_close", "signal", "gross_return", "cost", "net_return", "turnover"),
            *("gross_cumulative", "net_cumulative", "drawdown"),
        ),
        "spread_summary": (
            *("signal", "gross_annual", "cost_annual", "net_annual", "volatility_annual"),
            *("sharpe_net", "t_hac", "p_value", "max_drawdown", "mean_turnover", "n_bars"),
        ),
        "pearson": (
            *("signal", "horizon_bars", "mean_ic", "sd_ic", "icir", "t_hac", "p_value"),
            *("critical_5pct", "lag_bars", "n_bars"),
        ),
        "bootstrap": (
            *("signal", "horizon_bars", "lower", "upper", "level", "block_bars"),
            *("n_resamples", "seed"),
        ),
        "null_suite": (
            *("signal", "horizon_bars", "null", "mean", "sd", "p_value", "n_draws", "seed"),
        ),
        "ic_by_month": ("year", "month", "signal", "horizon_bars", "mean_ic", "n_bars"),
        "ic_histogram": ("signal", "horizon_bars", "lower", "upper", "n"),
        "quantile_history": ("bar_close", "signal", "quantile", "cumulative_return"),
        "turnover": ("signal", "horizon_bars", "quantile", "mean_turnover", "n_bars"),
        "rank_autocorrelation": ("signal", "horizon_bars", "mean_autocorrelation", "n_bars"),
        "ic_by_sector": (
            *("sector", "signal", "horizon_bars", "mean_ic", "t_hac", "p_value", "n_bars"),
            "mean_n_assets",
        ),
        "ic_by_regime": (
            *("regime", "state", "signal", "horizon_bars", "mean_ic", "t_hac", "p_value"),
            "n_bars",
        ),
        "capacity": (
            *("signal", "capital_usd", "gross_annual", "cost_annual", "impact_annual"),
            *("net_annual", "participation"),
        ),
        "breaks": (
            *("signal", "horizon_bars", "statistic", "p_value", "bar_close", "mean_before"),
            *("mean_after", "n_bars"),
        ),
        "signal_correlation": ("signal", "other", "mean_rank_correlation"),
        "regimes": ("bar_close", "regime", "state"),
        "regime_summary": (
            *("regime", "state", "n_bars", "share", "n_stays", "mean_stay_bars"),
            "longest_stay_bars",
        ),
        "factor_fit": ("bar_close", "mean_r2", "mean_n_obs", "n_assets"),
        "exposures": ("bar_close", "asset", "factor", "beta", "stderr", "t"),
        "portfolio_exposures": (
            *("bar_close", "portfolio", "factor", "exposure", "stderr", "t", "lowest"),
            *("lower_quartile", "median", "upper_quartile", "highest", "n_assets"),
        ),
        "risk": (
            *("bar_close", "portfolio", "source", "exposure", "marginal_annual"),
            *("contribution_annual", "share", "n_assets", "weight_covered"),
        ),
        "coverage": ("bar_close", "n_assets_priced"),
        "uncomputed": ("part", "signal", "horizon_bars", "reason", "n", "of", "unit"),
        "universe": (
            *("asset", "n_bars_priced", "n_bars_member", "first_member", "last_member"),
            *("reason", "n_bars_excluded", "first_excluded", "last_excluded"),
        ),
        "quality": ("rule", "action", "count"),
        "quality_examples": ("asset", "bar_close", "field", "rule", "action", "value"),
    }
)
"""The tables of a study and the columns that each must have; further columns are kept."""

_OPTIONAL: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"ic": ("pearson_ic",), "ic_rolling": ("mean_pearson_ic",)}
)  # results that a recipe keeps from other code may lack them

_OF_NO_SIGNAL: Final = frozenset(
    {
        *("factor_fit", "exposures", "portfolio_exposures", "risk", "regimes", "regime_summary"),
        *("quality", "quality_examples"),
    }
)
_TEXT: Final = frozenset(
    {
        *("signal", "rule", "action", "asset", "field", "part", "reason", "unit"),
        *("null", "sector", "regime", "state", "other", "factor", "portfolio", "source"),
    }
)
_TIMES: Final = frozenset(
    {"bar_close", "first_member", "last_member", "first_excluded", "last_excluded"}
)
_ANY: Final = frozenset({"value"})
_WITH_SIGNAL: Final = "n_assets_with_signal_"

SHEET_TABLES: Final = tuple(name for name in TABLES if name not in _OF_NO_SIGNAL)
"""The tables that a tear sheet shows: those that say something of a signal."""


@final
@dataclass(frozen=True)
class DataOrigin:
    """A data set that a study reads.

    Parameters
    ----------
    name : what the recipe calls it.
    dataset, version, dataset_id : its name and version in the lake, and the digest of its content.
    n_rows : pairs of bar and asset that hold a value.
    span : text, first to last bar.
    cleaning : rows that cleaning ``changed``, ``dropped`` and ``noted``.
    """

    name: str
    dataset: str
    version: int
    dataset_id: str
    n_rows: int
    span: str
    cleaning: Mapping[str, int]


@final
@dataclass(frozen=True)
class Provenance:
    """Where the numbers of a report come from; every field is shown as it is given.

    Parameters
    ----------
    run_id, owner : the run in the ledger and who started it.
    started, finished : ISO 8601 text, UTC.
    versions : library name to version: plumbline, python, numpy, numba, polars.
    machine : processor, cores and system in words.
    recipe_digest : hex digest of the resolved recipe.
    data : every data set, that of the universe first.
    blocks : state to count of blocks: ``computed``, ``cached``, ``kept`` from other code.
    codes : node to the hex digests of the code that made its results.
    kept : the nodes with results that were kept from other code, and which code that is.
    table_digests : table name to hex digest of its content.
    """

    run_id: str
    started: str
    finished: str
    owner: str
    versions: Mapping[str, str]
    machine: str
    recipe_digest: str
    data: tuple[DataOrigin, ...]
    blocks: Mapping[str, int]
    codes: Mapping[str, tuple[str, ...]]
    kept: tuple[KeptBlocks, ...]
    table_digests: Mapping[str, str]


@final
@dataclass(frozen=True)
class StudyResults:
    """Everything that the report of a factor study shows.

    Returns, costs, turnover, drawdowns and rates are decimals (0.01 is one per cent); drawdowns
    are zero or negative; ``bar_close`` is UTC, as a datetime or a date; ``*_annual`` is per year.
    Whether ``*_cumulative`` is a sum or compounded is for ``conventions`` to say. A value that is
    null, NaN or infinite counts as missing and is shown as such, never as zero.

    Parameters
    ----------
    title : heading of the page.
    recipe : resolved recipe, YAML text; empty for an evaluation that no recipe asked for.
    tables : one frame for each name in ``TABLES``. A frame without rows may lack columns.
    conventions : table or quantity (column) name to one plain sentence.
    provenance : where the numbers come from; None for an evaluation that is no run.
    unavailable : table name, or ``table.signal``, to the reason why its numbers are missing.
    headline_horizon_bars : horizon of the verdict and the headline numbers; None takes, for each
        signal, the first horizon listed in ``summary``.
    warnings : what the study could not compute, and why, one sentence each.
    gates : the verdict on each gate of the recipe.

    Raises
    ------
    ParameterError
        If a table is missing or unknown, or a column is missing or of a wrong type; all problems
        at once.
    """

    title: str
    recipe: str
    tables: Mapping[str, pl.DataFrame]
    conventions: Mapping[str, str]
    provenance: Provenance | None
    unavailable: Mapping[str, str] = field(default_factory=dict)
    headline_horizon_bars: int | None = None
    warnings: tuple[str, ...] = ()
    gates: tuple[Verdict, ...] = ()

    def __post_init__(self) -> None:
        problems = [
            f"no table {name!r} ({nearest_names(name, TABLES)})"
            for name in self.tables
            if name not in TABLES
        ]
        for name, columns in TABLES.items():
            if name not in self.tables:
                problems.append(f"table {name!r} is missing; give it without rows if it is empty")
            elif self.tables[name].height:
                problems += _column_problems(name, self.tables[name], columns)
        if problems:
            raise ParameterError("study results: " + "; ".join(problems))

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """Names of all signals, in order of first appearance; ``summary`` comes first."""
        names: dict[str, None] = {}
        for table in ("summary", "spread_summary", "decay", "quantiles", "ic_rolling", "spread"):
            frame = self.tables[table]
            if frame.height:
                column = frame["signal"].drop_nulls().unique(maintain_order=True)
                names |= dict.fromkeys(str(name) for name in column)
        return tuple(names)

    def headline(self, signal: str) -> int | None:
        """Return the headline horizon of ``signal`` in bars; None if the study has no horizon."""
        if self.headline_horizon_bars is not None:
            return self.headline_horizon_bars
        for table in ("summary", "decay", "ic_rolling"):
            frame = self.tables[table]
            if frame.height:
                horizons = frame.filter(pl.col("signal") == signal)["horizon_bars"].drop_nulls()
                if len(horizons):
                    return int(horizons[0])
        return None

    def of_signal(self, signal: str) -> "StudyResults":
        """Return what concerns one signal, for its tear sheet: ``SHEET_TABLES``, its rows alone.

        Rows of no signal and warnings stay; reasons of other signals go.
        """
        others = [name for name in self.signals if name != signal]
        tables = {
            name: _rows_of(self.tables[name], signal) if name in SHEET_TABLES else pl.DataFrame()
            for name in TABLES
        }
        foreign = {f"{table}.{other}": table for table in TABLES for other in others}
        told = {table for key, table in foreign.items() if key in self.unavailable}
        reasons = {
            k: v for k, v in self.unavailable.items() if k not in foreign and k not in told
        } | {t: self.unavailable[k] for t in told if (k := f"{t}.{signal}") in self.unavailable}
        return replace(
            self,
            title=signal,
            tables=tables,
            unavailable=dict(sorted(reasons.items())),
            warnings=tuple(
                text
                for text in self.warnings
                if not any(text.startswith(f"{other}: ") for other in others)
            ),
            gates=tuple(gate for gate in self.gates if _subject(gate) == signal),
        )

    def reason(self, table: str, signal: str | None = None) -> str:
        """Return why numbers of ``table`` are missing: as the study says, or what is seen."""
        for key in (f"{table}.{signal}", table):
            if key in self.unavailable:
                return self.unavailable[key]
        frame = self.tables[table]
        if not frame.height:
            return f"the study gave no rows for {table}"
        if signal is not None and not frame.filter(pl.col("signal") == signal).height:
            return f"the study gave no rows of this signal for {table}"
        return f"the study gave no finite value in {table}"


def _subject(gate: Verdict) -> str:
    """Return the signal that a gate is on; its subject is ``signal`` or ``signal:horizon``."""
    subject = gate.gate.partition(" of ")[2]
    signal, colon, horizon = subject.rpartition(":")
    return signal if colon and horizon.isdigit() else subject


def _rows_of(frame: pl.DataFrame, signal: str) -> pl.DataFrame:
    """Return the rows of a signal and of none, without the columns of other signals."""
    mine = f"{_WITH_SIGNAL}{signal}"
    kept = [c for c in frame.columns if not c.startswith(_WITH_SIGNAL) or c == mine]
    if "signal" not in kept or not frame.height:
        return frame.select(kept)
    named = pl.col("signal")
    return frame.filter(named.is_null() | (named.cast(pl.String) == signal)).select(kept)


def _column_problems(table: str, frame: pl.DataFrame, columns: tuple[str, ...]) -> list[str]:
    problems = [
        f"table {table!r} lacks column {name!r} ({nearest_names(name, frame.columns)})"
        for name in columns
        if name not in frame.columns
    ]
    known = (*columns, *_OPTIONAL.get(table, ()))
    checked = [name for name in frame.columns if name in known or _is_count(table, name)]
    for name in checked:
        wanted = _wanted(frame[name])
        if wanted:
            problems.append(f"{table}.{name} is {frame.schema[name]}; it must be {wanted}")
    return problems


def _is_count(table: str, column: str) -> bool:
    return table == "coverage" or (table == "factor_fit" and column.startswith("mean_beta_"))


def _wanted(values: pl.Series) -> str:
    """Return what a column must be, or an empty text if its type will do."""
    column, dtype = values.name, values.dtype
    if column in _ANY or dtype == pl.Null:
        return ""
    if column in _TEXT:
        return "" if dtype in (pl.String, pl.Categorical, pl.Enum) else "text"
    if column in _TIMES:
        return "" if dtype in (pl.Datetime, pl.Date) else "a datetime or date, UTC"
    return "" if dtype.is_numeric() else "numeric"
