"""Merged vector to table: estimates, intervals and caveats. Post-processing costs no privacy."""

from trustquery.outputs.profiles import NONE, NOT_PROTECTION, PROFILES, Profile, profile_named, strictest
from trustquery.outputs.reading import read, read_keys
from trustquery.outputs.table import SUPPRESSED, Column, Estimate, KeyCell, Table
from trustquery.outputs.trusts import own_cells, trust_axis

__all__ = [
    "NONE",
    "NOT_PROTECTION",
    "PROFILES",
    "SUPPRESSED",
    "Column",
    "Estimate",
    "KeyCell",
    "Profile",
    "Table",
    "own_cells",
    "profile_named",
    "read",
    "read_keys",
    "strictest",
    "trust_axis",
]
