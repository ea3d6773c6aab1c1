"""P&L and risk of portfolios."""
