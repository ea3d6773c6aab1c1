import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from plumbline.report.portfolio_page import portfolio_page
from plumbline.report.portfolio_positions import MOST_POSITIONS
from plumbline.report.portfolio_twin import portfolio_json
from plumbline.report.portfolio_words import label_of, style_of
from plumbline.report.values import AMOUNT, RATIO, RETURN, number_text, with_unit
from plumbline.risk.option_table import OPTIONS
from plumbline.risk.result import RiskResult
from plumbline.risk.symbol_table import SYMBOLS
from plumbline.stages.portfolio_results import (
    PortfolioFacts,
    PortfolioResults,
    portfolio_results,
)
from tests.report.markup_check import StrictReader
from tests.report.portfolio_samples import (
    HOSTILE,
    N_ODD,
    odd,
    odd_results,
    on_dates,
    usual,
    usual_results,
)

ODD = ("empty", "private", "ruined", "one", HOSTILE, "absent")
HEADLINE = {
    "equity": AMOUNT,
    "pnl": AMOUNT,
    "return": RETURN,
    "month_to_date": RETURN,
    "quarter_to_date": RETURN,
    "year_to_date": RETURN,
    "cumulative": RETURN,
    "drawdown": RETURN,
    "leverage": RATIO,
}


@pytest.fixture(scope="module")
def page() -> str:
    return portfolio_page(usual_results(1), "twin.json", "index.html")


@pytest.fixture(scope="module")
def reader(page) -> StrictReader:
    return StrictReader(page)


def part(page: str, anchor: str) -> str:
    """Return the section of an anchor."""
    return page[page.index(f'<section id="{anchor}"') :].split("</section>", 1)[0]


def texts_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "\n", page))


def rows_in(section: str) -> list[list[str]]:
    """Return the texts of the cells of each row of the tables of a section."""
    rows = re.findall(r"<tr>(.*?)</tr>", section, re.S)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S) for row in rows]
    return [[html.unescape(re.sub(r"<[^>]+>", "", c)) for c in row] for row in cells]


def with_tables(results: PortfolioResults, **tables: pl.DataFrame) -> PortfolioResults:
    return replace(results, tables={**results.tables, **tables})


def last_of(results: PortfolioResults, name: str) -> dict:
    return results.tables[name].row(-1, named=True)


def test_the_page_of_a_usual_portfolio_is_below_400_kb(page):
    assert len(page.encode()) < 400_000


def test_the_page_of_500_positions_and_500_dates_is_below_700_kb():
    results = big_results(500, 500)
    text = portfolio_page(results)
    StrictReader(text)
    assert len(text.encode()) < 700_000
    assert len(rows_in(part(text, "positions"))) == MOST_POSITIONS + 1
    assert json.loads(portfolio_json(results))["tables"]["exposures"]["left_out"]


def big_results(n_positions: int, n_dates: int) -> PortfolioResults:
    """Return results of more positions and dates than a test may measure."""
    rng = np.random.default_rng(0)
    base = usual_results(1)
    day = np.datetime64("2020-01-01")
    dates = pl.Series("date", day + np.arange(n_dates))

    def through_time(name: str) -> pl.DataFrame:
        frame = base.tables[name]
        filled = frame.select(pl.all().forward_fill().backward_fill()).tail(1)
        noisy = [
            (pl.col(c) * pl.Series(rng.normal(1, 0.3, n_dates))).alias(c)
            for c in frame.columns
            if frame.schema[c].is_float() and not c.endswith("_coverage")
        ]
        return pl.concat([filled] * n_dates).with_columns(dates, *noisy)

    snapshots, measures = through_time("snapshots"), through_time("measures")
    symbols = [f"SYM{i:04d}" for i in range(n_positions)]
    shape = n_dates * n_positions
    exposures = pl.DataFrame(
        {
            "portfolio": base.portfolio,
            "date": dates.gather(np.repeat(np.arange(n_dates), n_positions)),
            "symbol": symbols * n_dates,
            **{
                name: rng.normal(0, 1e4, shape)
                for name in ("quantity", "value", "cost", "exposure", "weight", "realised")
            },
            "traded": 0.0,
            "dividends": 0.0,
            "price_age": 0,
            "is_carried": False,
        }
    )
    pairs = rng.uniform(-1, 1, n_positions * (n_positions - 1) // 2)
    correlations = pl.DataFrame(
        {
            "date": dates.tail(1),
            "symbols": [symbols],
            "pairs": [pairs],
            "n_obs": [np.full(pairs.size, 90)],
        }
    )
    result = RiskResult(
        snapshots=snapshots,
        exposures=exposures,
        measures=measures,
        sectors=base.tables["sectors"],
        correlations=correlations,
        symbols=pl.DataFrame(schema=SYMBOLS),
        options=pl.DataFrame(schema=OPTIONS),
        stress=base.tables["stress"],
        failures=pl.DataFrame(
            schema={
                "portfolio": pl.String,
                "date": pl.Date,
                "analytic": pl.String,
                "reason": pl.String,
            }
        ),
    )
    return portfolio_results(result, PortfolioFacts(base.portfolio))


def test_the_headline_shows_the_figures_of_the_last_date(page):
    results, text = usual_results(1), part(page, "headline")
    values = re.findall(r'<dd class="value(?: missing)?">([^<]+)</dd>', text)
    seen = last_of(results, "snapshots")
    expected = [with_unit(seen[name], style) for name, style in HEADLINE.items()]
    assert values[: len(expected)] == expected
    measured = last_of(results, "measures")
    assert values[9] == with_unit(measured["market_beta"], RATIO)
    assert values[10] == with_unit(measured["var_95"], RETURN)
    assert values[11] == str(seen["n_positions"])


def test_positions_stand_in_the_table_as_the_twin_has_them(page):
    results = usual_results(1)
    [_, *rows] = rows_in(part(page, "positions"))
    frame = results.tables["positions"]
    assert [row[0] for row in rows] == frame["symbol"].to_list()
    for row, cells in zip(frame.iter_rows(named=True), rows, strict=True):
        assert cells[4] == number_text(row["value"], AMOUNT)
        assert cells[6] == number_text(row["weight"], RETURN)
        assert cells[7] == str(row["price_age"])
        assert cells[9:] == [
            number_text(row[name], AMOUNT) for name in ("pnl_day", "unrealised", "pnl_period")
        ]


def test_quantities_have_no_decimals_that_say_nothing():
    base = usual_results(1)
    frame = base.tables["positions"].head(5)
    given = pl.Series("quantity", [12345.0, -2.5, 0.0001, None, 1e18])
    text = portfolio_page(with_tables(base, positions=frame.with_columns(given)))
    [_, *rows] = rows_in(part(text, "positions"))
    shown = ["12,345", "\N{MINUS SIGN}2.5", "0.0001", "n/a", "1e+18"]
    assert [row[3] for row in rows] == shown


def test_every_gain_part_sector_and_scenario_stands_on_the_page(page):
    results = usual_results(1)
    rows = {row[0]: row for row in rows_in(part(page, "pnl"))}
    for symbol, pnl in results.tables["position_pnl"].select("symbol", "pnl").iter_rows():
        assert rows[symbol][1] == number_text(pnl, AMOUNT)
    for name, pnl in results.tables["attribution_total"].iter_rows():
        shown = rows[label_of(name)]
        assert number_text(pnl, AMOUNT) in shown
    day = last_of(results, "snapshots")["date"]
    sectors = {row[0]: row for row in rows_in(part(page, "sectors"))}
    for row in results.tables["sectors"].filter(date=day).iter_rows(named=True):
        sides = [number_text(row[n], RETURN) for n in ("net", "long", "short", "gross", "tilt")]
        assert sectors[row["sector"]][1:] == sides
    stress = {row[0]: row for row in rows_in(part(page, "stress"))}
    for row in results.tables["stress"].filter(date=day).iter_rows(named=True):
        assert stress[row["scenario"]][1:3] == [
            number_text(row["pnl"], AMOUNT),
            number_text(row["share"], RETURN),
        ]


def test_parts_that_do_not_add_up_are_said_not_to(page):
    assert part(page, "pnl").count("The parts add up to the P&amp;L.") == 2
    base = usual_results(1)
    off = {
        name: base.tables[name].with_columns(
            pnl=pl.when(pl.col(key) == "sum").then(pl.col("pnl") + 50.0).otherwise("pnl")
        )
        for name, key in (("attribution_total", "part"), ("pnl_sources", "source"))
    }
    text = part(portfolio_page(with_tables(base, **off)), "pnl")
    assert text.count("The parts do not add up to the P&amp;L") == 2
    assert "The parts add up" not in text


def test_every_figure_of_every_analytic_stands_on_the_page_with_its_definition(page):
    results = usual_results(1)
    text, last = texts_of(page), last_of(results, "measures")
    rows = {row[0]: row for row in rows_in(page)}
    for name, words in results.words.items():
        assert words.definition in text
        for figure, unit in words.units.items():
            if name in ("attribution", "market_beta", "rate_beta", "beta_realised"):
                continue
            assert rows[label_of(figure)][1] == with_unit(last[figure], style_of(unit)), figure
    for figure in ("market_beta", "rate_beta", "beta_realised"):
        assert rows[label_of(figure)][1] == number_text(last[figure], style_of(""))


def test_the_realised_beta_has_its_standard_error(page):
    last = last_of(usual_results(1), "measures")
    results = with_tables(
        usual_results(1),
        measures=usual_results(1)
        .tables["measures"]
        .with_columns(beta_realised=pl.lit(0.5), beta_realised_stderr=pl.lit(0.0423)),
    )
    rows = {row[0]: row for row in rows_in(part(portfolio_page(results), "betas"))}
    assert rows["beta realised"][1:3] == ["0.500", "0.042"]
    assert rows["market beta"][1:3] == [number_text(last["market_beta"], style_of("")), ""]


def test_coverage_below_the_whole_stands_beside_the_figure_and_in_a_notice():
    base = usual_results(1)
    measures = base.tables["measures"].with_columns(
        market_beta_coverage=pl.lit(0.876),
        tail_coverage=pl.lit(0.99999),
        sector_coverage=pl.lit(1.0),
    )
    text = portfolio_page(with_tables(base, measures=measures))
    headline = part(text, "headline")
    assert "87.6 % of gross exposure" in headline
    assert "market_beta 87.6 %" in headline
    assert "tail over 99.9 %" in headline
    assert "sector 100" not in headline
    rows = {row[0]: row for row in rows_in(part(text, "betas"))}
    assert rows["market beta"][-1].startswith("87.6 % of gross exposure, ")
    assert "They rest on the whole book" in part(text, "sectors")


def test_stale_and_carried_positions_are_flagged_and_counted():
    base = usual_results(1)
    frame = (
        base.tables["positions"]
        .with_row_index()
        .with_columns(is_carried=pl.col("index") == 0, is_stale=pl.col("index") == 1)
    )
    seen = base.tables["snapshots"].with_columns(n_stale=1, n_unpriced=1, carried=pl.lit(1234.4))
    text = portfolio_page(with_tables(base, positions=frame.drop("index"), snapshots=seen))
    flags = [row[8] for row in rows_in(part(text, "positions"))[1:]]
    assert flags == ["none, carried", "stale", *["current"] * (len(flags) - 2)]
    assert "Positions with a price of an earlier session: 1." in text
    assert "for want of a recent price: 1, together 1,234 USD." in text
    assert "1,234 carried at old values" in text


def test_positions_are_not_flagged_where_there_are_none():
    base = usual_results(1)
    seen = base.tables["snapshots"].with_columns(n_stale=0, n_unpriced=2, carried=pl.lit(1234.4))
    text = portfolio_page(with_tables(base, snapshots=seen))
    assert "with a price of an earlier session" not in part(text, "headline")
    assert "for want of a recent price: 2, together 1,234 USD." in part(text, "headline")
    none = base.tables["snapshots"].with_columns(n_stale=0, n_unpriced=0)
    assert "recent price" not in part(portfolio_page(with_tables(base, snapshots=none)), "headline")


def test_failures_stand_with_reason_and_dates_and_in_place_of_the_figure():
    result, _ = odd()
    last = result.snapshots["date"].max()
    failures = pl.DataFrame(
        [("one", last, "tail", "the lake is dry"), (None, None, "stress", "no prices of SPY")],
        schema=result.failures.schema,
        orient="row",
    )
    lost = pl.lit(None, dtype=pl.Float64)
    measures = result.measures.with_columns(var_95=lost, stress_worst=lost)
    broken = replace(result, failures=failures, measures=measures, stress=result.stress.clear())
    text = portfolio_page(odd_results("one", broken))
    rows = rows_in(part(text, "quality"))
    assert ["stress", "all", "no prices of SPY"] in rows
    assert ["tail", str(last), "the lake is dry"] in rows
    assert "tail failed: the lake is dry" in part(text, "headline")
    assert "stress failed: no prices of SPY" in part(text, "stress")
    assert "2 kinds of failures" in part(text, "headline")


def test_an_empty_book_says_that_nothing_is_held():
    text = portfolio_page(odd_results("empty"))
    day = last_of(odd_results("empty"), "snapshots")["date"]
    assert "Nothing is held" in part(text, "headline")
    for anchor in ("positions", "betas", "sectors", "correlations", "risk", "stress"):
        assert f"nothing is held on {day}" in part(text, anchor), anchor
    assert "nothing was held or traded on any of the dates" in part(text, "pnl")


def test_a_book_of_private_assets_says_what_its_figures_lack():
    text = portfolio_page(odd_results("private"))
    assert "Positions carried at an old value" not in text
    assert "no part of what is held has the data that it needs" in part(text, "betas")
    assert "on too few sessions does 95 % of gross exposure have a return" in part(text, "risk")
    assert "one holding makes no pair" in part(text, "correlations")
    assert "Positions with a price of an earlier session: 1." in part(text, "headline")


def test_returns_that_stopped_are_told_with_their_date():
    results = odd_results("ruined")
    text = portfolio_page(results)
    stopped = results.tables["snapshots"].filter("is_stopped")["date"].min()
    assert results.tables["snapshots"]["is_stopped"].to_list().count(True) < N_ODD
    headline = part(text, "headline")
    assert f"Returns stopped on or before {stopped}" in headline
    assert "Equity is not above 0" in headline
    assert headline.count("returns stopped</dd>") == 6


def test_a_portfolio_that_is_not_there_is_said_not_to_be():
    text = portfolio_page(odd_results("absent"))
    StrictReader(text)
    assert "the portfolio is open on none of the dates" in part(text, "headline")


def test_one_date_is_told_in_words_without_lines():
    results = odd_results("one", on_dates(odd()[0], -1, None))
    text = portfolio_page(results)
    reader = StrictReader(text)
    assert 'class="plot' not in text.split("<main>")[1].split("</main>")[0]
    equity = number_text(last_of(results, "snapshots")["equity"], AMOUNT)
    assert f"One date makes no line: equity {equity}." in texts_of(part(text, "equity"))
    assert "the session before is not among the dates" in part(text, "pnl")
    assert "one date" in reader.text_in("span")


@pytest.mark.parametrize("name", ODD)
def test_odd_portfolios_have_sound_pages_without_figures_that_are_none(name):
    text = portfolio_page(odd_results(name))
    reader = StrictReader(text)
    shown = " ".join(words for tag, words in reader.texts if tag not in ("script", "style"))
    assert not re.search(r"\b(nan|inf|None|null)\b", shown)


@pytest.mark.parametrize("lost", [None, float("nan"), float("inf")])
def test_figures_that_are_missing_or_not_finite_are_said_to_be(lost):
    base = usual_results(1)
    tables = {
        name: frame.with_columns(
            pl.lit(lost, dtype=pl.Float64).alias(c)
            for c in frame.columns
            if frame.schema[c].is_float()
        )
        for name, frame in base.tables.items()
    }
    text = portfolio_page(with_tables(base, **tables))
    reader = StrictReader(text)
    shown = " ".join(words for tag, words in reader.texts if tag not in ("script", "style"))
    assert not re.search(r"\b(nan|inf|None)\b", shown)
    assert re.findall(r'<dd class="value(?: missing)?">([^<]+)</dd>', text)[:11] == ["n/a"] * 11


def test_names_that_are_markup_stay_text():
    results = replace(
        odd_results(HOSTILE),
        currency=HOSTILE,
        provenance=replace(
            odd_results(HOSTILE).provenance,
            run_id=HOSTILE,
            store=HOSTILE,
            versions={HOSTILE: HOSTILE},
        ),
    )
    failures = pl.DataFrame(
        {
            "analytic": [HOSTILE],
            "reason": [HOSTILE],
            "n_dates": [1],
            "first": [date(2024, 1, 2)],
            "last": [date(2024, 1, 2)],
        }
    )
    stress = results.tables["stress"].with_columns(scenario=pl.lit(HOSTILE))
    text = portfolio_page(with_tables(results, failures=failures, stress=stress))
    reader = StrictReader(text)
    assert not reader.of("img")
    assert len(reader.of("script")) == len(
        StrictReader(portfolio_page(odd_results("one"))).of("script")
    )
    assert "<img" not in text
    assert " ".join(words for _, words in reader.texts).count("onerror") >= 10


def test_every_link_has_its_target(reader):
    targets = [attrs["href"] for attrs in reader.of("a")]
    assert all(target[1:] in reader.ids for target in targets if target.startswith("#"))
    assert [target for target in targets if not target.startswith("#")] == ["index.html"]


def test_nothing_is_loaded_from_elsewhere(page, reader):
    assert set(re.findall(r"https?://[^\s\"'<]*", page)) == {"https://github.com/leeoniya/uPlot"}
    assert not any("src" in attrs for _, attrs, _ in reader.elements)
    assert "url(" not in page


def test_the_policy_allows_exactly_the_scripts_of_the_page(page, reader):
    bodies = re.findall(r"<script>(.*?)</script>", page, re.S)
    digests = {base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() for b in bodies}
    policy = reader.of("meta")[1]["content"]
    assert len(bodies) == 2
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == digests


def test_tables_and_figures_speak_to_a_screen_reader(reader):
    assert len(reader.of("caption")) == len(reader.of("table")) > 8
    assert all("scope" in attrs for attrs in reader.of("th"))
    assert all(attrs.get("role") == "img" and attrs["aria-label"] for attrs in reader.of("svg"))
    assert len(reader.of("figcaption")) == len(reader.of("figure")) >= 10


def test_headings_do_not_skip_a_level(reader):
    levels = [int(tag[1]) for tag, _, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_foot_says_dates_run_store_and_code(reader):
    text = reader.text_in("dd")
    dates = usual_results(1).tables["snapshots"]["date"]
    for word in ("run-20261201-7", "2026-12-01T06:00:00Z", "results of the desk", "c0de"):
        assert word in text
    assert f"{dates.min()} to {dates.max()}, {len(dates)} sessions measured" in text


def test_results_of_no_run_say_so():
    text = portfolio_page(replace(odd_results("one"), provenance=None))
    assert "measured in memory: no run is recorded" in text


def test_the_map_shows_a_cell_for_each_pair_and_says_what_it_leaves_out():
    results = usual_results(1)
    section = part(portfolio_page(results), "correlations")
    n = results.tables["pairs"].filter(pl.col("correlation").is_finite()).height
    drawing = section[section.index('class="pairs"') :].split("</svg>", 1)[0]
    assert sum(path.count("M") for path in re.findall(r'<path d="([^"]+)"', drawing)) == n > 20
    big = big_results(80, 2)
    assert "The 60 largest of 80 holdings by weight" in part(portfolio_page(big), "correlations")


def test_results_without_analytics_say_that_figures_were_not_measured():
    result, portfolios, instruments = usual()
    bare = replace(
        result,
        measures=result.measures.select("portfolio", "date"),
        sectors=result.sectors.clear(),
        stress=result.stress.clear(),
        correlations=result.correlations.clear(),
    )
    results = portfolio_results(bare, PortfolioFacts(portfolios["portfolio"][0]), instruments)
    text = portfolio_page(results)
    StrictReader(text)
    for anchor in ("betas", "sectors", "risk", "stress"):
        assert "it was not measured" in part(text, anchor), anchor


def test_equal_results_give_equal_text():
    assert portfolio_page(odd_results("one")) == portfolio_page(odd_results("one"))
