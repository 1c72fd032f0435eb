"""The how-to pages of governance people, done command by command at a node's home, as their readers would."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, fences
from tests.factories.trust import People, key, policy_text
from tests.lib.observer import Observer
from tests.lib.real_node import RealNode

HOW_TO = DOCS / "how-to"
PEOPLE = ("grace", "ivan", "olu")
ROW = {"person_id": "p1", "arrival_at": datetime.datetime(2020, 1, 1), "age_on_arrival": 50}
PASSPHRASE = "four words nobody says"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RealNode]:
    observer = Observer("test")
    root = People().root
    enrolled = observer.enrol("RX1")
    (tmp_path / "node").mkdir()
    yield RealNode(
        tmp_path / "node", enrolled, root, observer.authority.certificate_pem, observer.address, "nhs-episodes",
        {"emergency_attendance": [ROW]}, policy(), governance=PEOPLE,
    )  # fmt: skip
    observer.stop()


def policy(**changes: str) -> str:
    return policy_text(trust='"RX1"', id='"nhs-episodes"', **changes)


class Desk:
    """Somebody types what a page says, with these people's sticks at hand."""

    def __init__(self, folder: Path, home: Path | None = None) -> None:
        self.folder = folder
        self.exported = folder / "exports.sh"
        (folder / "bin").symlink_to(Path(sys.executable).parent)
        self.environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        if home is not None:
            self.environment["TQ_NODE_HOME"] = str(home)

    def read(
        self, page: Path, answers: str = "", after: Mapping[int, Callable[[], None]] | None = None
    ) -> list[subprocess.CompletedProcess[str]]:
        """Every block of a page, in one shell after the other; what one exports the next one has.

        Args:
            after: what others do after the block of this number, counted from 1.
        """
        done: list[subprocess.CompletedProcess[str]] = []
        for fence in fences(page):
            if fence.language == "sh":
                done.append(self.type(fence.text, answers, f"{page.name}:{fence.line}"))
                (after or {}).get(len(done), lambda: None)()
        return done

    def type(self, text: str, answers: str = "", place: str = "") -> subprocess.CompletedProcess[str]:
        """Some commands, in a shell that has what earlier ones exported."""
        self.exported.touch()
        script = f"set -euo pipefail\n. {self.exported}\n{text}\nexport -p > {self.exported}\n"
        found = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, input=answers, capture_output=True,
            text=True, check=False, timeout=120,
            # Without a terminal of its own a passphrase is read from what is typed here.
            start_new_session=True,
        )  # fmt: skip
        assert found.returncode == 0, f"{place}\n{text}\n{found.stdout}\n{found.stderr}"
        return found


def sticks(folder: Path) -> None:
    for name in PEOPLE:
        key(name).save(folder / f"{name}.pem")


def test_hold_a_key_ceremony(tmp_path: Path) -> None:
    typed = f"{PASSPHRASE}\n" * 2
    *_, made, compared = Desk(tmp_path).read(HOW_TO / "hold-a-key-ceremony.md", typed)
    assert "people whose signatures count here: Dr Grace Green, Ivan Ives, Olu Okafor" in made.stderr
    assert "2 of 3 sign" in compared.stderr
    # The key on the node's screen is the one on the person's own.
    on_screen, own = compared.stdout.splitlines()[1:], compared.stdout.splitlines()[-1]
    assert any(line.endswith(own) for line in on_screen[:-1])
    pem = (tmp_path / "grace.pem").read_bytes()
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert (tmp_path / "grace.pem").stat().st_mode & 0o077 == 0


def test_rotate_or_lose_a_governance_key(tmp_path: Path, node: RealNode) -> None:
    sticks(tmp_path)
    typed = f"{PASSPHRASE}\n" * 2
    listed, lost, added, rotated, apart = Desk(tmp_path, node.home.path).read(
        HOW_TO / "rotate-or-lose-a-governance-key.md", typed
    )
    assert "2 of 3 sign" in listed.stderr
    assert "Olu (olu) signs no more." in lost.stderr
    assert "is in force" in lost.stderr
    assert "Olu Okafor (olu) may sign from then on." in added.stderr
    assert "it takes effect on" in added.stderr
    assert "people who sign" in added.stdout
    assert "Ivan Ives (ivan) signs with another key from then on." in rotated.stderr
    assert "another person runs" in apart.stderr
    assert "May Moss (may) may sign from then on." in apart.stderr


def test_change_a_policy(tmp_path: Path, node: RealNode) -> None:
    sticks(tmp_path)
    (tmp_path / "policy.toml").write_text(policy(version="2", max_cells="200"))
    shown, checked, replayed, signed, activated, waits, withdrawn, back = Desk(tmp_path, node.home.path).read(
        HOW_TO / "change-a-policy.md"
    )
    assert '"version": 1' in shown.stdout
    assert "is in order" in checked.stderr
    assert "0 of 0 would now be refused" in replayed.stderr
    assert "2 signatures" in signed.stderr
    assert "it takes effect on" in activated.stderr
    assert "200" in activated.stderr
    assert waits.stdout.splitlines()[0].split()[0] == "Change"
    assert "is withdrawn" in withdrawn.stderr
    assert "as it was signed" in back.stdout
    assert "0 of 0 recorded decisions" in back.stderr
