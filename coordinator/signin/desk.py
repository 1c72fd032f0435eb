"""One sign-in from its beginning at a client, through a browser and a provider, back to the client.

The client has its own PKCE with the coordinator, and the coordinator has another with the provider: neither sees what
the other one sends. The browser's cookie is the only secret of a visit: nonce and verifier are made from it, so that
nothing that is kept here, or passes through the provider, is enough to finish somebody's sign-in.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from coordinator.signin.providers import Provider, Wanted
from coordinator.store import FlowRow, Store, User
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret

__all__ = ["CLIENT_CODE", "FLOW_SECONDS", "Opened", "SignInDesk", "SignedIn", "s256"]

FLOW_SECONDS = 600
"""How long a person has, from the client's command to the provider's answer."""
CODE_SECONDS = 60
CLIENT_CODE = "a client's code"
"""The last step of a sign-in, as the log calls it."""
BROWSER = 0
"""In place of a client's port: a sign-in that begins and ends on our own pages."""
_WORDS = {
    "access_denied": "you or it declined",
    "login_required": "it wants you to sign in there first",
    "interaction_required": "it wants you to do something there first",
    "unmet_authentication_requirements": "it cannot sign you in strongly enough",
}


def s256(verifier: str) -> str:
    """The PKCE challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _made(purpose: str, cookie: str) -> str:
    return s256(f"trustquery sign-in {purpose}\n{cookie}")


@dataclass(frozen=True)
class Opened:
    """A browser that is sent to its provider, with the cookie that it will be known by."""

    cookie: str
    address: str


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, how strongly and when."""

    user: User
    level: int
    auth_time: int


class SignInDesk:
    """Sign-ins under way.

    Args:
        providers: by name, the first one is taken where a client names none.
        public: host and port of this coordinator as browsers reach it.
        clock: seconds since 1970 UTC.
        hours: how long a sign-in lasts, and so how old the proof behind an ordinary one may be.
        strong_seconds: how old the proof behind a strong one may be.
    """

    def __init__(
        self,
        store: Store,
        providers: Mapping[str, Provider],
        public: str,
        clock: Callable[[], int],
        *,
        hours: int,
        strong_seconds: int,
    ) -> None:
        self._store = store
        self._providers = providers
        self._base = f"https://{public}"
        self._clock = clock
        self._ages = {2: hours * 3600, 3: strong_seconds}

    def begin(self, provider: str, challenge: str, port: int, client_state: str, *, strong: bool) -> tuple[str, int]:
        """Start a sign-in; returns the address that the browser opens, and when that ends.

        Raises:
            TrustQueryError: ``auth-no-provider``, ``node-rate``.
        """
        name = provider or next(iter(self._providers), "")
        if name not in self._providers:
            known = ", ".join(self._providers) or "none is set up"
            raise TrustQueryError("auth-no-provider", provider=name or "at all", known=known)
        now, flow = self._clock(), new_secret(32).hex()
        row = FlowRow(
            id_hash=_hash(flow), provider=name, challenge=challenge, port=port, client_state=client_state,
            level=3 if strong else 2, expires=now + FLOW_SECONDS,
        )  # fmt: skip
        if not self._store.signins.begin(row, now):
            raise TrustQueryError("node-rate")
        return f"{self._base}/signin/{flow}", now + FLOW_SECONDS

    def _redirect(self, provider: str) -> str:
        """One address a provider: an answer that arrives at another one's is nobody's."""
        return f"{self._base}/signin/back/{provider}"

    def _wanted(self, provider: str, level: int, cookie: str) -> Wanted:
        nonce, verifier = _made("nonce", cookie), _made("verifier", cookie)
        return Wanted(self._redirect(provider), nonce, verifier, level, self._ages[level])

    async def open(self, flow: str) -> Opened:
        """The browser arrives: once.

        Raises:
            TrustQueryError: ``auth-browser``: there is no such sign-in, or it was opened before; ``auth-provider``.
        """
        store, now = self._store.signins, self._clock()
        row = await asyncio.to_thread(store.look, _hash(flow), now)
        if row is None or row.provider not in self._providers:
            raise TrustQueryError("auth-browser", problem="this address was used before, or is too old")
        cookie, state = new_secret(32).hex(), new_secret(32).hex()
        wanted = self._wanted(row.provider, row.level, cookie)
        address = await self._providers[row.provider].address(wanted, state, s256(wanted.verifier))
        # Last, so that a provider that cannot be reached for a moment costs no sign-in.
        if await asyncio.to_thread(store.open, _hash(flow), _hash(cookie), _hash(state), now) is None:
            raise TrustQueryError("auth-browser", problem="this address was used before, or is too old")
        return Opened(cookie, address)

    async def back(self, provider: str, answer: Mapping[str, str], cookie: str) -> tuple[str, TrustQueryError | None]:
        """The browser returns from a provider: where it goes now, and what went wrong.

        Raises:
            TrustQueryError: ``auth-browser``: the answer belongs to no sign-in of this browser.
        """
        store = self._store.signins
        now, state = self._clock(), answer.get("state", "")
        row = await asyncio.to_thread(store.take_state, _hash(state), _hash(cookie), now)
        if row is None:
            raise TrustQueryError("auth-browser", problem="this answer belongs to no sign-in of this browser")
        to_client = {"state": row.client_state, "iss": self._base}
        try:
            signed_in = await self._proved(row, provider, answer, cookie)
        except TrustQueryError as error:
            await asyncio.to_thread(store.drop, row.id_hash)
            issuer, whom = self._providers[row.provider].settings.issuer, error.problem.fields.get("subject", "")
            failed = partial(self._store.tallies.failed_sign_in, str(whom), issuer, now, typed=False)
            await asyncio.to_thread(failed)
            told = {"error": error.code, "fields": json.dumps(error.problem.fields)}
            return self._loopback(row, to_client | told), error
        code = new_secret(32).hex()
        await asyncio.to_thread(
            store.finish, row.id_hash, _hash(code), signed_in.user.id, signed_in.level, signed_in.auth_time,
            now + CODE_SECONDS,
        )  # fmt: skip
        return self._loopback(row, to_client | {"code": code}), None

    def providers(self) -> list[tuple[str, str]]:
        """Name and title of each, for a page to choose from."""
        return [(name, provider.settings.title) for name, provider in self._providers.items()]

    def _loopback(self, row: FlowRow, answer: Mapping[str, str]) -> str:
        if row.port == BROWSER:
            return f"/app/arrive?{urlencode(answer)}"
        return f"http://127.0.0.1:{row.port}/callback?{urlencode(answer)}"

    async def _proved(self, row: FlowRow, name: str, answer: Mapping[str, str], cookie: str) -> SignedIn:
        provider = self._providers[row.provider]
        title, issuer = provider.settings.title, provider.settings.issuer

        def refusal(problem: str) -> TrustQueryError:
            return TrustQueryError("auth-provider", provider=title, problem=problem)

        # RFC 9207 and one redirect address each: an answer of one provider is never taken for another's.
        if name != row.provider or answer.get("iss", issuer) != issuer:
            raise refusal("the answer came from somebody else")
        if "iss" not in answer and (await provider.metadata()).says_iss:
            raise refusal("the answer does not say who gave it")
        if "error" in answer:
            raise refusal(_WORDS.get(answer["error"], "it refused"))
        if not answer.get("code"):
            raise refusal("its answer holds no code")
        proved = await provider.redeem(answer["code"], self._wanted(row.provider, row.level, cookie))
        user = await asyncio.to_thread(self._store.signins.user_of, proved.issuer, proved.subject)
        if user is None:
            raise TrustQueryError("auth-not-linked", provider=row.provider, subject=proved.subject)
        return SignedIn(user, proved.level, proved.auth_time)

    def redeem(self, code: str, verifier: str) -> SignedIn:
        """A client's code becomes who signed in, once, for the client that began it.

        Raises:
            TrustQueryError: ``auth-failed``.
        """
        row = self._store.signins.take_code(_hash(code), self._clock())
        good = row is not None and hmac.compare_digest(s256(verifier), row.challenge)
        user = self._store.signins.user_by_id(row.user_id) if row is not None else None
        if row is None or user is None or not good:
            if user is not None:
                self._store.tallies.failed_sign_in(user.name, CLIENT_CODE, self._clock())
            raise TrustQueryError("auth-failed")
        return SignedIn(user, row.found_level, row.auth_time)
