"""Releases that people of the trust look at before they leave."""

from node_agent.reviews.bench import Bench
from node_agent.reviews.folder import ReviewFolder

__all__ = ["Bench", "ReviewFolder"]
