"""What is sent to NHS England's service, and what its reply must be to be believed.

The service takes one NHS number and a comma a line, and gives back the same lines without those who have opted out.
Nothing in that form says that it is whole. So numbers are sent in an order that is drawn anew each time: whoever opted
out is spread evenly, and a reply that lacks many sent one after the other, or far more than ever opt out, was cut.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence

from node_agent.optout.numbers import DIGITS, verified
from trustquery.errors import TrustQueryError

__all__ = ["LONGEST_GAP", "in_drawn_order", "read_reply", "request_file"]

LONGEST_GAP = 40
"""No so many numbers sent one after the other are all opted out: at one in four, once in 10^24 places."""


def in_drawn_order(numbers: Collection[str], secret: bytes) -> tuple[str, ...]:
    """The numbers, each once, in an order that only the secret tells.

    Args:
        secret: 32 random bytes, of this request alone.
    """
    return tuple(sorted(set(numbers), key=lambda number: hmac.digest(secret, number.encode(), hashlib.sha256)))


def request_file(numbers: Sequence[str]) -> bytes:
    """The file to send: LF alone ends each line, and no line is empty.

    Raises:
        ValueError: a number that is not verified: one would spoil the whole file.
    """
    if any(verified(number) != number for number in numbers):
        raise ValueError("a number is not verified")
    return b"".join(b"%s,\n" % number.encode() for number in numbers)


def read_reply(content: bytes, sent: Sequence[str], *, most_percent: int) -> frozenset[str]:
    """The numbers that may be used: a part of those that were sent.

    Args:
        most_percent: largest share of opted-out people, in per cent, that a reply to a hundred numbers or more may say.

    Raises:
        TrustQueryError: ``optout-reply-refused``: empty, cut, a line of another form, a number twice or never sent.
    """
    if not content.endswith(b"\n"):
        raise _refused("it is empty or was cut")
    lines = content[:-1].split(b"\n")
    found = set()
    for line in lines:
        digits, comma = line.removesuffix(b"\r")[:DIGITS], line.removesuffix(b"\r")[DIGITS:]
        if len(digits) != DIGITS or not digits.isdigit() or comma != b",":
            raise _refused("a line is not ten digits and a comma")
        found.add(digits.decode("ascii"))
    if len(found) != len(lines):
        raise _refused("a number is in it twice")
    if not found <= set(sent):
        raise _refused("a number is in it that was never sent")
    opted_out = len(sent) - len(found)
    if len(sent) >= 100 and opted_out * 100 > most_percent * len(sent):
        raise _refused("it says that more people opted out than may be believed, so it may have been cut")
    gap = 0
    for number in sent:
        gap = 0 if number in found else gap + 1
        if gap >= LONGEST_GAP:
            raise _refused("a whole stretch of what was sent is missing, so it was cut")
    return frozenset(found)


def _refused(problem: str) -> TrustQueryError:
    return TrustQueryError("optout-reply-refused", problem=problem)
