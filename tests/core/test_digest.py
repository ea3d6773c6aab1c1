import dataclasses
import enum
import math
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.errors import UnhashableError
from plumbline.core.plugin import Plugin


@dataclasses.dataclass(frozen=True)
class Fast(Plugin):
    span: int = 5
    inner: Any = None


@dataclasses.dataclass(frozen=True)
class Slow(Plugin):
    span: int = 5
    inner: Any = None


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    y: float


@dataclasses.dataclass(frozen=True)
class OtherPoint:
    x: float
    y: float


@dataclasses.dataclass
class Changeable:
    x: float = 1.0


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Fruit(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


PLAIN = {
    "none": None,
    "true": True,
    "false": False,
    "one": 1,
    "zero": 0,
    "one as float": 1.0,
    "zero as float": 0.0,
    "minus zero": -0.0,
    "one as complex": 1 + 0j,
    "one as text": "1",
    "one as bytes": b"1",
    "no text": "",
    "no bytes": b"",
    "one as decimal": Decimal(1),
    "one as enum": Colour.RED,
    "one as other enum": Fruit.RED,
    "one as integer enum": Level.LOW,
    "one as numpy int": np.int64(1),
    "one as numpy int32": np.int32(1),
    "one as numpy float": np.float64(1),
    "one as numpy bool": np.bool_(True),
    "one as array": np.array(1),
    "one in an array": np.array([1]),
    "one in a row": np.array([[1]]),
    "one in a list": [1],
    "one in a tuple": (1,),
    "one in a set": {1},
    "one in lists": [[1]],
    "one as value": {"1": 1},
    "one as key": {1: "1"},
    "empty list": [],
    "empty tuple": (),
    "empty set": set(),
    "empty dict": {},
    "empty array": np.array([]),
    "empty flat array": np.zeros((0, 3)),
    "empty tall array": np.zeros((3, 0)),
    "list of pair": ["ab"],
    "list of two": ["a", "b"],
    "list of lists": [["a"], ["b"]],
    "date": date(2024, 1, 31),
    "midnight": datetime(2024, 1, 31),  # noqa: DTZ001  # naive on purpose
    "midnight UTC": datetime(2024, 1, 31, tzinfo=UTC),
    "numpy day": np.datetime64("2024-01-31"),
    "numpy microseconds": np.datetime64("2024-01-31", "us"),
    "date as text": "2024-01-31",
    "time": time(1),
    "duration": timedelta(hours=1),
    "path": Path("1"),
    "plugin": Fast(),
    "plugin of another class": Slow(),
    "point": Point(1.0, 2.0),
    "point of another class": OtherPoint(1.0, 2.0),
    "point swapped": Point(2.0, 1.0),
    "fields of the point": {"x": 1.0, "y": 2.0},
    "masked array": np.ma.masked_array([1.0], mask=[False]),
    "float in an array": np.array([1.0]),
    "float32 in an array": np.array([1.0], dtype=np.float32),
    "frame": pl.DataFrame({"x": [1]}),
    "series": pl.Series("x", [1]),
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.binary(max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def canonical(value: object) -> object:
    """Return a form that compares equal exactly when digests must be equal."""
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(map(canonical, value)))
    if isinstance(value, dict):
        return ("dict", frozenset((canonical(k), canonical(v)) for k, v in value.items()))
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value.hex())
    if isinstance(value, complex):
        return ("complex", canonical(value.real), canonical(value.imag))
    return (type(value).__name__, value)


def same(a: object, b: object) -> bool:
    return digest(a) == digest(b)


def test_values_of_different_type_or_shape_never_share_a_digest():
    digests = {name: digest(value) for name, value in PLAIN.items()}
    assert len(set(digests.values())) == len(PLAIN)


@given(values, values)
def test_digests_are_equal_exactly_when_values_and_types_are(a, b):
    assert same(a, b) == (canonical(a) == canonical(b))


@given(st.lists(scalars, min_size=1, max_size=4), st.integers(0, 4))
def test_moving_the_border_between_two_lists_changes_the_digest(items, cut):
    nested = [items[:cut], items[cut:]]
    moved = [items[: cut + 1], items[cut + 1 :]]
    assert same(nested, moved) == (canonical(nested) == canonical(moved))


@given(values)
def test_a_digest_is_64_hex_digits_and_repeats(value):
    assert digest(value) == digest(value)
    assert len(digest(value)) == 64
    assert set(digest(value)) <= set("0123456789abcdef")


@given(st.dictionaries(scalars.filter(lambda k: k == k), scalars, max_size=6), st.randoms())
def test_the_order_of_a_dict_does_not_matter(mapping, random):
    items = list(mapping.items())
    random.shuffle(items)
    assert same(mapping, dict(items))
    assert same(mapping, OrderedDict(items))


@given(st.lists(st.integers(), min_size=2, max_size=6, unique=True), st.randoms())
def test_order_matters_in_lists_and_not_in_sets(items, random):
    shuffled = items.copy()
    random.shuffle(shuffled)
    assert same(items, shuffled) == (items == shuffled)
    assert same(set(items), frozenset(shuffled))


def test_whole_numbers_of_any_size_have_digests():
    assert not same(10**5000, 10**5000 + 1)
    assert not same(255, -255)


def test_paths_are_equal_by_their_text():
    assert same(Path("a/b"), PurePosixPath("a/b"))
    assert not same(Path("a/b"), "a/b")


def test_every_nan_has_one_digest_and_signed_zeros_differ():
    odd_nan = np.array([0x7FF8000000000001, 0xFFF0000000000001], dtype=np.uint64).view(np.float64)
    assert np.isnan(odd_nan).all()
    assert same(odd_nan, np.full(2, np.nan))
    assert same(float(odd_nan[0]), math.nan)
    assert not same(np.zeros(2), -np.zeros(2))
    assert not same(0.0, -0.0)


def test_nan_bits_do_not_matter_behind_the_first_chunk_of_a_long_array():
    plain = np.arange(100_000.0)
    plain[[5, 99_999]] = np.nan
    odd = plain.copy()
    odd.view(np.uint64)[99_999] = 0xFFF8000000000009
    moved = plain.copy()
    moved[[99_998, 99_999]] = moved[[99_999, 99_998]]
    assert same(plain, odd)
    assert not same(plain, moved)


def test_parts_of_complex_numbers_are_told_apart_when_one_is_nan():
    one_side = np.array([complex(math.nan, 1.0)])
    assert not same(one_side, np.array([complex(math.nan, 2.0)]))
    assert not same(one_side, np.array([complex(1.0, math.nan)]))
    assert same(one_side, np.array([complex(-math.nan, 1.0)]))


ARRAYS = hnp.arrays(
    st.sampled_from(["f8", "f4", "i8", "u2", "?", "M8[us]", "m8[s]", "c16", "U3", "S2"]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
)


@given(ARRAYS)
def test_layout_strides_and_byte_order_of_an_array_do_not_matter(array):
    wide = np.empty((*array.shape, 2), dtype=array.dtype)
    wide[..., 0] = array
    reversed_twice = array[::-1].copy()[::-1]
    for twin in (
        np.asfortranarray(array),
        wide[..., 0],
        reversed_twice,
        array.astype(array.dtype.newbyteorder(">")),
    ):
        assert same(array, twin)


@given(ARRAYS)
def test_shape_of_an_array_matters(array):
    for other in (array[None], array.reshape(-1), array.T):
        assert same(array, other) == (array.shape == other.shape and np_equal(array, other))


def np_equal(a: np.ndarray, b: np.ndarray) -> bool:
    return canonical(a.tolist()) == canonical(b.tolist())


@given(hnp.arrays("f8", 6), st.integers(0, 5), st.floats())
def test_one_changed_number_changes_the_digest(array, place, number):
    changed = array.copy()
    changed[place] = number
    assert same(array, changed) == np_equal(array, changed)


def test_dtype_of_an_array_matters():
    kinds = ["i1", "i2", "i4", "i8", "u1", "u8", "f2", "f4", "f8", "c8", "c16", "?"]
    assert len({digest(np.zeros(8, dtype=kind)) for kind in kinds}) == len(kinds)
    units = ["s", "ms", "us", "ns", "D"]
    assert len({digest(np.zeros(1, dtype=f"M8[{unit}]")) for unit in units}) == len(units)


def test_what_lies_under_a_mask_does_not_matter_and_the_mask_does():
    mask = [False, True, False]
    a = np.ma.masked_array([1.0, 2.0, 3.0], mask=mask)
    b = np.ma.masked_array([1.0, -9.0, 3.0], mask=mask)
    assert same(a, b)
    assert not same(a, np.ma.masked_array([1.0, 0.0, 3.0], mask=False))
    assert not same(a, np.ma.masked_array([1.0, 2.0, 3.0], mask=[True, False, False]))
    assert same(np.ma.masked_array([1.0]), np.ma.masked_array([1.0], mask=[False]))


def test_schema_names_and_order_of_a_frame_matter():
    frame = pl.DataFrame({"a": [1, 2], "b": [3, 4]})
    others = [
        frame.select("b", "a"),
        frame.rename({"a": "c"}),
        frame.rename({"a": "b", "b": "a"}),
        frame.cast(pl.Int32),
        frame.with_columns(pl.col("a").cast(pl.Float64)),
        frame.reverse(),
        frame.head(1),
        frame.head(0),
        frame.clear(),
        frame.with_columns(c=pl.lit(1)),
        frame.with_columns(pl.lit(None).alias("a")),
    ]
    digests = {digest(other) for other in (frame, *others)}
    assert len(digests) == len(others)  # head(0) and clear() are equal


def test_null_nan_and_zero_differ_in_a_frame():
    columns = [[0.0], [None], [math.nan], [-0.0]]
    digests = {digest(pl.DataFrame({"x": pl.Series(c, dtype=pl.Float64)})) for c in columns}
    assert len(digests) == len(columns)
    texts = [[None, "a"], ["", "a"], ["a", None], ["a", ""]]
    assert len({digest(pl.DataFrame({"x": text})) for text in texts}) == len(texts)
    flags = [[None], [False], [True]]
    kinds = {digest(pl.DataFrame({"x": pl.Series(f, dtype=pl.Boolean)})) for f in flags}
    assert len(kinds) == len(flags)


def test_time_zone_unit_and_text_type_of_a_column_matter():
    moment = pl.Series("t", [datetime(2024, 1, 1)])  # noqa: DTZ001  # naive on purpose
    columns = [
        moment,
        moment.dt.replace_time_zone("UTC"),
        moment.dt.replace_time_zone("Europe/Paris"),
        moment.cast(pl.Datetime("ms")),
        moment.cast(pl.Date),
    ]
    assert len({digest(column) for column in columns}) == len(columns)
    text = pl.Series("s", ["a", "b", "a"])
    kinds = [text, text.cast(pl.Categorical), text.cast(pl.Enum(["a", "b"])), text.cast(pl.Binary)]
    assert len({digest(column) for column in kinds}) == len(kinds)


def test_codes_of_categories_do_not_matter():
    first = pl.Series("s", ["zz", "a"], dtype=pl.Categorical).tail(1)
    assert same(first, pl.Series("s", ["a"], dtype=pl.Categorical))


@given(
    st.lists(st.none() | st.text(max_size=3), max_size=6),
    st.integers(0, 6),
)
def test_chunks_of_a_frame_do_not_matter(texts, cut):
    whole = pl.DataFrame(
        {"s": pl.Series(texts, dtype=pl.String), "i": pl.Series(range(len(texts)), dtype=pl.Int64)}
    )
    parts = pl.concat([whole.head(cut), whole.slice(cut)], rechunk=False)
    assert same(whole, parts)
    assert same(whole, whole.to_arrow())
    assert same(whole["s"], parts["s"])


def test_borders_between_texts_and_lists_of_a_column_matter():
    texts = [["ab", ""], ["a", "b"], ["", "ab"]]
    assert len({digest(pl.Series("x", text)) for text in texts}) == len(texts)
    kind = pl.List(pl.Int64)
    lists = [[[1, 2], []], [[1], [2]], [[], [1, 2]], [[1, 2], None], [None, [1, 2]], [[1, 2]]]
    assert len({digest(pl.Series("x", value, dtype=kind)) for value in lists}) == len(lists)
    inner = [[[1, None]], [[None, 1]], [[1]], [[None]], [[]]]
    assert len({digest(pl.Series("x", value, dtype=kind)) for value in inner}) == len(inner)


def test_decimals_of_a_frame_differ_by_value_and_scale():
    one = pl.Series("x", [Decimal("1.00")])
    assert not same(one, pl.Series("x", [Decimal("1.01")]))
    assert not same(one, pl.Series("x", [Decimal("1.000")]))


def test_nested_plugins_with_equal_fields_differ_by_class():
    assert not same(Fast(), Slow())
    assert not same(Fast(inner=Fast()), Fast(inner=Slow()))
    assert not same([Fast()], [Slow()])
    assert same(Fast(inner=Slow(3)), Fast(inner=Slow(3)))
    assert not same(Fast(inner=Slow(3)), Fast(inner=Slow(4)))


def test_a_fingerprint_is_computed_once_for_a_digest():
    class Counted:
        reads = 0

        @property
        def fingerprint(self) -> str:
            Counted.reads += 1
            return "counted"

    digest(Counted())
    assert Counted.reads == 1


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (lambda: 0, "value is a builtins.function"),
        ([1, {"f": lambda: 0}], "value[1]['f'] is a builtins.function"),
        ((Point(1.0, print),), "value[0].y is a builtins.builtin_function"),
        ({"a": [Changeable()]}, "value['a'][0] is a "),
        ({(1, object()): 2}, "value key (1, "),
        ({1, object()}, "value{…} is a builtins.object"),
        (np.array([object()]), "value is an array of dtype object"),
        (np.zeros(2, dtype=[("a", "f8")]), "value is an array of dtype [('a'"),
        (np.zeros(2, dtype=np.longdouble), "value is an array of dtype float"),
        (bytearray(b"a"), "value is a builtins.bytearray"),
        (Fast, "value is a "),
        (pl.col("a"), "value"),
        (pl.LazyFrame({"a": [1]}), "value"),
        (pl.DataFrame({"a": [{"b": 1}]}), "value: column 'a' of type Struct"),
        ({"t": pl.Series("o", [object()], dtype=pl.Object)}, "value['t']: column 'o'"),
        (pa.scalar(1), "value"),
    ],
)
def test_what_has_no_canonical_form_is_refused_with_its_place(value, where):
    with pytest.raises(UnhashableError) as caught:
        digest(value)
    assert str(caught.value).startswith(where)


def test_a_plugin_with_an_unhashable_field_is_refused_with_both_places():
    with pytest.raises(UnhashableError) as caught:
        digest([Fast(inner=Slow(inner=lambda: 0))])
    text = str(caught.value)
    assert text.startswith("value[0], a ")
    assert text.index("Fast") < text.index("Slow") < text.index("builtins.function")


def test_a_list_that_holds_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(UnhashableError, match="contains itself"):
        digest(loop)


def test_digest_of_bytes_is_plain_blake3():
    # the published test vector for no input
    assert digest_bytes(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert digest_bytes(bytearray(b"ab")) == digest_bytes(b"ab") == digest_bytes(memoryview(b"ab"))


GOLDEN = {
    "plain": (
        [None, True, -255, 1.5, 2j, "é", b"x", date(2024, 1, 31), time(1, 2), timedelta(1, 2, 3)],
        "9832bfcf1ec7dd993111e8034a7ca7edcebcadbb9bd60057f4cb371446bb53af",
    ),
    "moments": (
        [datetime(2024, 1, 31, 21, tzinfo=UTC), Decimal("1.50"), Path("a/b")],
        "92eff7d3c01907012cc3b9ec07292778fb197359e617e211a679938474e86071",
    ),
    "containers": (
        {"b": [1, (2, {3})], "a": {}},
        "c65f2787cf4606427cb5ddd16467071578564a0128f3d6ff5be709097cad6f2e",
    ),
    "numbers": (
        np.arange(6.0).reshape(2, 3),
        "0da1025507873582034a3b3bd7149032cd61f233fb459e6c5c25a3cfd6f82ff9",
    ),
    "missing": (
        np.array([math.nan, -0.0, math.inf]),
        "465183cc478614ce52f5892c4a06b8f9e0c9917711a210f62a8c0e9d681542f2",
    ),
    "times": (
        np.array(["2024-01-31T21:00", "NaT"], dtype="M8[us]"),
        "f440a1c628d893a847fedfc85d905edeb47b899814b600c8d26dfceaa97b5bd9",
    ),
    "text": (
        np.array(["ab", "c"]),
        "d9215aa6c1dca94ab8a70600d2a0153c721cd2f2c0a0cee06c39efee2b21ba18",
    ),
    "masked": (
        np.ma.masked_array([1, 2], mask=[True, False]),
        "359bfaa7753b4111f9ba35035c7d61b3648e22397f34fc3216873002ab2fab9d",
    ),
    "scalar": (np.float32(0.5), "0f8bc1a61831f491cfb3998f4f75646777e44b2287dc8566700fcd90f0e60bdb"),
    "frame": (
        pl.DataFrame(
            {
                "s": ["a", None],
                "x": [1.5, None],
                "d": [date(2024, 1, 31), None],
                "f": [True, None],
                "l": [[1], None],
                "c": pl.Series(["u", "v"], dtype=pl.Categorical),
            }
        ),
        "da1c89820eb20d67553739fd3a915d4e928ff76c03e19cb136b3e4261d9f8456",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_encoding_is_the_one_that_stored_results_are_keyed_by(name):
    value, expected = GOLDEN[name]
    assert digest(value) == expected
