"""What a review needs, as files: the question as it was signed, and the verdicts as they were signed.

Nothing here is believed for being here. The question is compared with what the ledger names, and verdicts count for
their signatures, so a file that is changed, added or lost can hold a release back and never let one go.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from node_agent.gate.ports import ToReview
from node_agent.policy_store.files import replace_file, safe_name
from trustquery.protocol.messages import Offer

__all__ = ["ReviewFolder"]

_FORMAT = "tq-to-review-1"


@dataclass(frozen=True)
class ReviewFolder:
    """The folder ``reviews/`` of a node's home."""

    path: Path

    def keep(self, asked: ToReview) -> None:
        """Keep a question, durably."""
        parts = {"intent": asked.offer.intent, "permit": asked.offer.permit, "model": asked.offer.model}
        found = {
            "format": _FORMAT,
            "why": asked.why,
            "ready_ms": asked.ready_ms,
            **{name: base64.b64encode(part).decode() for name, part in parts.items()},
        }
        replace_file(self._folder(asked.release_id) / "asked.json", json.dumps(found).encode())

    def asked(self, release_id: str) -> ToReview | None:
        """The question that was kept, or None where it cannot be read."""
        try:
            found = json.loads((self._folder(release_id) / "asked.json").read_bytes())
            if found["format"] != _FORMAT:
                return None
            parts = {name: base64.b64decode(found[name], validate=True) for name in ("intent", "permit", "model")}
            return ToReview(
                release_id,
                Offer(intent=parts["intent"], permit=parts["permit"], model=parts["model"]),
                str(found["why"]),
                int(found["ready_ms"]),
            )
        except (OSError, ValueError, KeyError, TypeError, binascii.Error):
            return None

    def put(self, release_id: str, round_number: int, reviewer: str, envelope: bytes) -> None:
        """Keep a signed verdict, durably."""
        replace_file(self._folder(release_id) / f"{round_number}-{safe_name(reviewer)}.dsse", envelope)

    def envelopes(self, release_id: str) -> tuple[bytes, ...]:
        """The signed verdicts on a release that can be read, in no order that matters."""
        found = []
        for path in sorted(self._folder(release_id).glob("[12]-*.dsse")):
            try:
                found.append(path.read_bytes())
            except OSError:
                continue
        return tuple(found)

    def _folder(self, release_id: str) -> Path:
        return self.path / safe_name(release_id)
