"""Panels laid on each other's bars."""

import numpy as np

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel


def conform(panel: Panel, like: Panel) -> Panel:
    """Return a panel on the bars of another, by calendar number.

    Parameters
    ----------
    panel : fields to lay out.
    like : gives ``bars``, ``known_at`` and ``first_bar``.

    Returns
    -------
    The panel itself if the bars are the same, views if they are a part, else a copy in which a
    bar that ``panel`` lacks is a row of NaN. Rows outside ``like`` are left out.

    Raises
    ------
    ParameterError
        If a bar of one number closes at two times: the panels are of different calendars.
    """
    start = like.first_bar - panel.first_bar
    _require_one_calendar(panel, like, start)
    if start == 0 and panel.n_bars == like.n_bars:
        return panel
    if start >= 0 and start + like.n_bars <= panel.n_bars:
        return panel.rows(start, start + like.n_bars)
    first, stop = max(start, 0), max(min(start + like.n_bars, panel.n_bars), 0)
    arrays = {}
    for name, values in panel.items():
        arrays[name] = np.full((like.n_bars, panel.n_assets), np.nan)
        if stop > first:
            arrays[name][first - start : stop - start] = values[first:stop]
    return Panel(arrays, like.bars, panel.assets, known_at=like.known_at, first_bar=like.first_bar)


def _require_one_calendar(panel: Panel, like: Panel, start: int) -> None:
    first, stop = max(start, 0), min(start + like.n_bars, panel.n_bars)
    if stop <= first:
        return
    differ = panel.bars[first:stop] != like.bars[first - start : stop - start]
    if differ.any():
        row = first + int(differ.argmax())
        raise ParameterError(
            f"bar {panel.first_bar + row} closes at {panel.bars[row]} in one panel and at "
            f"{like.bars[row - start]} in the other; load both on one calendar"
        )
