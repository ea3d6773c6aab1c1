"""Versions that lack files are found by name, and those that nothing restores can be taken away."""

from pathlib import Path

import polars as pl
import pytest

from plumbline.core.errors import ParameterError, UnknownNameError
from plumbline.lake.lake import Lake
from plumbline.lake.segments import segment_path
from plumbline.lake.soundness import Lacking, forget_dataset, forget_version, lacking_versions
from plumbline.lake.source import sources


@pytest.fixture
def two(lake: Lake, bars: pl.DataFrame, tmp_path: Path) -> Lake:
    """Return a lake with two versions of a data set, which differ in the second of two years."""
    for factor in (1.0, 2.0):
        late = pl.when(pl.col("date").dt.year() == 2024).then(factor).otherwise(1.0)
        bars.with_columns(pl.col("close") * late).write_csv(tmp_path / "prices.csv")
        lake.ingest("demo", sources["csv"]("prices.csv"), calendar="24/7", base=tmp_path)
    return lake


def files(lake: Lake, version: int) -> list[Path]:
    return lake.segment_paths(lake.dataset("demo", version))


def test_whole_versions_lack_nothing(two: Lake) -> None:
    assert len({*files(two, 1), *files(two, 2)}) == 3, "one year is shared"
    assert lacking_versions(two, deep=False) == lacking_versions(two, deep=True) == []


@pytest.mark.parametrize("content", [None, b"", b"cut"])
def test_a_missing_or_shortened_file_is_found_without_reading(
    two: Lake, content: bytes | None
) -> None:
    path = files(two, 1)[1]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    expected = [Lacking("demo", 1, 1, 2, is_newest=False)]
    assert lacking_versions(two, deep=False) == expected
    assert lacking_versions(two, deep=True) == expected
    assert lacking_versions(two, deep=False) == expected, "both looks say the same afterwards"


def test_a_shared_file_is_lacking_in_every_version(two: Lake) -> None:
    files(two, 1)[0].unlink()
    assert [(v.version, v.is_newest) for v in lacking_versions(two, deep=False)] == [
        (1, False),
        (2, True),
    ]


def test_a_forgotten_version_leaves_what_others_hold(two: Lake) -> None:
    own, kept = files(two, 1)[1], files(two, 2)
    first = two.dataset("demo", 1)
    assert forget_version(two, "demo", 1) == 1
    assert not own.exists()
    assert files(two, 2) == kept
    assert [row["version"] for row in two.datasets()] == [2]
    for lost in (first.dataset_id, "demo"):
        with pytest.raises(UnknownNameError):
            two.dataset(lost, 1)
    with pytest.raises(ParameterError, match="version 2 is the newest of 'demo', the one in use"):
        forget_version(two, "demo", 2)
    assert files(two, 2) == kept


def test_a_data_set_is_forgotten_as_a_whole(two: Lake) -> None:
    assert forget_dataset(two, "demo") == 3
    assert two.datasets() == []
    assert not list(two.segment_folder.glob("*.parquet"))


def test_what_a_name_means_is_not_forgotten_alone(two: Lake) -> None:
    with pytest.raises(ParameterError, match=r"earlier ones that can be: 1; .* --forget all"):
        forget_version(two, "demo", 2)
    with pytest.raises(UnknownNameError, match="no version 3; it has 1, 2"):
        forget_version(two, "demo", 3)
    with pytest.raises(UnknownNameError, match="the lake has no dataset 'dmo'"):
        forget_dataset(two, "dmo")


def test_content_that_another_name_means_stays(two: Lake, tmp_path: Path) -> None:
    two.ingest("other", sources["csv"]("prices.csv"), calendar="24/7", base=tmp_path)
    two.ingest("third", sources["csv"]("prices.csv"), calendar="24/7", base=tmp_path)
    assert forget_dataset(two, "other") == 0
    assert len(two.segment_paths("third")) == 2
    assert two.quality("third").height >= 0
    paths = [segment_path(two.segment_folder, path.stem) for path in files(two, 2)]
    assert all(path.is_file() for path in paths)
