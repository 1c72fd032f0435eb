"""HTTPS to the coordinator: TLS 1.3, one pinned authority, problems as exceptions."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import httpx

from trustquery.client.replies import IDENTITY, LARGE, SMALL, bounded
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity.strict_json import MAX_VALUES, read_json

__all__ = ["Http", "fetch_anchor"]

_MOST_VALUES = 200_000_000
_WITH_RESULTS = ("/v1/queries", "/v1/reviews", "/v1/projects", "/public/")
TIMEOUT = httpx.Timeout(30.0, connect=5.0)


def _limit(path: str) -> int:
    """Results and what is made of them are large; nothing else is."""
    return LARGE if path.startswith(_WITH_RESULTS) else SMALL


def _context(authority_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=authority_pem)
    return context


class Http:
    """One connection to one coordinator.

    Args:
        address: host:port.
        authority_pem: the only authority whose certificates are believed; the system's store is not read.
    """

    def __init__(self, address: str, authority_pem: str) -> None:
        self._address = address
        self._client = httpx.Client(
            base_url=f"https://{address}", verify=_context(authority_pem), timeout=TIMEOUT, trust_env=False,
            headers=IDENTITY, event_hooks=bounded(_limit),
        )  # fmt: skip
        self.token = ""
        self.renew: Callable[[TrustQueryError], bool] | None = None
        """Asked when a request is refused for want of a sign-in: True where there is a new one; it is sent again."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def get(self, path: str, **parameters: int | str | Sequence[str]) -> dict[str, Any]:
        """GET a JSON object; a sequence is sent as one parameter several times."""
        return self._send("GET", path, params=parameters)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST and receive a JSON object."""
        return self._send("POST", path, json=body)

    def fetch(self, path: str) -> bytes:
        """GET a page or a file.

        Raises:
            TrustQueryError: ``node-unreachable``, or what the coordinator says.
        """
        response = self._request("GET", path)
        return response.content if response.is_success else _bytes(response)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PUT and receive a JSON object."""
        return self._send("PUT", path, json=body)

    def _send(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        try:
            return _read(self._request(method, path, **rest))
        except TrustQueryError as error:
            if error.code not in ("auth-required", "auth-strong") or self.renew is None or not self.renew(error):
                raise
        return _read(self._request(method, path, **rest))

    def _request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            return self._client.request(method, path, headers=headers, **rest)
        except httpx.HTTPError as error:
            raise TrustQueryError("node-unreachable", address=self._address) from error


def _bytes(response: httpx.Response) -> NoReturn:
    _read(response)
    raise TrustQueryError("internal-fault", incident=f"http-{response.status_code}")


def _read(response: httpx.Response) -> dict[str, Any]:
    try:
        small = len(response.content) <= SMALL
        data = read_json(response.content, most=MAX_VALUES if small else _MOST_VALUES)
    except ValueError:
        data = None
    if response.is_success and isinstance(data, dict):
        return data
    problems = data.get("problems") if isinstance(data, dict) else None
    if isinstance(problems, list) and problems:
        raise TrustQueryError.of([Problem.from_document(item) for item in problems])
    raise TrustQueryError("internal-fault", incident=f"http-{response.status_code}")


def fetch_anchor(address: str) -> dict[str, Any]:
    """Fetch the authority's certificate and the root before there is anything to check them against.

    The caller compares both with prints that came another way; until then nothing here is believed and nothing
    secret is sent.

    Raises:
        TrustQueryError: ``node-unreachable``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        hooks = bounded(_limit)
        with httpx.Client(
            verify=context, timeout=TIMEOUT, trust_env=False, headers=IDENTITY, event_hooks=hooks
        ) as client:
            return _read(client.get(f"https://{address}/v1/enrolment/anchor"))
    except httpx.HTTPError as error:
        raise TrustQueryError("node-unreachable", address=address) from error
