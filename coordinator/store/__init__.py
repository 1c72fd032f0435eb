"""Everything the coordinator keeps, in SQLAlchemy: the only package here that touches a database."""

from coordinator.store.models import AnswerRow, Invitation, NodeRow, ProjectRow, QueryRow, User
from coordinator.store.store import Store

__all__ = ["AnswerRow", "Invitation", "NodeRow", "ProjectRow", "QueryRow", "Store", "User"]
