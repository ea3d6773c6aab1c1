"""The names under which tables usually hold times and assets."""

import re

BAR_NAMES = (
    "bar_close",
    "close_time",
    "date",
    "datetime",
    "day",
    "open_time",
    "session",
    "time",
    "timestamp",
)
OPENING_NAMES = ("open_time",)
"""Those of the names of times that say when a bar opens."""
ASSET_NAMES = ("asset", "instrument", "isin", "permno", "ric", "symbol", "ticker")


def field_name(column: str) -> str:
    """Return our name of a column: lowered, words joined by underscores."""
    return re.sub(r"[\s\-./]+", "_", column.strip()).lower()
