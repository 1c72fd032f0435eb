"""What output checkers of a federation are shown of a merged result, and the hash by which their verdicts name it.

The coordinator makes it from what it holds, the checker's own machine from what the trusts signed. Both must come to
the same hash: a verdict is on the table that its signer's machine read, and on no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trustquery.model import Query
from trustquery.model.post import NO_POST
from trustquery.reviews.verdict import digest_of

__all__ = ["REVIEWED_BY", "every_cell", "table_digest"]

REVIEWED_BY = ("two output checkers",)
"""Who looked at it, as results, the criteria's record and the public log say it: roles, never names."""


def every_cell(query: Query) -> Query:
    """The same question without what it filters, sorts or cuts afterwards: every cell leaves in the vectors, so a
    reviewer sees every cell."""
    return replace(query, post=NO_POST, inputs=query.read_inputs)


def table_digest(table: Mapping[str, Any], cells: Mapping[str, Any]) -> str:
    """The hash of what is shown.

    Args:
        table: the result as its project would see it, under its disclosure profile, with the criteria's record.
        cells: every cell of it, under the same profile.
    """
    shown = {"table": table, "cells": cells}
    return digest_of(json.dumps(shown, ensure_ascii=False, sort_keys=True).encode())
