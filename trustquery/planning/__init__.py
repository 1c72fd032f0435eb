"""Model to plan: cells, sensitivity, charge and forecast, before any data are read."""

from trustquery.planning.compiler import compile_plan
from trustquery.planning.explain import Explanation, explain
from trustquery.planning.plan import PLAN_FORMAT, Axis, Block, Plan, PlanOutput

__all__ = [
    "PLAN_FORMAT",
    "Axis",
    "Block",
    "Explanation",
    "Plan",
    "PlanOutput",
    "compile_plan",
    "explain",
]
