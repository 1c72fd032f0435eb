"""Applications as their team writes them: saved as they grow, signed by a lead, taken back, amended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.projects.desks import OVER, Desk, check_time, drop_signing, newest, not_so
from coordinator.store import ApplicationRow
from trustquery.errors import TrustQueryError
from trustquery.projects.answers import missing, read_answers
from trustquery.projects.application import Application
from trustquery.projects.life import ApplicationState, ProjectState, application_after
from trustquery.projects.questions import Question
from trustquery.projects.terms import terms_sha256

__all__ = ["EDITABLE", "WritingDesk"]

EDITABLE = frozenset({ApplicationState.DRAFT, ApplicationState.RETURNED})
"""States in which answers can be changed."""


@dataclass(frozen=True)
class WritingDesk(Desk):
    """Where applications are written."""

    def start(self, project: str, person: str) -> None:
        """Start a project's first application.

        Args:
            person: who starts it.

        Raises:
            TrustQueryError: ``project-name-taken``.
        """
        with self.store.projects.change(project, self.clock()) as change:
            if change.applications() or change.project() is not None:
                raise TrustQueryError("project-name-taken", project=project)
            change.add(self._draft(project, 1, person, {}))
            change.note("start", person, "An application was started.", public=False)

    def amend(self, project: str, person: str) -> None:
        """Start an amendment: a new draft that begins with what was approved last.

        Raises:
            TrustQueryError: ``project-move``: nothing was approved, or an application is still open.
        """
        with self.store.projects.change(project, self.clock()) as change:
            rows = change.applications()
            approved = [row for row in rows if row.state == ApplicationState.APPROVED]
            row = change.project()
            closed = row is None or row.state == ProjectState.CLOSED
            if not approved or closed or rows[-1].state not in {ApplicationState.APPROVED, *OVER}:
                raise TrustQueryError(
                    "project-move",
                    project=project,
                    action="amend",
                    state="closed" if closed else rows[-1].state,
                    possible="finish the application that is open" if not closed else "apply for a new project",
                )
            answers = json.loads(approved[-1].answers)
            # Whoever amends agrees to the terms as they are now.
            answers.pop("terms", None)
            change.add(self._draft(project, rows[-1].version + 1, person, answers))
            change.note("start", person, "An amendment was started.", public=False)

    def _draft(self, project: str, version: int, person: str, answers: Mapping[str, Any]) -> ApplicationRow:
        return ApplicationRow(
            project=project,
            version=version,
            state=ApplicationState.DRAFT,
            applicant=person,
            answers=json.dumps(answers),
            updated=self.clock(),
        )

    def save(self, project: str, person: str, answers: Mapping[str, Any]) -> tuple[Question, ...]:
        """Keep answers of a draft; None takes one back.

        Returns:
            The questions that still need an answer.

        Raises:
            TrustQueryError: ``project-move``, ``project-question``, ``project-answer``; then nothing was kept.
        """
        given = read_answers({name: value for name, value in answers.items() if value is not None})
        with self.store.projects.change(project, self.clock()) as change:
            row = newest(change, project)
            if row.state not in EDITABLE:
                raise TrustQueryError(
                    "project-move", project=project, action="edit", state=row.state, possible="withdraw, then amend"
                )
            kept = {**json.loads(row.answers), **given}
            kept = {name: value for name, value in kept.items() if name not in answers or answers[name] is not None}
            row.answers, row.updated = json.dumps(kept), self.clock()
            change.note("edit", person, f"Answered: {', '.join(sorted(answers))}.", public=False)
        return missing(kept)

    def submit(self, project: str, person: str, envelope: bytes) -> Application:
        """Take in a signed application.

        Raises:
            TrustQueryError: ``auth-document``: it is not signed by a lead on its own team, or not what the draft says;
                ``project-move``.
        """
        application = Application.read_signed(envelope)
        now = self.clock()
        with self.store.projects.change(project, now) as change:
            rows = change.applications()
            row = newest(change, project)
            after = application_after(ApplicationState(row.state), "submit", project)
            earlier = [item for item in rows if item.state == ApplicationState.APPROVED]
            wanted = {
                "federation": self.federation,
                "project": project,
                "version": row.version,
                "previous": earlier[-1].sha256 if earlier else "",
                "terms": terms_sha256(),
            }
            for name, value in wanted.items():
                if getattr(application, name) != value:
                    raise not_so("application", f"its {name} is not what it should be")
            answers = json.loads(row.answers)
            if missing(answers):
                raise not_so("application", "its draft is not complete")
            signed = application.model_dump(mode="json")
            if any(signed[name] != value for name, value in answers.items()):
                raise not_so("application", "it does not say what the draft says; fetch the draft again and sign that")
            check_time("application", application.submitted, now)
            row.state, row.envelope, row.sha256, row.updated = after, envelope, application.sha256, now
            change.note("submit", person, "The application was submitted to the committee.", public=False)
        return application

    def withdraw(self, project: str, person: str) -> None:
        """Take an application back; its record stays.

        Raises:
            TrustQueryError: ``project-move``.
        """
        with self.store.projects.change(project, self.clock()) as change:
            row = newest(change, project)
            row.state = application_after(ApplicationState(row.state), "withdraw", project)
            row.updated = self.clock()
            drop_signing(change)
            change.note("withdraw", person, "The application was withdrawn.", public=False)
