"""Model to plan: cells, sensitivity and charge, before any data are read."""

from trustquery.planning.compiler import compile_plan
from trustquery.planning.plan import PLAN_FORMAT, Axis, Block, Plan, PlanOutput

__all__ = [
    "PLAN_FORMAT",
    "Axis",
    "Block",
    "Plan",
    "PlanOutput",
    "compile_plan",
]
