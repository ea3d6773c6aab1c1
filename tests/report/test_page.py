import base64
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.report.page import study_page
from plumbline.report.parts import KEYS
from plumbline.report.study import TABLES, StudyResults
from plumbline.report.twin import study_json
from plumbline.report.values import (
    COUNT,
    IC,
    MILLIONS,
    P_VALUE,
    PERCENT,
    RATIO,
    number_text,
)
from plumbline.stages.gates import Verdict
from plumbline.stages.run_code import KeptBlocks
from tests.report.markup_check import StrictReader
from tests.report.samples import CONVENTIONS, empty_study, study

SHEETS_ALONE = {
    *("ic", "pearson", "ic_by_month", "quantile_history", "turnover", "rank_autocorrelation"),
    "ic_by_sector",
}
"""Tables that tear sheets show and the page of the study does not."""
OF_REGIMES = {"regimes", "regime_summary", "ic_by_regime"}
"""Tables of the part that a study without regimes has not."""
HOSTILE = "</script><img src=x onerror=\"alert('1')\">&amp;<!--"


@pytest.fixture(scope="module")
def page() -> str:
    return study_page(study())


@pytest.fixture(scope="module")
def reader(page) -> StrictReader:
    return StrictReader(page)


def test_the_page_of_eleven_years_is_below_400_kb(page):
    assert len(page.encode()) < 400_000


def test_every_link_has_its_target(reader):
    targets = [attrs["href"] for attrs in reader.of("a")]
    assert len(targets) >= 10
    assert all(target.startswith("#") and target[1:] in reader.ids for target in targets)


def test_nothing_is_loaded_from_elsewhere(page, reader):
    assert set(re.findall(r"https?://[^\s\"'<]*", page)) == {"https://github.com/leeoniya/uPlot"}
    assert not any("src" in attrs for _, attrs, _ in reader.elements)
    assert [attrs["href"] for attrs in reader.of("link")] == ["data:,"]
    assert "url(" not in page
    assert "@import" not in page


def test_the_policy_allows_exactly_the_scripts_of_the_page(page, reader):
    bodies = re.findall(r"<script>(.*?)</script>", page, re.S)
    digests = {base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() for b in bodies}
    policy = reader.of("meta")[1]["content"]
    assert len(bodies) == 2
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == digests
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert not any(name.startswith("on") for _, attrs, _ in reader.elements for name in attrs)


def test_tables_and_figures_speak_to_a_screen_reader(reader):
    n_captions = len(reader.of("caption"))
    assert n_captions == len(reader.of("table")) > 5
    assert all("scope" in attrs for attrs in reader.of("th"))
    assert all(attrs.get("role") == "img" and attrs["aria-label"] for attrs in reader.of("svg"))
    assert len(reader.of("figcaption")) == len(reader.of("figure")) >= 10
    assert reader.of("html")[0]["lang"] == "en"


def test_headings_do_not_skip_a_level(reader):
    levels = [int(tag[1]) for tag, _, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_convention_stands_on_the_page_once(reader):
    text = " ".join(text for _, text in reader.texts)
    for sentence in CONVENTIONS.values():
        assert text.count(sentence) == 1, sentence


def test_every_table_has_a_place_for_its_convention():
    shown = {key for keys in KEYS.values() for key in keys}
    assert set(TABLES) <= shown


def test_the_footer_gives_the_whole_provenance(reader):
    source = study().provenance
    text = reader.text_in("dd", "dt")
    for value in (
        *(source.run_id, source.started, source.finished, source.owner, source.machine),
        *(source.recipe_digest, "numba 0.61.0", *source.table_digests.values()),
        *("4 computed, 9 from the cache, 0 kept from other code", *source.codes),
        *(digest for digests in source.codes.values() for digest in digests),
    ):
        assert value in text


def test_the_footer_names_every_data_set_with_id_version_span_and_cleaning(reader):
    text = reader.text_in("dd", "dt")
    for origin in study().provenance.data:
        for value in (f"Data {origin.name}", origin.dataset, origin.dataset_id, origin.span):
            assert value in text
    assert "us_equity_daily version 3, 309,412 rows" in text
    assert "rows by cleaning: 9 changed, 12 dropped, 4,318 noted" in text
    assert "us_etfs version 1, 8,211 rows" in text
    assert "rows by cleaning: 0 changed, 0 dropped, 2 noted" in text


def test_results_of_other_code_are_noticed_beside_the_verdict_and_counted_in_the_provenance(page):
    reason = "kept, made by code 77aa77aa77aa: code of plumbline.features.returns changed"
    kept = (KeptBlocks("signal:a", 10, (reason,)), KeptBlocks("signal:b", 1, (reason,)))
    blocks = {"computed": 1, "cached": 26, "kept": 11}
    source = replace(study().provenance, kept=kept, blocks=blocks)
    text = study_page(replace(study(), provenance=source))
    verdict = part(text, "verdict")
    notice = "11 blocks were kept from other code: signal:a (10), signal:b (1)"
    assert notice in verdict[: verdict.index('class="signals"')]
    assert '<a href="#provenance">Provenance</a>' in verdict
    footer = text[text.index('id="provenance"') :]
    assert "1 computed, 26 from the cache, 11 kept from other code" in footer
    assert f"<dt>Kept signal:a</dt><dd>10 blocks: {reason}</dd>" in footer
    assert f"<dt>Kept signal:b</dt><dd>1 block: {reason}</dd>" in footer
    assert "kept from other code:" not in page


def test_numbers_carry_the_unit_of_their_header():
    results = study(60)
    frame = results.tables["spread_summary"].with_columns(
        gross_annual=pl.lit(0.0456), sharpe_net=pl.lit(-0.004), mean_turnover=pl.lit(0.01234)
    )
    text = study_page(replace(results, tables={**results.tables, "spread_summary": frame}))
    row = re.search(
        r'<tr><th scope="row" class="text col-signal">momentum_12_1</th>(.*?)</tr>',
        part(text, "spread"),
    )
    cells = re.findall(r">([^<]+)</td>", row[1])
    assert cells[0] == "4.6"
    assert cells[4] == "0.00"
    assert cells[8] == "1.2"
    assert "Gross a year <small>%</small></th>" in text


def test_quantile_returns_are_in_basis_points():
    results = study(60)
    frame = results.tables["quantiles"].with_columns(mean_return_demeaned=pl.lit(0.00123))
    text = study_page(replace(results, tables={**results.tables, "quantiles": frame}))
    assert "1: 12.3 bps." in text
    assert '<td class="num">12.3</td>' in text


def test_equal_results_give_equal_bytes_in_any_process(tmp_path):
    code = (
        "from tests.report.samples import study\n"
        "from plumbline.report.page import study_page\n"
        "from plumbline.report.twin import study_json\n"
        "import hashlib\n"
        "text = study_page(study(90)) + study_json(study(90))\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    digests = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone}
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        )
        digests.add(done.stdout)
    text = study_page(study(90)) + study_json(study(90))
    assert digests == {hashlib.sha256(text.encode()).hexdigest() + "\n"}


def hostile_study() -> StudyResults:
    results = study(300)
    tables = {}
    for name, frame in results.tables.items():
        texts = [c for c in frame.columns if frame.schema[c] == pl.String]
        tables[name] = frame.with_columns(pl.concat_str(pl.col(c), pl.lit(HOSTILE)) for c in texts)
    coverage = results.tables["coverage"].rename(
        {"n_assets_with_signal_momentum_12_1": f"n_assets_with_signal_momentum_12_1{HOSTILE}"}
    )
    source = replace(
        results.provenance,
        run_id=HOSTILE,
        machine=HOSTILE,
        data=(replace(results.provenance.data[0], name=HOSTILE, span=HOSTILE),),
        codes={HOSTILE: (HOSTILE,)},
        kept=(KeptBlocks(HOSTILE, 1, (HOSTILE,)),),
        versions={HOSTILE: HOSTILE},
        table_digests={HOSTILE: HOSTILE},
    )
    return StudyResults(
        HOSTILE,
        HOSTILE,
        {**tables, "coverage": coverage},
        dict.fromkeys((*TABLES, "t_hac", HOSTILE), HOSTILE),
        source,
        dict.fromkeys(TABLES, HOSTILE),
    )


def test_hostile_text_stays_text():
    text = study_page(hostile_study())
    reader = StrictReader(text)
    plain = StrictReader(study_page(study(300)))
    assert not reader.of("img")
    assert len(reader.of("script")) == len(plain.of("script"))
    assert reader.text_in("h1").strip() == HOSTILE
    assert next(text for tag, text in reader.texts if tag == "title") == HOSTILE
    assert HOSTILE not in text


@pytest.mark.parametrize("missing", sorted(set(TABLES) - SHEETS_ALONE))
def test_any_table_may_be_empty(missing):
    results = study(300)
    for empty in (pl.DataFrame(), results.tables[missing].clear()):
        text = study_page(replace(results, tables={**results.tables, missing: empty}))
        StrictReader(text)
        assert f"the study gave no rows for {missing}" in text


def test_a_study_of_nothing_has_a_page():
    reader = StrictReader(study_page(empty_study()))
    said = sum("ot available: the study gave no rows" in text for _, text in reader.texts)
    assert said >= len(set(TABLES) - SHEETS_ALONE - OF_REGIMES)
    assert not reader.of("svg")


@pytest.mark.parametrize("lost", [None, float("nan"), float("inf")])
def test_missing_numbers_are_said_to_be_missing_and_never_zero(lost):
    results = study(300)
    tables = {}
    for name, frame in results.tables.items():
        floats = [c for c in frame.columns if frame.schema[c].is_float()]
        tables[name] = frame.with_columns(pl.lit(lost, pl.Float64).alias(c) for c in floats)
    reasons = {"summary": "history is too short", "ic_rolling": "needs 252 bars"}
    text = study_page(replace(results, tables=tables, unavailable=reasons))
    reader = StrictReader(text)
    assert "n/a: not available: history is too short." in text
    assert "Not available: needs 252 bars." in text
    assert "Not available: the study gave no finite value in decay." in text
    cells = [text for tag, text in reader.texts if tag in {"td", "dd", "output"}]
    assert "n/a" in cells
    assert not any(re.fullmatch(r"[−-]?0\.0+( %)?", cell) for cell in cells)
    assert "nan" not in reader.text_in("td", "dd", "p", "text", "output").lower().split()


def test_a_signal_without_rows_is_said_to_be_missing_beside_one_that_is_there():
    results = study(300)
    frame = results.tables["decay"].filter(pl.col("signal") == "momentum_12_1")
    text = study_page(replace(results, tables={**results.tables, "decay": frame}))
    assert "Not available: the study gave no rows of this signal for decay." in text
    assert "Mean rank IC of momentum_12_1 over horizons" in text


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.sampled_from([2, 3, 40, 260]),
    scale=st.sampled_from([0.0, 1e-320, 1e-30, 1.0, 1e12, 1e307]),
)
def test_ragged_results_of_any_scale_have_a_page(seed, n_bars, scale):
    rng = np.random.default_rng(seed)
    results = study(n_bars, seed)
    tables = {}
    for name, frame in results.tables.items():
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
    ragged = replace(results, tables=tables)
    reader = StrictReader(study_page(ragged))
    drawn = " ".join(
        f"{v}" for t, a, _ in reader.elements for k, v in a.items() if t != "meta" and k in "dxy"
    )
    assert "nan" not in drawn
    study_json(ragged)


def test_names_lead_to_tear_sheets_where_there_are_any(page):
    text = study_page(study(), {"momentum_12_1": "momentum_12_1.html"})
    shown = part(text, "comparison")
    assert '<a href="momentum_12_1.html">momentum_12_1</a>' in shown
    assert "A name leads to the signal&#x27;s tear sheet." in shown
    assert "<a " not in part(page, "comparison")
    assert "tear sheet" not in part(page, "comparison")


def test_the_comparison_holds_the_headline_figures_of_every_signal(page):
    results = study()
    shown = part(page, "comparison")
    assert '<table class="sortable">' in shown
    rows = re.findall(r'<tr><th scope="row" class="text col-signal">(.*?)</tr>', shown)
    assert len(rows) == 2
    largest = {"momentum_12_1": 3e9, "residual_momentum": 1e10}
    for row, name in zip(rows, results.signals, strict=True):
        assert row.startswith(name)
        cells = [html.unescape(cell) for cell in re.findall(r">([^<]+)</td>", row)]

        def at(table, name=name):
            mine = pl.col("signal") == name
            if "horizon_bars" in results.tables[table].columns:
                mine &= pl.col("horizon_bars") == 21
            return results.tables[table].filter(mine)

        ic, spread = at("summary").row(0, named=True), at("spread_summary").row(0, named=True)
        interval = at("bootstrap").row(0, named=True)
        expected = [
            number_text(value, style)
            for value, style in (
                *((21, COUNT), (ic["mean_ic"], IC), (ic["t_hac"], RATIO)),
                *((ic["p_value"], P_VALUE), (interval["lower"], IC), (interval["upper"], IC)),
                (at("null_suite")["p_value"].max(), P_VALUE),
                (at("breaks")["p_value"][0], P_VALUE),
                *((spread["net_annual"], PERCENT), (spread["sharpe_net"], RATIO)),
                *((spread["mean_turnover"], PERCENT), (largest[name], MILLIONS)),
            )
        ]
        assert cells == expected
    assert len(re.findall(r">0\.62<", shown)) == 2


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def palettes() -> list[dict[str, tuple[float, ...]]]:
    style = (files("plumbline.report") / "style.css").read_text("utf-8")
    found = []
    for block in re.findall(r":root \{(.*?)\}", style, re.S):
        colours = {}
        for name, text in re.findall(r"--([\w]+): ([^;]+);", block):
            if text.startswith("#"):
                digits = text[1:] if len(text) == 7 else "".join(c * 2 for c in text[1:])
                colours[name] = tuple(int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
            else:
                colours[name] = tuple(int(part) / 255 for part in text.split())
        found.append(colours)
    return found


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_and_lines_stand_out_from_their_ground(scheme):
    colours = palettes()[scheme]
    for ground in ("paper", "sheet", "shade"):
        for text in ("ink", "soft", "link"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for line in [name for name in colours if re.fullmatch(r"[sh]\d", name)]:
        assert contrast(colours[line], colours["paper"]) >= 3, line
    for tint in ("pos", "neg"):
        mixed = tuple((a + b) / 2 for a, b in zip(colours[tint], colours["paper"], strict=True))
        assert contrast(colours["ink"], mixed) >= 4.5, tint


def test_counts_of_what_was_not_computed_are_shown_by_reason(page):
    section = page[page.index('id="uncomputed"') :]
    for text in ("rank_deficient", "324,000", "windows", "no_signal", "momentum_12_1"):
        assert text in section[: section.index("</section>")]
    assert "never_seen" not in page
    assert "never_seen" in study_json(study())


def test_warnings_stand_beside_the_verdict_and_with_the_counts_and_in_the_twin(page):
    told = ("momentum_12_1: no rank IC over 21 bars: no signal (9 of 9 bars) <b>",)
    results = replace(study(), warnings=told)
    text = study_page(results)
    shown = "no rank IC over 21 bars: no signal (9 of 9 bars) &lt;b&gt;"
    assert text.count(shown) == 2
    verdict = text[text.index('id="verdict"') :]
    assert shown in verdict[: verdict.index("</section>")]
    assert "Not everything could be computed" not in page
    assert json.loads(study_json(results))["warnings"] == list(told)


def test_no_cell_of_a_table_takes_the_style_of_a_section(page):
    def classes(tags: str) -> set[str]:
        found = re.findall(rf'<(?:{tags}) [^>]*class="([^"]*)"', page)
        return {name for names in found for name in names.split()}

    sections, cells = classes("section"), classes("td|th")
    assert "part" in sections
    assert "col-part" in cells
    assert not sections & cells
    assert "td.col-bar_close {" in page


@pytest.mark.parametrize(("deepest", "n_notes"), [(-0.4, 0), (-1.0, 0), (-1.01, 1), (None, 0)])
def test_a_drawdown_says_that_it_is_a_sum_only_where_it_is_beyond_the_whole(deepest, n_notes):
    results = study(60)
    is_first = pl.col("signal") == "momentum_12_1"
    value = pl.when(is_first).then(pl.lit(deepest, pl.Float64)).otherwise(-0.2)
    frame = results.tables["spread_summary"].with_columns(max_drawdown=value)
    text = study_page(replace(results, tables={**results.tables, "spread_summary": frame}))
    assert text.count("a sum of returns without compounding, so it may pass 100 %") == n_notes


def part(page: str, anchor: str) -> str:
    """Return the section of a page that has an anchor."""
    section = page[page.index(f'id="{anchor}"') :]
    return section[: section.index("</section>")]


def test_failed_gates_stand_first_of_all_and_are_marked_by_sign_and_word(page):
    gates = (
        Verdict("mean_ic of a:21", passed=True, text="gate on mean_ic of a:21: 1 is at least 0"),
        Verdict("t_hac of a:21", passed=False, text="gate on t_hac of a:21: 1 is below 2"),
    )
    results = replace(study(), gates=gates)
    shown = part(study_page(results), "verdict")
    shown = shown[: shown.index('class="signals"')]
    assert "1 of 2 gates of the recipe failed" in shown
    marks = re.findall(r'<li class="(\w+)"><span class="mark" aria-hidden="true">(.)</span>', shown)
    assert marks == [("failed", "✗"), ("passed", "✓")]
    assert "failed: gate on t_hac of a:21: 1 is below 2</li>" in shown
    assert "passed: gate on mean_ic of a:21: 1 is at least 0</li>" in shown
    assert "gates of the recipe" not in page
    assert [g["passed"] for g in json.loads(study_json(results))["gates"]] == [True, False]
    all_passed = study_page(replace(results, gates=gates[:1]))
    assert "All gates of the recipe passed" in all_passed


def test_the_reason_of_what_was_not_computed_stands_beside_the_part_that_stays_in_view(page):
    section = part(page, "uncomputed")
    heads = re.findall(r'<th scope="col"[^>]*>(?:<[^>]*>)*([^<]+)', section)
    assert heads[:2] == ["Part", "Reason"]
    rows = re.findall(r"<tr>(<th.*?)</tr>", section[section.index("<tbody>") :])
    assert len(rows) == 2
    assert all(row.startswith('<th scope="row"') for row in rows)
    style = (files("plumbline.report") / "style.css").read_text("utf-8")
    sticky = 'th[scope="row"], thead th:first-child { position: sticky; left: 0; '
    assert sticky + "background: var(--paper)" in style
