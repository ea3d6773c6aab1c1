import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.address import Address, parse_address
from plumbline.core.errors import ParameterError
from plumbline.core.settings import read_settings

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)


@given(user=WORDS, password=WORDS, name=WORDS, port=st.none() | st.integers(1, 65535))
def test_an_address_is_read_back_from_its_text_without_the_password(
    user: str, password: str, name: str, port: int | None
) -> None:
    at = f"{quote(user, safe='')}:{quote(password, safe='')}@db.example"
    where = "" if port is None else f":{port}"
    found = parse_address(
        f"postgresql://{at}{where}/{quote(name, safe='')}?schema=a_1&sslmode=require"
    )
    assert (found.user, found.password, found.name, found.port) == (user, password, name, port)
    assert (found.host, found.schema, found.options) == (
        "db.example",
        "a_1",
        {"sslmode": "require"},
    )
    again = parse_address(str(found))
    assert again == found
    assert again.password is None
    assert pickle.loads(pickle.dumps(found)).password == password  # noqa: S301  # our own


def test_what_is_left_out_is_left_to_the_client() -> None:
    found = parse_address("postgres:///research?host=/var/run/postgresql")
    assert found == Address("", "", None, "research", "plumbline", {"host": "/var/run/postgresql"})
    assert str(found) == "postgresql:///research?schema=plumbline&host=/var/run/postgresql"
    assert parse_address("postgresql://[::1]:5/x").host == "::1"
    assert str(parse_address("postgresql://[::1]:5/x")).startswith("postgresql://[::1]:5/x?")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mysql://me:secret@h/d", ["it begins with mysql://"]),
        ("research", ["it begins with nothing://"]),
        ("postgresql://me:secret@h", ["it names no database after the host"]),
        ("postgresql://me:secret@h:port/d", ["Port could not be cast"]),
        ("postgresql://me:se/cret@h:5/d", ["what was given"]),
        ("postgresql://me:secret@h/d?schema=Mine", ["schema='Mine' is not lower-case"]),
        ("postgresql://me:secret@h/d?schema=pg_x", ["schema='pg_x' is not"]),
        ("postgresql://me@h/d?schema=x;drop", ["is not lower-case"]),
        ("postgresql://me@h/d?password=secret", ["a password among the options would be stored"]),
        ("postgresql://me@h/d?options=-csearch_path%3Dx", ["name the schema by schema=NAME"]),
        (
            "mysql://me:secret@h?schema=A&nonsense=1",
            [
                "it begins with mysql",
                "no database",
                "schema='A'",
                "nonsense is no option; known: s",
            ],
        ),
    ],
)
def test_every_problem_of_an_address_is_named_and_its_password_is_not(
    text: str, told: list[str]
) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_address(text)
    assert [words for words in told if words not in str(caught.value)] == []
    assert "secret" not in str(caught.value)
    assert "cret@" not in str(caught.value)


def test_no_text_of_an_address_holds_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_DATABASE", "postgresql://me:secret@h/d")
    settings = read_settings()
    assert settings.database is not None
    assert settings.database.password == "secret"  # noqa: S105  # planted
    assert "secret" not in f"{settings} {settings.database} {settings.database!r}"


def test_settings_of_the_database_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (read_settings().database, read_settings().slow_query_ms) == (None, None)
    monkeypatch.setenv("PLUMBLINE_DATABASE", "mysql://me:secret@h/d")
    monkeypatch.setenv("PLUMBLINE_SLOW_QUERY_MS", "fast")
    with pytest.raises(ParameterError) as caught:
        read_settings()
    for words in ("PLUMBLINE_DATABASE: 'mysql://…@h/d' is no", "PLUMBLINE_SLOW_QUERY_MS='fast'"):
        assert words in str(caught.value)
    monkeypatch.setenv("PLUMBLINE_DATABASE", "")
    monkeypatch.setenv("PLUMBLINE_SLOW_QUERY_MS", "250")
    assert (read_settings().database, read_settings().slow_query_ms) == (None, 250)
