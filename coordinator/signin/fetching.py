"""What the coordinator fetches from a provider: bounded in size and time, from one host, no redirect."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from coordinator.signin.settings import origin_of
from coordinator.signin.tokens import read_json_object
from trustquery.errors import TrustQueryError

__all__ = ["Outbound", "trusting"]

LARGEST = 262_144
SECONDS = 10.0


def trusting(authority_pem: str) -> ssl.SSLContext:
    """TLS that believes the system's authorities, or these instead where there are any."""
    context = ssl.create_default_context(cadata=authority_pem or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Outbound:
    """Requests to one provider.

    Args:
        provider: its title, for messages.
        issuer: nothing is fetched from another host or port than its own.
        transport: how requests travel.
    """

    def __init__(self, provider: str, issuer: str, transport: httpx.AsyncBaseTransport) -> None:
        self._provider = provider
        self._origin = origin_of(issuer)
        self._transport = transport

    async def get(self, address: str) -> dict[str, Any]:
        """GET a JSON object.

        Raises:
            TrustQueryError: ``auth-provider``.
        """
        return await self._send("GET", address, {}, None)

    async def post(self, address: str, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
        """POST a form and receive a JSON object.

        Raises:
            TrustQueryError: ``auth-provider``.
        """
        return await self._send("POST", address, headers, form)

    def own(self, address: object) -> str:
        """An address that the provider names as its own.

        Raises:
            TrustQueryError: ``auth-provider``: it is none, or somebody else's.
        """
        if not isinstance(address, str) or origin_of(address) is None or origin_of(address) != self._origin:
            raise self._refusal("it names an address that is not its own")
        return address

    def _refusal(self, problem: str) -> TrustQueryError:
        return TrustQueryError("auth-provider", provider=self._provider, problem=problem)

    async def _send(
        self, method: str, address: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> dict[str, Any]:
        self.own(address)
        request = httpx.Request(method, address, headers={"Accept": "application/json", **headers}, data=form)
        try:
            async with asyncio.timeout(SECONDS):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await self._bounded(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise self._refusal("it cannot be reached") from error
        if response.status_code != 200:
            raise self._refusal("it refused the coordinator's request")
        try:
            return read_json_object(body)
        except ValueError as error:
            raise self._refusal("what it answered cannot be read") from error

    async def _bounded(self, response: httpx.Response) -> bytes:
        # As it came: a compressed answer would be larger than it looks, and none was asked for.
        body = b""
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > LARGEST:
                raise self._refusal("its answer is too long")
        return body
