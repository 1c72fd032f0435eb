"""Keys in files: read only by their owner, written once, never shown."""

import os
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.lib.refusals import code_of, refusal
from trustquery.identity import SigningKey, key_id, new_secret, read_private_file, verify, write_private_file

# RFC 8032, section 7.1, test 2.
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
    "b00d291612bb0c00"
)


def test_a_known_signature_verifies_and_a_changed_one_does_not() -> None:
    assert verify(PUBLIC, b"\x72", SIGNATURE)
    assert not verify(PUBLIC, b"\x73", SIGNATURE)
    assert not verify(PUBLIC, b"\x72", SIGNATURE[:-1])
    assert not verify(PUBLIC[:-1], b"\x72", SIGNATURE)
    assert not verify(b"", b"", b"")


def test_a_keys_print_is_the_hash_of_its_raw_bytes() -> None:
    assert key_id(PUBLIC) == "39f713d0a644253f04529421b9f51b9b08979d08295959c4f3990ee617f5139f"


def test_a_saved_key_is_read_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    key = SigningKey.generate()
    path = tmp_path / "below" / "my.key"
    previous = os.umask(0)
    try:
        key.save(path)
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert SigningKey.load(path).public == key.public


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "my.key"
    SigningKey.generate().save(path)
    path.chmod(mode)
    assert code_of(lambda: SigningKey.load(path)) == "config-key-file"


def test_a_symbolic_link_a_directory_and_a_pipe_are_no_key_files(tmp_path: Path) -> None:
    path = tmp_path / "my.key"
    SigningKey.generate().save(path)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "folder", "pipe"):
        assert code_of(lambda name=name: read_private_file(tmp_path / name)) == "config-key-file"


def test_a_missing_key_says_so(tmp_path: Path) -> None:
    assert code_of(lambda: read_private_file(tmp_path / "none")) == "config-missing"


def test_another_users_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "my.key"
    SigningKey.generate().save(path)
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    error = refusal(lambda: read_private_file(path))
    assert error is not None
    assert error.code == "config-key-file"
    assert "another user" in str(error)


def test_a_file_is_never_overwritten_not_even_through_a_link(tmp_path: Path) -> None:
    path = tmp_path / "my.key"
    write_private_file(path, b"first")
    assert code_of(lambda: write_private_file(path, b"second")) == "config-exists"
    assert read_private_file(path) == b"first"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert code_of(lambda: write_private_file(tmp_path / "link", b"x")) == "config-exists"
    assert not (tmp_path / "elsewhere").exists()


def test_only_an_ed25519_private_key_is_one(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for name, content in (("other", other), ("text", b"hello"), ("empty", b"")):
        write_private_file(tmp_path / name, content)
        assert code_of(lambda name=name: SigningKey.load(tmp_path / name)) == "config-key-file"


def test_a_key_is_not_shown_and_secrets_differ() -> None:
    key = SigningKey.generate()
    assert repr(key) == f"SigningKey({key.key_id[:16]}…)"
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) == 32


def test_a_key_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    path, made = tmp_path / "key.pem", SigningKey.generate()
    made.save(path, b"four words nobody says")
    assert b"ENCRYPTED" in path.read_bytes()
    assert SigningKey.load(path, b"four words nobody says").public == made.public
    for wrong in (None, b"", b"four words nobody said"):
        assert code_of(partial(SigningKey.load, path, wrong)) == "auth-passphrase"
