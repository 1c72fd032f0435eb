"""SQL text in, frozen model out; and the one table of scalar functions."""

from typing import TYPE_CHECKING, Any

__all__ = ["compile_query"]

if TYPE_CHECKING:
    from trustquery.language.compile import compile_query


def __getattr__(name: str) -> Any:
    """Load the parser only when it is used: a node compiles models, never text."""
    if name == "compile_query":
        from trustquery.language.compile import compile_query as found

        return found
    raise AttributeError(name)
