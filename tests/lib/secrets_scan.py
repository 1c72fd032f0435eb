"""Looks for known secrets, in every form that software writes them, in files where they do not belong."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["forms", "key_bytes", "leaks", "private_pem_in"]


def forms(secret: bytes) -> frozenset[bytes]:
    """The secret as raw bytes, hexadecimal and base64 at each alignment."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        # Only the characters that do not depend on what stands before and after.
        padded = base64.b64encode(b"\0" * shift + secret)
        inner = padded.rstrip(b"=")[(shift * 8 + 5) // 6 : -1]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return frozenset(found)


def key_bytes(pem: bytes) -> bytes:
    """The 32 secret bytes of a private key file."""
    key = serialization.load_pem_private_key(pem, None)
    if isinstance(key, Ed25519PrivateKey):
        return key.private_bytes_raw()
    assert isinstance(key, EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes(32, "big")


def leaks(secrets: Mapping[Path, bytes], files: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Pairs (secret's own file, other file that holds it)."""
    wanted = [(home, form) for home, secret in secrets.items() for form in forms(secret)]
    found = []
    for path in files:
        content = path.read_bytes()
        found += [(home, path) for home, form in wanted if home != path and form in content]
    return sorted(set(found))


def private_pem_in(files: Iterable[Path]) -> Iterator[Path]:
    """Files that hold a private key in PEM."""
    marker = b"-----BEGIN " + b"PRIVATE KEY-----"
    for path in files:
        content = path.read_bytes()
        if marker in content or b"-----BEGIN EC " + b"PRIVATE KEY-----" in content:
            yield path
