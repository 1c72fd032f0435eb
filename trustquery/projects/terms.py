"""The terms that every applicant agrees to; an application names them by their hash."""

from __future__ import annotations

import hashlib
from importlib import resources

__all__ = ["terms_sha256", "terms_text"]


def terms_text() -> str:
    """The terms, in Markdown."""
    return (resources.files("trustquery.projects") / "terms.md").read_text(encoding="utf-8")


def terms_sha256() -> str:
    """Hash of the terms as they ship, hexadecimal."""
    return hashlib.sha256(terms_text().encode()).hexdigest()
