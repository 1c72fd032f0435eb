"""Ed25519 signing keys: made here, kept in files that only their owner can read.

The only place besides ``client/`` that asks the operating system for randomness.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from trustquery.errors import TrustQueryError

__all__ = ["SigningKey", "key_id", "new_secret", "read_private_file", "ring_of", "verify", "write_private_file"]


def new_secret(length: int = 32) -> bytes:
    """Random bytes from the operating system; the door to randomness for every other package."""
    return secrets.token_bytes(length)


def key_id(public: bytes) -> str:
    """The print of a public key: SHA-256 of its 32 raw bytes, hexadecimal."""
    return hashlib.sha256(public).hexdigest()


def ring_of(keys: Iterable[str]) -> dict[str, bytes]:
    """Public keys by their ids: what a document's signatures are checked with.

    Args:
        keys: hexadecimal.
    """
    public = [bytes.fromhex(key) for key in keys]
    return {key_id(key): key for key in public}


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is a valid Ed25519 signature of ``message`` by ``public`` (32 raw bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def write_private_file(path: Path, content: bytes) -> None:
    """Create a file only its owner can read; an existing one is never overwritten.

    Raises:
        TrustQueryError: ``config-exists``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise TrustQueryError("config-exists", path=path) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_private_file(path: Path) -> bytes:
    """Read a secret file, refusing one that others could read or replace.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``.
    """
    try:
        # What is checked is what is read: the open file, not whatever has the name a moment later.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise TrustQueryError("config-key-file", path=path, problem="it cannot be opened by this user") from error
        if error.errno == errno.ELOOP:
            raise TrustQueryError("config-key-file", path=path, problem="it is not a plain file") from error
        raise TrustQueryError("config-missing", path=path, instead="make the key first") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise TrustQueryError("config-key-file", path=path, problem="it is not a plain file")
        if status.st_uid != os.geteuid():
            raise TrustQueryError("config-key-file", path=path, problem="it belongs to another user")
        if status.st_mode & 0o077:
            raise TrustQueryError("config-key-file", path=path, problem="others can read it")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


@dataclass(frozen=True)
class SigningKey:
    """A private Ed25519 key in memory. ``repr`` never shows it."""

    _private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id[:16]}…)"

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None = None) -> SigningKey:
        """Read a PKCS#8 PEM file of mode 0600.

        Args:
            passphrase: what the file is encrypted with; None for one that is not.

        Raises:
            TrustQueryError: ``config-missing``, ``config-key-file``; ``auth-passphrase``: it has another one.
        """
        return cls.from_pem(read_private_file(path), path, passphrase)

    @classmethod
    def from_pem(cls, content: bytes, path: Path, passphrase: bytes | None = None) -> SigningKey:
        """Read PKCS#8 PEM.

        Args:
            path: what messages call it.

        Raises:
            TrustQueryError: ``config-key-file``; ``auth-passphrase``: it has another one.
        """
        encrypted = content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        if encrypted and not passphrase:
            raise TrustQueryError("auth-passphrase", path=path, problem="none was given")
        try:
            private = serialization.load_pem_private_key(content, password=passphrase if encrypted else None)
        except (ValueError, TypeError) as error:
            if encrypted:
                raise TrustQueryError("auth-passphrase", path=path, problem="this is not it") from error
            raise TrustQueryError("config-key-file", path=path, problem="it is not a private key") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise TrustQueryError("config-key-file", path=path, problem="it is not an Ed25519 key")
        return cls(private)

    def save(self, path: Path, passphrase: bytes | None = None) -> None:
        """Write the key as PKCS#8 PEM, mode 0600, encrypted where there is a passphrase; never overwrites."""
        write_private_file(path, self.pem(passphrase))

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """PKCS#8 PEM, encrypted where there is a passphrase: secret otherwise."""
        sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self._private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)

    @property
    def public(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self._private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        """The public key's print."""
        return key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """A 64-byte signature."""
        return self._private.sign(message)
