"""What is held of positions on each day, asked of every position on every day."""


def held(positions, n_days, splits):
    """Return {(portfolio, symbol): [quantity on each day]}.

    ``positions`` are (portfolio, symbol, quantity, entry day, exit day or None); ``splits`` is
    symbol -> shares of each day for one of the day before.
    """
    out = {}
    for portfolio, symbol, quantity, entry, leave in positions:
        row = out.setdefault((portfolio, symbol), [0.0] * n_days)
        for day in range(n_days):
            if day > entry:
                quantity *= splits[symbol][day]
            if entry <= day and (leave is None or day < leave):
                row[day] += quantity
    return out
