"""One portfolio, day by day and position by position, as a careful clerk would keep it."""

import math

STALE = 10


def keep(days, opened, opening, trades, flows, prices, *, by_prices):
    """Return one dict a day from the opening on.

    ``trades`` are (day, symbol, quantity, price, fees) in order, ``flows`` (day, kind, amount),
    ``prices`` symbol -> (closes, splits, dividends), lists over all days.
    """
    holdings, cash, index, peak = {}, 0.0, 1.0, 1.0
    before, last, rows = 0.0, {}, []
    for day in range(days):
        for symbol, (closes, splits, _) in prices.items():
            if symbol in last:
                last[symbol] = (last[symbol][0] / splits[day], last[symbol][1] + 1)
            if not math.isnan(closes[day]):
                last[symbol] = (closes[day], 0)
        if day < opened:
            continue
        contributed = opening if day == opened else 0.0
        withdrawn = dividends = interest = fees = realised = 0.0
        for symbol, (_, splits, paid) in prices.items():
            holding = holdings.get(symbol, [0.0, 0.0, 0.0])
            holding[0] *= splits[day]
            dividends += holding[0] * paid[day] if by_prices else 0.0
        for at, kind, amount in flows:
            if at == day:
                contributed += amount if kind == "contribution" else 0.0
                withdrawn += amount if kind == "withdrawal" else 0.0
                dividends += amount if kind == "dividend" else 0.0
                interest += amount if kind == "interest" else 0.0
                fees += amount if kind == "fee" else 0.0
        spent = 0.0
        for at, symbol, quantity, price, fee in trades:
            if at != day:
                continue
            fees += fee
            spent += quantity * price
            held = holdings.setdefault(symbol, [0.0, 0.0, 0.0])  # quantity, cost, carried value
            if held[0] != 0 and (held[0] > 0) != (quantity > 0):
                share = min(1.0, abs(quantity) / abs(held[0]))
                part = -held[0] * share
                realised += -part * price - held[1] * share
                held[:] = [held[0] + part, held[1] * (1 - share), held[2] * (1 - share)]
                quantity -= part
                if share < 1.0 or abs(quantity) < 1e-9 * abs(part):
                    quantity = 0.0
                if share == 1.0:
                    held[:] = [0.0, 0.0, 0.0]
            held[0] += quantity
            held[1] += quantity * price
            held[2] += quantity * price
        n_unpriced = n_stale = 0
        long = short = carried = cost = 0.0
        for symbol, held in holdings.items():
            if held[0] == 0:
                continue
            price, age = last.get(symbol, (math.nan, math.inf))
            if age <= STALE:
                held[2] = held[0] * price
                n_stale += age > 0
            else:
                n_unpriced += 1
                carried += abs(held[2])
            long += max(held[2], 0.0)
            short += min(held[2], 0.0)
            cost += held[1]
        cash += contributed - withdrawn + dividends + interest - fees - spent
        equity = cash + long + short
        pnl = equity - before - contributed + withdrawn
        base = before + contributed
        gain = pnl / base if base > 0 else math.nan
        if not (base == 0 and abs(pnl) == 0):
            index *= 1 + gain
        if index >= peak:
            peak = index
        rows.append(
            {
                "day": day,
                "long": long,
                "short": short,
                "carried": carried,
                "cash": cash,
                "equity": equity,
                "pnl": pnl,
                "realised": realised,
                "unrealised_total": long + short - cost,
                "dividends": dividends,
                "interest": interest,
                "fees": fees,
                "external": contributed - withdrawn,
                "return": gain,
                "cumulative": index - 1,
                "drawdown": index / peak - 1,
                "n_stale": n_stale,
                "n_unpriced": n_unpriced,
            }
        )
        before = equity
    return rows
