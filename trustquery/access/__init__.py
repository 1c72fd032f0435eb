"""One question, asked everywhere: may this actor do this action on this resource? With a reason; no unless said."""

from trustquery.access.roles import Held, Role
from trustquery.access.ruling import Actor, Resource, Ruling, check, may

__all__ = ["Actor", "Held", "Resource", "Role", "Ruling", "check", "may"]
