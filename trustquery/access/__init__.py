"""One question, asked everywhere: may this actor do this action on this resource? With a reason; no unless said."""

from trustquery.access.actions import ACTIONS, Action, Reach
from trustquery.access.roles import Held, Role, parse_held
from trustquery.access.ruling import Actor, Resource, Ruling, check, clash, has_a_part, may

__all__ = [
    "ACTIONS",
    "Action",
    "Actor",
    "Held",
    "Reach",
    "Resource",
    "Role",
    "Ruling",
    "check",
    "clash",
    "has_a_part",
    "may",
    "parse_held",
]
