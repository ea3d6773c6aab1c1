from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.errors import ParameterError
from plumbline.core.sizes import bytes_of, duration_of, shown_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2_000_000_000),
        ("500 MB", 500_000_000),
        ("1.5GiB", 1_610_612_736),
        ("2e9", 2_000_000_000),
        ("64kb", 64_000),
        (" 7 ", 7),
        ("1KiB", 1024),
        ("3tb", 3_000_000_000_000),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert bytes_of("--memory", text) == size


@pytest.mark.parametrize("text", ["", "GB", "2 gigs", "-1GB", "0", "0.1", "1e99", "2GB2", "nan"])
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(ParameterError, match=r"--memory=.* is no size such as 2GB"):
        bytes_of("--memory", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        ("2w", timedelta(days=14)),
        ("1.5 s", timedelta(seconds=1.5)),
    ],
)
def test_lengths_of_time_are_read_as_people_write_them(text: str, expected: timedelta) -> None:
    assert duration_of("--older-than", text) == expected


@pytest.mark.parametrize("text", ["", "30", "d", "-3d", "3y", "1e99d"])
def test_what_is_no_length_of_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ParameterError, match="--older-than="):
        duration_of("--older-than", text)


@given(st.integers(1, 10**15))
def test_a_size_that_is_shown_is_read_again_to_three_digits(size: int) -> None:
    again = bytes_of("size", shown_bytes(size))
    assert abs(again - size) <= 0.005 * size
