"""What a finished study could not compute, in sentences with causes and counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    import polars as pl

DATA: Final = "data"
"""The part of warnings that were known before the run."""

_WORDS: Final = {
    "too_few_observations": "too few observations",
    "rank_deficient": "rank deficient (factors or exposures linearly dependent)",
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
}


@final
@dataclass(frozen=True)
class StudyWarning:
    """Something that a study could not compute.

    Parameters
    ----------
    part : table that lacks it, or ``data`` for what was known before the run.
    signal : the signal it belongs to, or an empty text.
    text : what, why, how often.
    """

    part: str
    signal: str
    text: str


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
    found = _of_model(lost)
    for label in full["signals"]:
        rows = {
            name: [row for row in tables[name].to_dicts() if row["signal"] == label]
            for name in ("summary", "quantiles", "spread_summary")
        }
        found += _of_neutralisation(label, lost)
        found += _of_ic(label, rows["summary"], lost)
        found += _of_trailing_mean(label, rows["summary"], full["rolling_bars"])
        found += _of_spread(label, rows["spread_summary"], lost)
        found += _of_quantiles(label, rows["quantiles"], lost)
    return tuple(found)


@final
class _Lost:
    """Counts by part, signal and horizon."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def rows(
        self, part: str, signal: str | None = None, horizon: int | None = None
    ) -> list[Mapping[str, Any]]:
        """Return the rows of a part that count something."""
        wanted = (part, signal, horizon)
        return [
            row
            for row in self._rows
            if (row["part"], row["signal"], row["horizon_bars"]) == wanted and row["n"] > 0
        ]

    def told(self, part: str, signal: str | None = None, horizon: int | None = None) -> str:
        """Return the counts of a part in words."""
        return _told(self.rows(part, signal, horizon))


def _of_model(lost: _Lost) -> list[StudyWarning]:
    rows = lost.rows("factor_model")
    unfitted = [row for row in rows if row["reason"] != "constant_return"]
    if unfitted and sum(row["n"] for row in unfitted) == unfitted[0]["of"]:
        text = f"factor model: no window has a fit: {_told(unfitted)}"
        return [StudyWarning("factor_fit", "", text)]
    named = [row for row in rows if row["reason"] != "too_few_observations"]
    if not named:
        return []
    return [StudyWarning("factor_fit", "", f"factor model: windows without a fit: {_told(named)}")]


def _of_neutralisation(label: str, lost: _Lost) -> list[StudyWarning]:
    rows = lost.rows("neutralisation", label)
    told = [row for row in rows if row["reason"] in ("too_few_assets", "too_large")]
    told += [row for row in rows if row["reason"] == "missing_exposure" and row["n"] == row["of"]]
    if not told:
        return []
    return [StudyWarning("coverage", label, f"{label}: lost in neutralisation: {_told(told)}")]


def _of_ic(label: str, rows: Iterable[Mapping[str, Any]], lost: _Lost) -> list[StudyWarning]:
    without: dict[str, list[int]] = {}
    untested: list[str] = []
    for row in rows:
        horizon = row["horizon_bars"]
        if row["mean_ic"] is None:
            told = lost.told("rank_ic", label, horizon)
            without.setdefault(told, []).append(horizon)
        elif row["t_hac"] is None:
            untested.append(f"{row['n_bars']} over {horizon} bars")
    found = [
        StudyWarning("summary", label, f"{label}: no rank IC over {_horizons(bars)}: {told}")
        for told, bars in without.items()
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
    there = ", ".join(f"{row['n_bars']} over {row['horizon_bars']} bars" for row in short)
    text = f"{label}: no trailing mean of {window} bars: bars with a rank IC: {there}"
    return [StudyWarning("ic_rolling", label, text)]


def _of_spread(label: str, rows: Iterable[Mapping[str, Any]], lost: _Lost) -> list[StudyWarning]:
    found = []
    for row in rows:
        if not row["n_bars"]:
            text = (
                f"{label}: no spread: {lost.told('spread', label) or 'no bar after its first book'}"
            )
            found.append(StudyWarning("spread_summary", label, text))
        elif row["t_hac"] is None:
            text = f"{label}: too few bars of the spread for a HAC t, or all alike: {row['n_bars']}"
            found.append(StudyWarning("spread_summary", label, text))
    return found


def _of_quantiles(label: str, rows: Iterable[Mapping[str, Any]], lost: _Lost) -> list[StudyWarning]:
    empty: dict[int, list[int]] = {}
    for row in rows:
        if row["mean_return"] is None:
            empty.setdefault(row["horizon_bars"], []).append(row["quantile"])
    by_groups: dict[tuple[int, ...], list[int]] = {}
    for horizon, groups in empty.items():
        by_groups.setdefault(tuple(groups), []).append(horizon)
    why = lost.told("spread", label)
    found = []
    for lacking, horizons in by_groups.items():
        named = ", ".join(str(group) for group in lacking)
        text = f"{label}: quantiles {named} have no return over {_horizons(horizons)}"
        found.append(StudyWarning("quantiles", label, text + (f": {why}" if why else "")))
    return found


def _told(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{row['n']} of {row['of']} {row['unit']} {_WORDS.get(row['reason'], row['reason'])}"
        for row in rows
    )


def _horizons(bars: Sequence[int]) -> str:
    return f"{', '.join(str(h) for h in bars)} bar" + ("" if list(bars) == [1] else "s")
