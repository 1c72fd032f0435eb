"""Two people look at a release before it leaves: what they sign, and what becomes of it."""

from trustquery.reviews.hearing import MOVES, Hearing, Stage
from trustquery.reviews.verdict import EXPLAINED, Reason, Review, Verdict, digest_of

__all__ = ["EXPLAINED", "MOVES", "Hearing", "Reason", "Review", "Stage", "Verdict", "digest_of"]
