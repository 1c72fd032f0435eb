"""Reference pages of how it works: the wire, the gate, the life of things, who may do what."""

import inspect
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tools.docs_markdown import above, code, codes_raised, doc, fence, join, markdown, paragraphs, sentence, table

if TYPE_CHECKING:
    from trustquery.projects import life

ROOT = Path(__file__).resolve().parent.parent


def wire() -> str:
    """The protobuf files and a table of their messages."""
    parts = [
        """
        Analysts and governance speak HTTPS and JSON to the coordinator. A node speaks gRPC: it dials out, and one
        stream carries everything. Where HTTP/2 does not pass, each frame is one binary message of a WebSocket, over the
        same TLS 1.3 with client certificates ([record 0040](../adr/0040-a-tunnel-and-a-second-transport.md)). Signed
        documents and models travel as opaque bytes. Only `trustquery/wire`
        converts between these messages and the code's own.
        """
    ]
    for path in sorted((ROOT / "protos").rglob("*.proto")):
        text = path.read_text(encoding="utf-8")
        rows = []
        for comment, name in re.findall(r"((?:^//[^\n]*\n)*)^message (\w+)", text, re.MULTILINE):
            words = " ".join(line.removeprefix("//").strip() for line in comment.splitlines())
            rows.append([code(name), words or "see below"])
        parts.append(f"## {path.relative_to(ROOT / 'protos').as_posix()}")
        parts += [table(["Message", "Meaning"], rows), fence(text, "proto")]
    return join(*parts)


def _codes(module: ModuleType) -> list[str]:
    """What a step's own file raises, and what its docstrings promise of the functions that it calls."""
    raised = re.findall(r'TrustQueryError\(\s*"([a-z-]+)"', inspect.getsource(module))
    for found in vars(module).values():
        if inspect.isfunction(found) and found.__module__ == module.__name__:
            raised += codes_raised(found)
    return [code(slug) if slug.endswith("…") else f"[`{slug}`](errors.md#{slug})" for slug in sorted(set(raised))]


def gate() -> str:
    """The gate's steps."""
    from node_agent.gate import gate as steps

    rows = []
    for number, (name, step) in enumerate(steps.STEPS, 1):
        module = sys.modules[step.__module__]
        words = sentence(markdown(re.sub(r"^Step \d+: ", "", doc(module))))
        stored = "skipped" if name in steps.SKIPPED_WHEN_STORED else "runs"
        link = f"[`{name}`]({above(step.__module__.replace('.', '/') + '.py')})"
        rows.append([number, link, words, stored, ", ".join(_codes(module)) or "nothing of its own"])
    return join(
        paragraphs(doc(steps)),
        f"""
        The order is the tuple `STEPS` in [gate.py]({above("node_agent/gate/gate.py")}); each step is a file beside
        it. [How a query travels](../explanation/how-a-query-travels.md) tells the same story in words. From *start*
        on, every code becomes the same no-answer outside.
        """,
        table(["#", "Step", "What it does", "For a stored answer", "May end with"], rows),
    )


def _diagram(transitions: Mapping[Any, Iterable[Any]], start: Any) -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    for state, reachable in transitions.items():
        targets = [str(item) for item in transitions if item in set(reachable)]
        lines += [f"    {state} --> {target}" for target in targets or ["[*]"]]
    return fence("\n".join(lines), "mermaid")


def states() -> str:
    """State machines, as diagrams made from their tables."""
    from coordinator.queries import machine
    from node_agent.budget import states as ledger
    from trustquery.projects import inputs, life
    from trustquery.reviews import hearing

    return join(
        "Each machine is a dictionary in the code. A move that is not listed there is refused.",
        "## A release in a node's ledger",
        f"""
        {markdown(doc(ledger.State))} A release that goes from RESERVED straight to COMMITTED is a stored answer: it
        reads no data and draws no noise. The table is in `node_agent/budget/states.py`.
        """,
        _diagram(ledger.VALID_TRANSITIONS, ledger.State.RESERVED),
        "## A review at a trust",
        f"""
        {markdown(doc(hearing.Stage))} The table is in `trustquery/reviews/hearing.py`. Whatever the stage at the
        deadline, it is then that it decides between HELD → WITNESSED and HELD → WITHHELD above.
        """,
        _diagram(hearing.MOVES, hearing.Stage.NONE),
        "## A query at the coordinator",
        f"{markdown(doc(machine.State))} The table is in `coordinator/queries/machine.py`.",
        _diagram(machine.VALID_TRANSITIONS, machine.State.ACCEPTED),
        "## An application",
        f"""
        {markdown(doc(life.ApplicationState))} The table is in `trustquery/projects/life.py`, as is the next one.
        """,
        _moves(life.APPLICATION_MOVES),
        "## A project",
        f"""
        {markdown(doc(life.ProjectState))} `amend` puts a later permit in use: one of an amended application, or the
        same application's renewed. The permit before it stays in use until as many trusts have accepted the new one as
        its answers need.
        """,
        _moves(life.PROJECT_MOVES),
        "## An input",
        f"{markdown(doc(inputs.InputState))} The table is in `trustquery/projects/inputs.py`.",
        _moves(inputs.INPUT_MOVES),
    )


def _moves(moves: "Sequence[life.Move[Any]]") -> str:
    """A table of moves as a diagram, and who makes each with which signature."""
    lines = ["stateDiagram-v2", f"    [*] --> {moves[0].before}"]
    lines += [f"    {move.before} --> {move.after}: {move.action}" for move in moves]
    last = {move.after for move in moves} - {move.before for move in moves}
    lines += [f"    {state} --> [*]" for state in sorted(last)]
    rows = [
        (move.before, f"`{move.action}`", move.after, move.by or "the clock", move.signs or "nothing") for move in moves
    ]
    return join("```mermaid\n" + "\n".join(lines) + "\n```", table(["From", "Action", "To", "Who", "Signs"], rows))


def roles() -> str:
    """Roles, actions and endpoints, from the tables that decide."""
    from coordinator.api.app import routed
    from coordinator.api.door import endpoints
    from coordinator.fleet.server import METHODS
    from coordinator.fleet.websocket import ROUTES
    from trustquery.access import ACTIONS, Reach, Role
    from trustquery.access.roles import HELD_OVER, MEANING, Scope
    from trustquery.access.ruling import APART
    from trustquery.wire import SERVICE

    open_to = {
        "anybody": "anybody, without signing in",
        "signed-in": "everybody who is signed in",
        "code": "whoever holds the trust's enrolment code",
        "node": "the node itself, by its certificate",
    }
    over = {role: " or ".join(scope.value for scope in Scope if scope in HELD_OVER[role]) for role in Role}
    limited = [action for action in ACTIONS.values() if not action.open_to]
    text = doc(Reach)
    reaches = text[text.index("ANY:") :]
    return join(
        """
        One question is asked everywhere: may this person do this action on this thing? The answer has a reason, and it
        is no unless this page says yes. It is asked anew at each request, from the database: what is taken away is gone
        at the next one. [Decision record 0031](../adr/0031-one-question-of-persons.md) says why it is so.
        """,
        "## Roles",
        table(
            ("role", "is somebody who", "held over", "by"),
            [(role.value, MEANING[role], over[role], _source(role)) for role in Role],
        ),
        """
        A role belongs to a person, not to an account: two accounts of one person hold the same roles, and count as one
        where two people must agree. A role that is held over one trust or project reaches that one, and never another
        that happens to have the same name. What is written in a role about a trust's node, policy or data is done at
        the trust, with the trust's own keys: this coordinator has no say in it.
        """,
        "## Who may do what",
        markdown(reaches) + " An empty cell is no. A first draft concerns its team alone, whatever a cell says. "
        "To whoever may not do the last column's action, a refusal looks as if there were "
        "nothing.",
        table(
            ("action", "what it is", *(role.value for role in Role), "known to whoever may"),
            [
                (
                    code(action.name),
                    action.does,
                    *(action.allowed[role].value if role in action.allowed else "" for role in Role),
                    code(action.reading) if action.reading else "",
                )
                for action in limited
            ],
        ),
        "## What takes no role",
        table(
            ("action", "what it is", "open to"),
            [(code(a.name), a.does, open_to[a.open_to]) for a in ACTIONS.values() if a.open_to],
        ),
        "## Never the same person",
        table(("who", "never also", "because"), APART),
        "## Endpoints",
        "An endpoint that declares no action cannot be built, and one that has not asked answers nothing.",
        table(
            ("endpoint", "action"),
            [
                *((code(f"{method} {path}"), code(action)) for method, path, action in endpoints(routed())),
                *((code(f"gRPC {SERVICE}/{method}"), code(action)) for method, action in METHODS.items()),
                *((code(f"WebSocket {path}"), code(action)) for path, action in ROUTES.items()),
            ],
        ),
        "## What a refusal says",
        """
        `auth-required`: nobody is signed in. `auth-not-permitted`: the person may know of the thing and not do this,
        with the reason. `project-unknown` or `query-unknown`: the person may not know of it, or there is none; the two
        are the same reply, to the byte and in time.
        """,
    )


def _source(role: Any) -> str:
    """Where a role comes from, in words."""
    from trustquery.access import Role

    if role is Role.PROJECT_LEAD:
        return "the project's permit; before the first one, its application"
    if role is Role.ANALYST:
        return "`user add` to start applications; in a project its permit"
    if role is Role.COMMITTEE_MEMBER:
        return "`user grant` and the roster that the root holders sign, both"
    return "`user grant`"
