"""The listeners' certificate: renewed in time, and when a listener with another name was added."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509

from coordinator.certificates import renew_server_certificate
from coordinator.config import Home, Settings, parse_settings, sample_text
from trustquery.identity import write_private_file
from trustquery.identity.certificates import Authority, new_tls_key

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
AUTHORITY = Authority.generate("demo", NOW)
WITH_WEBSOCKET = sample_text() + '\n[websocket]\nlisten = "127.0.0.1:8445"\npublic = "ws.tq.test:443"\n'


def made(folder: Path, settings: Settings) -> Home:
    """A home whose certificate fits the settings."""
    home, key = Home(folder), new_tls_key()
    write_private_file(home.server_key, key)
    hosts = ["localhost", "127.0.0.1"]
    write_private_file(home.server, AUTHORITY.issue_server(key, hosts=hosts, now=NOW))
    renew_server_certificate(home, settings, AUTHORITY, NOW)
    return home


def names(home: Home) -> list[str]:
    certificate = x509.load_pem_x509_certificate(home.server.read_bytes())
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    )


@pytest.mark.parametrize("text", [sample_text(), WITH_WEBSOCKET])
def test_it_is_left_alone_while_it_fits_and_lasts(tmp_path: Path, text: str) -> None:
    settings = parse_settings(text)
    home = made(tmp_path, settings)
    assert not renew_server_certificate(home, settings, AUTHORITY, NOW + datetime.timedelta(days=59))
    assert renew_server_certificate(home, settings, AUTHORITY, NOW + datetime.timedelta(days=61))


def test_a_listener_that_was_added_is_named_at_the_next_start(tmp_path: Path) -> None:
    home = made(tmp_path, parse_settings(sample_text()))
    assert "ws.tq.test" not in names(home)
    assert renew_server_certificate(home, parse_settings(WITH_WEBSOCKET), AUTHORITY, NOW)
    assert "ws.tq.test" in names(home)
