"""The tear sheet of an evaluation: its page, its JSON twin and its piece for notebooks."""

import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.core.errors import ParameterError
from plumbline.core.page import Page, pages
from plumbline.report.evidence import checks, tally
from plumbline.report.sheet import sheet_page
from plumbline.report.study import SHEET_TABLES, StudyResults
from plumbline.report.twin import SHEET_SCHEMA_VERSION, sheet_json
from plumbline.report.values import IC, RATIO, number_text
from plumbline.stages.gates import Verdict
from tests.report.markup_check import StrictReader
from tests.report.samples import CONVENTIONS, SIGNALS, empty_study, study

NAME = SIGNALS[0]
HOSTILE = "</script><img src=x onerror=\"alert('1')\">&amp;<!--"
SHEET = pages["tear_sheet"]()


@dataclass
class Evaluated:
    """What a page needs of an evaluation."""

    tables: dict[str, pl.DataFrame]
    conventions: dict[str, str] = field(default_factory=lambda: dict(CONVENTIONS))
    unavailable: dict[str, str] = field(default_factory=dict)


def evaluated(n_bars: int = 2700, **frames: pl.DataFrame) -> Evaluated:
    tables = study(n_bars).of_signal(NAME).tables
    return Evaluated({name: tables[name] for name in SHEET_TABLES} | frames)


def part(page: str, anchor: str) -> str:
    section = page[page.index(f'id="{anchor}"') :]
    return section[: section.index("</section>")]


@pytest.fixture(scope="module")
def page() -> str:
    return SHEET.html(evaluated())


@pytest.fixture(scope="module")
def reader(page) -> StrictReader:
    return StrictReader(page)


def test_the_room_of_pages_holds_the_tear_sheet():
    assert isinstance(SHEET, Page)
    assert "tear_sheet" in pages


def test_the_page_of_eleven_years_is_below_a_megabyte():
    results = study()
    five = [
        f.with_columns(horizon_bars=pl.col("horizon_bars") + 100).filter(
            pl.col("horizon_bars") == 121
        )
        if "horizon_bars" in f.columns and f.height
        else f.clear()
        for f in results.tables.values()
    ]
    tables = {
        name: pl.concat([f, more])
        for (name, f), more in zip(results.tables.items(), five, strict=True)
    }
    longer = replace(results, tables=tables).of_signal(NAME)
    assert longer.tables["summary"].height == 5
    assert len(sheet_page(longer).encode()) < 600_000


def test_nothing_is_loaded_from_elsewhere_and_every_link_has_its_target(page, reader):
    assert set(re.findall(r"https?://[^\s\"'<]*", page)) == {"https://github.com/leeoniya/uPlot"}
    assert not any("src" in attrs for _, attrs, _ in reader.elements)
    assert reader.of("meta")[1]["content"].startswith("default-src 'none'; script-src 'sha256-")
    targets = [attrs["href"] for attrs in reader.of("a")]
    assert len(targets) >= 14
    assert all(target.startswith("#") and target[1:] in reader.ids for target in targets)


def test_every_figure_speaks_to_a_screen_reader(reader):
    assert len(reader.of("caption")) == len(reader.of("table")) >= 15
    assert all("scope" in attrs for attrs in reader.of("th"))
    assert all(attrs.get("role") == "img" and attrs["aria-label"] for attrs in reader.of("svg"))
    assert len(reader.of("figcaption")) == len(reader.of("figure")) >= 20


def test_every_convention_stands_on_the_page(page, reader):
    text = " ".join(text for _, text in reader.texts)
    for key, sentence in CONVENTIONS.items():
        assert sentence in text, key
    assert "Spearman correlation of a bar&#x27;s ranks" in part(page, "turnover")


def test_the_page_has_the_parts_that_alphalens_users_expect(page):
    for anchor, text in {
        "ic": ("By bar", "Over time", "Distribution by bar", "Against the normal distribution"),
        "years": ("By year", "By month", ">Jan<", ">2017<"),
        "decay": ("bootstrap from",),
        "nulls": ("random ranks", "permuted assets", "block shuffled"),
        "break": ("before and after",),
        "quantiles": ("Mean return", "Cumulative return by quantile", "quantile 5"),
        "spread": ("Cumulative return", "Drawdown", "net", "gross"),
        "turnover": ("By quantile", "Rank autocorrelation"),
        "capacity": ("Net falls to zero between 3bn and 10bn USD.", "Participation"),
        "sectors": ("Health Care", "Utilities"),
        "regimes": ("volatility", "turbulent", "market trend"),
        "coverage": ("Coverage", "short history", "frozen", "GONE"),
    }.items():
        for words in text:
            assert words in part(page, anchor), (anchor, words)


@pytest.mark.parametrize(
    ("table", "anchor", "column", "style"),
    [
        ("pearson", "ic", "mean_ic", IC),
        ("pearson", "ic", "t_hac", RATIO),
        ("ic_by_month", "years", "mean_ic", RATIO),
        ("null_suite", "nulls", "sd", IC),
        ("breaks", "break", "mean_before", IC),
        ("rank_autocorrelation", "turnover", "mean_autocorrelation", RATIO),
        ("ic_by_sector", "sectors", "mean_ic", IC),
        ("ic_by_regime", "regimes", "t_hac", RATIO),
    ],
)
def test_cells_of_a_table_stand_in_its_part(page, table, anchor, column, style):
    results = study().of_signal(NAME)
    frame = results.tables[table]
    if table == "ic_by_month":
        frame = frame.filter(pl.col("horizon_bars") == 21)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", part(page, anchor))
    expected = [number_text(value, style) for value in frame[column].to_list()]
    assert expected
    missing = [text for text in expected if text not in cells]
    assert not missing


def test_months_stand_in_their_own_cells():
    frame = pl.DataFrame(
        {
            "year": [2008, 2008, 2010],
            "month": [3, 12, 1],
            "signal": [NAME] * 3,
            "horizon_bars": [21] * 3,
            "mean_ic": [0.03, None, -0.12],
            "n_bars": [21, 0, 20],
        }
    )
    shown = part(SHEET.html(evaluated(60, ic_by_month=frame)), "years")
    rows = re.findall(r'<tr><th scope="row">(\d+)</th>(.*?)</tr>', shown[shown.index(">Jan<") :])
    cells = {year: re.findall(r"<td[^>]*>([^<]*)</td>", row) for year, row in rows}
    assert cells["2008"] == ["", "", "0.03", *[""] * 8, "n/a"]
    assert cells["2010"] == ["−0.12", *[""] * 11]


def test_levels_change_at_the_break_and_not_before():
    page = SHEET.html(evaluated(700))
    block = next(b for b in re.findall(r">(\{[^<]*?before and after.*?)</script>", page))
    line = json.loads(block)["lines"][1]
    parts = line["y"].split(",")
    frame = study(700).of_signal(NAME).tables
    row = frame["breaks"].filter(pl.col("horizon_bars") == 21).row(0, named=True)
    bars = frame["ic_rolling"].filter(pl.col("horizon_bars") == 21)["bar_close"].to_list()
    n_before = sum(bar <= row["bar_close"] for bar in bars)
    runs = [(text, int(n or 1)) for text, _, n in (p.partition("*") for p in parts)]
    assert sum(n for _, n in runs[:2]) == n_before
    assert int(runs[0][0]) == round(row["mean_before"] * 1e4)
    steps = [int(text) for text, _ in runs if text not in ("", "0")]
    assert sum(steps) == round(row["mean_after"] * 1e4)


@pytest.mark.parametrize("missing", SHEET_TABLES)
def test_a_missing_table_is_told_with_its_reason(missing):
    found = evaluated(300)
    found.unavailable = {missing: f"because <{missing}> was not given"}
    is_compared = missing == "signal_correlation"  # several signals alone
    for empty in (pl.DataFrame(), found.tables[missing].clear()):
        found.tables = {**found.tables, missing: empty}
        text = SHEET.html(found)
        StrictReader(text)
        assert (f"because &lt;{missing}&gt; was not given" in text) != is_compared
    del found.tables[missing]
    assert (f"because &lt;{missing}&gt;" in SHEET.html(found)) != is_compared


def test_an_evaluation_of_nothing_has_a_page_a_twin_and_a_piece():
    nothing = Evaluated({}, {}, {"summary": "no asset has a price"})
    assert "no asset has a price" in SHEET.html(nothing)
    assert "no asset has a price" in SHEET.summary_html(nothing)
    twin = json.loads(SHEET.json(nothing))
    assert all(table["n_rows"] == 0 for table in twin["tables"].values())


@pytest.mark.parametrize("lost", [None, math.nan, math.inf])
def test_missing_numbers_are_said_to_be_missing_and_never_zero(lost):
    tables = {}
    for name, frame in evaluated(300).tables.items():
        floats = [c for c in frame.columns if frame.schema[c].is_float()]
        tables[name] = frame.with_columns(pl.lit(lost, pl.Float64).alias(c) for c in floats)
    found = Evaluated(tables)
    for text in (SHEET.html(found), SHEET.summary_html(found)):
        reader = StrictReader(text)
        cells = [text for tag, text in reader.texts if tag in {"td", "dd", "output"}]
        assert "n/a" in cells
        assert not any(re.fullmatch(r"[−-]?0\.0+( %)?", cell) for cell in cells)
        assert "nan" not in reader.text_in("td", "dd", "p", "text", "output").lower().split()


def test_results_without_a_pearson_ic_have_a_page():
    found = evaluated(300)
    ic, rolling = found.tables["ic"], found.tables["ic_rolling"]
    found.tables |= {"ic": ic.drop("pearson_ic"), "ic_rolling": rolling.drop("mean_pearson_ic")}
    text = part(SHEET.html(found), "ic")
    assert "trailing mean" in text
    assert "of Pearson IC" not in text
    assert "of Pearson IC" in part(SHEET.html(evaluated(300)), "ic")


def test_a_wrong_table_is_refused_with_every_problem():
    wrong = pl.DataFrame({"signal": [NAME], "capital_usd": ["much"]})
    with pytest.raises(ParameterError) as raised:
        SHEET.html(evaluated(60, capacity=wrong, breaks=pl.DataFrame({"signal": [1]})))
    message = str(raised.value)
    assert "capacity.capital_usd is String; it must be numeric" in message
    assert "table 'breaks' lacks column 'statistic'" in message


def hostile(frame: pl.DataFrame) -> pl.DataFrame:
    texts = [c for c in frame.columns if frame.schema[c] == pl.String]
    renamed = {c: f"{c}{HOSTILE}" for c in frame.columns if c.startswith("n_assets_with_signal_")}
    return frame.with_columns(pl.concat_str(pl.col(c), pl.lit(HOSTILE)) for c in texts).rename(
        renamed
    )


def test_hostile_text_stays_text():
    tables = {name: hostile(frame) for name, frame in study(300).tables.items()}
    told = dict.fromkeys((*SHEET_TABLES, "t_hac", HOSTILE), HOSTILE)
    found = Evaluated({name: tables[name] for name in SHEET_TABLES}, told, told)
    plain = Evaluated(dict(study(300).tables))
    for make in (SHEET.html, SHEET.summary_html):
        reader, expected = StrictReader(make(found)), StrictReader(make(plain))
        assert not reader.of("img")
        assert len(reader.of("script")) == len(expected.of("script"))
        assert HOSTILE not in make(found)


def test_equal_evaluations_give_equal_text():
    for make in (SHEET.html, SHEET.json, SHEET.summary_html):
        study.cache_clear()
        first = make(evaluated(90))
        study.cache_clear()
        assert make(evaluated(90)) == first


@settings(max_examples=10)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.sampled_from([2, 3, 40, 260]),
    scale=st.sampled_from([0.0, 1e-320, 1e-30, 1.0, 1e12, 1e307]),
)
def test_ragged_results_of_any_scale_have_a_page(seed, n_bars, scale):
    rng = np.random.default_rng(seed)
    tables = {}
    for name, frame in study(n_bars, seed).tables.items():
        kept = frame.filter(pl.Series(rng.random(frame.height) < 0.8))
        floats = [c for c in frame.columns if frame.schema[c].is_float()]
        holes = [
            pl.when(pl.Series(rng.random(kept.height) < 0.7))
            .then(pl.col(c) * scale)
            .otherwise(pl.lit(rng.choice([np.nan, np.inf, -np.inf])))
            .alias(c)
            for c in floats
        ]
        tables[name] = kept.with_columns(holes)
    ragged = Evaluated({name: tables[name] for name in SHEET_TABLES})
    for text in (SHEET.html(ragged), SHEET.summary_html(ragged)):
        drawn = " ".join(
            f"{v}"
            for t, a, _ in StrictReader(text).elements
            for k, v in a.items()
            if t != "meta" and (k in "dxy" or k in {"x1", "x2", "y1", "y2", "cx", "cy", "width"})
        )
        assert "nan" not in drawn
        assert "inf" not in drawn
    SHEET.json(ragged)


def test_the_twin_names_its_schema_and_reads_back_every_float():
    found = evaluated(400)
    twin = json.loads(SHEET.json(found))
    assert (twin["schema"], twin["schema_version"]) == (
        "plumbline.tear_sheet",
        SHEET_SCHEMA_VERSION,
    )
    assert twin["provenance"] is None
    assert set(twin["tables"]) == set(SHEET_TABLES)
    assert twin["conventions"].items() >= CONVENTIONS.items()
    for name, frame in found.tables.items():
        for column in frame:
            if column.dtype.is_float():
                values = twin["tables"][name]["columns"][column.name]
                rebuilt = pl.Series(column.name, values, dtype=pl.Float64)
                assert rebuilt.equals(column.fill_nan(None)), (name, column.name)


def test_the_piece_for_notebooks_is_small_scoped_and_has_one_figure():
    text = SHEET.summary_html(evaluated())
    assert len(text.encode()) < 60_000
    reader = StrictReader(text)
    assert len(reader.of("svg")) == 1
    assert not reader.of("script")
    assert not reader.of("a")
    assert "http" not in text
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    selectors = re.findall(r"([^{}]+)\{", style)
    assert all(
        ".plumbline-summary" in selector for group in selectors for selector in group.split(",")
    )
    row = study().of_signal(NAME).tables["summary"].row(0, named=True)
    for key, style_of in (("mean_ic", IC), ("t_hac", RATIO)):
        assert f">{number_text(row[key], style_of)}<" in text
    many = Evaluated({**evaluated().tables, "summary": study().tables["summary"]})
    assert len(re.findall(r'<th scope="row"', SHEET.summary_html(many))) == 2


def test_several_signals_stand_side_by_side():
    text = SHEET.html(Evaluated({name: study(300).tables[name] for name in SHEET_TABLES}))
    assert "<h1>2 signals</h1>" in text
    assert '<table class="sortable">' in part(text, "comparison")
    assert all(name in part(text, "capacity") for name in SIGNALS)


def cells(table: str, **values: Any) -> StudyResults:
    results = study(60).of_signal(NAME)
    literals = {k: pl.lit(v, pl.Float64) for k, v in values.items()}
    frame = results.tables[table].with_columns(**literals)
    return replace(results, tables={**results.tables, table: frame})


def check(results: StudyResults, test: str) -> Any:
    (found,) = [c for c in checks(results, NAME) if c.test == test]
    return found


@pytest.mark.parametrize(
    ("table", "values", "test", "rejects"),
    [
        ("summary", {"t_hac": -2.2, "critical_5pct": 2.1}, "Mean rank IC is zero", True),
        ("summary", {"t_hac": 2.1, "critical_5pct": 2.1}, "Mean rank IC is zero", False),
        ("summary", {"t_hac": math.nan}, "Mean rank IC is zero", None),
        ("pearson", {"t_hac": 2.2, "critical_5pct": 2.1}, "Mean Pearson IC is zero", True),
        ("bootstrap", {"lower": 0.01, "upper": 0.02}, "Mean rank IC is zero, bootstrap", True),
        ("bootstrap", {"lower": -0.02, "upper": -0.01}, "Mean rank IC is zero, bootstrap", True),
        ("bootstrap", {"lower": -0.01, "upper": 0.02}, "Mean rank IC is zero, bootstrap", False),
        ("bootstrap", {"lower": None}, "Mean rank IC is zero, bootstrap", None),
        ("null_suite", {"p_value": 0.05}, "Chance: random ranks", True),
        ("null_suite", {"p_value": 0.051}, "Chance: random ranks", False),
        ("breaks", {"p_value": 0.01}, "Mean rank IC is constant", True),
        ("spread_summary", {"t_hac": 3.0, "p_value": 0.003}, "Net spread is zero", True),
        ("spread_summary", {"t_hac": 1.0, "p_value": 0.3}, "Net spread is zero", False),
    ],
)
def test_the_evidence_follows_the_numbers(table, values, test, rejects):
    found = check(cells(table, **values), test)
    assert found.rejects is rejects
    said = found.reading
    assert said.startswith("rejected") == (rejects is True)
    assert said.startswith("not available: ") == (rejects is None)


def test_the_tally_counts_tests_that_were_made_and_leaves_out_those_of_lasting():
    results = cells("breaks", p_value=0.0)
    n = sum(bool(c.rejects) for c in checks(results, NAME)) - 1
    assert tally(checks(results, NAME)).startswith(f"{n} of 7 tests reject")
    without = replace(results, tables={**results.tables, "null_suite": pl.DataFrame()})
    assert "of 4 tests reject" in tally(checks(without, NAME))
    assert tally(checks(without, NAME)).endswith("; 1 not computed.")


@pytest.mark.parametrize(
    ("nets", "words"),
    [
        ((0.02, 0.01, -0.01), "Net falls to zero between 10m and 100m USD."),
        ((0.02, 0.01, 0.001), "Net stays above zero up to 100m USD, the largest capital tried."),
        ((-0.02, -0.03, 0.5), "Net is not above zero at 1m USD, the least capital tried."),
        ((0.02, 0.0, -0.01), "Net falls to zero between 1m and 10m USD."),
        ((None, None, None), "Capacity: n/a."),
    ],
)
def test_capacity_is_told_by_the_capitals_beside_it(nets, words):
    frame = pl.DataFrame(
        {
            "signal": [NAME] * 3,
            "capital_usd": [1e7, 1e6, 1e8],
            **dict.fromkeys(("gross_annual", "cost_annual", "impact_annual"), [0.01] * 3),
            "net_annual": pl.Series([nets[1], nets[0], nets[2]], dtype=pl.Float64),
            "participation": [0.1] * 3,
        }
    )
    assert words in part(SHEET.html(evaluated(60, capacity=frame)), "capacity")


def test_a_sheet_of_a_study_holds_its_signal_alone():
    base = study(300)
    results = replace(
        base,
        unavailable={"decay": "all", f"decay.{NAME}": "mine", f"decay.{SIGNALS[1]}": "other"},
        warnings=(f"{NAME}: lost", f"{SIGNALS[1]}: lost", "factor model: lost"),
        gates=(
            Verdict(f"t_hac of {NAME}:21", passed=True, text="mine"),
            Verdict(f"net_annual of {NAME}", passed=True, text="mine"),
            Verdict(f"t_hac of {SIGNALS[1]}:21", passed=False, text="other"),
        ),
    )
    mine = results.of_signal(NAME)
    assert mine.signals == (NAME,)
    assert mine.title == NAME
    assert mine.unavailable == {"decay": "mine", f"decay.{NAME}": "mine"}
    assert mine.warnings == (f"{NAME}: lost", "factor model: lost")
    assert [gate.text for gate in mine.gates] == ["mine", "mine"]
    assert mine.tables["coverage"].columns == [
        "bar_close",
        "n_assets_priced",
        f"n_assets_with_signal_{NAME}",
    ]
    for name in SHEET_TABLES:
        frame = results.tables[name]
        if "signal" in frame.columns:
            kept = frame.filter((pl.col("signal") == NAME) | pl.col("signal").is_null())
            assert mine.tables[name].equals(kept), name
    assert not mine.tables["quality"].height
    page = sheet_page(mine, "study.html", f"{NAME}.json")
    assert SIGNALS[1] not in page.replace(results.recipe, "").replace(
        "[momentum_12_1, residual_momentum]", ""
    )
    assert '<a href="study.html">the whole study</a>' in page
    assert results.provenance.run_id in page
    assert "study.json" not in page
    assert json.loads(sheet_json(mine))["provenance"]["run_id"] == results.provenance.run_id


def test_a_study_of_nothing_has_no_sheet_of_a_signal():
    assert empty_study().signals == ()
