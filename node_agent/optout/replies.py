"""What is sent to NHS England's service, and what its reply must be to be believed.

The service takes one NHS number and a comma a line, and gives back the same lines without those who have opted out.
Nothing in that form says that it is whole. So numbers are sent in an order that is drawn anew each time, with a number
at the end that came back the last time, and a reply must have that last number: whatever is cut off the end of a reply,
were it one line, takes it away. A reply whose last number has opted out is refused, too, and the next request ends with
another. Beyond that, whoever opted out is spread evenly: a reply that lacks many sent one after the other, or far more
than ever opt out, is not whole.

A line taken out of the middle, and any line of a long reply in an order of its own, cannot be told from somebody who
opted out. Those people are then left out of answers until the next list. Nobody is let in by what a reply lacks.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence

from node_agent.optout.numbers import DIGITS, verified
from trustquery.errors import TrustQueryError

__all__ = ["LONGEST_GAP", "in_drawn_order", "read_reply", "request_file"]

LONG = 100
"""From so many numbers on, shares and stretches say something."""
LONGEST_GAP = 40
"""No so many numbers sent one after the other are all opted out: at one in four, once in 10^24 places."""


def in_drawn_order(numbers: Collection[str], secret: bytes, came_back: Collection[str] = ()) -> tuple[str, ...]:
    """The numbers, each once, in an order that only the secret tells.

    Args:
        secret: 32 random bytes, of this request alone.
        came_back: the list in force: one of these stands at the end, where there is one. Whose it is, is drawn.
    """
    drawn = sorted(set(numbers), key=lambda number: hmac.digest(secret, number.encode(), hashlib.sha256))
    last = next((number for number in reversed(drawn) if number in came_back), None)
    if last is not None:
        drawn.remove(last)
        drawn.append(last)
    return tuple(drawn)


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
        TrustQueryError: ``optout-reply-refused``: empty, cut, a line of another form, a number twice or never sent; the
            last number that was sent is missing; fewer than a hundred were sent and it is in another order.
    """
    if not content.endswith(b"\n"):
        raise _refused("it is empty or was cut")
    lines = content[:-1].split(b"\n")
    told = []
    for line in lines:
        digits, comma = line.removesuffix(b"\r")[:DIGITS], line.removesuffix(b"\r")[DIGITS:]
        if len(digits) != DIGITS or not digits.isdigit() or comma != b",":
            raise _refused("a line is not ten digits and a comma")
        told.append(digits.decode("ascii"))
    found = frozenset(told)
    if len(found) != len(told):
        raise _refused("a number is in it twice")
    if not found <= set(sent):
        raise _refused("a number is in it that was never sent")
    opted_out = len(sent) - len(found)
    orders = [sent]
    if told == [number for number in sent if number in found]:
        if told[-1] != sent[-1]:
            raise _refused("the last number that was sent is missing, so it may have been cut")
    elif len(sent) < LONG:
        raise _refused("its lines are not in the order in which they were sent, so it may have been cut")
    else:
        # What cut a sorted reply left a gap at one end of the sorted numbers.
        orders.append(sorted(sent))
    if len(sent) >= LONG and opted_out * 100 > most_percent * len(sent):
        raise _refused("it says that more people opted out than may be believed, so it may have been cut")
    for order in orders:
        gap = 0
        for number in order:
            gap = 0 if number in found else gap + 1
            if gap >= LONGEST_GAP:
                raise _refused("a whole stretch of what was sent is missing, so it was cut")
    return found


def _refused(problem: str) -> TrustQueryError:
    return TrustQueryError("optout-reply-refused", problem=problem)
