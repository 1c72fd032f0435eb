"""LED-09: a real node whose machine's clocks jump. What was spent stays spent, and no window begins anew.

Monotonic and boot time are moved by the kernel, in a time namespace (Linux 5.6, root); the wall clock, which has no
namespace, by the node's own clock port. A jump of monotonic time comes with a restart, as a time namespace and a reboot
both have it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lib.lone_node import LoneNode, lone_node, status_of
from tests.lib.processes import wait_for
from trustquery.identity import Answer

pytestmark = [pytest.mark.timeout(180), pytest.mark.acceptance("LED-09")]
SQL = "SELECT count(*) AS attendances FROM emergency_attendance"
YEARS = 3_653 * 86_400
"""Ten of them, in seconds."""
EARLY = 40
"""Seconds since the boot that a node of after a jump back believes in."""
RHO = 999
"""Nano-rho of one release, as charged; the window of 12 months holds three of them, and a lifetime a hundred."""
CAPS = {
    "budget.node_wide__rho_12_months": "0.000003", "budget.node_wide__rho_lifetime": "0.0001",
    "dataset.budget__rho_12_months": "0.0001",
}  # fmt: skip


def uptime() -> float:
    """Seconds since this machine's boot, outside every namespace."""
    return float(Path("/proc/uptime").read_text().split()[0])


@dataclass
class Clocks:
    """The node, and how to start it again with other clocks."""

    lone: LoneNode
    shift: Path
    program: list[str]

    def restart(self, wall: int, boot: int) -> None:
        """Start it again with so many seconds added to its wall clock, and to its monotonic and boot time."""
        process = self.lone.node.process
        before = self.lone.observer.sessions
        self.lone.node.end()
        self.shift.write_text(str(wall))
        moved = ["unshare", "--time", "--monotonic", str(boot), "--boottime", str(boot)] if boot else []
        process.arguments = [*moved, *self.program]
        self.lone.node.start()
        wait_for(lambda: self.lone.observer.sessions > before, 20, "the node to dial in")

    def monotonic_of_the_node(self) -> float:
        """Seconds by which the node's boot time is ahead of this machine's, as the kernel says."""
        text = Path(f"/proc/{self.lone.node.process.pid}/timens_offsets").read_text()
        return float(dict(line.split()[:2] for line in text.splitlines())["monotonic"])

    def ask(self) -> str:
        """What became of one more question."""
        return status_of(self.lone.ask())

    def spent(self) -> list[tuple[Any, ...]]:
        """What is charged in every scope, by a plain SQLite shell."""
        return self.lone.node.ledger("SELECT scope, sum(rho_nano), count(*) FROM charge GROUP BY scope ORDER BY scope")


def charged(releases: int) -> list[tuple[str, int, int]]:
    """So many releases, in every scope."""
    return [(scope, releases * RHO, releases) for scope in ("analyst", "dataset", "node-wide", "project")]


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clocks]:
    folder = tmp_path_factory.mktemp("clocks")
    shift = folder / "shift"
    (folder / "node").mkdir()
    program = [sys.executable, "-m", "tests.lib.shifted_node", "HOME", str(shift)]
    with lone_node(
        folder / "node", {"emergency_attendance": []}, SQL, "slot_ms = 100\nallowance_ms = 2000",
        policy=CAPS, program=program,
    ) as lone:  # fmt: skip
        yield Clocks(lone, shift, [word.replace("HOME", str(lone.node.home.path)) for word in program])


def test_a_monotonic_jump_neither_charges_nor_gives_back(clocks: Clocks) -> None:
    """And the control: while there is budget a node with such clocks answers, and its ledger is charged once each."""
    assert clocks.ask() == "answer"
    for releases, boot in ((2, YEARS), (3, int(EARLY - uptime()))):
        clocks.restart(0, boot)
        assert clocks.monotonic_of_the_node() == boot
        assert clocks.spent() == charged(releases - 1)
        assert clocks.ask() == "answer"
        assert clocks.spent() == charged(releases)


BACK = [(-YEARS, YEARS), (-1, -1)]
"""Seconds on the wall's clock and on monotonic time; -1: as soon after a boot."""
AHEAD = [(YEARS, 0)]
MORE = [
    (0, YEARS), (366 * 86_400, 366 * 86_400), (0, -1), (1, 0), (2 * 3_600, YEARS), (-3_600, 0), (366 * 86_400, 0),
    (-YEARS, 0), (YEARS, -1),
]  # fmt: skip


def nothing_comes_back(clocks: Clocks, wall: int, boot: int) -> None:
    clocks.restart(wall, boot if boot >= 0 else int(EARLY - uptime()))
    assert clocks.ask() == "refused"
    assert clocks.spent() == charged(3)


@pytest.mark.parametrize(("wall", "boot"), BACK)
def test_nothing_is_answered_again_by_clocks_that_went_back(clocks: Clocks, wall: int, boot: int) -> None:
    """The window is used up: ten years back, a leap second, a reboot."""
    nothing_comes_back(clocks, wall, boot)


def test_the_window_is_as_it_was_once_the_clocks_are_put_right(clocks: Clocks) -> None:
    """What was written meanwhile moved no window: the question is refused for its budget, by clocks that are right."""
    nothing_comes_back(clocks, 0, 0)
    answer = Answer.read(clocks.lone.ask().envelope)
    assert "budget-exhausted" in [reason["code"] for reason in answer.reasons], answer.reasons


@pytest.mark.parametrize(("wall", "boot"), AHEAD)
def test_nor_by_clocks_that_stood_ahead_and_were_put_right(clocks: Clocks, wall: int, boot: int) -> None:
    """Ten years on. Documents are then judged by the latest time that the ledger has seen."""
    nothing_comes_back(clocks, wall, boot)
    nothing_comes_back(clocks, 0, 0)


@pytest.mark.full_size
@pytest.mark.parametrize(("wall", "boot"), MORE)
def test_nor_by_more_clocks_and_after_each_put_right(clocks: Clocks, wall: int, boot: int) -> None:
    nothing_comes_back(clocks, wall, boot)
    nothing_comes_back(clocks, 0, 0)
