"""Entries of the coordinator's log: what happened, for anybody to read. No person, no query text, no count.

Each kind has one sentence for people, written here; nobody's words stand in an entry, so nothing can be smuggled into
one. Who did it and what was said stand there as commitments, each under a salt of its own that is kept apart: whoever
is shown the salt can check, and once it is erased nobody can.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, ClassVar, Self

from pydantic import Field

from trustquery.errors import TrustQueryError
from trustquery.log.logged import Logged

__all__ = ["TEXTS", "Entry", "commit"]

TEXTS: dict[str, str] = {
    "session.open": "Somebody signed in.",
    "session.close": "Somebody signed out.",
    "session.fail": "Sign-ins under one name, or of one person at a sign-in service, failed; an hour's are one entry.",
    "access.deny": "Somebody who had signed in was refused what they may not do; an hour's refusals are one entry.",
    "account.add": "An account was made.",
    "account.disable": "An account was disabled, and its sessions ended.",
    "account.move": "The organisation of an account was changed.",
    "account.link": "A sign-in service was told whose account somebody is.",
    "account.unlink": "A sign-in service no longer signs somebody in to an account.",
    "account.secrets": "The password and one-time codes of an account were asked for anew, set or taken back.",
    "role.give": "A role was given.",
    "role.take": "A role was taken back.",
    "deputy.name": "One person was named to stand in for another.",
    "deputy.end": "One person stands in for another no more.",
    "node.invite": "A trust was invited to enrol a node.",
    "node.ask": "A node asked to be enrolled.",
    "node.approve": "One person approved a node's enrolment, or its going on after a suspected clone.",
    "node.admit": "A node was admitted, and has its certificate.",
    "node.renew": "A node's certificate was renewed.",
    "node.revoke": "A node was cut off.",
    "node.suspect": "A second copy of a node was suspected, and the node cut off.",
    "node.resolve": "The suspicion that a node was copied was resolved by two people.",
    "node.freeze": "A node found that witnesses have signed another life of its ledger: it answers nothing.",
    "node.thaw": "A node that had frozen answers again.",
    "log.fork": "The coordinator, as a witness, refused a head that does not extend what it had signed.",
    "log.restart": "Entries that witnesses had signed were lost: the log goes on under a new key.",
    "document.install": "A document of the federation's root holders took effect: roots, roster or revocations.",
    "policy.change": "A trust's node showed another policy than before.",
    "application.start": "An application, or an amendment of one, was started.",
    "application.edit": "A draft of an application was changed.",
    "application.submit": "An application was signed and submitted.",
    "application.withdraw": "An application was taken back.",
    "application.approve": "A member of the committee signed the permit; more signatures are needed.",
    "application.return": "The committee returned an application.",
    "application.refuse": "The committee refused an application.",
    "project.approve": "The committee approved an application: its permit sets purpose, people, datasets and budget.",
    "project.amend": "A later permit of a project took effect, with its budget.",
    "project.live": "Enough trusts accept the project: it may ask questions.",
    "project.waiting": "Too few trusts accept the project: it may ask no questions.",
    "project.accept": "A trust accepted the project's permit.",
    "project.decline": "A trust declined the project's permit.",
    "project.suspend": "The committee suspended the project.",
    "project.resume": "The committee resumed the project.",
    "project.expire": "The project's permit ended.",
    "project.close": "The project was closed.",
    "project.publish": "A released result was published.",
    "project.withdraw": "A release was withdrawn.",
    "input.upload": "A codelist or look-up was uploaded.",
    "input.approve": "A codelist or look-up was approved.",
    "input.refuse": "A codelist or look-up was refused.",
    "input.retract": "A codelist or look-up was taken back before it was approved.",
    "input.withdraw": "An approved codelist or look-up was withdrawn.",
    "input.erase": "The content of a withdrawn codelist or look-up was erased by age.",
    "query.ask": "A question was taken, and is put to the trusts.",
    "query.deny": "The coordinator refused a question.",
    "query.deny-more": "The coordinator refused more questions of one person than have entries; an hour's are one.",
    "query.release": "A question ended: its result was released to who asked.",
    "query.empty": "A question ended without a result: too few trusts answered.",
    "query.return": "A question ended without a result: two output checkers did not both approve it.",
    "query.cancel": "A question was cancelled by who asked.",
    "query.erase": "The figures of a question were erased by age.",
    "answer.give": "A trust answered a question, and charged its privacy budget.",
    "answer.refuse": "A trust refused a question.",
    "answer.none": "A trust did not answer a question, and may have charged its privacy budget.",
    "answer.invalid": "What a trust sent for a question did not verify, and counts for nothing.",
    "review.verdict": "An output checker gave a signed verdict on a merged table.",
}
"""Kind to what it says, for people. A kind is never given another meaning."""
_Hash = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
_Name = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]


class Entry(Logged):
    """One entry, in canonical JSON. A text is "" where a field does not apply.

    Attributes:
        seq: counts from 1; the position in the tree is one less.
        on: the day, UTC. No exact time.
        text: the kind's sentence.
        project: of public projects alone; what happens to a draft concerns its team.
        node: a trust, by ODS code.
        release_id: of the question.
        document_hash: of the signed document that took effect, of the node's policy, or of an input's content.
        rho_nano: what the trust says that it charged, 1e-9 rho; for kinds ``answer.…`` alone.
        person_commitment: of who did it.
        words_commitment: of the words that go with it: the question's SQL, a reason, a name.
    """

    NAME: ClassVar[str] = "log entry"

    seq: Annotated[int, Field(ge=1, le=2**53)]
    on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    kind: str
    text: str
    project: _Name = ""
    node: _Name = ""
    release_id: _Hash = ""
    document_hash: _Hash = ""
    rho_nano: Annotated[int, Field(ge=0, le=2**53)] = 0
    person_commitment: _Hash = ""
    words_commitment: _Hash = ""

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read canonical bytes.

        Raises:
            TrustQueryError: ``auth-document``: also where the text is not the kind's.
        """
        entry = super().from_payload(payload)
        if TEXTS.get(entry.kind) != entry.text:
            raise TrustQueryError("auth-document", document=cls.NAME, problem="it says something else than its kind")
        return entry


def commit(salt: bytes, what: str, value: str) -> str:
    """What stands for a value in an entry: HMAC-SHA256 under the entry's own salt, hexadecimal.

    Args:
        what: ``person`` or ``words``.
    """
    return hmac.new(salt, what.encode() + b"\x00" + value.encode(), hashlib.sha256).hexdigest()
