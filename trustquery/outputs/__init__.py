"""Merged vector to table: estimates, intervals and caveats. Post-processing costs no privacy."""

from trustquery.outputs.reading import read, read_keys
from trustquery.outputs.table import Column, Estimate, KeyCell, Table

__all__ = ["Column", "Estimate", "KeyCell", "Table", "read", "read_keys"]
