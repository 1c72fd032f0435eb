"""Applications and decisions on them, from the machine of whoever writes or decides.

What is signed here was decoded and checked here: the coordinator's word is not enough to sign anything.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit, SigningKey
from trustquery.projects.answers import assemble
from trustquery.projects.application import Application
from trustquery.projects.decisions import CloseDown, Decision, Verdict
from trustquery.projects.permits import begins, check_drawn_from, permit_from

if TYPE_CHECKING:
    from trustquery.client.connection import Connection

__all__ = ["Applications", "Request"]


@dataclass(frozen=True)
class Request:
    """An application as the coordinator has it.

    Attributes:
        state: a value of ``trustquery.projects.life.ApplicationState``.
        answers: question to answer, JSON data.
        missing: questions without an answer yet.
        own: whether one is on its team.
        raw: everything that the coordinator sent.
    """

    project: str
    version: int
    state: str
    answers: Mapping[str, Any]
    missing: tuple[str, ...]
    own: bool
    raw: Mapping[str, Any]

    @classmethod
    def from_reply(cls, found: Mapping[str, Any]) -> Request:
        """Read a reply."""
        return cls(
            str(found["project"]),
            int(found["version"]),
            str(found["state"]),
            found["answers"],
            tuple(found["missing"]),
            bool(found["own"]),
            found,
        )

    def submitted(self) -> Application:
        """What was signed and sent.

        Raises:
            TrustQueryError: ``auth-document``; ``project-move``: nothing was submitted.
        """
        return self._read("envelope")

    def decidable(self) -> Application:
        """What a permit would approve: what is before the committee, else what was approved last."""
        before = self.state in ("submitted", "seconded")
        return self._read("envelope" if before else "approved_envelope")

    def permit_hash(self) -> str:
        """Hash of the permit in use.

        Raises:
            TrustQueryError: ``project-move``: no permit was approved.
        """
        found = str(self.raw["permit_in_use"])
        if not found:
            raise TrustQueryError(
                "project-move", project=self.project, action="this", state=self.state, possible="wait for a permit"
            )
        return Envelope.decode(found.encode(), kind=Permit.KIND).sha256

    def _read(self, field: str) -> Application:
        envelope = str(self.raw[field]).encode()
        if not envelope:
            raise TrustQueryError(
                "project-move", project=self.project, action="read", state=self.state, possible="submit"
            )
        application = Application.read_signed(envelope)
        if application.project != self.project:
            raise TrustQueryError("auth-document", document="application", problem="it is another project's")
        return application


class Applications:
    """Writing applications, and deciding on them.

    Args:
        connection: signed in.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = connection.http

    def everyone(self) -> list[dict[str, Any]]:
        """The applications that you may read, in short."""
        return list(self._http.get("/v1/applications")["applications"])

    def get(self, project: str) -> Request:
        """One application.

        Raises:
            TrustQueryError: ``project-unknown``.
        """
        return Request.from_reply(self._http.get(f"/v1/applications/{project}"))

    def open(self, project: str) -> Request:
        """One application; started now where there is none that you may read.

        Raises:
            TrustQueryError: ``project-name-taken``.
        """
        try:
            return self.get(project)
        except TrustQueryError as error:
            if error.code != "project-unknown":
                raise
        self._http.post("/v1/applications", {"project": project})
        return self.get(project)

    def save(self, project: str, answers: Mapping[str, Any]) -> tuple[str, ...]:
        """Keep answers; returns the questions that are left.

        Raises:
            TrustQueryError: ``project-question``, ``project-answer``: then nothing was kept.
        """
        return tuple(self._http.put(f"/v1/applications/{project}/answers", {"answers": dict(answers)})["missing"])

    def draft(self, request: Request, federation: str) -> Application:
        """The application that a draft makes, to be read and signed.

        Raises:
            TrustQueryError: ``project-incomplete``, ``project-answer``.
        """
        return assemble(
            request.answers,
            federation=federation,
            project=request.project,
            version=request.version,
            previous=str(request.raw["previous"]),
            submitted=int(time.time()),
        )

    def submit(self, application: Application, key: SigningKey) -> None:
        """Sign and send."""
        self._post(application.project, "submit", application.sign(key))

    def withdraw(self, project: str) -> None:
        """Take an application back."""
        self._http.post(f"/v1/applications/{project}/withdraw", {})

    def amend(self, project: str) -> None:
        """Start an amendment."""
        self._http.post(f"/v1/applications/{project}/amend", {})

    # -- the committee -----------------------------------------------------------------------------------------------

    def permit(self, request: Request) -> tuple[Permit, Envelope]:
        """The permit to sign: the one that a colleague has signed, checked against the application; else a new one.

        Raises:
            TrustQueryError: ``auth-document``, ``project-dates``.
        """
        application = request.decidable()
        if request.raw["permit_state"] == "signing":
            envelope = Envelope.decode(str(request.raw["permit"]).encode(), kind=Permit.KIND)
            permit = Permit.from_payload(envelope.payload)
            if permit.application == application.sha256:
                check_drawn_from(permit, application)
                return permit, envelope
        permit = permit_from(application, int(request.raw["next_permit"]), begins(application, int(time.time())))
        return permit, Envelope(Permit.KIND, permit.payload(), ())

    def approve(self, project: str, envelope: Envelope) -> str:
        """Hand in a permit with one's signature; returns ``seconded`` or ``approved``."""
        return str(self._post(project, "approve", envelope)["state"])

    def decision(self, project: str, verdict: Verdict, reason: str) -> Decision:
        """A decision to sign: about the application for ``return`` and ``refuse``, else about the permit in use.

        Raises:
            TrustQueryError: ``project-unknown``, ``auth-document``.
        """
        request = self.get(project)
        about = request.permit_hash() if verdict in ("suspend", "resume") else request.submitted().sha256
        return Decision(
            federation=self._connection.federation,
            project=project,
            about=about,
            verdict=verdict,
            reason=reason,
            decided=int(time.time()),
        )

    def decide(self, decision: Decision, envelope: Envelope) -> None:
        """Hand in a signed decision."""
        if decision.verdict in ("return", "refuse"):
            self._post(decision.project, "decide", envelope)
        else:
            self._send(f"/v1/projects/{decision.project}/{decision.verdict}", envelope)

    def close(self, project: str, findings: str, outputs: Sequence[str], kept: str, key: SigningKey) -> CloseDown:
        """Close a project with a signed report."""
        report = CloseDown(
            federation=self._connection.federation,
            project=project,
            permit_hash=self.get(project).permit_hash(),
            findings=findings,
            outputs=tuple(outputs),
            kept=kept,
            closed=int(time.time()),
        )
        self._send(f"/v1/projects/{project}/close", report.sign(key))
        return report

    def _post(self, project: str, action: str, envelope: Envelope) -> dict[str, Any]:
        return self._send(f"/v1/applications/{project}/{action}", envelope)

    def _send(self, path: str, envelope: Envelope) -> dict[str, Any]:
        return self._http.post(path, {"envelope": envelope.encode().decode("ascii")})
