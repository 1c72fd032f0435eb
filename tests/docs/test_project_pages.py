"""The how-to pages of applicants and of the committee, typed at a real coordinator as their readers would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS
from tests.docs.test_governance_pages import Desk
from tests.factories.projects import application, today
from tests.lib.coordinator import LiveCoordinator
from trustquery.identity import SigningKey
from trustquery.projects.questions import BY_NAME

HOW_TO = DOCS / "how-to"


class Federation:
    """A coordinator, an applicant and a committee of two, each with a home of their own."""

    def __init__(self, folder: Path) -> None:
        self.keys = {name: SigningKey.generate() for name in ("ada", "ann", "bob")}
        (folder / "committee.toml").write_text(
            "".join(
                f'[[people]]\nperson = "{name}"\nname = "{name.title()}"\nkey = "{self.keys[name].public.hex()}"\n'
                for name in ("ann", "bob")
            )
        )
        self.live = LiveCoordinator(folder)
        self.live.enrol("RX1")
        self.live.install_roster()
        for name, key in self.keys.items():
            self.live.sign_in(name, key, *() if name == "ada" else ("--role", "committee-member"))
        self.folder = folder / "desk"
        self.folder.mkdir()
        for name in ("ann", "bob"):
            self.keys[name].save(self.folder / f"{name}.pem")
            (self.folder / name).symlink_to(folder / name)
        found = application(key=self.keys["ada"].public.hex(), starts=today(-1), ends=today(60))
        answers = {name: value for name, value in found.model_dump(mode="json").items() if name in BY_NAME}
        team = answers.pop("team")
        lines = [f"{name} = {json.dumps(value)}" for name, value in answers.items()]
        lines += ["[[team]]", *(f"{name} = {json.dumps(value)}" for name, value in team[0].items())]
        (self.folder / "application.toml").write_text("\n".join(lines))

    def desk(self, who: str) -> Desk:
        """One person's place, where they type."""
        (self.folder / "bin").unlink(missing_ok=True)
        desk = Desk(self.folder)
        desk.exported = self.folder / f"{who}.sh"
        desk.environment["TQ_HOME"] = str(self.live.folder / who)
        return desk


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    made = Federation(tmp_path_factory.mktemp("projects"))
    yield made
    made.live.end()


def test_apply_for_a_project(federation: Federation) -> None:
    desk = federation.desk("ada")
    asked, answered, shown, submitted, followed = desk.read(HOW_TO / "apply-for-a-project.md")
    assert "Safe people" in asked.stdout
    assert "marketing or insurance" in asked.stdout
    assert "questions are left: lay_summary" in answered.stderr
    assert "every question is answered" in answered.stderr
    assert "stay-lengths, application version 1: draft" in shown.stdout
    assert "Title: Stays" in shown.stdout
    assert "submitted to the data access committee" in submitted.stderr
    assert "submitted" in followed.stdout


def test_decide_on_an_application(federation: Federation) -> None:
    """In between, the applicant answers what the committee asked, and sends the application again."""

    def again() -> None:
        desk = federation.desk("ada")
        desk.type(
            'tq project apply stay-lengths --set public_benefit="Beds are free sooner, from 2028." --submit --yes'
        )

    waits, read, returned, signed, approved, suspended, resumed = federation.desk("ann").read(
        HOW_TO / "decide-on-an-application.md", after={3: again}
    )
    assert "stay-lengths" in waits.stdout
    assert "signed by a lead of its team" in read.stderr
    assert "Safe outputs" in read.stdout
    assert "returned to its team" in returned.stderr
    assert "Beds are free sooner, from 2028." in signed.stderr
    assert "a second member must sign too" in signed.stderr
    assert "1 signature is on it already" in approved.stderr
    assert "approved: trusts are told now" in approved.stderr
    assert signed.stdout == approved.stdout
    assert "no question is taken" in suspended.stderr
    assert "signed by one member" in resumed.stderr
    assert "stay-lengths goes on" in resumed.stderr


def test_what_was_decided_is_in_the_record(federation: Federation) -> None:
    done = federation.desk("ada").type("tq request show stay-lengths")
    record = [line.partition(": ")[2] for line in done.stderr.splitlines() if ": " in line]
    for words in (
        "Ann returned the application: Say who benefits, and when.",
        "Ann of the data access committee signed permit version 1.",
        "Bob of the data access committee signed permit version 1, which is now approved.",
        "Bob suspended the project: Its lead has left the university.",
        "Ann and Bob resumed the project: A new lead is named.",
    ):
        assert words in record, record
