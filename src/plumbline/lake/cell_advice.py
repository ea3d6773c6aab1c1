"""What to say so that cells become readable: a decimal mark, a format of times."""

import polars as pl

_SEPARATED = r"^[+-]?\d{1,3}([ '\u{a0}]\d{3})+([.,]\d+)?$"  # thousands apart by a space or a tick
_MARKED = {
    ".": r"^[+-]?\d+,\d+$",  # what a number with the other decimal mark looks like
    ",": r"^[+-]?\d+\.\d+$",
}
_BOTH_MARKS = r"^[+-]?\d{1,3}([.,]\d{3})*[.,]\d+$"
_UNITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}  # digits of a count since 1970, 2001 to 2286
_DAYS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S")


def number_advice(cells: pl.Series, decimal: str) -> str:
    """Return what would make text into numbers, or nothing.

    Parameters
    ----------
    cells : text that is no number, without white space around it.
    decimal : the decimal mark that it was read with.
    """
    other = "," if decimal == "." else "."
    if cells.str.contains(_MARKED[decimal]).all():
        return f"; if {other!r} is the decimal mark, say decimal: {other!r}, else leave it out"
    if (cells.str.contains(_BOTH_MARKS) | cells.str.contains(_SEPARATED)).all():
        return f"; write no marks between thousands (the decimal mark is {decimal!r})"
    return ""


def time_advice(cells: pl.Series) -> str:
    """Return the ``time_format`` that a column seems to be written in, or how to give one."""
    text = cells.drop_nulls().str.strip_chars().head(10_000)
    width = text.str.len_chars()
    if (
        text.len()
        and text.str.contains(r"^\d+$").all()
        and width.n_unique() == 1
        and width[0] in _UNITS
    ):
        return f"; say time_format: {_UNITS[width[0]]} for a count since 1970"
    fitting = [pattern for pattern in _patterns() if text.len() and _fits(text, pattern)]
    if not fitting:
        return "; for others say time_format, such as time_format: '%d/%m/%Y'"
    either = "" if len(fitting) == 1 else ", whichever is meant"
    return f"; say time_format: {' or '.join(map(repr, fitting))}{either}"


def _patterns() -> list[str]:
    return [day + clock for clock in _CLOCKS for day in _DAYS]


def _fits(text: pl.Series, pattern: str) -> bool:
    if "%H" in pattern:
        times = text.str.to_datetime(pattern, time_unit="us", strict=False)
    else:
        times = text.str.to_date(pattern, strict=False)
    is_usual = times.dt.year().is_between(1900, 2099)
    return bool(is_usual.fill_null(value=False).all())
