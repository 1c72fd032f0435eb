"""A BagIt bag (RFC 8493) in a ZIP archive: the same files always give the same bytes."""

from __future__ import annotations

import hashlib
import io
import uuid
import zipfile
from collections.abc import Mapping

__all__ = ["bag"]

_EPOCH = (1980, 1, 1, 0, 0, 0)


def bag(name: str, files: Mapping[str, bytes], *, subject: str, day: str, about: str) -> bytes:
    """Put a payload into a bag.

    Args:
        name: of the only folder at the top.
        files: payload by path, relative to ``data/``.
        subject: what the bag is of; its UUID is made from it, so that the same thing keeps the same identifier.
        day: 2026-09-21.
        about: a line for people.
    """
    payload = {f"data/{path}": content for path, content in sorted(files.items())}
    size = sum(map(len, payload.values()))
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:trustquery:{subject}").urn
    info = {
        "External-Identifier": identifier,
        "Bagging-Date": day,
        "Payload-Oxum": f"{size}.{len(payload)}",
        "External-Description": " ".join(about.split()),
    }
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": "".join(f"{key}: {value}\n" for key, value in info.items()).encode(),
        "manifest-sha512.txt": _manifest(payload),
    }
    tags["tagmanifest-sha512.txt"] = _manifest(tags)
    out = io.BytesIO()
    # Stored, not compressed: compressed bytes differ from one zlib to the next.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, content in (tags | payload).items():
            entry = zipfile.ZipInfo(f"{name}/{path}", _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()


def _manifest(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha512(content).hexdigest()}  {path}\n" for path, content in files.items()).encode()
