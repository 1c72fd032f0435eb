"""Where inputs come in and a second person decides on them. What is in an upload is read again here, from its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from coordinator.access import project_resource
from coordinator.projects.desks import Desk, check_time, not_so
from coordinator.store import InputRow
from coordinator.store.inputs import InputChange
from trustquery.access import Resource, has_a_part
from trustquery.codelists import CodingSystem, Pin, PublicTable, check_input, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.projects.inputs import InputDecision, InputState, InputVerdict, input_after, read_decision

__all__ = ["InputDesk", "Upload", "require_approved"]


_DONE = {
    "approve": "approved it", "refuse": "refused it; its content was deleted", "withdraw": "withdrew it",
}  # fmt: skip


@dataclass(frozen=True)
class Upload:
    """A file as it came, and what its uploader says that it is.

    Attributes:
        person: who uploads; ``key`` of their account, hexadecimal.
        file: its name, for messages.
    """

    project: str
    person: str
    key: str
    name: str
    version: int
    system: CodingSystem
    column: str
    file: str
    content: bytes


def require_approved(pins: Iterable[Pin], approved: Iterable[PublicTable]) -> tuple[PublicTable, ...]:
    """The tables of these pins that do not ship, each of them approved.

    Raises:
        TrustQueryError: ``query-input-unapproved``, for each that is not.
    """
    at_hand, ships = {table.pin: table for table in approved}, {table.pin for table in shipped()}
    wanted = [pin for pin in pins if pin not in ships]
    absent = [
        TrustQueryError("query-input-unapproved", table=pin.id, version=pin.words, name=pin.id).problem
        for pin in wanted
        if pin not in at_hand
    ]
    if absent:
        raise TrustQueryError.of(absent)
    return tuple(at_hand[pin] for pin in wanted)


@dataclass(frozen=True)
class InputDesk(Desk):
    """Uploads, and what becomes of them."""

    def upload(self, given: Upload) -> InputRow:
        """Check a file and keep it as the next version of its name; the same content again is the version it was.

        Raises:
            TrustQueryError: ``query-input-invalid``: every problem, with its line; ``query-input-version``,
                ``query-input-taken``, ``query-input-move``.
        """
        report = check_input(
            given.content, given.file, system=given.system, column=given.column, name=given.name, version=given.version
        )
        table = report.table
        if shipped().get(table.id) is not None:
            raise TrustQueryError("query-input-invalid", given.file, reason=f"a table called {table.id} ships")
        content = hashlib.sha256(canonical.encode(table.document() | {"version": 0})).hexdigest()
        with self.store.inputs.change(table.id, self.clock()) as change:
            rows = change.versions()
            if rows and rows[0].project != given.project:
                raise TrustQueryError("query-input-taken", table=table.id)
            same = next((row for row in rows if row.content == content), None)
            if same is not None:
                return self._again(same, report.system, report.column)
            expected = rows[-1].version + 1 if rows else 1
            if table.version != expected:
                raise TrustQueryError("query-input-version", table=table.id, version=table.version, next=expected)
            row = InputRow(
                name=table.id,
                version=table.version,
                sha256=table.sha256,
                content=content,
                system=report.system.value,
                column=report.column,
                rows=len(table.rows),
                project=given.project,
                uploader=given.person,
                uploader_key=given.key,
                state=InputState.UPLOADED.value,
                updated=change.now,
            )
            change.add(row, canonical.encode(table.document()))
            said = "; ".join(report.notes)
            change.note(row, "upload", given.person, f"{given.person} uploaded {len(table.rows)} rows. {said}")
        return row

    @staticmethod
    def _again(row: InputRow, system: CodingSystem, column: str) -> InputRow:
        if row.state in (InputState.REFUSED, InputState.WITHDRAWN):
            # What was decided against does not come back under the same name by being sent again.
            input_after(InputState(row.state), "upload", f"{row.name}@{row.version}")
        if (row.system, row.column) != (system.value, column):
            reason = f"the same content is version {row.version}, checked as {row.system}"
            raise TrustQueryError("query-input-invalid", row.name, reason=reason)
        return row

    def decide(self, name: str, version: int, person: str, envelope: bytes, verdict: InputVerdict) -> InputRow:
        """Take in a decision that its own maker hands in.

        Args:
            person: who is signed in.

        Raises:
            TrustQueryError: ``auth-document``, ``auth-not-permitted``, ``query-input-absent``, ``query-input-move``.
        """
        roster, now = self.rosters.current(), self.clock()
        decision, signer = read_decision(envelope, roster)
        if signer.person != person or decision.verdict != verdict:
            raise not_so(InputDecision.KIND, "it is not yours, or decides something else")
        check_time(InputDecision.KIND, decision.decided, now)
        with self.store.inputs.change(name, now) as change:
            row = self._row(change, name, version)
            if decision.pin != Pin(row.name, row.version, row.sha256):
                raise not_so(InputDecision.KIND, "it is about another table")
            if (decision.system.value, decision.column) != (row.system, row.column):
                raise not_so(InputDecision.KIND, "it was checked as something else")
            # Ending it is open to every member, as stopping a project is: it only takes away.
            if verdict != "withdraw" and (row.uploader_key == signer.key or row.uploader == person):
                raise has_a_part(f"input.{verdict}")
            row.state = input_after(InputState(row.state), verdict, f"{name}@{version}").value
            row.updated = now
            if verdict != "withdraw":
                # The approval stays beside what is withdrawn: what was asked with it can still be checked.
                row.approval = envelope
            if verdict == "refuse":
                change.forget(row)
            change.note(row, verdict, person, f"{signer.name} {_DONE[verdict]}: {decision.reason}", envelope)
        return row

    def retract(self, name: str, version: int, person: str, reason: str) -> InputRow:
        """Take back what nobody has approved; its content is deleted.

        Raises:
            TrustQueryError: ``query-input-absent``, ``query-input-move``.
        """
        with self.store.inputs.change(name, self.clock()) as change:
            row = self._row(change, name, version)
            row.state = input_after(InputState(row.state), "retract", f"{name}@{version}").value
            row.updated = change.now
            change.forget(row)
            change.note(row, "retract", person, f"{person} took it back; its content was deleted: {reason}")
        return row

    @staticmethod
    def _row(change: InputChange, name: str, version: int) -> InputRow:
        for row in change.versions():
            if row.version == version:
                return row
        raise TrustQueryError("query-input-absent", table=f"{name}@{version}")

    def resource(self, row: InputRow) -> Resource:
        """An input, with everybody who has a part in it: its project's people, and its uploader by any account."""
        roster = self.rosters.found()
        about = project_resource(self.store, roster, row.project)
        people = {row.uploader} | self.store.roles.persons({row.uploader_key}, {row.uploader})
        if roster is not None:
            people |= {person.person for person in roster.committee if person.key == row.uploader_key}
        return replace(about, asker=row.uploader, team=about.team | people | {about.asker} - {""}, unsent=False)

    def approved(self, pins: Iterable[Pin]) -> list[PublicTable]:
        """Those of these tables that are approved now.

        Raises:
            TrustQueryError: ``query-input-withdrawn``, for each that was and is no more.
        """
        found = self.store.inputs.with_hashes([pin.sha256 for pin in pins])
        gone = [row for row, _ in found if row.state == InputState.WITHDRAWN]
        if gone:
            raise TrustQueryError.of(
                [TrustQueryError("query-input-withdrawn", table=row.name, version=row.version).problem for row in gone]
            )
        return [
            PublicTable.from_document(canonical.decode(document, document="public-table"))
            for row, document in found
            if row.state == InputState.APPROVED
        ]
