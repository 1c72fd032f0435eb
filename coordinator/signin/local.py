"""The coordinator's own sign-in provider, for a federation on one machine: a small, real OpenID Connect issuer.

The relying party of this same coordinator speaks to it over HTTPS as to any other. It has one client, keeps no sessions
(each sign-in asks for password and code), and forgets requests and codes when the process ends.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

from coordinator.signin import passwords
from coordinator.signin.desk import s256
from coordinator.store import Store
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret

__all__ = ["ACR", "CLIENT", "LocalProvider", "Setup"]

CLIENT = "coordinator"
ACR = "tq:password+totp"
REQUEST_SECONDS, CODE_SECONDS = 600, 60
SETUP_SECONDS = 86_400
_MOST = 1_000


@dataclass(frozen=True)
class _Request:
    """An authorisation request, until its form is filled in."""

    redirect: str
    state: str
    nonce: str
    challenge: str
    browser: str
    expires: int


@dataclass(frozen=True)
class _Code:
    request: _Request
    subject: str
    auth_time: int
    expires: int


@dataclass(frozen=True)
class Setup:
    """What somebody puts into their authenticator app: the secret as text, and as an address."""

    secret: str
    address: str


class LocalProvider:
    """Safe to use from several threads of one process.

    Args:
        public: host and port of this coordinator.
        secret: of its one client.
    """

    def __init__(self, store: Store, public: str, federation: str, secret: str, clock: Callable[[], int]) -> None:
        self.issuer = f"https://{public}/local"
        self._redirect = f"https://{public}/signin/back/local"
        self._store = store
        self._federation = federation
        self.secret = secret
        self._clock = clock
        self._key = ECKey.generate_key("P-256")
        self._lock = threading.Lock()
        self._requests: dict[str, _Request] = {}
        self._codes: dict[str, _Code] = {}

    def published(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "acr_values_supported": [ACR],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        """The key set; a new key at each start."""
        return {"keys": [self._key.as_dict(private=False, kid=self._kid, use="sig", alg="ES256")]}

    @property
    def _kid(self) -> str:
        return self._key.thumbprint()

    def ask(self, asked: Mapping[str, str]) -> tuple[str, str]:
        """Begin: the id of the request, and the cookie that its form is bound to.

        Raises:
            TrustQueryError: ``auth-browser``: it is no request of this coordinator.
        """
        now = self._clock()
        good = (
            asked.get("client_id") == CLIENT
            and asked.get("redirect_uri") == self._redirect
            and asked.get("response_type") == "code"
            and asked.get("code_challenge_method") == "S256"
            and all(0 < len(asked.get(name, "")) <= 200 for name in ("state", "nonce", "code_challenge"))
        )
        if not good:
            raise TrustQueryError("auth-browser", problem="this is no request of this coordinator")
        name, cookie = new_secret(32).hex(), new_secret(32).hex()
        request = _Request(
            asked["redirect_uri"], asked["state"], asked["nonce"], asked["code_challenge"], cookie,
            now + REQUEST_SECONDS,
        )  # fmt: skip
        with self._lock:
            self._requests = {key: item for key, item in self._requests.items() if item.expires > now}
            if len(self._requests) >= _MOST:
                raise TrustQueryError("node-rate")
            self._requests[name] = request
        return name, cookie

    def answer(self, name: str, cookie: str, user: str, password: str, code: str) -> str:
        """Somebody filled in the form: where their browser goes, "" where it was not right.

        Raises:
            TrustQueryError: ``auth-browser``: there is no such request in this browser.
        """
        now = self._clock()
        with self._lock:
            request = self._requests.get(name)
        if request is None or request.expires <= now or not hmac.compare_digest(request.browser, cookie):
            raise TrustQueryError("auth-browser", problem="this form is too old, or was opened in another browser")
        subject = self._proved(user, password, code, now)
        if not subject:
            self._store.tallies.failed_sign_in(user, "password", now)
            return ""
        made = new_secret(32).hex()
        with self._lock:
            if self._requests.pop(name, None) is None:
                raise TrustQueryError("auth-browser", problem="this form was sent before")
            self._codes = {key: item for key, item in self._codes.items() if item.expires > now}
            self._codes[made] = _Code(request, subject, now, now + CODE_SECONDS)
        return f"{request.redirect}?{urlencode({'code': made, 'state': request.state, 'iss': self.issuer})}"

    def _proved(self, user: str, password: str, code: str, now: int) -> str:
        """The subject of somebody whose password and code are right, else "". Every way costs the same work."""
        accounts = self._store.local_accounts
        waits, found = accounts.waits(user, now), accounts.find(user)
        known, secret = (found.password, found.secret) if found is not None else ("", "")
        right = passwords.right_password(known, password)
        step = passwords.right_step(secret, code, now, found.step if found is not None else 0)
        good = found is not None and right and step > 0 and not waits
        used = accounts.use_step(found.user_id if found is not None and good else 0, step)
        # While a name waits, nothing counts: else whoever keeps trying could keep its owner out for ever.
        accounts.count(user if not waits else f"waiting {user}", now, good=good and used)
        return found.subject if found is not None and good and used else ""

    def redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The token endpoint: a code, once, for whoever knows its verifier and the client's secret.

        Raises:
            TrustQueryError: ``auth-failed``.
        """
        now = self._clock()
        secret_good = hmac.compare_digest(form.get("client_secret", "").encode(), self.secret.encode())
        with self._lock:
            found = self._codes.pop(form.get("code", ""), None) if secret_good else None
        good = (
            found is not None
            and found.expires > now
            and form.get("grant_type") == "authorization_code"
            and form.get("client_id") == CLIENT
            and form.get("redirect_uri") == found.request.redirect
            and hmac.compare_digest(s256(form.get("code_verifier", "")), found.request.challenge)
        )
        if found is None or not good:
            raise TrustQueryError("auth-failed")
        claims = {
            "iss": self.issuer, "sub": found.subject, "aud": CLIENT, "nonce": found.request.nonce, "iat": now,
            "exp": now + CODE_SECONDS, "auth_time": found.auth_time, "acr": ACR, "amr": ["pwd", "otp"],
        }  # fmt: skip
        header = {"alg": "ES256", "kid": self._kid, "typ": "JWT"}
        token = jwt.encode(header, claims, self._key, algorithms=["ES256"])
        return {"access_token": new_secret(16).hex(), "token_type": "Bearer", "expires_in": 1, "id_token": token}

    def invite(self, name: str) -> str:
        """A one-time set-up code for somebody; "" for nobody."""
        code, now = new_secret(16).hex(), self._clock()
        subject = new_secret(16).hex()
        known = self._store.local_accounts.invite(
            name, self.issuer, subject, setup_hash(code), now + SETUP_SECONDS, now
        )
        return code if known else ""

    def propose(self, code: str, password: str) -> Setup:
        """The first step of a set-up: a password is chosen, and a secret is made.

        Raises:
            TrustQueryError: ``auth-failed``: the code is wrong, used or too old; ``usage-invalid``: the password.
        """
        hashed = setup_hash(code)
        found = self._store.local_accounts.by_setup(hashed, self._clock())
        if found is None:
            raise TrustQueryError("auth-failed")
        user, _ = found
        passwords.refuse_password(password, user.name)
        secret = passwords.new_totp_secret()
        self._store.local_accounts.propose(hashed, passwords.hash_password(password), secret)
        return Setup(secret, passwords.otpauth(secret, user.name, self._federation))

    def confirm(self, code: str, totp: str) -> str:
        """The second step: the first one-time code shows that the app has the secret; returns the user's name.

        Raises:
            TrustQueryError: ``auth-failed``.
        """
        hashed, now = setup_hash(code), self._clock()
        found = self._store.local_accounts.by_setup(hashed, now)
        step = passwords.right_step(found[1].new_secret if found is not None else "", totp, now, 0)
        if found is None or not step or not self._store.local_accounts.confirm(hashed, step):
            raise TrustQueryError("auth-failed")
        return found[0].name


def setup_hash(code: str) -> str:
    """How a set-up code is kept."""
    return hashlib.sha256(code.strip().encode()).hexdigest()
