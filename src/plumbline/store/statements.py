"""What is said to a PostgreSQL server that holds portfolios."""

from collections.abc import Mapping, Sequence
from typing import Final

from plumbline.store.layout import Layout, union_of
from plumbline.store.tables import DATE_HEAD, DATE_LISTS, LONG, PACKED


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _merge(table: str, arriving: str, names: Sequence[str], key: Sequence[str]) -> str:
    columns = ", ".join(names)
    changed = [*(name for name in names if name not in key), "run_id", "completed"]
    values = ", ".join(f"{name} = excluded.{name}" for name in changed)
    return (
        f"INSERT INTO {table} ({columns}, run_id, completed) SELECT {columns}, %s, now() FROM "  # noqa: S608  # names of our own
        f"{arriving} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {values}"
    )


def columns_for(names: Sequence[str], prefix: str = "") -> str:
    """Return columns of packed rows as they are read."""
    return ", ".join(
        f"replace({prefix}{name}::text, '-', '')" if name in ("key", "layout") else prefix + name
        for name in names
    )


ARRIVING: Final = (  # a table of the connection's own; rows stay as they come
    "CREATE TEMPORARY TABLE IF NOT EXISTS arriving_days WITH (toast_tuple_target = 8160) ON COMMIT "  # noqa: S608  # names of our own
    f"DELETE ROWS AS SELECT {', '.join(PACKED)} FROM portfolio_days WITH NO DATA"
)
COPY: Final = f"COPY arriving_days ({', '.join(PACKED)}) FROM STDIN (FORMAT binary)"
_KEYS: Final = "portfolio, date, owner, key, n_failures"
_MERGED: Final = _merge("portfolio_days", "arriving_days", list(PACKED), ["portfolio", "date"])
MERGE: Final = (  # the keys have a narrow table of their own, so that all can be read at once
    f"WITH merged AS ({_MERGED} RETURNING {_KEYS}) INSERT INTO portfolio_keys ({_KEYS}) SELECT "  # noqa: S608  # names of our own
    f"{_KEYS} FROM merged ON CONFLICT (portfolio, date) DO UPDATE SET owner = excluded.owner, key "
    "= excluded.key, n_failures = excluded.n_failures"
)
ALL_KEYS: Final = (
    "SELECT portfolio, string_agg(date_send(date), ''::bytea ORDER BY date), "
    "string_agg(uuid_send(key), ''::bytea ORDER BY date), string_agg(int8send(n_failures), "
    "''::bytea ORDER BY date) FROM portfolio_keys GROUP BY portfolio ORDER BY portfolio"
)
REMOVE: Final = (
    "WITH removed AS (DELETE FROM portfolio_days d USING unnest(%s::text[], %s::date[]) AS gone "
    "(portfolio, date) WHERE d.portfolio = gone.portfolio AND d.date = gone.date RETURNING "
    "d.portfolio, d.date) DELETE FROM portfolio_keys k USING removed WHERE k.portfolio = "
    "removed.portfolio AND k.date = removed.date"
)
REMOVE_DATES: Final = "DELETE FROM portfolio_dates WHERE date = ANY(%s::date[])"
_DATE_COLUMNS: Final = ", ".join((*DATE_HEAD, "run_id", *DATE_LISTS, "content"))
COPY_DATES: Final = (  # straight into their table: each date is some megabytes, written once
    f"COPY portfolio_dates ({_DATE_COLUMNS}) FROM STDIN (FORMAT binary)"
)
_READABLE: Final = ", ".join(
    (
        "portfolio_days",
        "portfolio_keys",
        "layouts",
        "store_version",
        "days",
        "snapshots",
        "measures",
        *LONG,
    )
)
IS_OWNER: Final = (
    "SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = 'portfolio_days'::regclass"
)
GRANTS: Final = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    f"GRANT SELECT ON {_READABLE} TO {{role}}",
)
REVOKES: Final = (
    f"REVOKE SELECT ON {_READABLE} FROM {{role}}",  # noqa: S608  # names of our own
    "REVOKE USAGE ON SCHEMA {schema} FROM {role}",
)


def latest_of(names: Sequence[str]) -> str:
    """Return the query of columns of each portfolio's newest date.

    It goes from portfolio to portfolio by an index, so that older dates are not looked at.
    """
    return (
        "WITH RECURSIVE names AS ((SELECT portfolio FROM portfolio_days ORDER BY portfolio LIMIT "  # noqa: S608  # names of our own
        "1) UNION ALL SELECT (SELECT p.portfolio FROM portfolio_days p WHERE p.portfolio > "
        "names.portfolio ORDER BY p.portfolio LIMIT 1) FROM names WHERE names.portfolio IS NOT "
        f"NULL) SELECT {columns_for(names, 'd.')} FROM names CROSS JOIN LATERAL (SELECT * FROM "
        "portfolio_days o WHERE o.portfolio = names.portfolio ORDER BY o.date DESC LIMIT 1) d "
        "ORDER BY d.portfolio"
    )


WRITERS: Final = f"SELECT DISTINCT run_id FROM ({latest_of(['run_id'])}) newest ORDER BY run_id"  # noqa: S608  # names of our own


def measures_view(layouts: Mapping[str, Layout]) -> str:
    """Return what makes the view of measures: the columns of all layouts, new ones last.

    Parameters
    ----------
    layouts : by digest, the first stored first.
    """
    columns = ["portfolio", "date"]
    for name, is_whole in union_of(layouts.values()).items():
        cases = " ".join(
            f"WHEN '{digest}' THEN measures[{layout.names.index(name) + 1}]"
            for digest, layout in layouts.items()
            if name in layout.names
        )
        kind = "int8" if is_whole else "float8"
        columns.append(f"(CASE layout {cases} END)::{kind} AS {quoted(name)}")
    return (
        "CREATE OR REPLACE VIEW measures WITH (security_invoker = true, security_barrier = true) "  # noqa: S608  # names are quoted
        f"AS SELECT {', '.join(columns)} FROM portfolio_days WHERE layout IS NOT NULL"
    )
