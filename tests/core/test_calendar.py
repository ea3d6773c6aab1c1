import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.calendar import Calendar
from plumbline.core.errors import CalendarError

XNYS = Calendar("XNYS")
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "8h": 480, "1d": 1440}


def times(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


@pytest.mark.parametrize(
    ("day", "close"),
    [
        ("2017-11-10", "2017-11-10T21:00"),  # winter: 16:00 in New York is 21:00 UTC
        ("2017-07-10", "2017-07-10T20:00"),  # summer
        ("2024-03-08", "2024-03-08T21:00"),  # last session before the clocks go forward
        ("2024-03-11", "2024-03-11T20:00"),
        ("2024-11-01", "2024-11-01T20:00"),  # last session before they go back
        ("2024-11-04", "2024-11-04T21:00"),
        ("2016-11-25", "2016-11-25T18:00"),  # early: the day after Thanksgiving
        ("2017-07-03", "2017-07-03T17:00"),  # early, in summer time
        ("2015-12-24", "2015-12-24T18:00"),
    ],
)
def test_a_session_of_new_york_closes_when_the_exchange_does(day, close):
    closes, is_session = XNYS.session_closes(days(day))
    assert is_session.tolist() == [True]
    assert closes.tolist() == times(close).tolist()


@pytest.mark.parametrize(
    "day",
    [
        "2017-11-11",
        "2017-11-12",
        "2017-11-23",
        "2001-09-12",
        "2012-10-29",
        "2018-12-05",
        "2022-06-20",
    ],
)
def test_weekends_holidays_and_closures_are_no_sessions(day):
    assert XNYS.session_closes(days(day))[1].tolist() == [False]


def test_numbers_count_sessions_without_a_hole():
    first, last = XNYS.numbers(times("2007-01-03T21:00", "2017-11-10T21:00"))
    assert last - first + 1 == 2736
    closes = XNYS.closes(int(first), int(last))
    assert closes.size == 2736
    assert (np.diff(closes) > np.timedelta64(0)).all()
    assert XNYS.numbers(closes).tolist() == list(range(first, last + 1))


@given(st.integers(0, 70_000), st.integers(0, 40))
def test_closes_and_numbers_of_an_exchange_are_inverse(first, more):
    closes = XNYS.closes(first, first + more)
    assert XNYS.numbers(closes).tolist() == list(range(first, first + more + 1))


@given(
    st.sampled_from(sorted(MINUTES)),
    st.integers(-1_000_000, 5_000_000),
    st.integers(0, 50),
)
def test_closes_and_numbers_of_a_grid_are_inverse(frequency, first, more):
    calendar = Calendar(frequency=frequency)
    closes = calendar.closes(first, first + more)
    assert (np.diff(closes) == np.timedelta64(MINUTES[frequency], "m")).all()
    assert calendar.numbers(closes).tolist() == list(range(first, first + more + 1))


def test_a_number_does_not_depend_on_what_else_was_asked():
    one = times("1999-12-30T21:00")
    alone = int(Calendar("XNYS").numbers(one)[0])
    far = times("1962-01-02T21:00", "1999-12-30T21:00", "2150-01-02T21:00")
    together = Calendar("XNYS").numbers(far)
    assert together[1] == alone
    assert XNYS.closes(alone, alone).tolist() == one.tolist()


def test_numbers_are_the_ones_that_stored_blocks_were_cut_by():
    closes = times("1960-01-04T21:00", "2000-01-03T21:00", "2017-11-10T21:00")
    assert XNYS.numbers(closes).tolist() == [1, 10_158, 14_652]
    assert Calendar().numbers(times("1970-01-01", "2024-02-01")).tolist() == [0, 19_754]
    assert Calendar(frequency="5m").numbers(times("2024-02-01")).tolist() == [19_754 * 288]


def test_a_day_of_the_endless_grid_closes_at_the_midnight_that_ends_it():
    closes, is_session = Calendar().session_closes(days("2024-01-31", "2024-02-29"))
    assert is_session.all()
    assert closes.tolist() == times("2024-02-01", "2024-03-01").tolist()


def test_locate_gives_the_last_bar_that_has_closed():
    before = times("2017-11-10T20:59:59", "2017-11-10T21:00", "2017-11-13T20:00")
    numbers, on_grid = XNYS.locate(before)
    friday = int(XNYS.numbers(times("2017-11-10T21:00"))[0])
    assert numbers.tolist() == [friday - 1, friday, friday]
    assert on_grid.tolist() == [False, True, False]
    hourly = Calendar(frequency="1h")
    numbers, on_grid = hourly.locate(
        times("1969-12-31T23:30", "1970-01-01T00:00", "1970-01-01T01:59")
    )
    assert numbers.tolist() == [-1, 0, 1]
    assert on_grid.tolist() == [False, True, False]


def test_no_times_have_no_numbers():
    empty = times()
    for calendar in (XNYS, Calendar()):
        assert calendar.numbers(empty).shape == (0,)
        assert calendar.session_closes(empty.astype("datetime64[D]"))[0].shape == (0,)


@pytest.mark.parametrize("calendar", [XNYS, Calendar(), Calendar(frequency="5m")])
def test_times_off_the_grid_are_refused_and_the_first_are_named(calendar):
    off = [f"2017-11-10T21:00:{second:02}" for second in range(1, 9)]
    with pytest.raises(CalendarError) as caught:
        calendar.numbers(times("2017-11-10T21:00", *off)) if calendar is XNYS else (
            calendar.numbers(times(*off))
        )
    text = str(caught.value)
    assert text.startswith("8 times are no close of a ")
    assert "2017-11-10T21:00:05" in text
    assert "2017-11-10T21:00:06" not in text


@pytest.mark.parametrize("calendar", [XNYS, Calendar(), Calendar(frequency="1h")])
def test_missing_times_are_refused(calendar):
    with pytest.raises(CalendarError, match="1 of 2 times are missing"):
        calendar.numbers(times("2017-11-10T21:00", "NaT"))
    with pytest.raises(CalendarError, match="1 of 2 dates are missing"):
        calendar.session_closes(days("2017-11-10", "NaT"))


def test_the_far_future_and_the_past_are_refused_with_the_span():
    with pytest.raises(CalendarError, match="on record from 1960-01-01 to 2259-12-31, not in 9999"):
        XNYS.numbers(times("9999-01-01"))
    with pytest.raises(CalendarError, match="sessions 0 … 76018, not 1000000 … 1000001"):
        XNYS.closes(1_000_000, 1_000_001)
    with pytest.raises(CalendarError, match="not -1 … 3"):
        XNYS.closes(-1, 3)
    with pytest.raises(CalendarError, match="no close of a 1d bar of XNYS: 1950-01-03T21:00"):
        XNYS.numbers(times("1950-01-03T21:00"))
    with pytest.raises(CalendarError, match="XHKG is on record from 1960-01-01 to 2049-12-31"):
        Calendar("XHKG").numbers(times("2060-01-01"))


@pytest.mark.parametrize("name", ["XLON", "XTKS", "XSHG", "XHKG", "XBOM", "XSES", "XFRA", "XASX"])
def test_numbers_and_closes_agree_where_records_begin_late_or_end_early(name):
    calendar = Calendar(name)
    year = np.arange(np.datetime64("2012-01-01"), np.datetime64("2013-01-01"))
    closes, is_session = calendar.session_closes(year)
    numbers = calendar.numbers(closes[is_session])
    assert 235 <= numbers.size <= 260
    assert (np.diff(numbers) == 1).all()
    assert (
        calendar.closes(int(numbers[0]), int(numbers[-1])).tolist() == closes[is_session].tolist()
    )


def test_closes_handed_out_are_the_callers_own():
    first = XNYS.closes(100, 102)
    first[:] = np.datetime64("2000-01-01")
    assert XNYS.closes(100, 102).tolist() != first.tolist()


def test_another_name_of_an_exchange_is_the_same_calendar():
    assert Calendar("NYSE") == XNYS
    assert Calendar("NYSE").name == "XNYS"
    assert hash(Calendar("NASDAQ")) == hash(XNYS)
    assert Calendar("24/7").name == "24/7"


@pytest.mark.parametrize(
    ("name", "frequency", "message"),
    [
        ("XNYSE", "1d", "no calendar 'XNYSE'; did you mean 'XNYS'"),
        ("24/8", "1d", "no calendar '24/8'; did you mean '24/7'"),
        ("NYSEE", "1d", "no calendar 'NYSEE'; did you mean 'NYSE'"),
        ("24/7", "5min", "no frequency '5min'; did you mean '5m'"),
        ("24/7", "2d", "no frequency '2d'; "),
        ("XNYS", "5m", "XNYS has bars of 1d, not 5m; for intraday bars use '24/7'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, frequency, message):
    with pytest.raises(CalendarError) as caught:
        Calendar(name, frequency)
    assert message in str(caught.value)


def test_a_calendar_that_the_library_cannot_lay_out_says_so():
    with pytest.raises(CalendarError, match="exchange_calendars cannot lay out XTAE"):
        Calendar("XTAE").numbers(times("2017-11-09T15:25"))


def test_bars_of_eight_hours_close_when_most_futures_are_funded():
    grid = Calendar("24/7", "8h")
    numbers, on_grid = grid.locate(
        times("2024-03-10T00:00", "2024-03-10T08:00", "2024-03-10T16:00", "2024-03-10T12:00")
    )
    assert on_grid.tolist() == [True, True, True, False]
    assert np.diff(numbers[:3]).tolist() == [1, 1]
