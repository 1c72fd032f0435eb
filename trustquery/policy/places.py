"""Where each key of a TOML text stands: line and column, which ``tomllib`` does not tell.

Reads only text that ``tomllib`` has accepted, so it may take the grammar for granted: it finds keys, and skips values.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

__all__ = ["nearest_place", "places_of", "syntax_place"]

Position = tuple[int, int]
Path = tuple[int | str, ...]
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PLAIN = re.compile(r"[^,\]}\r\n#]*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""+', re.DOTALL),
    re.compile(r"'''.*?'''+", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_ESCAPES = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(["\\bfnrte]))')
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


def path_text(path: Path) -> str:
    """A path as errors write it: entries of a list count from 1."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.found: dict[Path, int] = {}
        self.entries: dict[Path, int] = {}

    def skip(self) -> None:
        matched = _SPACE.match(self.text, self.at)
        self.at = matched.end() if matched else self.at

    def take(self, *tokens: str) -> str:
        """The first of these tokens that stands here, passed; "" where none does."""
        token = next((item for item in tokens if self.text.startswith(item, self.at)), "")
        self.at += len(token)
        return token

    def string(self) -> str | None:
        for pattern in _STRINGS:
            matched = pattern.match(self.text, self.at)
            if matched:
                self.at = matched.end()
                return matched.group()
        return None

    def keys(self) -> list[tuple[str, int]]:
        """A dotted key: each part with where it stands."""
        parts = []
        while True:
            self.skip()
            start = self.at
            quoted = self.string()
            if quoted is not None:
                parts.append((_unescape(quoted), start))
            else:
                matched = _BARE.match(self.text, self.at)
                if matched is None:
                    raise ValueError("no key")
                self.at = matched.end()
                parts.append((matched.group(), start))
            self.skip()
            if not self.take("."):
                return parts

    def document(self) -> None:
        base: Path = ()
        self.skip()
        while self.at < len(self.text):
            bracket = self.take("[[", "[")
            if bracket:
                base = self.header(bracket == "[[")
            else:
                self.pair(base)
            self.skip()

    def header(self, entry: bool) -> Path:
        parts = self.keys()
        path: Path = ()
        for place, (name, start) in enumerate(parts):
            path = (*path, name)
            self.found.setdefault(path, start)
            if entry and place == len(parts) - 1:
                self.entries[path] = self.entries.get(path, 0) + 1
            if path in self.entries:
                path = (*path, self.entries[path] - 1)
                self.found.setdefault(path, start)
        self.take("]]" if entry else "]")
        return path

    def pair(self, base: Path) -> None:
        path = base
        for name, start in self.keys():
            path = (*path, name)
            self.found.setdefault(path, start)
        self.take("=")
        self.value(path)

    def value(self, path: Path) -> None:
        self.skip()
        if self.take("["):
            for number in self.items("]"):
                self.found.setdefault((*path, number), self.at)
                self.value((*path, number))
        elif self.take("{"):
            for _ in self.items("}"):
                self.pair(path)
        elif self.string() is None:
            matched = _PLAIN.match(self.text, self.at)
            self.at = matched.end() if matched else self.at

    def items(self, end: str) -> Iterator[int]:
        number = 0
        while True:
            self.skip()
            if self.take(end):
                return
            before = self.at
            yield number
            number += 1
            self.skip()
            self.take(",")
            if self.at == before:
                raise ValueError("no progress")


def _unescape(quoted: str) -> str:
    inner = quoted[1:-1]
    if quoted[0] == "'":
        return inner
    short = {'"': '"', "\\": "\\", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "e": "\x1b"}
    return _ESCAPES.sub(lambda found: short[found[3]] if found[3] else chr(int(found[1] or found[2], 16)), inner)


def places_of(text: str) -> Mapping[str, Position]:
    """Each key's place, written as in errors (``dataset[1].id``), to its line and column, both from 1.

    Where the text is not TOML, what was found before the fault.
    """
    reader = _Reader(text)
    with contextlib.suppress(ValueError, IndexError, RecursionError):
        reader.document()
    return {path_text(path): _position(text, start) for path, start in reader.found.items()}


def _position(text: str, start: int) -> Position:
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1


def nearest_place(places: Mapping[str, Position], place: str) -> Position:
    """Where a key stands; for one that is missing, where the part stands that should hold it."""
    while place and place not in places:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return places.get(place, (1, 1))


def syntax_place(message: str) -> Position | None:
    """The line and column that a message of ``tomllib`` names."""
    found = _AT.search(message)
    return (int(found[1]), int(found[2])) if found else None
