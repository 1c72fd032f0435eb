"""Forms: what comes in, what goes back into the fields, and what makes a form ours."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

__all__ = ["LARGEST", "MARK", "Fields", "Form", "foreign", "form_mark", "read_form"]

MARK = "mark"
"""Name of the hidden field that every form of a session carries."""
_KIND = "application/x-www-form-urlencoded"
LARGEST = 256 * 1024
MOST_FIELDS = 200

Form = dict[str, str]
"""A form's fields as they came, each once."""


def read_form(content_type: str, body: bytes, *, largest: int = LARGEST) -> Form:
    """A form's fields.

    Raises:
        ValueError: it is of another kind (text/plain and JSON too, which other sites can send), too long, not UTF-8,
            or names a field twice.
    """
    if content_type.partition(";")[0].strip().lower() != _KIND or len(body) > largest:
        raise ValueError("this is no form")
    items = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MOST_FIELDS)
    found = dict(items)
    if len(found) != len(items):
        raise ValueError("a field comes twice")
    return found


def form_mark(token: str) -> str:
    """What forms of a session carry, made from its token: no other site can read a page of ours and so know it."""
    return hmac.new(token.encode(), b"trustquery form", hashlib.sha256).hexdigest()


def foreign(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser says that a request was begun by another site's page.

    Args:
        headers: by lower-case name.
        host: the host, and port where it is unusual, that this service is reached at.
    """
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    # Where a page names no referrer, Origin is "null" although it is our own; browsers of that kind send the other one.
    return site not in ("same-origin", "none") if site else origin not in ("", f"https://{host}")


@dataclass
class Fields:
    """What a form shows: values that were typed, and what is wrong with them.

    Attributes:
        values: by field's name.
        errors: by field's name, in the order of the page; the same words stand above and beside the field.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """What stands in the field."""
        return self.values.get(name, "")

    def need(self, name: str, words: str) -> str:
        """The field's text without spaces around it; where there is none, ``words`` are its error."""
        text = self.value(name).strip()
        if not text:
            self.errors.setdefault(name, words)
        return text
