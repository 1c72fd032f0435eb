"""Signing a document in a file: read it, show it, add signatures, write the envelope."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustquery.cli.output import say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.identity import Document, Envelope, SigningKey
    from trustquery.policy import Policy

__all__ = [
    "load_key",
    "read_bytes",
    "read_policy",
    "read_text",
    "say_difference",
    "sign_document",
    "sign_file",
    "sign_policy",
    "write_new",
]


def load_key(path: Path) -> SigningKey:
    """A personal key from a file; its passphrase is asked for where it has one.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``auth-passphrase``.
    """
    import typer

    from trustquery.identity import SigningKey

    try:
        return SigningKey.load(path)
    except TrustQueryError as error:
        if error.code != "auth-passphrase":
            raise
    return SigningKey.load(path, typer.prompt(f"Passphrase of {path}", hide_input=True, err=True).encode())


def read_bytes(path: Path) -> bytes:
    """A file's bytes without surrounding white space.

    Raises:
        TrustQueryError: ``config-missing``.
    """
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead="give the path of the document") from error


def read_text(path: Path) -> str:
    """A text as it stands, white space and all: problems name lines.

    Raises:
        TrustQueryError: ``config-missing``, ``policy-invalid``.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise TrustQueryError("policy-invalid", str(path), problem="it is not UTF-8 text") from error
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead="give the path of the document") from error


def write_new(path: Path, content: bytes) -> None:
    """Write a public file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _open(path: Path, kinds: Sequence[type[Document]]) -> tuple[Document, Envelope]:
    from pydantic import ValidationError

    from trustquery.identity import Envelope
    from trustquery.identity.envelope import payload_type

    found = read_bytes(path)
    try:
        data: Any = json.loads(found)
    except ValueError as error:
        raise TrustQueryError("auth-document", str(path), document="document", problem="it is not JSON") from error
    if isinstance(data, dict) and "payloadType" in data:
        for kind in kinds:
            if data["payloadType"] == payload_type(kind.KIND):
                envelope = Envelope.decode(found, kind=kind.KIND)
                return kind.from_payload(envelope.payload), envelope
    problems: list[str] = []
    for kind in kinds:
        try:
            document = kind.model_validate_json(found)
            return document, Envelope(kind.KIND, document.payload(), ())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            problems.append(f"as a {kind.KIND}: {'.'.join(str(step) for step in first['loc'])}: {first['msg']}")
    raise TrustQueryError("auth-document", place=str(path), document="document", problem="; ".join(problems))


def sign_file(path: Path, keys: Sequence[Path], out: Path | None, kinds: Sequence[type[Document]]) -> Path:
    """Add each key's signature to a document (plain JSON, or an envelope that others have signed).

    Returns:
        Where the envelope was written: ``out``, or the same name with ``.dsse``.

    Raises:
        TrustQueryError: ``auth-document``, ``config-key-file``.
    """
    document, envelope = _open(path, kinds)
    return _sign(document, envelope, keys, out if out is not None else path.with_suffix(".dsse"))


def sign_document(document: Document, keys: Sequence[Path], out: Path) -> Path:
    """Sign a document that was read from another form.

    Raises:
        TrustQueryError: ``config-key-file``.
    """
    from trustquery.identity import Envelope

    return _sign(document, Envelope(document.KIND, document.payload(), ()), keys, out)


def _sign(document: Document, envelope: Envelope, keys: Sequence[Path], out: Path, words: str = "") -> Path:
    say(f"{document.KIND}, as it will be signed:")
    say(words or json.dumps(document.model_dump(mode="json"), indent=2, ensure_ascii=False))
    for key_path in keys:
        key = load_key(key_path)
        envelope = envelope.with_signature(key)
        say(f"signed by key {key.key_id[:16]}…")
    write_new(out, envelope.encode())
    say(f"wrote {out} with {len(envelope.signatures)} signatures; document hash {envelope.sha256}")
    return out


def read_policy(path: Path) -> tuple[Policy, Envelope]:
    """A policy from TOML, or from an envelope that others may have signed; signatures are not looked at.

    Raises:
        TrustQueryError: ``config-missing``, ``policy-…``, ``auth-document``.
    """
    from trustquery.identity import Envelope
    from trustquery.policy import Policy
    from trustquery.policy.checking import check_text

    if path.suffix == ".dsse":
        envelope = Envelope.decode(read_bytes(path), kind=Policy.KIND)
        return Policy.from_payload(envelope.payload), envelope
    policy = check_text(read_text(path), name=path.name)[0]
    return policy, Envelope(Policy.KIND, policy.payload(), ())


def say_difference(old: Policy | None, new: Policy) -> None:
    """What a policy changes beside the one in force, and how many people and hours that takes."""
    from trustquery.policy.difference import compare

    if old is None:
        say("nothing to compare it with: give the policy in force with --in-force to see what changes")
        return
    found = compare(old, new)
    for title, changes in (("it loosens", found.loosened), ("it tightens", found.tightened), ("also", found.other)):
        for change in changes:
            say(f"{title}: {change.sentence}")
    if found.is_tightening:
        say("beside the policy in force this only tightens: one person's signature puts it in force at once")
    else:
        say("beside the policy in force this loosens: it takes two people, and 24 hours after it is lodged at the node")


def sign_policy(file: Path, keys: Sequence[Path], out: Path | None, in_force: Policy | None) -> Path:
    """Show what a policy says and changes, add signatures, write the envelope.

    Returns:
        Where the envelope was written: ``out``, or the same name with ``.dsse``.

    Raises:
        TrustQueryError: as ``read_policy`` and ``load_key``.
    """
    from trustquery.policy.rendering import render

    policy, envelope = read_policy(file)
    target = _sign(policy, envelope, keys, out if out is not None else file.with_suffix(".dsse"), render(policy))
    say_difference(in_force, policy)
    return target
