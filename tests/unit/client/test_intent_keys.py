"""A signing key in the keyring or behind a passphrase; a keyring that keeps nothing safe is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as ForgetfulKeyring

from tests.lib.refusals import code_of
from trustquery.client import intent_keys
from trustquery.client.intent_keys import kind_of, load_intent_key, new_in_keyring
from trustquery.identity import SigningKey


class InMemory(keyring.backend.KeyringBackend):
    """A keyring of this process."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_a_key_of_the_keyring_is_made_once_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_keyring(InMemory())
    monkeypatch.setattr(intent_keys, "_OWN", "tests.unit.client.test_intent_keys")
    monkeypatch.setattr(InMemory, "__module__", "tests.unit.client.test_intent_keys")
    made = new_in_keyring("tq")
    assert load_intent_key("keyring:tq", Path("unused")).public == made.public
    assert code_of(lambda: new_in_keyring("tq")) == "auth-keyring"
    assert code_of(lambda: load_intent_key("keyring:other", Path("unused"))) == "auth-keyring"


@pytest.mark.parametrize("backend", [NoKeyring, ForgetfulKeyring, InMemory])
def test_a_keyring_that_is_none_or_not_the_system_s_is_refused(
    backend: type[keyring.backend.KeyringBackend],
) -> None:
    keyring.set_keyring(backend())
    assert code_of(lambda: new_in_keyring("tq")) == "auth-keyring"
    assert code_of(lambda: load_intent_key("keyring:tq", Path("unused"))) == "auth-keyring"


def test_a_file_with_a_passphrase_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = SigningKey.generate()
    made.save(path, b"four words nobody says")
    assert code_of(lambda: load_intent_key("key.pem", path)) == "auth-passphrase"
    assert code_of(lambda: load_intent_key("key.pem", path, lambda _: b"other")) == "auth-passphrase"
    assert load_intent_key("key.pem", path, lambda _: b"four words nobody says").public == made.public


def test_a_reference_says_where_the_key_lives() -> None:
    assert (kind_of("keyring:tq"), kind_of("key.pem"), kind_of("/x/keyring")) == ("keyring", "file", "file")
