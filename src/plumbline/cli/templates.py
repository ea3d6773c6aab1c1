"""Recipes that commands write."""

from typing import Final

STUDY = """\
# A factor study. Every key: docs/recipes.md of the repository. Check it with: plumbline plan
name: my_study
data:
  stocks:                      # long table: date, symbol, close (and more if you have it)
    source: csv
    paths: [prices/*.csv]
    calendar: XNYS             # or 24/7, or 24/7 1h
  etfs:                        # wide table: date, then one column an asset; `model: statistical`
                               # needs no such file: leave out etfs here, and factors below
    source: csv
    paths: [etfs.csv]
    form: wide
    field: close
    calendar: XNYS
universe:
  prices: stocks
factors:                       # what the model is given; statistical makes its own
  data: etfs
  definitions:
    market: SPY
    size: IWM - SPY            # long IWM, short SPY
model:
  model: rolling_regression
  window: 252
signals:
  momentum: {lookback_bars: 252, skip_bars: 21}
  residual_momentum: {lookback_bars: 252, skip_bars: 21}
evaluation:
  horizons: [1, 5, 21, 63]
  cost_bps: 5
headline_horizon_bars: 21
"""

NIGHTLY = """\
# Every portfolio of a book on every date. Every key: docs/nightly.md of the repository. Check it
# with: plumbline risk plan
name: my_portfolios
kind: nightly
book: funds                    # made by: plumbline portfolios import funds --portfolios FILE ...
data:
  prices:                      # long table: date, symbol, close (split and dividend if you have
    source: csv                # them), with the symbols that are held and those analytics read
    paths: [prices/*.csv]
    calendar: XNYS             # that of the book
is_adjusted: false             # true: closes are adjusted, and trades state their adjustment
benchmark: SPY                 # the market of betas and stress
rates: TLT                     # long bonds
risk_free: 0.0                 # a year, that options are discounted by
analytics: all                 # which read IWM MTUM QUAL USMV VTV VUG too; or a list, such as
                               # [volatility, tail, correlation, sector, market_beta]
"""

TEMPLATES: Final = {"factor_study": ("study.yaml", STUDY), "nightly": ("nightly.yaml", NIGHTLY)}
"""Kind of a recipe -> name of its file in a project, and its text."""
