"""Step 20: SENT in the ledger, then the committed bytes to the stream; the link repeats them until acknowledged."""

from __future__ import annotations

from node_agent.budget.port import unpack
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.identity import Answer
from trustquery.protocol.messages import AnswerMessage

__all__ = ["holds_release", "message_of", "run", "send_release"]


def holds_release(message: AnswerMessage) -> bool:
    """Whether a message may hold anything of a release: all do but a readable refusal without a vector.

    A refusal was decided before data were read, so it may be said while the trust has stopped.
    """
    if message.vector:
        return True
    try:
        answer = Answer.read(message.envelope)
    except TrustQueryError:
        return True
    return answer.status != "refused"


def message_of(release_id: str, ports: Ports) -> AnswerMessage:
    """The message with the bytes that the ledger holds, never others, and the cosigned head that holds the release.

    Raises:
        TrustQueryError: ``ledger-state`` when there are none.
    """
    content = ports.ledger.outbox(release_id)
    if content is None:
        raise TrustQueryError("ledger-state", found="no bytes", wanted="SENT")
    envelope, vector = unpack(content)
    return AnswerMessage(release_id, envelope, vector, ports.ledger.cosigned_over(ports.ledger.last_seq(release_id)))


def send_release(release_id: str, ports: Ports) -> None:
    """Note the release as sent, then hand it over. A crash in between repeats the same bytes."""
    message = message_of(release_id, ports)
    ports.ledger.sent(release_id, ports.clock.wall())
    ports.send(message)


def run(case: Case, ports: Ports) -> None:
    """Send.

    Raises:
        TrustQueryError: ``ledger-unwritable``, ``ledger-state``.
    """
    send_release(case.release_id, ports)
