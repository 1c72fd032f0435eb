"""A witness's signature on the head of another's log, with the time at which it was made.

Source: C2SP tlog-cosignature, the Ed25519 type 0x04. What is signed is ``cosignature/v1``, ``time N`` and the
checkpoint's text. It says: at that time this was the largest head of that log that the witness had seen, and it
extends every head the witness saw before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trustquery.identity.keys import SigningKey, verify
from trustquery.log.note import COSIGNATURE, Line, bad_note, key_hash, read_lines, split_note

__all__ = ["cosign", "cosigners", "with_lines"]

_LENGTH = 8 + 64


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def cosign(note: bytes, name: str, key: SigningKey, at: int) -> bytes:
    """One signature line over the note's text. Whoever calls has checked what the line says.

    Args:
        name: of the witness's key.
        at: seconds since 1970 UTC, up to 2^63 - 1.

    Raises:
        TrustQueryError: ``auth-document``: it is no signed note.
    """
    text, _ = split_note(note)
    signature = at.to_bytes(8, "big") + key.sign(_message(text, at))
    return Line(name, key_hash(name, COSIGNATURE, key.public), signature).encode()


def cosigners(note: bytes, keys: Mapping[str, bytes]) -> dict[str, int]:
    """Which of these witnesses have signed, and when each said it did (seconds since 1970 UTC).

    Lines of unknown keys are passed over, a known name with another key's hash among them. Where one witness signed
    twice the later time counts. A known witness's line that does not verify spoils the whole note.

    Args:
        keys: name to public key, 32 raw bytes.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    text, lines = split_note(note)
    found: dict[str, int] = {}
    for line in lines:
        public = keys.get(line.name)
        if public is None or line.hash != key_hash(line.name, COSIGNATURE, public):
            continue
        at = int.from_bytes(line.signature[:8], "big")
        right = len(line.signature) == _LENGTH and at < 2**63
        if not right or not verify(public, _message(text, at), line.signature[8:]):
            raise bad_note(f"the signature of {line.name} is wrong")
        found[line.name] = max(at, found.get(line.name, 0))
    return found


def with_lines(note: bytes, lines: Iterable[bytes]) -> bytes:
    """The note with more signature lines; a line that it has already is not repeated.

    Raises:
        TrustQueryError: ``auth-document``: the note or a line has another form.
    """
    _, old = split_note(note)
    seen, added = set(old), []
    for line in lines:
        try:
            read = read_lines(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise bad_note("a signature line has another form") from error
        added += [one for one in dict.fromkeys(read) if one not in seen]
        seen.update(read)
    whole = note + b"".join(line.encode() for line in added)
    split_note(whole)
    return whole
