"""The life of an input, a codelist or public look-up: its moves, and the document by which a second person decides.

The approver is a member of the data access committee because the roster, signed by the root holders, carries their
keys: analyst, trust and public can check the signature without believing the coordinator.
"""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trustquery.access.roles import Role
from trustquery.codelists.systems import CodingSystem
from trustquery.codelists.table import Pin
from trustquery.errors import TrustQueryError
from trustquery.identity import Person, Roster, key_id
from trustquery.identity.documents import Document, Hex32, Name, Seconds, Words
from trustquery.projects.life import Move, state_after

__all__ = ["INPUT_MOVES", "InputDecision", "InputState", "InputVerdict", "input_after", "read_decision"]

InputVerdict = Literal["approve", "refuse", "withdraw"]


class InputState(enum.StrEnum):
    """Where one version of an input is.

    UPLOADED: checked by the coordinator, and waiting for a second person. APPROVED: queries may pin it. REFUSED:
    decided against; its content is deleted. WITHDRAWN: no query may pin it from now on; what was asked with it before
    can still be read. It is the committee's decision, or the team's own where nobody had approved it. An approval whose
    signer has left the committee is given anew by another member.
    """

    UPLOADED = "uploaded"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_S = InputState
INPUT_MOVES: tuple[Move[InputState], ...] = (
    Move(_S.UPLOADED, "approve", _S.APPROVED, Role.COMMITTEE_MEMBER, "input-decision"),
    Move(_S.UPLOADED, "refuse", _S.REFUSED, Role.COMMITTEE_MEMBER, "input-decision"),
    Move(_S.UPLOADED, "retract", _S.WITHDRAWN, Role.PROJECT_LEAD),
    Move(_S.APPROVED, "approve", _S.APPROVED, Role.COMMITTEE_MEMBER, "input-decision"),
    Move(_S.APPROVED, "withdraw", _S.WITHDRAWN, Role.COMMITTEE_MEMBER, "input-decision"),
)


def input_after(state: InputState, action: str, name: str) -> InputState:
    """Where an input is after an action.

    Raises:
        TrustQueryError: ``query-input-move``: that action is not possible there.
    """

    def refusal(possible: str) -> TrustQueryError:
        return TrustQueryError("query-input-move", table=name, action=action, state=state.value, possible=possible)

    return state_after(INPUT_MOVES, state, action, refusal)


class InputDecision(Document):
    """What one member of the data access committee decided on one version of an input.

    Attributes:
        id: the table's name in queries.
        table_hash: of the table's canonical bytes: what models pin.
        system: what its codes were checked as; ``look-up`` for a table that is no list of codes.
        column: the one that holds the codes; "" for a look-up.
        reason: in words, for whoever uses it.
        person: who decided, by their name on the roster; theirs is the signature.
    """

    KIND: ClassVar[str] = "input-decision"
    federation: Name
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    version: Annotated[int, Field(ge=1, le=999_999_999)]
    table_hash: Hex32
    system: Annotated[CodingSystem, Field(strict=False)]
    column: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,62})?$")]
    verdict: InputVerdict
    reason: Words
    person: Name
    decided: Seconds

    @property
    def pin(self) -> Pin:
        """The very table."""
        return Pin(self.id, self.version, self.table_hash)


def read_decision(data: bytes, roster: Roster) -> tuple[InputDecision, Person]:
    """A decision and the member of the committee who made and signed it, alone.

    Args:
        data: the envelope.
        roster: verified.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    decision, good, envelope = InputDecision.verify(data, roster.committee_ring, 1)
    signer = next((item for item in roster.committee if key_id(bytes.fromhex(item.key)) in good), None)
    problem = ""
    if decision.federation != roster.federation:
        problem = "it is another federation's"
    elif signer is None or signer.person != decision.person or len(envelope.signatures) != 1:
        problem = "the member of the committee who decides signs it, and nobody else"
    if problem or signer is None:
        raise TrustQueryError("auth-document", document=InputDecision.KIND, problem=problem)
    return decision, signer
