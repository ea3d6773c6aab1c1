"""Sectors from a table: what is missing or contradicts itself is said exactly."""

import pytest

from plumbline.stages.sectors import read_sectors, sectors_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sectors.csv"


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return read_sectors(path)


@pytest.mark.parametrize("key", ["asset", "symbol", "ticker"])
def test_assets_and_sectors_are_read_under_usual_names_and_in_any_order(path, key):
    text = f'sector,weight,{key}\nTech,1,AAA\n\n"Oil, Gas",2,BBB\nTech,3,AAA\n,4,CCC\n'
    assert written(path, text) == ({"AAA": "Tech", "BBB": "Oil, Gas"}, [])


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (
            "industry,symbol",
            ["lacks the column sector; its columns are industry, symbol"],
        ),
        (
            "sectors,symbol",
            ["lacks the column sector; did you mean 'sectors'?; its columns are sectors, symbol"],
        ),
        (
            "name,sector",
            ["lacks a column of assets, called asset, symbol or ticker; its columns are name, "],
        ),
        ("a,b", ["lacks a column of assets", "lacks the column sector"]),
        ("", ["lacks a column of assets", "lacks the column sector; its columns are none"]),
    ],
)
def test_a_table_without_its_columns_says_which_is_missing_and_no_other(path, head, told):
    found, problems = written(path, f"{head}\n" if head else "")
    assert found == {}
    assert len(problems) == len(told)
    for problem, text in zip(problems, told, strict=True):
        assert problem.startswith(f"{path} {text}")


def test_a_sector_given_twice_is_shown_with_its_lines_and_values(path):
    text = "symbol,sector\nAAA,Tech\nBBB,Oil\nAAA,Energy\nBBB,Oil\nAAA,Tech\n"
    (problem,) = written(path, text)[1]
    assert problem == (
        f"{path} gives 1 asset more than one sector: AAA: Tech (line 2), Energy (line 4); keep one "
        "line of each"
    )


def test_many_assets_with_two_sectors_are_counted_and_not_all_shown(path):
    rows = [f"A{i:02d},{sector}" for i in range(12) for sector in ("x", "y")]
    (problem,) = written(path, "\n".join(["asset,sector", *rows]))[1]
    assert "12 assets" in problem
    assert "A09: x (line 20), y (line 21); …; keep" in problem
    assert "A10" not in problem


def test_assets_without_a_sector_are_counted_with_the_next_step(path):
    assets = [f"A{i:02d}" for i in range(61)]
    found, (problem,) = sectors_of({"A00": "x"}, assets, path)
    assert found == {}
    assert problem.startswith(f"{path} has no sector for 60 of 61 assets: A01, A02, ")
    assert "A10, …; add their lines to" in problem
    assert problem.endswith(f"add their lines to {path}, or name others in universe.assets")
    assert "…" not in sectors_of({}, assets[:3], path)[1][0]
    assert sectors_of({"A00": "x", "B": "y"}, ["A00"], path) == ({"A00": "x"}, [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"asset,sector\nAAA,\xff\n", "cannot be read: 'utf-8' codec"),
        (b'asset,sector\nAAA,"x\n', "cannot be read: unexpected end of data"),
        (b"asset,sector\nAAA,Oil, Gas\n", "has more values than its header in line 2; quote"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(path, content, told):
    path.write_bytes(content)
    found, (problem,) = read_sectors(path)
    assert found == {}
    assert problem.startswith(f"{path} {told}")


def test_a_table_that_is_not_there_is_said_once(path):
    assert read_sectors(path)[1] == [f"{path} cannot be read: No such file or directory"]
