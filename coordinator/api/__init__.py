"""HTTPS and JSON for analysts and governance; enrolment of nodes."""

from coordinator.api.app import make_app

__all__ = ["make_app"]
