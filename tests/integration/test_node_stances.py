"""A real node's process: what its command accepts and declines while it runs, the other end of its TLS hears."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.trust import key
from tests.lib.lone_node import ODS, LoneNode, lone_node
from tests.lib.processes import wait_for
from trustquery.projects.decisions import Stance

SQL = "SELECT count(*) AS attendances FROM emergency_attendance"


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[LoneNode]:
    for name in ("grace", "ivan"):
        key(name).save(tmp_path / f"{name}.pem")
    folder = tmp_path / "node"
    folder.mkdir()
    with lone_node(
        folder, {"emergency_attendance": []}, SQL, "slot_ms = 100\nallowance_ms = 100", permits=False
    ) as found:
        (found.node.home.policy / "acceptances" / "stays.dsse").unlink()
        permit = found.permit.sign(key("ann"), key("bob")).encode()
        found.observer.documents = replace(found.observer.documents, permits=(permit,))
        found.node.end()
        found.node.start()
        wait_for(lambda: (found.node.home.documents / "permits" / "stays.dsse").exists(), 10, "the permit")
        yield found


def run(lone: LoneNode, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(lone.node.cli(*arguments), capture_output=True, text=True, check=False, timeout=60)


def accept(lone: LoneNode, *more: str) -> subprocess.CompletedProcess[str]:
    keys = [word for name in ("grace", "ivan") for word in ("--key", str(lone.node.folder.parent / f"{name}.pem"))]
    return run(lone, "project", "accept", "stays", "--yes", *keys, *more)


def said(lone: LoneNode) -> list[Stance]:
    """Everything that the node said of projects so far, each verified by the key that the roster has."""
    public = lone.node.enrolled.key.public
    ring = {lone.node.enrolled.key.key_id: public}
    assert {node for node, _ in lone.observer.stances} <= {ODS}
    return [Stance.verify(data, ring, 1)[0] for _, data in lone.observer.stances]


def test_the_federation_hears_what_governance_decides_while_the_node_runs(lone: LoneNode) -> None:
    assert said(lone) == []
    found = accept(lone, "--rho", "0.25", "--condition", "No figures of this trust alone")
    assert found.returncode == 0, found.stderr
    wait_for(lambda: len(said(lone)) == 1, 10, "the yes")
    yes = said(lone)[0]
    assert (yes.word, yes.conditions, yes.rho_nano) == (
        "accepted-with-conditions", ("No figures of this trust alone",), 250_000_000
    )  # fmt: skip
    assert yes.permit_hash == lone.permit.sha256
    assert "accepted" in run(lone, "project", "list").stdout

    without_reason = run(lone, "project", "decline", "stays")
    assert without_reason.returncode == 2
    blank = run(lone, "project", "decline", "stays", "--reason", "  ")
    assert (blank.returncode, "usage-invalid" in blank.stderr) == (2, True)
    assert len(said(lone)) == 1

    declined = run(lone, "project", "decline", "stays", "--reason", "Our patients' panel objects.")
    assert declined.returncode == 0, declined.stderr
    assert "the federation is told so" in declined.stderr
    wait_for(lambda: len(said(lone)) == 2, 10, "the no")
    no = said(lone)[1]
    assert (no.word, no.reason, no.rho_nano, no.said > yes.said) == (
        "declined", "Our patients' panel objects.", 0, True
    )  # fmt: skip
    assert "declined" in run(lone, "project", "list").stdout

    # While the node is down the command is the node; what it decided is said at the next start, once.
    lone.node.end()
    assert accept(lone).returncode == 0
    lone.node.start()
    wait_for(lambda: len(said(lone)) == 3, 10, "the second yes")
    assert said(lone)[2].word == "accepted"


def test_a_permit_that_was_never_accepted_is_declined_with_a_stance(lone: LoneNode) -> None:
    assert run(lone, "project", "decline", "stays", "--reason", "Not for us.").returncode == 0
    wait_for(lambda: len(said(lone)) == 1, 10, "the no")
    assert (said(lone)[0].word, said(lone)[0].reason) == ("declined", "Not for us.")
    unknown = run(lone, "project", "decline", "beds", "--reason", "Not for us.")
    assert (unknown.returncode, "nothing to tell the federation of" in unknown.stderr) == (0, True)
    assert len(said(lone)) == 1


def test_a_cap_or_a_condition_that_is_none_is_refused(lone: LoneNode) -> None:
    for rho in ("0", "-1", "nan", "inf", "x", "1e-12", "0.0000000001"):
        found = accept(lone, "--rho", rho)
        assert (found.returncode, "usage-invalid" in found.stderr) == (2, True), rho
    for condition in ("", " \n", "x" * 4_001):
        found = accept(lone, "--condition", condition)
        assert (found.returncode, "usage-invalid" in found.stderr) == (2, True), condition
    assert not (lone.node.home.policy / "acceptances" / "stays.dsse").exists()
