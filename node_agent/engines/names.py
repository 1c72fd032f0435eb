"""Names of the columns that preparing adds to every table about people."""

from __future__ import annotations

__all__ = ["COUNT", "ORDER", "PERSON", "H", "U"]

PERSON = "_p"
"""The person's dense index."""
U, H = "_u", "_h"
"""The rank (formats.md, "Rank")."""
ORDER = "_r"
"""The row's position among the person's, by rank, from 1."""
COUNT = "_n"
"""How many rows the person has in the table."""
