"""What a finished study could not compute, in sentences with causes and counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

from plumbline.stages.derived_fields import model_readers
from plumbline.stages.study_parts import factors_of, signal_of

if TYPE_CHECKING:
    import polars as pl

DATA: Final = "data"
"""The part of warnings that were known before the run."""

_WORDS: Final = {
    "too_few_observations": "too few observations",
    "rank_deficient": "rank deficient",
    "constant_return": "constant returns",
    "not_fitted": "not fitted",
    "missing_exposure": "without a beta",
    "alone_in_sector": "alone in a sector",
    "too_few_assets": "too few assets",
    "too_large": "values too large to add up",
    "no_signal": "no signal",
    "no_return": "no forward return",
    "constant": "signal or forward returns equal for all assets",
    "fewer_values_than_groups": "fewer values than groups",
    "ties": "so many equal values that the top group is empty",
    "no_price": "no price",
    "short_history": "short history",
    "missing_prices": "missing prices",
    "low_price": "low price",
    "low_dollar_volume": "low dollar volume",
    "outside_top_n": "outside the top n",
}


_SHOWN: Final = 10  # assets that a warning names


@final
@dataclass(frozen=True)
class StudyWarning:
    """Something that a study could not compute.

    Parameters
    ----------
    part : table that lacks it, ``signal`` for all that show a signal, or ``data`` for what was
        known before the run.
    signal : the signal it belongs to, or an empty text.
    text : what, why, how often.
    """

    part: str
    signal: str
    text: str


def known_warning(text: str) -> StudyWarning:
    """Return a warning from before the run; of the trailing mean it stands for all signals'."""
    return StudyWarning("ic_rolling" if text.startswith("rolling_bars: ") else DATA, "", text)


def study_warnings(
    tables: "Mapping[str, pl.DataFrame]", full: Mapping[str, Any]
) -> tuple[StudyWarning, ...]:
    """Return a warning for every figure that is missing, with its cause.

    Parameters
    ----------
    tables : those of :func:`plumbline.stages.tables.study_tables`.
    full : the resolved recipe.
    """
    lost = _Lost(tables["uncomputed"].to_dicts())
    model, found = _of_model(lost)
    found += _of_universe(tables["universe"].to_dicts() if "universe" in tables else [])
    chosen = {label: signal_of(label, spec) for label, spec in full["signals"].items()}
    readers = model_readers(chosen, factors_of(full))
    for label in chosen:
        rows = {
            name: [row for row in tables[name].to_dicts() if row["signal"] == label]
            for name in ("summary", "quantiles", "spread_summary")
        }
        found += _of_neutralisation(label, lost)
        if all(row["n"] == row["of"] for row in lost.rows("spread", label, "no_signal")):
            needs_model = label in readers or full["neutralise"]["betas"]
            found.append(_without_values(label, lost, needs_model=needs_model and not model))
            continue
        found += _of_ic(label, rows["summary"], lost)
        found += _of_trailing_mean(label, rows["summary"], full["rolling_bars"])
        found += _of_spread(label, rows["spread_summary"], lost)
        found += _of_quantiles(label, rows, lost)
    return tuple(found)


@final
class _Lost:
    """Counts by part, signal, horizon and reason."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def rows(self, part: str, signal: str | None, *reasons: str) -> list[Mapping[str, Any]]:
        """Return the rows of a part, of all reasons or of some."""
        return [
            row
            for row in self._rows
            if (row["part"], row["signal"]) == (part, signal)
            and (not reasons or row["reason"] in reasons)
        ]

    def told(self, part: str, signal: str, horizon: int | None = None) -> str:
        """Return the counts of a part in words."""
        rows = self.rows(part, signal)
        return _told([row for row in rows if row["horizon_bars"] == horizon])


def _of_model(lost: _Lost) -> tuple[bool, list[StudyWarning]]:
    """Return whether any window has a fit, and what to say of those that have none."""
    rows = lost.rows("factor_model", None)
    without_fit = [row for row in rows if row["reason"] != "constant_return"]
    n_windows = max(row["of"] for row in rows)
    if sum(row["n"] for row in without_fit) == n_windows:
        text = f"factor model: no window has a fit: {_told(without_fit)}"
        return False, [StudyWarning("factor_fit", "", text)]
    told = _told([row for row in without_fit if row["reason"] != "too_few_observations"])
    texts = [f"factor model: windows without a fit: {told}"] if told else []
    told = _told([row for row in rows if row["reason"] == "constant_return"])
    texts += [f"factor model: windows with a fit and no R²: {told}"] if told else []
    return True, [StudyWarning("factor_fit", "", text) for text in texts]


def _of_universe(rows: Sequence[Mapping[str, Any]]) -> list[StudyWarning]:
    """Return who was kept out as frozen, since when, and who is never a member, and why."""
    frozen = [
        f"{row['asset']} from {row['first_excluded']:%Y-%m-%d}"
        for row in rows
        if row["reason"] == "frozen"
    ]
    never: dict[str, list[str]] = {}
    for row in rows:
        if row["n_bars_member"] == 0:
            reason = row["reason"] or "no_price"
            never.setdefault(row["asset"], []).append(_WORDS.get(reason, reason))
    found = []
    if frozen:
        text = f"universe: {_assets(frozen)} kept out as frozen: {_listed(frozen)}"
        found.append(StudyWarning("universe", "", text))
    if never:
        named = [f"{asset} ({', '.join(reasons)})" for asset, reasons in never.items()]
        text = f"universe: {_assets(named)} never a member: {_listed(named)}"
        found.append(StudyWarning("universe", "", text))
    return found


def _assets(named: Sequence[str]) -> str:
    return f"{len(named)} asset" + ("" if len(named) == 1 else "s")


def _listed(named: Sequence[str]) -> str:
    return ", ".join(named[:_SHOWN]) + (", …" if len(named) > _SHOWN else "")


def _of_neutralisation(label: str, lost: _Lost) -> list[StudyWarning]:
    rows = lost.rows("neutralisation", label, "too_few_assets", "too_large")
    exposed = lost.rows("neutralisation", label, "missing_exposure")
    told = _told([*rows, *(row for row in exposed if row["n"] == row["of"])])
    text = f"{label}: lost in neutralisation: {told}"
    return [StudyWarning("coverage", label, text)] if told else []


def _without_values(label: str, lost: _Lost, *, needs_model: bool) -> StudyWarning:
    why = ", because the factor model has no fit" if needs_model else ""
    text = f"{label}: no rank IC, no quantile returns, no spread: {lost.told('spread', label)}{why}"
    return StudyWarning("signal", label, text)


def _of_ic(label: str, rows: Iterable[Mapping[str, Any]], lost: _Lost) -> list[StudyWarning]:
    without: dict[str, list[int]] = {}
    untested: list[str] = []
    for row in rows:
        horizon = row["horizon_bars"]
        if row["mean_ic"] is None:
            without.setdefault(lost.told("rank_ic", label, horizon), []).append(horizon)
        elif row["t_hac"] is None:
            untested.append(f"{row['n_bars']} over {_bars([horizon])}")
    found = [
        StudyWarning("summary", label, f"{label}: no rank IC over {_bars(horizons)}: {told}")
        for told, horizons in without.items()
    ]
    if untested:
        text = f"{label}: too few bars with a rank IC for a HAC t, or all alike: "
        found.append(StudyWarning("summary", label, text + ", ".join(untested)))
    return found


def _of_trailing_mean(
    label: str, rows: Iterable[Mapping[str, Any]], window: int
) -> list[StudyWarning]:
    short = [row for row in rows if 0 < row["n_bars"] < window]
    if not short:
        return []
    there = ", ".join(f"{row['n_bars']} over {_bars([row['horizon_bars']])}" for row in short)
    text = f"{label}: no mean of the last {window} rank ICs; there are only {there}"
    return [StudyWarning("ic_rolling", label, text)]


def _of_spread(label: str, rows: Iterable[Mapping[str, Any]], lost: _Lost) -> list[StudyWarning]:
    found = []
    for row in rows:
        if not row["n_bars"]:
            text = f"no spread: {lost.told('spread', label) or 'the only book is of the last bar'}"
        elif row["t_hac"] is None:
            text = f"too few bars of the spread for a HAC t, or all alike: {row['n_bars']}"
        else:
            continue
        found.append(StudyWarning("spread_summary", label, f"{label}: {text}"))
    return found


def _of_quantiles(
    label: str, tables: Mapping[str, Iterable[Mapping[str, Any]]], lost: _Lost
) -> list[StudyWarning]:
    unranked = {row["horizon_bars"] for row in tables["summary"] if row["mean_ic"] is None}
    empty: dict[int, list[int]] = {}
    for row in tables["quantiles"]:
        if row["mean_return"] is None:
            empty.setdefault(row["horizon_bars"], []).append(row["quantile"])
    alike: dict[tuple[str, str], list[int]] = {}
    for horizon, groups in empty.items():
        named = _ranges(groups)
        told = lost.told("spread", label)
        told = lost.told("rank_ic", label, horizon) if horizon in unranked or not told else told
        alike.setdefault((named, told), []).append(horizon)
    return [
        StudyWarning(
            "quantiles",
            label,
            f"{label}: no returns of quantiles {named} over {_bars(horizons)}: {told}",
        )
        for (named, told), horizons in alike.items()
    ]


def _told(rows: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{_WORDS.get(row['reason'], row['reason'])} ({row['n']} of {row['of']} {row['unit']})"
        for row in rows
        if row["n"] > 0
    )


def _bars(horizons: Sequence[int]) -> str:
    return f"{_ranges(horizons)} bar" + ("" if list(horizons) == [1] else "s")


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers in order, three or more in a row as a range: ``1-50, 52, 53``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    told = [[f"{run[0]}-{run[-1]}"] if len(run) > 2 else map(str, run) for run in runs]
    return ", ".join(text for texts in told for text in texts)
