"""A site whose people sign in at a provider, and the client and browser that do it, without sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from coordinator.config import Home, parse_settings, sample_text
from coordinator.signin.desk import SignInDesk
from coordinator.signin.opening import open_desk
from coordinator.store import Store
from tests.factories.documents import NOW
from tests.lib.hostile_provider import ISSUER, SECRET, HostileProvider, settings_text
from tests.lib.site import fresh_store
from trustquery.identity import SigningKey

__all__ = ["Clock", "SigningIn", "challenge_of", "open_signing_in"]

VERIFIER = "v" * 43


def challenge_of(verifier: str) -> str:
    """S256, written once more."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Clock:
    """Seconds that a test moves."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class SigningIn:
    """The desk of a coordinator, with one provider and one person, Ada."""

    store: Store
    desk: SignInDesk
    provider: HostileProvider
    clock: Clock = field(default_factory=Clock)

    def begin(self, *, strong: bool = False, provider: str = "") -> str:
        """A client begins; returns the last part of the address that the browser opens."""
        address, _ = self.desk.begin(provider, challenge_of(VERIFIER), 50_000, "s" * 43, strong=strong)
        return address.rpartition("/")[2]

    def answered(self, *, strong: bool = False, **visit: str | None) -> tuple[dict[str, str], str]:
        """To the provider and back: its answer and the browser's cookie."""
        opened = asyncio.run(self.desk.open(self.begin(strong=strong)))
        back = self.provider.visit(opened.address, **visit)
        return dict(parse_qsl(urlsplit(back).query)), opened.cookie

    def sign_in(self, *, strong: bool = False, **visit: str | None) -> tuple[str, int]:
        """All the way; returns who signed in, and how strongly.

        Raises:
            TrustQueryError: what went wrong.
        """
        answer, cookie = self.answered(strong=strong, **visit)
        onward, error = asyncio.run(self.desk.back("idp", answer, cookie))
        if error is not None:
            raise error
        found = self.desk.redeem(dict(parse_qsl(urlsplit(onward).query))["code"], VERIFIER)
        return found.user.name, found.level


def open_signing_in(folder: Path, **settings: str) -> SigningIn:
    """A desk with a provider at hand, where Ada is the provider's person 910000000001."""
    store = fresh_store(folder)
    assert store.people.add("ada", SigningKey.generate().public.hex(), NOW)
    assert store.signins.link(ISSUER, "910000000001", "ada", NOW)
    secret = folder / "idp.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    clock, provider = Clock(), HostileProvider(NOW)
    read = parse_settings(sample_text() + settings_text(**settings))
    desk = open_desk(Home(folder), read, store, clock, transports={"idp": provider})
    return SigningIn(store, desk, provider, clock)
