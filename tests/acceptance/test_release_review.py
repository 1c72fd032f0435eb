"""The page on reviewing a release, done by two people at a node that runs, with a restart in between."""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node_agent.budget.port import unpack
from tests.docs.pages import DOCS, fences
from tests.factories.trust import key
from tests.lib.lone_node import ODS, LoneNode, lone_node, status_of
from tests.lib.processes import run, wait_for
from trustquery.identity import Answer
from trustquery.protocol.messages import AnswerMessage

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
SQL = "SELECT count(*) AS n FROM emergency_attendance"
SLOTS = "slot_ms = 250\nallowance_ms = 3000\nrows_per_second = 10000000000\ndraws_per_second = 1000000000"
REVIEWED = {"every_query": "true", "review_minutes": "1"}


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[LoneNode]:
    first = datetime.datetime(2020, 1, 1)
    rows = [{"person_id": f"p{number}", "arrival_at": first, "age_on_arrival": 50} for number in range(200)]
    with lone_node(tmp_path, {"emergency_attendance": rows}, SQL, SLOTS, policy=REVIEWED) as found:
        for name in ("grace", "ivan"):
            key(name).save(tmp_path / f"{name}.pem")
        yield found


def typed(lone: LoneNode, command: str, release_id: str) -> Any:
    """A command of the page, by somebody who has looked."""
    words = [str(lone.node.folder / word) if word.endswith(".pem") else word for word in shlex.split(command)[1:]]
    words = [release_id[:12] if word == "RELEASE" else word for word in words]
    more = ["--yes"] if words[1] in ("approve", "refuse") else []
    return run(*lone.node.cli(*words, *more))


def listed(lone: LoneNode) -> dict[str, str]:
    """Stage of each release that is held."""
    rows = json.loads(run(*lone.node.cli("release", "list", "--format", "json")).stdout)["data"]
    return {row["release"]: row["stage"] for row in rows}


def read(message: AnswerMessage) -> Answer:
    return Answer.read(message.envelope)


def test_two_people_review_two_releases_and_each_leaves_when_it_was_planned(lone: LoneNode) -> None:
    offers = lone.offers(3)
    (good, _), (bad, _), (alone, _) = offers
    for _, offer in offers:
        lone.observer.offer(ODS, offer)
    wait_for(lambda: lone.states() == {"HELD": 3}, 40, "the releases to be held")
    blocks = [fence.text for fence in fences(DOCS / "how-to" / "review-a-release.md") if fence.language == "sh"]
    _, show, approve, refuse, again = blocks
    # Grace has said yes. Ivan sees the figures and not that.
    seen = typed(lone, show, good)
    assert "Project stays" in seen.stderr
    typed(lone, approve, good)
    blind = typed(lone, show, good)
    assert (blind.stdout, "grace" in blind.stderr) == (seen.stdout, False)
    typed(lone, refuse, good)
    assert "grace, round 1: approve" in typed(lone, show, good).stderr
    # A restart in the middle.
    lone.node.end()
    lone.node.start()
    typed(lone, refuse, bad)
    typed(lone, "tq-node release refuse RELEASE --reason purpose --key grace.pem", bad)
    typed(lone, approve, alone)
    for line in again.splitlines():
        typed(lone, line, good)
    assert listed(lone) == {good: "approved", bad: "refused", alone: "one"}
    assert lone.observer.arrived == []
    due = dict(lone.node.ledger("SELECT release_id, due_ms FROM release"))
    kept = {release: bytes(content) for release, content in lone.node.ledger("SELECT release_id, bytes FROM outbox")}
    wait_for(lambda: len(lone.observer.arrived) == 3, 90, "the verdicts to leave")
    for when, message in lone.observer.arrived:
        assert 0 <= when - due[message.release_id] / 1_000 < 3
    found = {message.release_id: message for _, message in lone.observer.arrived}
    # Exactly the committed bytes, and exactly what they saw.
    assert (found[good].envelope, found[good].vector) == unpack(kept[good])
    assert str(int.from_bytes(found[good].vector, "little", signed=True)) in seen.stdout.replace(",", "")
    for release_id, why in ((bad, "(purpose, small-groups)"), (alone, "did not approve it by the deadline")):
        assert (status_of(found[release_id]), found[release_id].vector) == ("no-answer", b"")
        (reason,) = read(found[release_id]).reasons
        assert reason["code"] == "policy-review-withheld"
        assert why in str(reason["fields"])
    assert lone.states() == {"SENT": 1, "WITHHELD": 2}
    charged = lone.node.ledger("SELECT count(*), min(refunded), max(refunded) FROM charge")
    assert charged == [(12, 0, 0)]
