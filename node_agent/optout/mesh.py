"""The trust's mailbox at MESH: numbers go out, replies come in, and nothing else in the mailbox is touched.

A reply is one by four marks: the opt-out service sent it, it has the service's workflow, it is data, and its local id
is that of a request that waits. It is taken, durably, before it is acknowledged, so that none is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.config import MeshConfig
from node_agent.optout.exchange import take_reply
from node_agent.optout.replies import request_file
from node_agent.optout.vault import Request, Vault
from trustquery.errors import TrustQueryError
from trustquery.identity import read_private_file

__all__ = ["WORKFLOW", "Collected", "Mailbox"]

WORKFLOW = "SPINE_NTT_UPHOLDING"


@dataclass(frozen=True)
class Collected:
    """What the mailbox held.

    Attributes:
        taken: how many replies were believed: the list in force is new where there is any.
        problems: the code of each that was not.
    """

    taken: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Mailbox:
    """The mailbox that ``[mesh]`` names.

    Args:
        resolve: turns a configured path into an absolute one.
    """

    config: MeshConfig
    resolve: Callable[[str], Path]

    def send(self, vault: Vault, request: Request) -> None:
        """Send a request; its local id is its own.

        Raises:
            TrustQueryError: ``optout-mesh``, ``config-missing``, ``config-key-file``.
        """
        with self._client() as client:
            message = client.send_message(
                self.config.recipient,
                request_file(request.numbers),
                workflow_id=WORKFLOW,
                local_id=request.id,
                subject=request.id,
                filename=f"{request.id}.dat",
            )
        vault.sent(request.id, str(message))

    def collect(self, vault: Vault, *, most_percent: int) -> Collected:
        """Take every reply that is there.

        Raises:
            TrustQueryError: as ``send``.
        """
        taken, problems = 0, []
        with self._client() as client:
            for message_id in client.list_messages():
                message = client.retrieve_message(message_id)
                try:
                    taken += self._take(vault, message, most_percent)
                except TrustQueryError as error:
                    problems.append(error.code)
                finally:
                    # Not the library's own context manager: that acknowledges what is not ours, too.
                    message.close()
        return Collected(taken, tuple(problems))

    def _take(self, vault: Vault, message: Any, most_percent: int) -> int:
        waiting = {item.id: item for item in vault.waiting()}
        named = message.local_id if message.local_id in waiting else None
        if message.message_type == "REPORT" and named is not None:
            vault.settle(named, "refused")
            message.acknowledge()
            raise TrustQueryError("optout-mesh", problem="a message could not be delivered")
        if message.workflow_id != WORKFLOW:
            if named is not None:
                raise TrustQueryError("optout-reply-refused", problem="it has another workflow")
            # Somebody else's business in the same mailbox.
            return 0
        if message.sender != self.config.recipient:
            raise TrustQueryError("optout-reply-refused", problem="the opt-out service did not send it")
        try:
            take_reply(vault, message.local_id or "", message.read(), most_percent=most_percent)
        except TrustQueryError as error:
            if error.code == "optout-reply-refused":
                # Refused for good: it would come again and again.
                message.acknowledge()
            raise
        message.acknowledge()
        return 1

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        # Both are heavy, and most commands need neither.
        import requests
        from mesh_client import MeshClient, MeshError

        config = self.config
        password, shared = (
            read_private_file(self.resolve(path)).strip() for path in (config.password_file, config.shared_key_file)
        )
        cert: Any = tuple(str(self.resolve(path)) for path in (config.cert_file, config.key_file) if path) or None
        verify: str | bool = str(self.resolve(config.ca_file)) if config.ca_file else True
        try:
            client: Any = MeshClient(
                config.url, config.mailbox, password.decode(), shared, cert=cert, verify=verify, timeout=120
            )
            with client:
                client.handshake()
                yield client
        except (MeshError, requests.RequestException, OSError, UnicodeDecodeError, ValueError) as error:
            # Another program's text may hold an address, a name or a line of a file.
            raise TrustQueryError("optout-mesh", problem="the exchange failed") from error
