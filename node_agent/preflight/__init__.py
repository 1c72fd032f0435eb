"""Whether this machine and its network are ready: one small function a check, each with its outcomes declared.

No check reads a row, counts anything of the data, or takes longer than its time.
"""

from node_agent.preflight.checks import CHECKS
from node_agent.preflight.results import Check, Outcome, Result, run_checks
from node_agent.preflight.world import World, look

__all__ = ["CHECKS", "Check", "Outcome", "Result", "World", "look", "run_checks"]
