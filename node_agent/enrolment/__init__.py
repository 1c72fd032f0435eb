"""Joining the federation, and what it left on disk."""

from node_agent.enrolment.startup import Startup, load_startup

__all__ = ["Startup", "load_startup"]
