"""Check a federation's public log, with nothing but this file, Python and the `cryptography` package.

    python verify_log.py LOG --key VKEY [--witness VKEY ...] [--needed N] [--state FILE] [--ca FILE]

LOG is a folder or an address that ends in /public/log. Every entry is hashed, every tile and the root are made again
from the entries, the head's signature and the witnesses' are verified, and with --state the log must still hold
everything that it held last time. Ends with 0 when all is well, with 3 when anything is not.

Formats: C2SP tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature; RFC 6962 hashing. The entries are described in
docs/reference/public-log.md. This file shares no code with TrustQuery.
"""

from __future__ import annotations

import argparse
import base64
import functools
import hashlib
import json
import pathlib
import ssl
import sys
import urllib.request
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SHORT = {"seq", "on", "kind", "text", "project", "node", "release_id", "document_hash", "rho_nano"}
FIELDS = SHORT | {"person_commitment", "words_commitment"}
Key = tuple[str, bytes, int, bytes]
Fetch = Callable[[str], bytes]


class Wrong(Exception):
    """Something does not verify."""


def need(holds: object, problem: str) -> None:
    """Stop unless it holds."""
    if not holds:
        raise Wrong(problem)


def exact(text: str) -> bytes:
    """Base64 that is written in its one way."""
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data


def read_key(text: str) -> Key:
    """A C2SP verifier key: name, hash, type, 32 bytes."""
    name, mark, material = text.strip().split("+", 2)
    data = exact(material)
    wanted = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    need(len(data) == 33 and data[0] in (1, 4) and wanted.hex() == mark, "a verifier key has another form")
    return name, wanted, data[0], data[1:]


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is right."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_head(note: bytes, key: Key, witnesses: list[Key]) -> tuple[int, bytes, set[str]]:
    """Size and root of a signed head, and the witnesses that signed it."""
    text, gap, lines = note.decode("utf-8").rpartition("\n\n")
    text += "\n"
    name, size, root, end = [*text.split("\n"), *[""] * 4][:4]
    need(gap and not end and text == f"{name}\n{size}\n{root}\n" and name == key[0], "the head has another form")
    need(str(int(size)) == size and int(size) >= 0 and lines.endswith("\n"), "the head has another form")
    own, seen = False, set[str]()
    for line in lines[:-1].split("\n"):
        _, who, code = [*line.split(" "), "", ""][:3]
        need(line == f"— {who} {code}", "a signature line has another form")
        data = exact(code)
        if (who, data[:4]) == key[:2]:
            need(signed(key[3], text.encode(), data[4:]), "the log's signature is wrong")
            own = True
        for witness in witnesses:
            if (who, data[:4]) == witness[:2]:
                at = int.from_bytes(data[4:12], "big")
                message = f"cosignature/v1\ntime {at}\n{text}".encode()
                need(signed(witness[3], message, data[12:]), f"the signature of {who} is wrong")
                seen.add(who)
    need(own, "the log has not signed its head")
    return int(size), exact(root), seen


def levels(leaves: list[bytes]) -> list[list[bytes]]:
    """Hashes of all complete subtrees, by height."""
    found = [leaves]
    while len(found[-1]) > 1:
        row = found[-1]
        pairs = range(0, len(row) - 1, 2)
        found.append([hashlib.sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in pairs])
    return found


def root_of(rows: list[list[bytes]], size: int) -> bytes:
    """RFC 6962 root of the first `size` leaves."""
    if size == 0:
        return hashlib.sha256(b"").digest()
    parts, at = [], 0
    for height in range(len(rows) - 1, -1, -1):
        if size & (1 << height):
            parts.append(rows[height][at >> height])
            at += 1 << height
    return functools.reduce(lambda right, left: hashlib.sha256(b"\x01" + left + right).digest(), reversed(parts))


def path_of(level: int | str, index: int, width: int) -> str:
    """Where a tile lies."""
    text = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        text = f"x{index % 1000:03d}/{text}"
    return f"tile/{level}/{text}" + (f".p/{width}" if width < 256 else "")


def tiles(count: int) -> list[tuple[int, int]]:
    """Index and width of the tiles of one level."""
    return [(at, min(256, count - at * 256)) for at in range(-(-count // 256))]


def read_entries(fetch: Fetch, size: int) -> list[bytes]:
    """All entries, each in its one form and in order."""
    found: list[bytes] = []
    for index, width in tiles(size):
        path = path_of("entries", index, width)
        data, at, many = fetch(path), 0, 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            found.append(data[at + 2 : at + 2 + length])
            at, many = at + 2 + length, many + 1
        need(at == len(data) and many == width, f"{path}: another length or number of entries")
    day = ""
    for place, payload in enumerate(found, start=1):
        entry = json.loads(payload)
        # RFC 8785: for whole numbers and plain texts this is what it comes to.
        again = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        need(again == payload and set(entry) == FIELDS, f"entry {place} has another form")
        need(entry["seq"] == place and entry["on"] >= day, f"entry {place} is out of order")
        day = entry["on"]
    return found


def check(fetch: Fetch, key: Key, witnesses: list[Key], needed: int, state: pathlib.Path | None) -> str:
    """Everything. Returns a sentence."""
    size, root, seen = read_head(fetch("checkpoint"), key, witnesses)
    need(len(seen) >= needed, f"{len(seen)} of {needed} witnesses have signed the head")
    rows = levels([hashlib.sha256(b"\x00" + payload).digest() for payload in read_entries(fetch, size)])
    for level in range(len(rows) // 8 + 1):
        row = (rows[level * 8 :] or [[]])[0]
        for index, width in tiles(len(row)):
            path = path_of(level, index, width)
            need(fetch(path) == b"".join(row[index * 256 : index * 256 + width]), f"{path}: another hash")
    need(root_of(rows, size) == root, "the root is not that of the entries")
    if state is not None:
        if state.exists():
            old_size, old_root = json.loads(state.read_text())[key[0]]
            need(old_size <= size and root_of(rows, old_size).hex() == old_root, "what was there has changed or gone")
        state.write_text(json.dumps({key[0]: [size, root.hex()]}))
    return f"good: {size} entries of {key[0]}, root {root.hex()}, witnesses: {', '.join(sorted(seen)) or 'none'}"


def reader(log: str, authority: str | None) -> Fetch:
    """Files of a folder or an address."""
    if not log.startswith("https://"):
        return lambda path: (pathlib.Path(log) / path).read_bytes()
    context = ssl.create_default_context(cafile=authority)
    # An https address of the caller's own choosing.
    return lambda path: bytes(urllib.request.urlopen(f"{log}/{path}", context=context, timeout=30).read())  # noqa: S310


def main() -> None:
    """The command line."""
    words = argparse.ArgumentParser()
    words.add_argument("log")
    words.add_argument("--key", required=True, type=read_key)
    words.add_argument("--witness", action="append", default=[], type=read_key)
    words.add_argument("--needed", type=int, help="how many must have signed; else all that are named")
    words.add_argument("--state", type=pathlib.Path, help="a file that keeps the last good head")
    words.add_argument("--ca")
    given = words.parse_args()
    needed = len(given.witness) if given.needed is None else given.needed
    try:
        print(check(reader(given.log, given.ca), given.key, given.witness, needed, given.state))
    except (Wrong, OSError, ValueError, KeyError, TypeError) as error:
        print(f"WRONG: {error}", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
