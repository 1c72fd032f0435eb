"""The sum of the nodes' vectors, and the result that says who answered."""

from coordinator.merge.result import merge, missing_because

__all__ = ["merge", "missing_because"]
