"""Bringing a trust in: an invitation, a proof of the key, words compared by telephone, a certificate."""

from coordinator.enrolment.desk import Desk

__all__ = ["Desk"]
