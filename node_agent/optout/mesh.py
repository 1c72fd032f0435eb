"""The trust's mailbox at MESH: numbers go out, replies come in, and nobody else's business in it is touched.

A reply is one by four marks: the opt-out service sent it, it has the service's workflow, it is data, and its local id
is that of a request that waits. It is taken, durably, before it is acknowledged, so that none is lost. What has that
workflow or that id and is no reply all the same is noted with its reason and acknowledged, which deletes it at MESH: it
would come again at every look. What has neither is somebody else's: it is noted and stays, unread from then on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.config import MeshConfig
from node_agent.optout.exchange import take_reply
from node_agent.optout.records import NoReply, Request
from node_agent.optout.replies import request_file
from node_agent.optout.vault import Vault
from trustquery.errors import TrustQueryError
from trustquery.identity import read_private_file

__all__ = ["WORKFLOW", "Collected", "Mailbox"]

WORKFLOW = "SPINE_NTT_UPHOLDING"
KEEP_SECONDS = 90 * 86_400
"""How long a note about a message is kept that is no longer there."""


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
        resolve: turns a configured path into an absolute one, and follows no link.
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

    def collect(self, vault: Vault, now: int, *, most_percent: int) -> Collected:
        """Take every reply that is there.

        Args:
            now: seconds since 1970, for the notes about messages that are no replies.

        Raises:
            TrustQueryError: as ``send``.
        """
        taken, problems = 0, []
        others = {item.id for item in vault.no_replies() if not item.problem}
        with self._client() as client:
            # Every page: what stays there for others must not hide a reply behind it.
            there = list(client.iterate_message_ids())
            for message_id in there:
                if message_id in others:
                    continue
                message = client.retrieve_message(message_id)
                try:
                    taken += self._take(vault, message, now, most_percent)
                except TrustQueryError as error:
                    problems.append(error.code)
                    if error.code not in ("optout-reply-refused", "optout-mesh"):
                        # A fault of this side's: the reply is good, and is taken when the fault is mended.
                        continue
                    vault.no_reply(NoReply(message_id, now, str(error.problem.fields["problem"])))
                    message.acknowledge()
                finally:
                    # Not the library's own context manager: that acknowledges what is not ours, too.
                    message.close()
        vault.forget_messages(there, now - KEEP_SECONDS)
        return Collected(taken, tuple(problems))

    def _take(self, vault: Vault, message: Any, now: int, most_percent: int) -> int:
        """Take one message; 1 where it was a reply, 0 where it is somebody else's.

        Raises:
            TrustQueryError: it says that it is a reply, and is none that is believed.
        """
        waits = message.local_id in {item.id for item in vault.waiting()}
        if message.message_type == "REPORT" and waits:
            vault.settle(message.local_id, "refused")
            raise TrustQueryError("optout-mesh", problem="a message could not be delivered")
        if message.workflow_id != WORKFLOW:
            if waits:
                raise _refused("it has another workflow")
            vault.no_reply(NoReply(message.id(), now, ""))
            return 0
        if message.sender != self.config.recipient:
            raise _refused("the opt-out service did not send it")
        take_reply(vault, message.local_id or "", message.read(), most_percent=most_percent)
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
        if config.key_file:
            # The library opens it by name; it is looked at here.
            read_private_file(self.resolve(config.key_file))
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


def _refused(problem: str) -> TrustQueryError:
    return TrustQueryError("optout-reply-refused", problem=problem)
