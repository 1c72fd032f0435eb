"""A head on its way to a witness, as C2SP tlog-witness writes it: both ends of ``add-checkpoint``."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from trustquery.errors import TrustQueryError
from trustquery.log.note import exact_base64

__all__ = ["KEPT_HEADER", "MOST_BYTES", "SIZE_TYPE", "read_submission", "write_submission"]

MOST_BYTES = 80 * 1024
SIZE_TYPE = "text/x.tlog.size"
"""Type of the reply to a sender who does not know the head that was signed last."""
KEPT_HEADER = "x-tlog-kept"
"""Of a refusal by ``tq-witness``, beside what C2SP says: the head that it signed last, as its log signed it, in base64.
Whoever asked has shown a head of the same log, and learns where to go on from, or that there are two histories."""
_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})")


def write_submission(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of a request.

    Args:
        old: size of the head that the witness signed last, as far as is known.
        proof: that the new one extends it.
    """
    lines = [f"old {old}", *(base64.b64encode(step).decode() for step in proof)]
    return "\n".join(lines).encode() + b"\n\n" + note


def read_submission(body: bytes) -> tuple[int, tuple[bytes, ...], bytes]:
    """Old size, proof and note.

    Raises:
        TrustQueryError: ``witness-request``.
    """
    head, gap, note = body.partition(b"\n\n")
    first, *rest = head.split(b"\n")
    match = _OLD.fullmatch(first)
    try:
        proof = tuple(exact_base64(line.decode("ascii")) for line in rest)
    except ValueError:
        match = None
    if match is None or not gap or len(body) > MOST_BYTES:
        raise TrustQueryError("witness-request", problem="it is no old size, proof and signed head")
    return int(match[1]), proof, note
