"""The catalogues that this federation offers: for now, those that ship with the package."""

from __future__ import annotations

from trustquery.catalogue import Catalogue, available, load

__all__ = ["load_all"]


def load_all() -> dict[str, Catalogue]:
    """Every shipped catalogue by id."""
    return {name: load(name) for name in available()}
