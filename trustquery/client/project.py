"""A project as its member sees it: a permit signed by the committee, a roster signed by the root."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from trustquery.client.verify import read_permitted
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, Roster

if TYPE_CHECKING:
    from trustquery.client.connection import Connection
    from trustquery.client.inputs import InputFile
    from trustquery.client.query import Query
    from trustquery.forecast.profiles import Profiles
    from trustquery.forecast.questions import ProfileQuestion
    from trustquery.language.parameters import Parameters

__all__ = ["Project"]


@dataclass(frozen=True)
class Project:
    """One project.

    Attributes:
        state: live or ended, as the coordinator says.
        connected: nodes with a live stream at the time of asking.
    """

    connection: Connection
    permit: Permit
    roster: Roster
    state: str
    connected: tuple[str, ...]

    @classmethod
    def fetch(cls, connection: Connection, name: str) -> Project:
        """Fetch and verify.

        Raises:
            TrustQueryError: ``project-unknown``, ``auth-document``, ``policy-document-stale``, ``auth-revoked``.
        """
        found = connection.http.get(f"/v1/projects/{name}")
        roster, permit = read_permitted(connection.home, found, name)
        return cls(connection, permit, roster, str(found["state"]), tuple(found["connected"]))

    @property
    def name(self) -> str:
        """The project's name."""
        return self.permit.project

    def sql(
        self,
        sql: str,
        *,
        epsilon: float | str | Decimal | None = None,
        accuracy: float | str | None = None,
        dataset: str | None = None,
        max_groups_per_person: int | None = None,
        max_rows_per_group: int | None = None,
        max_total_per_person: float | None = None,
        expect: float | None = None,
        fresh: bool = False,
        parameters: Parameters | None = None,
        inputs: Iterable[InputFile] = (),
        unknown_keys: bool = False,
    ) -> Query:
        """Compile a question. Touches no data and spends nothing until its result is asked for.

        Args:
            sql: one SELECT.
            epsilon: privacy loss to spend at most at each trust, dimensionless, > 0.
            accuracy: instead of epsilon, how far each output may be expected to be off, as ``"±2%"`` or 0.02.
            dataset: needed only where the project has several.
            max_groups_per_person: contribution bound, cells. Where none of the three bounds is given, bounds are chosen
                from released profiles, or are the catalogue's where there are none.
            max_rows_per_group: contribution bound, rows per cell.
            max_total_per_person: contribution bound of each sum, over all cells, in its own unit.
            expect: rows (or people) that you expect in a typical cell, where you know better than profiles.
            fresh: draw and charge again, even for a question that was asked before.
            parameters: a value for each ``$name`` of the text; a list for ``IN ($name)``.
            inputs: public tables: approved ones by name, ``"my_list"`` or ``"my_list@2"``; or files, CSV or JSON,
                ``"name=file"``, ``"./file"``, or tables that were read, whose very content was approved.
            unknown_keys: let one coded key without a public list of values be found in the data; costs a delta of 1e-9
                at each trust besides.

        Raises:
            TrustQueryError: ``query-…``, each with its place in the text; ``project-dataset-not-permitted``.
        """
        from trustquery.client.inputs import read_inputs
        from trustquery.client.query import Query
        from trustquery.forecast.accuracy import read_accuracy
        from trustquery.question.compiled import Question, named
        from trustquery.question.wish import Limits, Wish

        chosen = self._dataset(dataset)
        catalogue = self.connection.dataset(chosen)
        wish = Wish(
            _decimal(epsilon) if epsilon is not None else None,
            read_accuracy(accuracy) if isinstance(accuracy, str) else accuracy,
            expect,
            Limits(max_groups_per_person, max_rows_per_group, max_total_per_person),
        )
        question = Question.compile(
            sql,
            catalogue,
            wish,
            trusts=named(self.roster),
            public=read_inputs(inputs, catalogue, self.connection.inputs().use),
            parameters=parameters or {},
            unknown_keys=unknown_keys,
            profiles=self.profiles(chosen),
        )
        return Query(self, question, fresh)

    def review_seconds(self, query_hash: str) -> int | None:
        """Seconds after a question's own deadline at which its result is shown, because output checkers look at it
        first; None where nobody does. 0: they would, and the federation sets no time for it.

        Args:
            query_hash: of the question.

        Raises:
            TrustQueryError: ``project-unknown``.
        """
        found = self.connection.http.get(f"/v1/projects/{self.name}", question=query_hash)["review"]
        return int(found["seconds"]) if found is not None else None

    def profiles(self, dataset: str | None = None) -> Profiles:
        """Released profiles of a dataset, whoever asked for them: each verified here. Spends nothing.

        One that does not verify is left out, with a ``ProfileIgnoredWarning``.

        Args:
            dataset: needed only where the project has several.

        Raises:
            TrustQueryError: ``project-…``.
        """
        from trustquery.client.profiles import fetch_profiles, warn

        found = fetch_profiles(self, self._dataset(dataset))
        warn(found)
        return found.profiles

    def ask_profile(self, question: ProfileQuestion, *, dataset: str | None = None) -> Query:
        """A profile question as a query; ``run()`` asks it. Where the trusts' policies have a cap for profiles, neither
        this project nor you are charged.

        Args:
            question: one of ``trustquery.forecast.questions.profile_questions``.

        Raises:
            TrustQueryError: ``usage-invalid``: there is no such question.
        """
        from trustquery.client.profiles import ask_profile

        return ask_profile(self, question, self._dataset(dataset))

    def _dataset(self, dataset: str | None) -> str:
        """The dataset meant.

        Raises:
            TrustQueryError: ``usage-invalid``, ``project-dataset-not-permitted``.
        """
        if dataset is None and len(self.permit.datasets) > 1:
            raise TrustQueryError(
                "usage-invalid", place="dataset", problem=f"say which dataset: {', '.join(self.permit.datasets)}"
            )
        chosen = dataset or self.permit.datasets[0]
        if chosen not in self.permit.datasets:
            raise TrustQueryError("project-dataset-not-permitted", project=self.name, dataset=chosen)
        return chosen

    def budget(self) -> dict[str, Any]:
        """What this project was charged at each trust, according to the answers they signed."""
        return self.connection.http.get(f"/v1/projects/{self.name}/budget")


def _decimal(value: float | str | Decimal) -> Decimal:
    """Epsilon as people write it: 0.1 is 0.1, not the nearest binary fraction."""
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise TrustQueryError("query-epsilon", "epsilon", limit=100) from error
    if not found.is_finite():
        raise TrustQueryError("query-epsilon", "epsilon", limit=100)
    return found
