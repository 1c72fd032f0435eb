"""The key that an analyst signs questions with: in a file, with a passphrase or without, or in the system's keyring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["KEYRING", "kind_of", "load_intent_key", "new_in_keyring"]

KEYRING = "keyring:"
"""How a reference to the keyring begins; what follows is the key's name there."""
_SERVICE = "trustquery"
_OWN = "keyring.backends."
# Backends of the library itself that keep nothing, or keep it nowhere safe.
_EMPTY = ("keyring.backends.fail", "keyring.backends.null")


def kind_of(reference: str) -> Literal["file", "keyring"]:
    """Where a key lives, as permits and intents write it."""
    return "keyring" if reference.startswith(KEYRING) else "file"


def load_intent_key(reference: str, path: Path, passphrase: Callable[[Path], bytes] | None = None) -> SigningKey:
    """The key that ``client.toml`` refers to.

    Args:
        path: where it is, where it is a file.
        passphrase: asks the person for the passphrase of a file that has one.

    Raises:
        TrustQueryError: ``auth-keyring``, ``auth-passphrase``, ``config-missing``, ``config-key-file``.
    """
    if kind_of(reference) == "keyring":
        return _from_keyring(reference.removeprefix(KEYRING))
    try:
        return SigningKey.load(path)
    except TrustQueryError as error:
        if error.code != "auth-passphrase" or passphrase is None:
            raise
    return SigningKey.load(path, passphrase(path))


def new_in_keyring(name: str) -> SigningKey:
    """Make a key that is only ever written to the system's keyring.

    Raises:
        TrustQueryError: ``auth-keyring``: there is no safe keyring, or it holds a key of this name.
    """
    from keyring.errors import KeyringError

    ring = _ring(name)
    try:
        if ring.get_password(_SERVICE, name) is not None:
            raise _refusal(name, "it holds a key of this name already")
        made = SigningKey.generate()
        ring.set_password(_SERVICE, name, made.pem().decode())
    except (KeyringError, RuntimeError) as error:
        raise _refusal(name, "it is locked, or it refused") from error
    return made


def _from_keyring(name: str) -> SigningKey:
    from keyring.errors import KeyringError

    try:
        kept = _ring(name).get_password(_SERVICE, name)
    except (KeyringError, RuntimeError) as error:
        raise _refusal(name, "it is locked, or it refused") from error
    if kept is None:
        raise _refusal(name, "it holds no key of this name")
    return SigningKey.from_pem(kept.encode(), Path(f"{KEYRING}{name}"))


def _refusal(name: str, problem: str) -> TrustQueryError:
    return TrustQueryError("auth-keyring", name=name, problem=problem)


def _ring(name: str) -> KeyringBackend:
    """The operating system's own keyring. A plug-in that keeps secrets in a plain file is none."""
    import keyring
    from keyring.backends.chainer import ChainerBackend

    found = keyring.get_keyring()
    backends = list(found.backends) if isinstance(found, ChainerBackend) else [found]
    modules = [type(backend).__module__ for backend in backends]
    if not modules or any(not module.startswith(_OWN) or module.startswith(_EMPTY) for module in modules):
        raise _refusal(name, "there is none that can be trusted with it")
    return found
