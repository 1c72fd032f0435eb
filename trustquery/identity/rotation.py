"""From one root to the next: what a lost or stolen holder's key is answered with.

As in The Update Framework (specification 1.0, section 5.3, "Update the root role"): a next root is signed by enough
keys of the root before it, one version at a time, so that whoever pinned any root of the chain can follow it. Beyond
that, every key of the new root signs as well: nobody becomes a holder of a key that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable

from trustquery.errors import TrustQueryError
from trustquery.identity.federation import Root

__all__ = ["MAX_ROTATIONS", "follow", "next_root", "roots_of", "successor_of"]

MAX_ROTATIONS = 256
"""So many next roots are followed, so that nobody can keep a node busy with a chain without end."""


def _bad(problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", document=Root.KIND, problem=problem)


def successor_of(old: Root, keys: Iterable[str], threshold: int) -> Root:
    """The next root, not signed yet.

    Args:
        keys: public keys, hexadecimal.

    Raises:
        ValueError: the same key twice, or fewer keys than have to sign.
    """
    return Root(
        federation=old.federation,
        version=old.version + 1,
        previous=old.sha256,
        keys=tuple(keys),
        threshold=threshold,
    )


def next_root(data: bytes, old: Root) -> Root:
    """Verify the root that follows ``old``.

    Raises:
        TrustQueryError: ``auth-document``: it does not follow, or too few of the old keys or not all new keys signed.
    """
    new, _, envelope = Root.verify(data, old.ring, old.threshold)
    if (new.federation, new.version, new.previous) != (old.federation, old.version + 1, old.sha256):
        raise _bad("it does not follow the root before it")
    envelope.require(new.ring, len(new.keys))
    return new


def follow(pinned: Root, chain: Iterable[bytes]) -> Root:
    """The newest root of ``roots_of``.

    Raises:
        TrustQueryError: ``auth-document``: a link does not verify.
    """
    return roots_of(pinned, chain)[-1]


def roots_of(pinned: Root, chain: Iterable[bytes]) -> tuple[Root, ...]:
    """The pinned root and every root that follows from it, one version after another.

    Args:
        chain: envelopes, one version after another; those up to the pinned version are passed over, because they
            cannot be verified from it.

    Raises:
        TrustQueryError: ``auth-document``: a link does not verify.
    """
    found = [pinned]
    for number, data in enumerate(chain):
        if number >= MAX_ROTATIONS:
            raise _bad("the chain of roots is too long")
        if Root.read(data).version > pinned.version:
            found.append(next_root(data, found[-1]))
    return tuple(found)
