"""Packed rows of portfolio-days, correlations, layouts, who sees which rows, and the views."""

from alembic import op

revision = "0001"
down_revision = None

_DOUBLES = (
    *("long", "short", "gross", "net", "cash", "equity", "leverage", "carried", "pnl", "realised"),
    *("unrealised", "dividends", "interest", "fees", "external", "return", "cumulative"),
    "drawdown",
)
_SNAPSHOT = {
    **dict.fromkeys(_DOUBLES, "float8"),
    "days_under_water": "int8",
    **dict.fromkeys(("month_to_date", "quarter_to_date", "year_to_date"), "float8"),
    "is_stopped": "bool",
    **dict.fromkeys(("n_positions", "n_stale", "n_unpriced"), "int8"),
}
_LONG = {
    "exposures": {
        "symbol": "text",
        **dict.fromkeys(
            ("quantity", "value", "cost", "traded", "dividends", "realised", "exposure", "weight"),
            "float8",
        ),
        "price_age": "int8",
        "is_carried": "bool",
        "price_source": "text",
        **dict.fromkeys(("component_volatility", "component_var_95", "component_var_99"), "float8"),
    },
    "sectors": {
        "sector": "text",
        **dict.fromkeys(("net", "long", "short", "gross", "tilt"), "float8"),
    },
    "stress": {"scenario": "text", **dict.fromkeys(("pnl", "share", "coverage"), "float8")},
    "failures": {"analytic": "text", "reason": "text"},
}


_DATED = {
    "symbols": {
        **dict.fromkeys(("symbol", "analytic"), "text"),
        **dict.fromkeys(("beta", "alpha", "r2", "stderr", "t"), "float8"),
        "n_obs": "int8",
    },
    "options": {
        "symbol": "text",
        **dict.fromkeys(
            ("volatility", "value", "delta", "gamma", "vega", "theta", "rho"), "float8"
        ),
    },
}


def upgrade() -> None:
    """Apply it."""
    scalars = "".join(f"snapshots_{name} {kind}, " for name, kind in _SNAPSHOT.items())
    of_days, of_dates = (
        "".join(
            f"{table}_{name} {kind}[] NOT NULL, "
            for table, columns in tables.items()
            for name, kind in columns.items()
        )
        for tables in (_LONG, _DATED)
    )
    op.execute(
        'CREATE TABLE portfolio_days (portfolio text COLLATE "C" NOT NULL, date date NOT NULL, '
        "owner text NOT NULL, key uuid NOT NULL, n_failures int8 NOT NULL, has_snapshot bool NOT "
        f"NULL, layout uuid, {scalars} measures float8[] NOT NULL, {of_days} run_id text NOT NULL, "
        "completed timestamptz NOT NULL, PRIMARY KEY (portfolio, date)) "
        "WITH (toast_tuple_target = 8160)"
    )
    op.execute("CREATE INDEX portfolio_days_by_owner ON portfolio_days (owner, portfolio, date)")
    op.execute(
        "CREATE TABLE portfolio_dates (date date PRIMARY KEY, key uuid NOT NULL, n_pairs int8 NOT "
        f"NULL, symbols text[] NOT NULL, run_id text NOT NULL, {of_dates}content bytea NOT NULL, "
        "completed timestamptz NOT NULL DEFAULT now())"
    )
    op.execute("ALTER TABLE portfolio_dates ALTER content SET STORAGE EXTERNAL")
    op.execute(
        "CREATE TABLE layouts (digest uuid PRIMARY KEY, number int4 NOT NULL UNIQUE, columns text "
        "NOT NULL)"
    )
    op.execute(
        'CREATE TABLE portfolio_keys (portfolio text COLLATE "C" NOT NULL, date date NOT NULL, '
        "owner text NOT NULL, key uuid NOT NULL, n_failures int8 NOT NULL, PRIMARY KEY "
        "(portfolio, date))"
    )
    for table in ("portfolio_days", "portfolio_keys", "portfolio_dates"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for table in ("portfolio_days", "portfolio_keys"):  # under force, COPY goes into no table
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY writer ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)"
        )
        op.execute(
            f"CREATE POLICY reader ON {table} FOR SELECT TO PUBLIC USING (owner = current_user)"
        )
    _make_views()


def _make_views() -> None:
    is_invoker = "WITH (security_invoker = true, security_barrier = true)"
    columns = ", ".join(f'snapshots_{name} AS "{name}"' for name in _SNAPSHOT)
    key = "replace(key::text, '-', '') AS key"
    op.execute(
        f"CREATE VIEW days {is_invoker} AS SELECT portfolio, date, owner, {key}, n_failures, "  # noqa: S608  # ours
        "run_id, completed FROM portfolio_days"
    )
    op.execute(
        f"CREATE VIEW snapshots {is_invoker} AS SELECT portfolio, date, {columns} FROM "  # noqa: S608  # ours
        "portfolio_days WHERE has_snapshot"
    )
    op.execute(
        f"CREATE VIEW measures {is_invoker} AS SELECT portfolio, date FROM portfolio_days WHERE "  # noqa: S608  # ours
        "layout IS NOT NULL"
    )
    op.execute(
        f"CREATE VIEW correlations {is_invoker} AS SELECT date, symbols, n_pairs FROM "  # noqa: S608  # ours
        "portfolio_dates WHERE n_pairs > 0"
    )
    for table, names in _DATED.items():
        _make_long_view(table, list(names), "d.date", "portfolio_dates")
    for table, names in _LONG.items():
        _make_long_view(table, list(names), "d.portfolio, d.date", "portfolio_days")


def _make_long_view(table: str, names: list[str], heads: str, source: str) -> None:
    is_invoker = "WITH (security_invoker = true, security_barrier = true)"
    arrays = ", ".join(f"d.{table}_{name}" for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    shown = ", ".join(f'u."{name}"' for name in names)
    op.execute(
        f"CREATE VIEW {table} {is_invoker} AS SELECT {heads}, {shown} FROM {source} d "  # noqa: S608  # ours
        f"CROSS JOIN LATERAL unnest({arrays}) AS u ({quoted})"
    )


def downgrade() -> None:
    """Take it back."""
    for view in ("days", "snapshots", "measures", "correlations", *_DATED, *_LONG):
        op.execute(f"DROP VIEW {view}")
    for table in ("layouts", "portfolio_dates", "portfolio_keys", "portfolio_days"):
        op.execute(f"DROP TABLE {table}")
