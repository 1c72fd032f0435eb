"""Datasets as declared in public: tables, columns, bounds, domains and the privacy unit."""

from trustquery.catalogue.loader import available, load, parse
from trustquery.catalogue.schema import Catalogue, Column, ColumnType, DomainValue, Role, Table, Unit

__all__ = ["Catalogue", "Column", "ColumnType", "DomainValue", "Role", "Table", "Unit", "available", "load", "parse"]
