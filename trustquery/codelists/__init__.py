"""Public tables: codelists, calendars, populations. Versioned, pinned by hash in every model that reads one."""

from trustquery.codelists.files import read_table, split_name
from trustquery.codelists.shipped import shipped
from trustquery.codelists.table import Pin, PublicColumn, PublicTable, PublicTables

__all__ = ["Pin", "PublicColumn", "PublicTable", "PublicTables", "read_table", "shipped", "split_name"]
