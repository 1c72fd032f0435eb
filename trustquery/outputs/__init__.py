"""Merged vector to table: estimates, intervals and caveats. Post-processing costs no privacy."""

from trustquery.outputs.reading import read, read_keys
from trustquery.outputs.table import Column, Estimate, KeyCell, Table
from trustquery.outputs.trusts import own_cells, trust_axis

__all__ = ["Column", "Estimate", "KeyCell", "Table", "own_cells", "read", "read_keys", "trust_axis"]
