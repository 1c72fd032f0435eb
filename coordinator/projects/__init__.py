"""Projects: permits that two people of the data access committee signed."""

from coordinator.projects.permits import check_use, read_permit, verify_permit

__all__ = ["check_use", "read_permit", "verify_permit"]
