"""The frozen query as data: what is meant, apart from how it was written and how it is run."""

from trustquery.model.nodes import (
    Aggregate,
    AggregateRef,
    Call,
    ColumnRef,
    Expression,
    Filter,
    Join,
    Key,
    KeyRef,
    Literal,
    Output,
    OutputCall,
    Relation,
    Scan,
)
from trustquery.model.query import MODEL_FORMAT, Query

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
