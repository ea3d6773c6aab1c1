"""P&L and risk of portfolios: every portfolio, every date, every figure."""

from plumbline.risk.book import Book
from plumbline.risk.measurement import RiskOptions, measure
from plumbline.risk.result import RiskResult

__all__ = ["Book", "RiskOptions", "RiskResult", "measure"]
