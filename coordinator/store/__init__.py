"""Everything the coordinator keeps, in SQLAlchemy: the only package here that touches a database."""

from coordinator.store.models import (
    AnswerRow,
    ApplicationRow,
    DecisionRow,
    InputEventRow,
    InputRow,
    Invitation,
    NodeRow,
    PermitRow,
    ProjectEventRow,
    ProjectRow,
    QueryRow,
    ReleaseEventRow,
    StanceRow,
    User,
)
from coordinator.store.roles import Standing
from coordinator.store.store import Store

__all__ = [
    "AnswerRow",
    "ApplicationRow",
    "DecisionRow",
    "InputEventRow",
    "InputRow",
    "Invitation",
    "NodeRow",
    "PermitRow",
    "ProjectEventRow",
    "ProjectRow",
    "QueryRow",
    "ReleaseEventRow",
    "StanceRow",
    "Standing",
    "Store",
    "User",
]
