"""Holdings of one line, trade by trade, as a bookkeeper would write them down."""

import math


def hold_slowly(
    trades,
    price,
    split,
    dividend,
    multiplier,
    *,
    expiry=-1,
    settlement=math.nan,
    pays=True,
    by_lots=False,
):
    """Return one dict a day: quantity, value, cost, traded, dividends, realised, carried.

    ``trades`` are (day, quantity, price) in order. A holding is a list of lots [quantity, cost].
    At average cost all lots are one.
    """
    lots = []
    value = 0.0
    days = []
    for day in range(len(price)):
        for lot in lots:
            lot[0] *= split[day]
        held = sum(lot[0] for lot in lots)
        dividends = held * multiplier * dividend[day] if pays else 0.0
        traded = realised = 0.0
        todays = [(q, p) for d, q, p in trades if d == day]
        for bought, paid in todays:
            traded += bought * paid * multiplier
            left = bought
            held = sum(lot[0] for lot in lots)
            if lots and (held > 0) != (bought > 0):
                to_close = min(abs(bought), abs(held))
                if abs(abs(bought) - abs(held)) <= 1e-9 * abs(held):
                    to_close, left = abs(held), 0.0
                else:
                    left = bought + math.copysign(to_close, held)
                value -= value * to_close / abs(held)
                released = 0.0
                sign = math.copysign(1.0, held)
                rest = to_close
                while lots and rest > 1e-9 * to_close:
                    size = abs(lots[0][0])
                    part = 1.0 if size <= rest * (1 + 1e-9) else rest / size
                    released += lots[0][1] * part
                    rest -= size * part
                    if part == 1.0:
                        lots.pop(0)
                    else:
                        lots[0] = [lots[0][0] * (1 - part), lots[0][1] * (1 - part)]
                realised += sign * to_close * paid * multiplier - released
            if left != 0.0:
                lots.append([left, left * paid * multiplier])
                value += left * paid * multiplier
            if not by_lots and lots:
                lots = [[sum(lot[0] for lot in lots), sum(lot[1] for lot in lots)]]
        held, cost = sum(lot[0] for lot in lots), sum(lot[1] for lot in lots)
        if day == expiry and lots and not math.isnan(settlement):
            worth = held * multiplier * settlement
            realised += worth - cost
            traded -= worth
            lots, held, cost, value = [], 0.0, 0.0, 0.0
        carried = bool(lots) and math.isnan(price[day])
        if lots and not carried:
            value = held * multiplier * price[day]
        if not lots:
            value = 0.0
        days.append(
            {
                "quantity": held,
                "value": value,
                "cost": cost,
                "traded": traded,
                "dividends": dividends,
                "realised": realised,
                "is_carried": carried,
            }
        )
    return days
