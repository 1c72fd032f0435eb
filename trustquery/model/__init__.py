"""The frozen query as data: what is meant, apart from how it was written and how it is run."""

from trustquery.model.nodes import (
    Aggregate,
    AggregateRef,
    Call,
    ColumnRef,
    Expression,
    Key,
    KeyRef,
    Literal,
    Output,
    OutputCall,
)
from trustquery.model.query import MODEL_FORMAT, Query
from trustquery.model.relations import Filter, Join, Relation, Scan

__all__ = [
    "MODEL_FORMAT",
    "Aggregate",
    "AggregateRef",
    "Call",
    "ColumnRef",
    "Expression",
    "Filter",
    "Join",
    "Key",
    "KeyRef",
    "Literal",
    "Output",
    "OutputCall",
    "Query",
    "Relation",
    "Scan",
]
