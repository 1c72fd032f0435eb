"""The files that pages load, all from us. Their address has a hash of them all in it, so a browser may keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

__all__ = ["PREFIX", "StaticFile", "address", "find", "version"]

PREFIX = "/static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class StaticFile:
    """One file as it is sent."""

    body: bytes
    kind: str


def _walk(folder: Traversable, under: str = "") -> dict[str, StaticFile]:
    found: dict[str, StaticFile] = {}
    for item in folder.iterdir():
        name = under + item.name
        if item.is_dir():
            found |= _walk(item, f"{name}/")
        elif (kind := _KINDS.get("." + name.rpartition(".")[2])) is not None:
            found[name] = StaticFile(item.read_bytes(), kind)
    return found


@cache
def _files() -> Mapping[str, StaticFile]:
    return dict(sorted(_walk(resources.files("trustquery.web") / "static").items()))


@cache
def version() -> str:
    """Twelve hex digits that change whenever a file does."""
    digest = hashlib.sha256()
    for name, file in _files().items():
        digest.update(f"{name} {len(file.body)}\n".encode() + file.body)
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where a page finds a file.

    Raises:
        KeyError: there is no such file.
    """
    if name not in _files():
        raise KeyError(name)
    return f"{PREFIX}/{version()}/{name}"


def find(wanted: str, name: str) -> StaticFile | None:
    """The file at an address; None for another version's, which must not be kept as this one's."""
    return _files().get(name) if wanted == version() else None
