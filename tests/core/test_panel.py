import pickle
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from plumbline.core.digest import digest
from plumbline.core.errors import MissingDataError, ParameterError, UnknownAssetError
from plumbline.core.panel import Panel, concat_assets, concat_bars

START = np.datetime64("2024-01-01T21:00", "us")
DAY = np.timedelta64(1, "D")


def grid(n_bars: int, first: int = 0) -> np.ndarray:
    return START + np.arange(first, first + n_bars) * DAY


def panel_of(n_bars: int = 6, n_assets: int = 4, first: int = 0) -> Panel:
    numbers = np.arange(n_bars * n_assets, dtype=np.float64).reshape(n_bars, n_assets)
    fields = {"close": numbers + 1000 * first, "volume": -numbers}
    fields["close"][n_bars // 2 :, :1] = np.nan
    names = [f"A{i:02}" for i in range(n_assets)]
    return Panel(fields, grid(n_bars, first), names, first_bar=first)


def owner(array: np.ndarray) -> object:
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        if array.base is None:
            return array
        array = array.base
    return array


shapes = st.tuples(st.integers(0, 6), st.integers(0, 4))
limits = st.none() | st.integers(-8, 8)


@given(shapes, limits, limits)
def test_rows_are_the_rows_of_the_array_as_views(shape, start, stop):
    panel = panel_of(*shape)
    part = panel.rows(start, stop)
    assert_array_equal(part["close"], panel["close"][start:stop])
    assert_array_equal(part.bars, panel.bars[start:stop])
    assert_array_equal(part.known_at, panel.known_at[start:stop])
    assert part.assets == panel.assets
    assert owner(part["close"]) is owner(panel["close"])
    if part.n_bars:
        assert np.shares_memory(part["close"], panel["close"]) == (panel.n_assets > 0)
        assert part.bars[0] == panel.bars[part.first_bar - panel.first_bar]


@given(shapes, st.integers(0, 8))
def test_head_and_tail_take_from_the_ends(shape, n_bars):
    panel = panel_of(*shape)
    assert panel.head(n_bars) == panel.rows(0, n_bars)
    assert_array_equal(panel.tail(n_bars).bars, panel.bars[max(0, panel.n_bars - n_bars) :])


def test_first_bar_follows_every_slice():
    panel = panel_of(6, first=100)
    assert panel.rows(2, 5).first_bar == 102
    assert panel.rows(-2).first_bar == 104
    assert panel.tail(1).first_bar == 105
    assert panel.rows(2).rows(1).first_bar == 103
    assert panel.between("2024-04-13").first_bar == 103  # bar 100 closes on 2024-04-10
    assert panel.select(["A01"]).first_bar == panel.only(["close"]).first_bar == 100


def test_arrays_and_axes_cannot_be_written():
    panel = panel_of().rows(1, 4).select(["A01", "A02"])
    for array in (panel["close"], panel.bars, panel.known_at):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    with pytest.raises(TypeError):
        panel["close"] = np.zeros(1)  # type: ignore[index]  # what must fail


def test_building_a_panel_copies_no_float64_and_leaves_it_writable():
    values = np.zeros((3, 2))
    panel = Panel({"x": values}, grid(3), ["A", "B"])
    assert np.shares_memory(panel["x"], values)
    assert values.flags.writeable


def test_slices_of_a_mapped_file_stay_mapped(tmp_path):
    path = tmp_path / "close.npy"
    np.save(path, np.arange(24.0).reshape(8, 3))
    mapped = np.load(path, mmap_mode="r")
    panel = Panel({"close": mapped}, grid(8), ["A", "B", "C"])
    for part in (panel, panel.rows(2, 6), panel.between("2024-01-03"), panel.select(["B", "C"])):
        assert isinstance(owner(part["close"]), np.memmap)
        assert np.shares_memory(part["close"], mapped)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, range(6)),
        ("2024-01-03", None, range(2, 6)),
        (None, "2024-01-03", range(3)),
        ("2024-01-03", "2024-01-03", range(2, 3)),
        ("2024-01-03T21:00", "2024-01-04T21:00", range(2, 4)),
        ("2024-01-03T21:00:01", "2024-01-04T20:59", range(0)),
        ("2024-01-03T22:00+01:00", "2024-01-04T21:00Z", range(2, 4)),
        ("2024-01-03 21:00", "2024-01-04 21:00", range(2, 4)),
        ("2024-01", "2024-01", range(6)),
        ("2024", "2024", range(6)),
        ("2025", None, range(0)),
        (None, "2023", range(0)),
        ("2024-01-05", "2024-01-02", range(0)),
        (date(2024, 1, 2), date(2024, 1, 3), range(1, 3)),
        (np.datetime64("2024-01-02"), np.datetime64("2024-01-03T21:00"), range(1, 3)),
        (datetime(2024, 1, 2, 21, tzinfo=UTC), datetime(2024, 1, 3, 21, tzinfo=UTC), range(1, 3)),
        (
            datetime(2024, 1, 2, 16, tzinfo=timezone(timedelta(hours=-5))),
            datetime(2024, 1, 3, 15, 59, tzinfo=timezone(timedelta(hours=-5))),
            range(1, 2),
        ),
    ],
)
def test_between_includes_both_ends_and_reads_a_date_as_its_whole_day(first, last, expected):
    panel = panel_of()
    part = panel.between(first, last)
    assert_array_equal(part.bars, panel.bars[expected.start : expected.stop])
    if part.n_bars:
        assert np.shares_memory(part["close"], panel["close"])


@pytest.mark.parametrize(
    "moment", ["soon", "today", "now", "20240103", "2024-13-01", "2024-1-3", 5, "NaT", "", 2024.0]
)
def test_between_refuses_what_is_no_time(moment):
    with pytest.raises(ParameterError, match="is not a time such as 2024-01-31"):
        panel_of().between(moment)


@given(st.sets(st.integers(0, 5)), st.randoms())
def test_select_takes_assets_in_sorted_order(columns, random):
    panel = panel_of(4, 6)
    names = [panel.assets[i] for i in columns]
    random.shuffle(names)
    part = panel.select([*names, *names])
    kept = sorted(columns)
    assert part.assets == tuple(panel.assets[i] for i in kept)
    assert_array_equal(part["close"], panel["close"][:, kept])
    adjacent = bool(kept) and kept[-1] - kept[0] + 1 == len(kept)
    assert np.shares_memory(part["close"], panel["close"]) == adjacent


def test_a_panel_shows_its_assets_in_the_order_of_its_columns():
    bars = np.array(["2024-01-02"], dtype="datetime64[us]")
    assert "1 bars × 2 assets (IWM, SPY), 2024" in repr(Panel({}, bars, ["IWM", "SPY"]))
    assert "5 assets (A, B, C, …), " in repr(Panel({}, bars, list("ABCDE")))
    assert "0 assets, 2024" in repr(Panel({}, bars, []))


def test_unknown_assets_are_all_named_with_the_nearest():
    with pytest.raises(UnknownAssetError) as caught:
        panel_of().select(["A01", "A1", "ZZZ"])
    assert "'A1' (did you mean 'A01'?)" in str(caught.value)
    assert "'ZZZ'" in str(caught.value)


def test_columns_of_keeps_the_order_asked_for():
    assert panel_of().columns_of(["A03", "A00"]).tolist() == [3, 0]


def test_an_unknown_field_is_answered_with_the_nearest():
    panel = panel_of()
    with pytest.raises(MissingDataError, match="no field 'clos'; did you mean 'close'"):
        panel["clos"]
    assert "clos" not in panel
    assert list(panel.only(["volume"])) == ["volume"]
    with pytest.raises(MissingDataError):
        panel.only(["close", "open"])


def test_with_fields_adds_and_replaces_and_leaves_the_panel_alone():
    panel = panel_of()
    more = panel.with_fields({"return": np.zeros(panel.shape), "volume": np.ones(panel.shape)})
    assert list(more) == ["close", "volume", "return"]
    assert more["volume"].min() == 1
    assert list(panel) == ["close", "volume"]
    assert np.shares_memory(more["close"], panel["close"])
    with pytest.raises(ParameterError, match="field 'x' has shape"):
        panel.with_fields({"x": np.zeros((1, 1))})


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3))
def test_joining_the_parts_of_a_cut_gives_the_whole(a, b, n_assets):
    panel = panel_of(6, n_assets, first=7)
    first, last = sorted((a, b))
    parts = [panel.rows(0, first), panel.rows(first, last), panel.rows(last)]
    assert concat_bars(parts) == panel
    assert concat_bars([panel]) is panel


@given(st.sets(st.integers(0, 5)))
def test_joining_split_assets_gives_the_whole(chosen):
    panel = panel_of(4, 6)
    one = [name for i, name in enumerate(panel.assets) if i in chosen]
    other = [name for name in panel.assets if name not in one]
    assert concat_assets([panel.select(one), panel.select(other)]) == panel
    assert concat_assets([panel.select(other), panel.select(one)]) == panel


def test_joined_assets_are_known_when_the_last_of_them_is():
    one = Panel({"x": np.ones((2, 1))}, grid(2), ["A"], known_at=grid(2) + np.timedelta64(1, "h"))
    other = Panel({"x": np.ones((2, 1))}, grid(2), ["B"], known_at=grid(2) + np.timedelta64(2, "h"))
    assert_array_equal(concat_assets([one, other]).known_at, other.known_at)


def test_panels_that_do_not_fit_are_not_joined():
    panel = panel_of(6)
    with pytest.raises(ParameterError, match="ends with bar 1, the next begins with 3"):
        concat_bars([panel.rows(0, 2), panel.rows(3)])
    with pytest.raises(ParameterError, match="ends with bar 2, the next begins with 2"):
        concat_bars([panel.rows(0, 3), panel.rows(2)])
    with pytest.raises(ParameterError, match="differ in their assets"):
        concat_bars([panel.rows(0, 2), panel.rows(2).select(["A00"])])
    with pytest.raises(ParameterError, match="differ in their fields"):
        concat_bars([panel.rows(0, 2), panel.rows(2).only(["close"])])
    with pytest.raises(ParameterError, match="differ in their bars"):
        concat_assets([panel.select(["A00"]), panel.rows(1).select(["A01"])])
    with pytest.raises(ParameterError, match="sorted and unique"):
        concat_assets([panel, panel.select(["A01"])])
    for join in (concat_bars, concat_assets):
        with pytest.raises(ParameterError, match="no panels to join"):
            join([])


@given(shapes, st.integers(0, 1000))
def test_a_panel_pickles_with_everything(shape, first):
    panel = panel_of(*shape, first=first)
    late = Panel(panel, panel.bars, panel.assets, known_at=panel.bars + DAY, first_bar=first)
    again = pickle.loads(pickle.dumps(late))  # noqa: S301  # our own bytes
    assert again == late
    assert again != panel or panel.n_bars == 0
    assert_array_equal(again.known_at, late.known_at)
    assert again.first_bar == first
    assert not again["close"].flags.writeable


def test_equal_panels_are_equal_whatever_their_memory():
    panel = panel_of()
    twin = Panel(
        {name: np.asfortranarray(panel[name]) for name in reversed(list(panel))},
        panel.bars.copy(),
        list(panel.assets),
    )
    assert panel == twin
    assert hash(panel) == hash(twin)
    assert digest(panel) == digest(twin)
    assert panel != "panel"


def test_a_change_anywhere_makes_a_panel_unequal():
    panel = panel_of()
    moved = panel["close"].copy()
    moved[1, 1] = np.nextafter(moved[1, 1], 9.9)
    others = [
        panel.with_fields({"close": moved}),
        panel.with_fields({"more": moved}),
        panel.only(["close"]),
        panel.rows(1),
        panel.select(["A00", "A01", "A02"]),
        Panel(panel, panel.bars + DAY, panel.assets),
        Panel(panel, panel.bars, ["B", "C", "D", "E"]),
        Panel(panel, panel.bars, panel.assets, first_bar=1),
        Panel(panel, panel.bars, panel.assets, known_at=panel.bars + DAY),
        Panel({"close": panel["volume"], "volume": panel["close"]}, panel.bars, panel.assets),
    ]
    assert len({other.fingerprint for other in (panel, *others)}) == len(others) + 1


@pytest.mark.parametrize("dtype", ["f4", "i4", "i8", "u8", "?", "f2", ">f8"])
def test_numbers_that_float64_holds_exactly_are_taken(dtype):
    values = np.array([[0, 1], [1, 0]], dtype=dtype)
    panel = Panel({"x": values}, grid(2), ["A", "B"])
    assert panel["x"].dtype == np.float64
    assert panel["x"].tolist() == [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    "values",
    [
        np.array([[2**53 + 1]]),
        np.array([[-(2**53) - 1]]),
        np.array([[2**64 - 1]], dtype=np.uint64),
        np.array([["1"]]),
        np.array([[1 + 1j]]),
        np.array([[None]]),
        np.array([["2024-01-01"]], dtype="M8[D]"),
        np.array([[1]], dtype=np.longdouble),
    ],
)
def test_values_that_float64_cannot_hold_are_refused(values):
    with pytest.raises(ParameterError, match=r"'x' has dtype .* does not become float64"):
        Panel({"x": values}, grid(1), ["A"])


def test_whole_numbers_up_to_2_to_the_53_are_exact():
    edge = np.array([[2**53, -(2**53)]])
    assert Panel({"x": edge}, grid(1), ["A", "B"])["x"].astype(int).tolist() == edge.tolist()


OK = np.zeros((2, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"x": OK}, grid(2)[::-1], ["A", "B"]), "bars must be strictly increasing"),
        (({"x": OK}, grid(2)[[0, 0]], ["A", "B"]), "bars must be strictly increasing"),
        (({"x": OK}, np.array([START, "NaT"], "M8[us]"), ["A", "B"]), "without NaT"),
        (({"x": OK}, grid(2)[:, None], ["A", "B"]), "bars and known_at must be (T,)"),
        (({"x": OK}, np.arange(2), ["A", "B"]), "times must be datetime64 (UTC), got dtype int64"),
        (({"x": OK}, grid(2), ["B", "A"]), "assets must be sorted and unique"),
        (({"x": OK}, grid(2), ["A", "A"]), "assets must be sorted and unique"),
        (({"x": OK}, grid(2), ["", "A"]), "assets must be non-empty text"),
        (({"x": OK}, grid(2), [1, 2]), "assets must be non-empty text"),
        (({"x": OK}, grid(2), ["A"]), "field 'x' has shape (2, 2), expected (2, 1)"),
        (({"x": OK.T[0]}, grid(2), ["A", "B"]), "field 'x' has shape (2,), expected (2, 2)"),
        (({"": OK}, grid(2), ["A", "B"]), "fields must be named by non-empty text, got ''"),
    ],
)
def test_axes_and_arrays_that_do_not_fit_are_refused(arguments, message):
    plain = getattr(Panel.__init__, "__wrapped__", Panel.__init__)  # below the annotation check
    with pytest.raises(ParameterError) as caught:
        plain(Panel.__new__(Panel), *arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("known_at", "message"),
    [
        (grid(2) - DAY, "known_at must be non-decreasing and never before the close"),
        (grid(2)[::-1] + 5 * DAY, "known_at must be non-decreasing and never before the close"),
        (np.array([START, "NaT"], "M8[us]"), "known_at must not hold NaT"),
        (grid(3), "bars and known_at must be (T,), got (2,) and (3,)"),
    ],
)
def test_rows_known_before_their_close_or_out_of_order_are_refused(known_at, message):
    with pytest.raises(ParameterError) as caught:
        Panel({"x": OK}, grid(2), ["A", "B"], known_at=known_at)
    assert message in str(caught.value)


def test_every_problem_is_named_at_once():
    with pytest.raises(ParameterError) as caught:
        Panel({"x": OK[:1], "y": OK[:, :1], "z": OK}, grid(2)[::-1], ["B", "A"])
    text = str(caught.value)
    for part in ("strictly increasing", "sorted and unique", "field 'x'", "field 'y'"):
        assert part in text
    assert "field 'z'" not in text


def test_a_panel_says_what_it_holds():
    panel = panel_of(3, 2)
    assert repr(panel) == (
        "Panel(3 bars × 2 assets (A00, A01), 2024-01-01T21:00:00.000000 … "
        "2024-01-03T21:00:00.000000, fields: close, volume)"
    )
    assert repr(Panel({}, grid(0), [])) == "Panel(0 bars × 0 assets, no bars, fields: none)"
    page = Panel({"<b>": np.array([[1.0, np.nan]])}, grid(1), ["A", "B"])._repr_html_()
    assert "<td>&lt;b&gt;</td><td>50.0 %</td>" in page
    assert "<td><b></td>" not in page


def test_what_a_masked_array_hides_is_missing():
    close = np.ma.masked_array([[1, 2], [3, 99]], mask=[[0, 0], [0, 1]])
    panel = Panel({"close": close}, grid(2), ["A", "B"])
    assert_array_equal(panel["close"], [[1.0, 2.0], [3.0, np.nan]])
    open_array = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]])
    assert_array_equal(Panel({"close": open_array}, grid(2), ["A", "B"])["close"], [[1, 2], [3, 4]])
