"""Every action, and who may do it: the table that enforcement, the reference page and the tests are made from."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from trustquery.access.roles import Role

__all__ = ["ACTIONS", "Action", "Reach"]


class Reach(enum.StrEnum):
    """On which resources a role may do an action.

    ANY: on every one. OWN: on those that the role is held over. ASKED: on those of them that the person asked. OTHERS:
    on those that the person has no part in, whichever of their accounts they use: who asks never decides.
    """

    ANY = "any"
    OWN = "own"
    ASKED = "asked"
    OTHERS = "others"


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
        name: ``RESOURCE.VERB``.
        does: in words.
        allowed: role to reach; a role that is not listed may not.
        open_to: who else may: ``anybody`` without signing in, ``signed-in`` with any role or none, ``code`` the holder
            of an enrolment code, ``node`` a node with its certificate; "" for nobody else.
        hides: to whoever may not read the resource, a refusal looks as if it did not exist.
        within: what reading means there: ``project.read`` for what is done in a project; "" for the resource's own.
        strong: it approves or loosens something, so it needs a strong sign-in (AAL3) of the last minutes.
    """

    name: str
    does: str
    allowed: dict[Role, Reach]
    open_to: str = ""
    hides: bool = False
    within: str = ""
    strong: bool = False

    @property
    def reading(self) -> str:
        """The action whose permission lets somebody know that the resource exists; "" where everybody may know."""
        if not self.hides:
            return ""
        return self.within or f"{self.name.partition('.')[0]}.read"


_R = Role
_ANY, _OWN, _ASKED, _OTHERS = Reach.ANY, Reach.OWN, Reach.ASKED, Reach.OTHERS
_TEAM = {_R.ANALYST: _OWN, _R.PROJECT_LEAD: _OWN}
_ASKER = {_R.ANALYST: _ASKED, _R.PROJECT_LEAD: _ASKED}
_READERS = {_R.COMMITTEE_MEMBER: _ANY, _R.SECURITY_OFFICER: _ANY, _R.AUDITOR: _ANY}

# fmt: off
_ROWS: tuple[Action, ...] = (
    Action("session.open", "sign in", {}, "anybody"),
    Action("session.close", "sign out", {}, "signed-in"),
    Action("session.read", "see one's own account: name, roles, when the session ends", {}, "signed-in"),
    Action("dataset.read", "see the catalogues", {}, "signed-in"),
    Action("public.read", "read the register, the log of queries and what has been published", {}, "anybody"),
    Action("node.anchor", "fetch the federation's anchor before enrolment", {}, "anybody"),
    Action("node.enrol", "hand in an enrolment request, and fetch its certificate", {}, "code"),
    Action("node.approve", "approve a node that enrols, or going on after a suspected clone: two people", {_R.FEDERATION_OPERATOR: _ANY, _R.SECURITY_OFFICER: _ANY}, strong=True),
    Action("statement.send", "hand in a revocation statement, which a delegate of the root has signed", {}, "anybody"),
    Action("node.link", "hold a node's stream", {}, "node"),
    Action("application.start", "start an application", {_R.ANALYST: _ANY, _R.PROJECT_LEAD: _ANY}),
    Action("application.list", "list applications, as far as one may read them", {}, "signed-in"),
    Action("application.read", "read an application", {**_TEAM, **_READERS, _R.GOVERNANCE_OFFICER: _ANY}, hides=True),
    Action("application.edit", "change a draft", {_R.PROJECT_LEAD: _OWN}, hides=True),
    Action("application.submit", "sign and submit an application", {_R.PROJECT_LEAD: _OWN}, hides=True),
    Action("application.withdraw", "take an application back", {_R.PROJECT_LEAD: _OWN}, hides=True),
    Action("application.amend", "start an amendment of an approved application", {_R.PROJECT_LEAD: _OWN}, hides=True),
    Action("application.approve", "sign the permit", {_R.COMMITTEE_MEMBER: _OTHERS}, hides=True, strong=True),
    Action("application.decide", "return or refuse an application, with a reason", {_R.COMMITTEE_MEMBER: _OTHERS}, hides=True, strong=True),
    Action("project.list", "list projects, as far as one may read them", {}, "signed-in"),
    Action("project.read", "read a project's permit, state and trusts", {**_TEAM, **_READERS, _R.GOVERNANCE_OFFICER: _ANY}, hides=True),
    Action("project.budget", "see what a project was charged", {**_TEAM, **_READERS}, hides=True),
    Action("project.profiles", "see released profiles of a project's datasets", {**_TEAM}, hides=True),
    # Stopping is open to every member: else a lead could name the whole committee in a draft, and nobody could stop it.
    Action("project.suspend", "suspend a project, with a reason", {_R.COMMITTEE_MEMBER: _ANY}, hides=True),
    Action("project.resume", "resume a suspended project: two members", {_R.COMMITTEE_MEMBER: _OTHERS}, hides=True, strong=True),
    Action("project.close", "close a project with a close-down report", {_R.PROJECT_LEAD: _OWN}, hides=True),
    Action("query.preview", "ask which trusts would answer", {**_TEAM}, hides=True, within="project.read"),
    Action("query.submit", "ask a question", {**_TEAM}, hides=True, within="project.read"),
    Action("query.list", "list one's own questions", {}, "signed-in"),
    Action("query.read", "see a question and its result", {**_ASKER}, hides=True),
    Action("query.cancel", "cancel a question", {**_ASKER}, hides=True),
    Action("release.publish", "publish a released result", {_R.PROJECT_LEAD: _OWN}, hides=True, within="project.read"),
    Action("release.withdraw", "withdraw a release, with a reason", {_R.PROJECT_LEAD: _OWN, _R.COMMITTEE_MEMBER: _ANY}, hides=True, within="project.read"),
    Action("release.list", "list results in review, as far as one may review them", {}, "signed-in"),
    Action("release.review", "see a merged result in review, and give a signed verdict on it", {_R.OUTPUT_CHECKER: _OTHERS}, strong=True),
    Action("input.list", "list inputs: those that queries may pin, and others as far as one may read them", {}, "signed-in"),
    Action("input.use", "fetch an input that was approved, with its approval", {}, "signed-in"),
    Action("input.upload", "upload a codelist or look-up for a project", {**_TEAM}, hides=True, within="project.read"),
    Action("input.read", "read an input that is not approved", {**_TEAM, **_READERS}, hides=True),
    Action("input.approve", "approve an input, with a signed reason", {_R.COMMITTEE_MEMBER: _OTHERS}, hides=True, strong=True),
    Action("input.refuse", "refuse an input, with a signed reason", {_R.COMMITTEE_MEMBER: _OTHERS}, hides=True, strong=True),
    Action("input.retract", "take back an input that nobody has approved yet, with a reason", {**_TEAM}, hides=True),
    Action("input.withdraw", "withdraw an approved input, with a signed reason", {_R.COMMITTEE_MEMBER: _ANY}, hides=True),
)
# fmt: on
ACTIONS: dict[str, Action] = {action.name: action for action in _ROWS}
if len(ACTIONS) != len(_ROWS):
    raise AssertionError("duplicate action")
if any(action.reading and action.reading not in ACTIONS for action in _ROWS):
    raise AssertionError("an action hides behind a reading that is none")
