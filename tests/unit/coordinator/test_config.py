"""Settings: the sample is valid, a mistake is named, a secret is a reference."""

from pathlib import Path

import pytest

from coordinator.config import Home, database_url, find_home, parse_settings, sample_text
from trustquery.errors import TrustQueryError

_WITNESS = """
[[log.witness]]
key = "k"
url = "https://witness.example.org"
urll = "a mistyped key of a table that may stand there several times"

"""


def test_the_sample_is_valid_and_says_every_key() -> None:
    settings = parse_settings(sample_text())
    assert settings.federation == "demo"
    assert (settings.api.host, settings.api.port, settings.api.public_host) == ("127.0.0.1", 8443, "localhost")


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "word"),
    [
        ("preview_wait_ms", "preview_wait", "config-unknown-key", "queries.preview_wait", "preview_wait_ms"),
        ("federation =", "federatoin =", "config-unknown-key", "federatoin", "federation"),
        ('listen = "127.0.0.1:8443"', 'listen = "8443"', "config-invalid", "api.listen", "api.listen"),
        ("hours = 8", "hours = 25", "config-invalid", "sessions.hours", "sessions.hours"),
        ("hours = 8", 'hours = "8"', "config-invalid", "sessions.hours", "sessions.hours"),
        ('url = ""', 'url = "postgresql://me:secret@db/tq"', "config-invalid", "database.url", "database.url"),
        ("[identity]", _WITNESS + "[identity]", "config-unknown-key", "log.witness[1].urll", "did you mean url?"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, code: str, place: str, word: str) -> None:
    with pytest.raises(TrustQueryError) as caught:
        parse_settings(sample_text().replace(old, new))
    problem = next(problem for problem in caught.value.problems if problem.code == code)
    assert problem.place.endswith(place)
    assert word in f"{problem.reason} {problem.fix}"


def test_every_mistake_is_reported() -> None:
    with pytest.raises(TrustQueryError) as caught:
        parse_settings('federation = "demo"\ncolour = 1\n[api]\nlisten = "x"\n')
    assert len(caught.value.problems) >= 5


def test_what_is_not_toml_is_refused() -> None:
    with pytest.raises(TrustQueryError) as caught:
        parse_settings("= 1")
    assert caught.value.code == "config-invalid"


def test_the_database_is_a_file_at_home_or_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    assert database_url(home, parse_settings(sample_text())) == f"sqlite+pysqlite:///{tmp_path}/coordinator.sqlite"
    named = parse_settings(sample_text().replace('url = ""', 'url = "env:TQ_DB"'))
    with pytest.raises(TrustQueryError):
        database_url(home, named)
    monkeypatch.setenv("TQ_DB", "postgresql://x")
    assert database_url(home, named) == "postgresql://x"
    (tmp_path / "url").write_text("postgresql://y\n")
    filed = parse_settings(sample_text().replace('url = ""', 'url = "file:url"'))
    assert database_url(home, filed) == "postgresql://y"


def test_the_home_is_given_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TQ_COORDINATOR_HOME", raising=False)
    with pytest.raises(TrustQueryError) as caught:
        find_home(None)
    assert caught.value.exit_status == 30
    monkeypatch.setenv("TQ_COORDINATOR_HOME", str(tmp_path))
    assert find_home(None).path == tmp_path
    assert find_home(tmp_path / "x").path == tmp_path / "x"
