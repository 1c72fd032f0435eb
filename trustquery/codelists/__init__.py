"""Public tables: codelists, calendars, populations. Versioned, pinned by hash in every model that reads one."""

from trustquery.codelists.checking import InputReport, check_input
from trustquery.codelists.files import read_table, split_name
from trustquery.codelists.shipped import shipped
from trustquery.codelists.systems import SYSTEMS, CodingSystem
from trustquery.codelists.table import Pin, PublicColumn, PublicTable, PublicTables

__all__ = [
    "SYSTEMS",
    "CodingSystem",
    "InputReport",
    "Pin",
    "PublicColumn",
    "PublicTable",
    "PublicTables",
    "check_input",
    "read_table",
    "shipped",
    "split_name",
]
