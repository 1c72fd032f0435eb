"""How one trust's node is set up, as the assessment and the notice tell it: configuration, policy, projects, data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node_agent.config import NodeConfig
from node_agent.reports.evidence import Known
from trustquery.catalogue import Catalogue
from trustquery.policy import Policy
from trustquery.policy.data import DatasetRule

__all__ = ["ROLES", "Columns", "Dataset", "Setting", "dataset_of"]

ROLES = {
    "person-key": "tell people apart, joined and counted inside the trust only",
    "dimension": "figures may be grouped by them",
    "measure": "computed with, and grouped in bands only",
    "join-only": "match rows of one person, never seen",
    "forbidden": "never read for any question",
}
"""What a column may be used for, by its role."""


@dataclass(frozen=True)
class Columns:
    """Columns of one role, written ``table.column``."""

    role: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """One dataset that this node serves.

    Attributes:
        answered: whether the policy in force answers about it; where it does not, every column is forbidden.
        columns: by role, as the catalogue and the policy together have it.
        max_trusts: at how many trusts one patient may be seen, as declared.
    """

    id: str
    title: str
    description: str
    form: str
    answered: bool
    columns: tuple[Columns, ...]
    max_trusts: int

    def named(self, role: str) -> tuple[str, ...]:
        """The columns of one role."""
        return next((item.names for item in self.columns if item.role == role), ())


def dataset_of(catalogue: Catalogue, form: str, rule: DatasetRule | None) -> Dataset:
    """A dataset as the catalogue has it and the policy allows it.

    Args:
        form: of its files, such as ``csv``.
        rule: the policy's; None where it says nothing of this dataset.
    """
    by_role: dict[str, list[str]] = {role: [] for role in ROLES}
    for table in catalogue.tables:
        for column in table.columns:
            role = column.role.value
            uses = rule.uses(table.name, column.name, role) if rule is not None else frozenset[str]()
            by_role[_role_here(role, uses)].append(f"{table.name}.{column.name}")
    columns = tuple(Columns(role, tuple(names)) for role, names in by_role.items() if names)
    return Dataset(
        catalogue.id,
        catalogue.title,
        catalogue.description,
        form,
        rule is not None,
        columns,
        catalogue.unit.max_trusts,
    )


def _role_here(role: str, uses: Iterable[str]) -> str:
    """A column's role at this trust: the catalogue's, or what the policy leaves of it."""
    found = frozenset(uses)
    if not found:
        return "forbidden"
    if role == "person-key":
        return role
    if "key" in found:
        return "dimension"
    return "measure" if "value" in found else "join-only"


@dataclass(frozen=True)
class Setting:
    """Everything that the assessment and the notice are made of.

    Attributes:
        coordinator: where answers are sent, host and port.
        policy: in force; None where there is none.
        people: names of the governance people.
        projects: whose permits are kept here, by name.
        now: seconds since 1970.
        log_bytes: most that the local logs hold.
    """

    config: NodeConfig
    node: str
    federation: str
    coordinator: str
    policy: Policy | None
    people: tuple[str, ...]
    datasets: tuple[Dataset, ...]
    projects: tuple[Known, ...]
    now: int
    log_bytes: int

    @property
    def trust(self) -> str:
        """The trust's name as people write it."""
        return self.config.node.name

    @property
    def accepted(self) -> tuple[Known, ...]:
        """Projects that this trust answers now."""
        return tuple(
            item
            for item in self.projects
            if item.acceptance is not None and self.now < min(item.acceptance.expires, item.permit.expires)
        )

    @property
    def treatments(self) -> tuple[str, ...]:
        """How opt-outs are treated by the accepted projects, or may be by the policy where there is none."""
        found = {item.permit.opt_out_treatment for item in self.accepted}
        if not found and self.policy is not None:
            found = set(self.policy.queries.opt_out_treatments)
        return tuple(sorted(found))
