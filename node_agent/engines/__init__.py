"""Engines run a plan over prepared data and return the exact bounded vector.

In the node: ``duckdb`` (the engine), ``task`` and ``routes`` (which way each statistic takes), ``mapped``, ``rows``,
``relation_sql``, ``blocks`` and ``sql`` (its SQL), ``processes`` (the other end of the pipe). In a process of one
query: ``execute``, ``by_value``, ``workers`` and ``kernel``, forked from ``parent`` with ``columns`` in a ``sandbox``.
What goes between them: ``job`` and ``order``.
"""
