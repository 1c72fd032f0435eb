"""The coordinator's log as somebody outside checks it: fetched or from a folder, and never a step backwards."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trustquery.client.config import ClientHome
from trustquery.client.public import fetch_file
from trustquery.client.signin import open_http
from trustquery.client.verify import read_roster
from trustquery.errors import TrustQueryError
from trustquery.log import (
    Checkpoint,
    Proof,
    Tree,
    Verified,
    VerifierKey,
    coordinator_origin,
    cosigners,
    leaf_hash,
    node_origin,
    verify_log,
)
from trustquery.log.tiles import paths_of, tile_path
from trustquery.log.verification import payloads_of

__all__ = [
    "Trusted",
    "check_proof",
    "export_log",
    "from_folder",
    "keep",
    "kept_key",
    "over_https",
    "verify",
]

_AT = "/public/log/"


@dataclass(frozen=True)
class Trusted:
    """Whom the reader believes.

    Attributes:
        key: of the log.
        witnesses: name to public key; ``needed`` of them must have signed the head.
    """

    key: VerifierKey
    witnesses: Mapping[str, bytes]
    needed: int


def by_roster(home: ClientHome) -> Trusted:
    """The log's key and the nodes that may witness it, by the newest roster, which the root kept here has signed.

    How many nodes must have signed is for the reader to say: none by default.

    Raises:
        TrustQueryError: ``auth-document``, ``policy-document-stale``, ``node-unreachable``.
    """
    try:
        found = json.loads(fetch_file(home, "/public/register/data.json"))
        roster = read_roster(home, str(found["rosters"][-1]), [str(item) for item in found["roots"]])
    except (ValueError, LookupError, TypeError) as error:
        raise TrustQueryError("auth-document", document="register", problem="it has no roster") from error
    key = VerifierKey(coordinator_origin(roster.federation), bytes.fromhex(roster.coordinator_key), witness=False)
    nodes = {node_origin(roster.federation, node.node): bytes.fromhex(node.key) for node in roster.nodes}
    return Trusted(key, nodes, 0)


def kept_key(home: ClientHome) -> VerifierKey | None:
    """The key of the only log that was found good from here before; None where there is none, or are several."""
    logs = [item for name, item in home.read_json(home.logs).items() if "+" not in name]
    return VerifierKey.read(str(logs[0].get("key", ""))) if len(logs) == 1 and isinstance(logs[0], dict) else None


def from_folder(folder: Path) -> Callable[[str], bytes]:
    """Files of a log as it was exported."""

    def fetch(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise TrustQueryError("log-unreachable", path=path) from error

    return fetch


@contextlib.contextmanager
def over_https(home: ClientHome) -> Iterator[Callable[[str], bytes]]:
    """Files of the log of the federation that this home is connected to."""
    with open_http(home, home.settings()) as http:
        yield lambda path: http.fetch(_AT + path)


def verify(home: ClientHome, fetch: Callable[[str], bytes], trusted: Trusted) -> Verified:
    """Check a whole log, against the head that was found good from here last time as well.

    Raises:
        TrustQueryError: as ``verify_log``.
    """
    return verify_log(
        fetch, trusted.key, witnesses=trusted.witnesses, needed=trusted.needed, seen=_seen(home, trusted.key)
    )


def _seen(home: ClientHome, key: VerifierKey) -> Checkpoint | None:
    """The head of last time. A log is a name and a key: under a new one, which the roster names, it is another log."""
    found = home.read_json(home.logs).get(key.name)
    if not isinstance(found, dict) or found.get("key") != key.text:
        return None
    return Checkpoint.read(str(found["note"]).encode())


def keep(home: ClientHome, key: VerifierKey, found: Verified) -> None:
    """Remember a head, and the key that signed it: the next must extend it."""
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs = home.read_json(home.logs)
    former = logs.get(key.name)
    if isinstance(former, dict) and former.get("key") != key.text:
        # The last head under a former key stays: no log's name has a plus sign.
        logs[str(former.get("key"))] = former
    logs[key.name] = {"key": key.text, "note": found.note.decode()}
    home.replace_private(home.logs, json.dumps(logs).encode())


def export_log(fetch: Callable[[str], bytes], folder: Path, entry: int = 0) -> Checkpoint:
    """Copy a log into a new folder, as it is; nothing is checked here.

    Args:
        entry: write the proof of this entry as well; 0 for none.

    Raises:
        TrustQueryError: ``config-exists``; ``usage-invalid``: there is no such entry; what ``fetch`` raises.
    """
    if folder.exists():
        raise TrustQueryError("config-exists", path=folder)
    note = fetch("checkpoint")
    head = Checkpoint.read(note)
    if not 0 <= entry <= head.size:
        raise TrustQueryError("usage-invalid", place="--entry", problem=f"the log's entries are 1 to {head.size}")
    files = {"checkpoint": note}
    files |= {path: fetch(path) for path in (tile_path(*place) for place in paths_of(head.size))}
    if entry:
        files |= _proof(head, note, files, entry)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return head


def _proof(head: Checkpoint, note: bytes, files: Mapping[str, bytes], entry: int) -> dict[str, bytes]:
    payloads = payloads_of(files.__getitem__, head.size)
    path = Tree(map(leaf_hash, payloads)).inclusion_proof(entry - 1)
    return {f"{entry}.json": payloads[entry - 1], f"{entry}.tlog-proof": Proof(entry - 1, path, note).encode()}


def check_proof(file: Path, trusted: Trusted) -> tuple[bytes, Checkpoint, Mapping[str, int]]:
    """Check the proof of one entry, whose text lies beside it as ``NUMBER.json``.

    Returns:
        The entry, the head, and who had signed that.

    Raises:
        TrustQueryError: ``log-damaged``, ``log-unreachable``, ``witness-quorum``.
    """
    fetch = from_folder(file.parent)
    proof, entry = Proof.read(fetch(file.name)), fetch(f"{file.stem}.json")
    try:
        head = proof.verify(entry, trusted.key.name, trusted.key.public)
        signed = cosigners(proof.note, trusted.witnesses)
    except TrustQueryError as error:
        problem = error.problem.fields.get("problem", "it does not verify")
        raise TrustQueryError("log-damaged", path=file.name, problem=problem) from error
    if len(signed) < trusted.needed:
        raise TrustQueryError("witness-quorum", origin=head.origin, found=len(signed), needed=trusted.needed)
    return entry, head, signed
