"""The address of a database on a server, which shows its password to nobody."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from plumbline.core.errors import ParameterError

SCHEMA = "plumbline"
EXAMPLE = "postgresql://user@host:5432/database?schema=plumbline"
_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_OPTIONS = (
    *("application_name", "channel_binding", "connect_timeout", "gssencmode", "host", "options"),
    *("passfile", "port", "service", "sslcert", "sslcrl", "sslkey", "sslmode", "sslrootcert"),
    "target_session_attrs",
)
_SCHEMA_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")


@final
@dataclass(frozen=True)
class Address:
    """Where a database on a PostgreSQL server is. ``str`` gives its URL without the password.

    Parameters
    ----------
    user, host, port, name : of the database; what is empty or None, the PostgreSQL client fills in.
    schema : the schema of the project in it: each project has one of its own.
    options : further options of the connection, such as ``sslmode``.
    password : of the user, or None where the client finds it by itself; neither shown nor compared.
    """

    user: str
    host: str
    port: int | None
    name: str
    schema: str = SCHEMA
    options: Mapping[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        at = f"{quote(self.user, safe='')}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        words = urlencode({"schema": self.schema, **self.options}, safe="/")
        return f"postgresql://{at}{host}{port}/{quote(self.name, safe='')}?{words}"


def parse_address(text: str) -> Address:
    """Return the address that a URL names.

    Raises
    ------
    ParameterError
        If it is none that can be used; every problem is named, the password is not.
    """
    problems: list[str] = []
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        told = re.sub(r"'.*'", "what was given", str(error))  # it may hold part of a password
        raise _refused(text, [told]) from None
    if parts.scheme not in _SCHEMES:
        problems.append(f"it begins with {parts.scheme or 'nothing'}://")
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        problems.append("it names no database after the host")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", SCHEMA)
    if not _SCHEMA_NAME.fullmatch(schema):
        problems.append(
            f"schema={schema!r} is not lower-case letters, digits and _, at most 63, and no pg_ "
            "in front"
        )
    problems += [
        "a password among the options would be stored: it goes before the host"
        if option == "password"
        else f"{option} is no option; known: schema, {', '.join(_OPTIONS)}"
        for option in sorted(options)
        if option not in _OPTIONS
    ]
    if "search_path" in options.get("options", ""):
        problems.append("options set search_path: name the schema by schema=NAME")
    if problems:
        raise _refused(text, problems)
    password = None if parts.password is None else unquote(parts.password)
    user, host = unquote(parts.username or ""), parts.hostname or ""
    return Address(user, host, port, name, schema, options, password)


def _refused(text: str, problems: list[str]) -> ParameterError:
    shown = re.sub(r"://.*@", "://…@", text)  # to the last @, as a password may hold one
    shown = re.sub(r"(password=)[^&]*", r"\1…", shown)
    return ParameterError(
        f"{shown!r} is no address of a PostgreSQL database: {'; '.join(problems)}; write it as "
        f"{EXAMPLE}"
    )
