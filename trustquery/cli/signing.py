"""Signing a document in a file: read it, show it, add signatures, write the envelope."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustquery.cli.output import say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.identity import Document, Envelope

__all__ = ["read_bytes", "sign_document", "sign_file", "write_new"]


def read_bytes(path: Path) -> bytes:
    """A file's bytes without surrounding white space.

    Raises:
        TrustQueryError: ``config-missing``.
    """
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead="give the path of the document") from error


def write_new(path: Path, content: bytes) -> None:
    """Write a public file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _open(path: Path, kinds: Sequence[type[Document]]) -> tuple[Document, Envelope]:
    from pydantic import ValidationError

    from trustquery.identity import Envelope

    found = read_bytes(path)
    try:
        data: Any = json.loads(found)
    except ValueError as error:
        raise TrustQueryError("auth-document", str(path), document="document", problem="it is not JSON") from error
    if isinstance(data, dict) and "payloadType" in data:
        for kind in kinds:
            if data["payloadType"] == f"application/vnd.trustquery.{kind.KIND}.v1+json":
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


def _sign(document: Document, envelope: Envelope, keys: Sequence[Path], out: Path) -> Path:
    from trustquery.identity import SigningKey

    say(f"{document.KIND}, as it will be signed:")
    say(json.dumps(document.model_dump(mode="json"), indent=2, ensure_ascii=False))
    for key_path in keys:
        key = SigningKey.load(key_path)
        envelope = envelope.with_signature(key)
        say(f"signed by key {key.key_id[:16]}…")
    write_new(out, envelope.encode())
    say(f"wrote {out} with {len(envelope.signatures)} signatures; document hash {envelope.sha256}")
    return out
