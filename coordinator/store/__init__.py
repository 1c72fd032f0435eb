"""Everything the coordinator keeps, in SQLAlchemy: the only package here that touches a database."""

from coordinator.store.engine import StoreAwayError
from coordinator.store.fleet import SharedFleet
from coordinator.store.identity_models import FlowRow
from coordinator.store.models import (
    AdmissionRow,
    AnswerRow,
    ApplicationRow,
    CriteriaRow,
    DecisionRow,
    InputEventRow,
    InputRow,
    Invitation,
    NodeEventRow,
    NodeRow,
    PermitRow,
    ProjectEventRow,
    ProjectRow,
    QueryRow,
    ReleaseEventRow,
    ReviewRow,
    ReviewVerdictRow,
    StanceRow,
    User,
)
from coordinator.store.roles import Standing
from coordinator.store.sessions import LiveSession
from coordinator.store.store import Store

__all__ = [
    "AdmissionRow",
    "AnswerRow",
    "ApplicationRow",
    "CriteriaRow",
    "DecisionRow",
    "FlowRow",
    "InputEventRow",
    "InputRow",
    "Invitation",
    "LiveSession",
    "NodeEventRow",
    "NodeRow",
    "PermitRow",
    "ProjectEventRow",
    "ProjectRow",
    "QueryRow",
    "ReleaseEventRow",
    "ReviewRow",
    "ReviewVerdictRow",
    "SharedFleet",
    "StanceRow",
    "Standing",
    "Store",
    "StoreAwayError",
    "User",
]
