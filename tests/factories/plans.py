"""Small plans for tests that need a vector but no query."""

from trustquery.model.terms import Bound
from trustquery.planning.plan import Axis, Block, Plan, PlanOutput
from trustquery.privacy.budget import charge_nano, l2_squared, sigma_units

__all__ = ["count_plan"]


def count_plan(*, cells: int = 5, rho_nano: int = 13_000_000, groups: int = 1, rows: int = 1) -> Plan:
    """One count over ``cells`` cells (at least 3, for the two extra ones)."""
    assert cells >= 3
    squared = l2_squared(groups, rows, 1)
    sigma = sigma_units(squared, rho_nano)
    block = Block(
        "b0", "count", 0, 0, cells, 0, 1, 1, Bound("rows", groups, rows), squared, charge_nano(squared, sigma), sigma
    )
    axis = Axis("band", "integer", tuple(range(cells - 2)))
    return Plan((axis,), (block,), (PlanOutput("band", {"key": 0}), PlanOutput("n", {"block": "b0"})))
