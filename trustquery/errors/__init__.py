"""The one catalogue of error codes, and the one exception that carries them."""

from trustquery.errors.catalogue import CATALOGUE, Audience, Entry, Exit
from trustquery.errors.exceptions import Problem, Problems, TrustQueryError, nearest

__all__ = ["CATALOGUE", "Audience", "Entry", "Exit", "Problem", "Problems", "TrustQueryError", "nearest"]
