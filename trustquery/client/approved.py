"""Inputs of the federation: uploaded, decided on, fetched. What is used or signed here was checked here."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustquery.client.inputs import open_file
from trustquery.client.verify import read_standing
from trustquery.codelists import CodingSystem, InputReport, Pin, PublicTable, check_input, split_name
from trustquery.errors import TrustQueryError
from trustquery.identity import Roster, SigningKey, canonical
from trustquery.projects.inputs import InputDecision, InputVerdict, read_decision

if TYPE_CHECKING:
    from trustquery.client.connection import Connection

__all__ = ["FederationInput", "Inputs"]


@dataclass(frozen=True)
class FederationInput:
    """One version of an input as the coordinator has it, with what of it was verified here.

    Attributes:
        table: None where the content was deleted; its hash is the one that is listed.
        roster: verified against the root kept here.
        raw: everything that the coordinator sent.
    """

    table: PublicTable | None
    roster: Roster
    raw: Mapping[str, Any]

    @property
    def words(self) -> str:
        """``my_list@2``."""
        return f"{self.raw['name']}@{self.raw['version']}"

    @property
    def state(self) -> str:
        """A value of ``trustquery.projects.inputs.InputState``."""
        return str(self.raw["state"])

    def approval(self) -> InputDecision:
        """The signed approval of this very table.

        Raises:
            TrustQueryError: ``query-input-unapproved``, ``query-input-withdrawn``, ``auth-document``.
        """
        pin = self.content().pin
        if self.state == "withdrawn":
            raise TrustQueryError("query-input-withdrawn", table=pin.id, version=pin.version)
        if self.state != "approved":
            raise TrustQueryError("query-input-unapproved", table=pin.id, version=pin.words, name=pin.id)
        decision, _ = read_decision(str(self.raw["approval"]).encode(), self.roster)
        if decision.verdict != "approve" or decision.pin != pin:
            raise TrustQueryError("auth-document", document=decision.KIND, problem="it approves another table")
        return decision

    def content(self) -> PublicTable:
        """The table.

        Raises:
            TrustQueryError: ``query-input-absent``: its content was deleted.
        """
        if self.table is None:
            raise TrustQueryError("query-input-absent", table=self.words)
        return self.table

    def report(self) -> InputReport:
        """The whole check of the table again, here.

        Raises:
            TrustQueryError: ``query-input-invalid``.
        """
        content = canonical.encode(self.content().document())
        system = CodingSystem(self.raw["system"])
        return check_input(content, self.words, system=system, column=str(self.raw["column"]))


class Inputs:
    """Codelists and look-ups of the federation.

    Args:
        connection: signed in.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = connection.http

    def everyone(self) -> list[dict[str, Any]]:
        """Those that queries may pin or could once, and others that you may read, by name and version."""
        return list(self._http.get("/v1/inputs")["inputs"])

    def get(self, given: str) -> FederationInput:
        """One version, ``my_list@2``; the last one that is approved where no version is written, else the last.

        Raises:
            TrustQueryError: ``query-input-absent``; ``auth-document``: its content is not what its hash says.
        """
        name, version = split_name(given)
        known = [row for row in self.everyone() if row["name"] == name and version in (None, row["version"])]
        if not known:
            raise TrustQueryError("query-input-absent", table=given[:80])
        row = next((row for row in reversed(known) if row["state"] == "approved"), known[-1])
        was_approved = row["state"] == "approved" or (row["state"] == "withdrawn" and row["approval"])
        found = self._http.get(f"/v1/inputs/{name}/{row['version']}{'/table' if was_approved else ''}")
        roster, _ = read_standing(self._connection.home, found)
        table = PublicTable.from_document(dict(found["table"])) if found["table"] is not None else None
        if table is not None and table.pin != Pin(name, int(row["version"]), str(row["sha256"])):
            raise TrustQueryError("auth-document", document="input", problem="its content is not what its hash says")
        return FederationInput(table, roster, found)

    def use(self, given: str) -> PublicTable:
        """The approved table of that name; its hash and its approval were verified here.

        Raises:
            TrustQueryError: ``query-input-absent``, ``query-input-unapproved``, ``auth-document``.
        """
        found = self.get(given)
        found.approval()
        return found.content()

    def upload(
        self, given: str, project: str, system: CodingSystem, *, name: str = "", column: str = ""
    ) -> tuple[dict[str, Any], InputReport]:
        """Check a file here, and send it as the next version of its name.

        Args:
            name: in queries; else the file's, as ``read_input`` finds it.

        Raises:
            TrustQueryError: ``config-missing``, ``query-input-…``, ``project-unknown``.
        """
        content, file, chosen, version = open_file(given)
        chosen, version = split_name(name) if name else (chosen, version)
        first = check_input(content, file, system=system, column=column, name=chosen, version=version)
        known = [row for row in self.everyone() if row["name"] == first.table.id]
        number = version or self._next(first.table, known)
        body = {
            "project": project,
            "name": first.table.id,
            "version": number if content.lstrip()[:1] != b"{" else first.table.version,
            "system": system.value,
            "column": column,
            "file": file[:200],
            "content": base64.b64encode(content).decode("ascii"),
        }
        return self._http.post("/v1/inputs", body), first

    @staticmethod
    def _next(table: PublicTable, known: list[dict[str, Any]]) -> int:
        """The version that has this very content, else the one after the last."""
        for row in known:
            made = PublicTable(table.id, int(row["version"]), table.title, table.source, table.columns, table.rows)
            if made.sha256 == row["sha256"]:
                return made.version
        return max((int(row["version"]) for row in known), default=0) + 1

    def decide(self, found: FederationInput, verdict: InputVerdict, reason: str, key: SigningKey) -> dict[str, Any]:
        """Sign a decision about exactly this table, and hand it in.

        Raises:
            TrustQueryError: ``auth-document``: the key is no committee member's; ``auth-not-permitted``,
                ``query-input-move``.
        """
        pin = found.content().pin
        signer = next((item for item in found.roster.committee if item.key == key.public.hex()), None)
        if signer is None:
            raise TrustQueryError(
                "auth-document", document=InputDecision.KIND, problem="the key is no committee member's on the roster"
            )
        decision = InputDecision(
            federation=found.roster.federation,
            id=pin.id,
            version=pin.version,
            table_hash=pin.sha256,
            system=CodingSystem(found.raw["system"]),
            column=str(found.raw["column"]),
            verdict=verdict,
            reason=reason,
            person=signer.person,
            decided=int(time.time()),
        )
        body = {"envelope": decision.sign(key).encode().decode("ascii")}
        return self._http.post(f"/v1/inputs/{pin.id}/{pin.version}/{verdict}", body)

    def retract(self, given: str, reason: str) -> dict[str, Any]:
        """Take back what nobody has approved yet.

        Raises:
            TrustQueryError: ``query-input-absent``, ``auth-not-permitted``, ``query-input-move``.
        """
        name, version = split_name(given)
        if version is None:
            raise TrustQueryError("usage-invalid", "NAME@VERSION", problem="say which version is taken back")
        return self._http.post(f"/v1/inputs/{name}/{version}/retract", {"reason": reason})
