"""The part of the factor-research page on assets that the rules of the universe kept out."""

from typing import Final

import polars as pl

from plumbline.report.markup import Html, tag
from plumbline.report.parts import convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.values import COUNT, utc_text

_SHOWN: Final = 40  # rows; a universe of hundreds has more


def excluded_assets(results: StudyResults) -> Html:
    """Return who was kept out, why and when, frozen assets first."""
    frame = results.tables["universe"]
    if not frame.height:
        body = unavailable(results, "universe")
        return _figure(results, body, "Assets that the rules of the universe kept out.")
    out = frame.filter(pl.col("n_bars_excluded") > 0)
    is_frozen = pl.col("reason") == "frozen"
    ordered = out.sort(is_frozen, "n_bars_excluded", descending=True, maintain_order=True)
    shown = ordered.head(_SHOWN)
    n_out, n_assets = out["asset"].n_unique(), frame["asset"].n_unique()
    never = frame.filter(pl.col("n_bars_member") == 0)["asset"].n_unique()
    caption = (
        f"{n_out:,} of {n_assets:,} assets were kept out on some bar with a price; {never:,} are "
        "never a member."
    )
    if out.height > shown.height:
        caption += f" The first {shown.height} of {out.height:,} rows; the JSON twin has them all."
    body = _rows(shown) if shown.height else tag("p", "No asset was kept out on any bar.")
    return _figure(results, body, caption)


def _figure(results: StudyResults, body: Html, caption: str) -> Html:
    return figure("Kept out of the universe", body, caption, convention(results, "universe"))


def _rows(shown: pl.DataFrame) -> Html:
    times = {name: utc_text(shown[name]) for name in ("first_excluded", "last_excluded")}
    rows = [
        row
        | {"reason": row["reason"].replace("_", " ")}
        | {name: t[i] for name, t in times.items()}
        for i, row in enumerate(shown.to_dicts())
    ]
    columns = (
        Column("Asset", "asset"),
        Column("Reason", "reason"),
        Column("First bar out, UTC", "first_excluded"),
        Column("Last bar out, UTC", "last_excluded"),
        Column("Bars out", "n_bars_excluded", COUNT),
        Column("Bars a member", "n_bars_member", COUNT),
        Column("Bars priced", "n_bars_priced", COUNT),
    )
    return table("Assets kept out, by reason", columns, {"": rows})
