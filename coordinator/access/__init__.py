"""Who somebody is at this moment, and who has a part in what: what ``trustquery.access`` is asked about."""

from coordinator.access.actors import actor_of
from coordinator.access.parts import project_resource, release_resource

__all__ = ["actor_of", "project_resource", "release_resource"]
