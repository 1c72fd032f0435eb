"""The pages on project review, done command by command by two output checkers and the analyst who waits."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, fences
from tests.lib.public_site import serving
from tests.lib.review_site import CHECKERS, FIGURE, ReviewSite
from trustquery.client.config import ClientHome, ClientSettings
from trustquery.identity import Intent

RELEASE, OTHER = "3f2a9c01" * 8, "5d0b7e42" * 8
SUM = f"{3 * FIGURE:,}"


class Desk:
    """Ada and two checkers, each with a home folder, at one coordinator."""

    def __init__(self, world: ReviewSite, home: ClientHome, folder: Path) -> None:
        self.world, self.homes = world, {"ada": home}
        for name in ("olive", "oscar"):
            mine = ClientHome(folder / name)
            mine.write_settings(
                ClientSettings(coordinator=home.settings().coordinator, user=name, key="key.pem", sign_in="key")
            )
            mine.authority.write_bytes(home.authority.read_bytes())
            mine.root.write_bytes(home.root.read_bytes())
            CHECKERS[name].save(mine.default_key)
            self.homes[name] = mine

    def deadline(self, held: Intent) -> None:
        """Let the deadline come; then the clock goes back, so that everybody's sign-in still counts."""
        now = self.world.site.now
        self.world.settle(held)
        self.world.site.now = now

    def type(self, who: str, command: str, exit_: int = 0, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
        """One command of a page, as somebody types it."""
        words = [release[:12] if word == "RELEASE" else word for word in shlex.split(command)]
        path = str(Path(sys.executable).parent / words[0])
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TQ_HOME": str(self.homes[who].path)}
        found = subprocess.run(
            [path, *words[1:]], env=environment, capture_output=True, text=True, check=False, timeout=60, input=""
        )
        assert found.returncode == exit_, f"{command}\n{found.stdout}\n{found.stderr}"
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Desk, Intent]]:
    with serving(tmp_path) as (site, home):
        world = ReviewSite(site)
        permit = site.project(output_review="yes")
        yield Desk(world, home, tmp_path), world.in_review(permit, RELEASE)


def blocks(page: str) -> list[str]:
    """The commands of a page."""
    return [fence.text.strip() for fence in fences(DOCS / "how-to" / page) if fence.language == "sh"]


def test_two_checkers_and_an_analyst_do_what_the_pages_say(desk: tuple[Desk, Intent]) -> None:
    people, held = desk
    listed, show, approve, back, again = blocks("check-outputs.md")
    check, status, result = blocks("wait-for-a-review.md")
    assert (
        "Two output checkers look at the merged result first. You see it 1 day after"
        in people.type("ada", check).stderr
    )
    waiting = people.type("ada", status)
    assert "in review by two output checkers until" in waiting.stderr
    in_review = people.type("ada", result, exit_=14)
    assert "query-in-review" in in_review.stderr
    assert SUM not in waiting.stdout + waiting.stderr + in_review.stdout + in_review.stderr
    assert RELEASE[:12] in people.type("olive", listed).stdout
    seen = people.type("olive", show)
    assert SUM in seen.stdout
    assert "Project stays" in seen.stderr
    assert "is the sum of what they signed" in seen.stderr
    assert "your verdict is kept: approve" in people.type("olive", approve).stderr
    # Blind.
    blind = people.type("oscar", show)
    assert "olive" not in blind.stderr
    assert "it waits for one verdict" in blind.stderr
    people.type("oscar", back)
    assert "olive, round 1: approve" in people.type("oscar", show).stderr
    people.type("olive", again)
    assert "approved: shown at the deadline" in people.type("oscar", again).stderr
    people.type("ada", result, exit_=14)
    people.deadline(held)
    shown = people.type("ada", result)
    assert SUM in shown.stdout
    assert "Two output checkers approved the merged table before it was shown." in shown.stderr
    assert "two output checkers approved the merged table" in people.type("ada", status).stderr
    # The record of the criteria that she computes is the one that is published.
    people.type("ada", "tq release publish RELEASE")
    public = people.world.call("", "GET", f"/public/queries/{RELEASE}/data.json").json()["uses"][0]["result"]
    mine = json.loads(people.type("ada", "tq query result RELEASE --format json").stdout)
    assert mine["criteria"] == public["criteria"]


def test_what_two_checkers_return_has_reasons_and_no_figure(desk: tuple[Desk, Intent]) -> None:
    people, held = desk
    *_, back, _ = blocks("check-outputs.md")
    *_, result = blocks("wait-for-a-review.md")
    for who in ("olive", "oscar"):
        people.type(who, back)
    people.deadline(held)
    found = people.type("ada", result, exit_=12)
    assert "small-groups: the figures are about groups so small" in found.stderr.replace("\n", " ")
    assert SUM not in found.stdout + found.stderr
    people.type("olive", "tq release show RELEASE", exit_=12)
    assert "Nothing waits" in people.type("olive", "tq release list").stderr


def test_a_checker_notices_figures_that_no_trust_signed(desk: tuple[Desk, Intent]) -> None:
    """The coordinator cannot have one table approved and show another: the checker's machine reads the trusts' own."""
    people, _ = desk
    with people.world.site.store.reviews.change(RELEASE) as change:
        assert change is not None
        change.review.held = change.review.held.replace(str(3 * FIGURE).encode(), b"22962964")
    found = people.type("olive", "tq release show RELEASE", exit_=31)
    assert "not the sum of what the trusts signed" in found.stderr.replace("\n", " ")
