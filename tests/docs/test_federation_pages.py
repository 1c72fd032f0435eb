"""The pages for root holders and the delegate are typed, one after the other, by people who hold the keys they name."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import DOCS
from tests.docs.test_governance_pages import Desk
from tests.factories.trust import person
from trustquery.identity import Envelope, Revocations, Root, SigningKey
from trustquery.identity.rotation import follow

HOW_TO = DOCS / "how-to"


def test_a_root_ceremony_a_revocation_and_a_lost_root_key(tmp_path: Path) -> None:
    people = "".join(
        f'[[people]]\nperson = "{name}"\nname = "{name}"\nkey = "{person(name).key}"\n\n' for name in ("ann", "bob")
    )
    (tmp_path / "committee.toml").write_text(people)
    desk = Desk(tmp_path)

    made, _, _, signed, first = desk.read(HOW_TO / "hold-a-root-ceremony.md")
    root = Root.from_payload((tmp_path / "root.json").read_bytes())
    assert made.stdout.split() == [root.sha256, root.sha256]
    assert (root.threshold, len(root.keys)) == (2, 3)
    assert "it ends in 29 days" in signed.stderr or "it ends in 30 days" in signed.stderr
    assert "0 revocations" in first.stdout
    assert "warning" not in first.stdout

    daily, today, due = desk.read(HOW_TO / "revoke-a-key-a-permit-or-a-node.md")
    assert "statement 2 is in force: 0 revocations" in daily.stderr
    assert "statement 3 is in force: 3 revocations" in today.stderr
    assert due.stdout == ""
    said = Revocations.read((tmp_path / "statement.dsse").read_bytes())
    assert [item.kind for item in said.revoked] == ["certificate", "key", "permit"]
    assert b"stolen" not in said.payload()

    lost = SigningKey.load(tmp_path / "two" / "root.key.pem").key_id
    desk.type(f"export REMOVE={lost[:8]}")
    rotated, installed = desk.read(HOW_TO / "rotate-a-root-key.md")
    chain = [(tmp_path / "root-2.dsse").read_bytes()]
    new = follow(root, chain)
    assert rotated.stdout.split() == [new.sha256, new.sha256]
    assert lost not in new.ring
    assert f"root\tversion 2\t{new.sha256}" in installed.stdout
    roster = Envelope.decode((tmp_path / "roster.dsse").read_bytes(), kind="roster")
    assert len(roster.signers(new.ring)) == 2
