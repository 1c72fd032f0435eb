"""Projects at the centre: applications, the committee's decisions, and permits that nodes check again."""

from coordinator.projects.permits import check_use, permit_in, read_permit, state_of

__all__ = ["check_use", "permit_in", "read_permit", "state_of"]
