"""Any order of calls, with restarts in between: the real ledger and the reference never disagree."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from node_agent.budget import Limits, SqliteLedger, State
from node_agent.budget.reader import LedgerReader
from tests.factories.reservations import print_of, profile_scopes, reservation, scopes
from tests.lib.memory_ledger import MemoryLedger
from trustquery.errors import TrustQueryError

DAY = 86_400
TIGHT = scopes(Limits(200, 0, 120), Limits(150, 0), Limits(100, 0), Limits(90, 0, 60))
PROFILE = profile_scopes(Limits(120, 0, 70, 0), node=Limits(200, 0, 120), dataset=Limits(150, 0))


class LedgerMachine(RuleBasedStateMachine):
    """Every call goes to both; outcome, totals and states must be equal."""

    names = Bundle("names")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.sqlite"
        self.real = SqliteLedger(self.path)
        self.model = MemoryLedger()
        self.now = 1_000_000_000
        self.boxes: dict[str, bytes] = {}
        self.gone: set[str] = set()

    def both(self, method: str, *arguments: object) -> None:
        outcomes = []
        for ledger in (self.real, self.model):
            try:
                getattr(ledger, method)(*arguments)
                outcomes.append("done")
            except TrustQueryError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1], (method, arguments)

    @rule(
        target=names,
        name=st.integers(0, 30),
        question=st.integers(0, 2),
        rho=st.integers(1, 60),
        stored=st.booleans(),
        profile=st.booleans(),
    )
    def reserve(self, name: int, question: int, rho: int, stored: bool, profile: bool) -> str:
        asked = print_of(f"question {question}")
        stored = stored and self.model.stored_vector(asked) is not None
        self.both(
            "reserve",
            reservation(
                f"r{name}",
                question=asked,
                rho_nano=rho,
                stored=stored,
                not_after=self.now + 60,
                scopes=PROFILE if profile else TIGHT,
            ),
            self.now,
        )
        return print_of(f"r{name}")

    @rule(name=names, ending=st.sampled_from(["sent", "withhold"]))
    def answer(self, name: str, ending: str) -> None:
        """All the way at once, so that there is something to erase."""
        release = self.model.find(name)
        if release is None or release.state is not State.RESERVED:
            return
        if not release.stored:
            self.both("start", name, self.now)
        self.commit(name)
        if ending == "sent":
            self.both("witnessed", name, self.now)
        self.both(ending, name, self.now)

    @rule(name=names, method=st.sampled_from(["start", "expire", "die", "withhold", "witnessed"]))
    def move(self, name: str, method: str) -> None:
        if self.model.find(name) is not None:
            self.both(method, name, self.now)

    @rule(name=names)
    def commit(self, name: str) -> None:
        if self.model.find(name) is not None:
            self.both("commit", name, b"bytes " + name.encode(), b"vector " + name.encode(), self.now)

    @rule(name=names)
    def send(self, name: str) -> None:
        if self.model.find(name) is not None:
            self.both("sent", name, self.now)

    @rule(name=names)
    def acknowledge(self, name: str) -> None:
        self.both("acknowledged", name)

    @rule(days=st.sampled_from([1, 30, 366]), most=st.integers(1, 3))
    def erase(self, days: int, most: int) -> None:
        done = [each.erase(days, self.now, most=most) for each in (self.real, self.model)]
        assert done[0] == done[1]
        self.gone |= set(done[0])

    @rule(seconds=st.sampled_from([0, 1, DAY, 40 * DAY, 89 * DAY, 90 * DAY, 366 * DAY, -400 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        self.real.close()
        self.real = SqliteLedger(self.path)
        ended = [sorted((r.release_id, r.state) for r in each.recover(self.now)) for each in (self.real, self.model)]
        assert ended[0] == ended[1]

    @invariant()
    def sums_agree(self) -> None:
        if hasattr(self, "real"):
            found = {(scope, subject): figures for scope, subject, *figures in self.real.totals()}
            assert found == {key: list(value) for key, value in self.model.totals().items()}

    @invariant()
    def states_agree_and_bytes_are_for_ever(self) -> None:
        if not hasattr(self, "real"):
            return
        for release in self.model.releases.values():
            found = self.real.find(release.release_id)
            assert found is not None
            assert found.state is release.state
            box = self.real.outbox(release.release_id)
            assert box == self.model.outbox(release.release_id)
            if box is not None:
                assert self.boxes.setdefault(release.release_id, box) == box
                assert release.release_id not in self.gone
            elif release.release_id in self.boxes:
                assert release.release_id in self.gone
                assert not self.real.has_left(release.release_id)

    @invariant()
    def stored_vectors_agree(self) -> None:
        if hasattr(self, "real"):
            for place in range(3):
                asked = print_of(f"question {place}")
                assert self.real.stored_vector(asked) == self.model.stored_vector(asked)
                assert self.real.erased_day(asked) == self.model.erased_day(asked)

    @invariant()
    def spent_covers_what_was_released(self) -> None:
        """Whatever left, or may leave, is in the sum (invariant I1)."""
        if hasattr(self, "real"):
            owed = sum(
                r.rho_nano for r in self.model.releases.values() if r.state is not State.EXPIRED and not r.stored
            )
            assert self.real.spent("node-wide", "", self.now).rho_lifetime == owed

    @invariant()
    def every_window_agrees(self) -> None:
        if hasattr(self, "real"):
            for item in {*TIGHT, *PROFILE}:
                found = [each.spent(item.scope, item.subject, self.now) for each in (self.real, self.model)]
                assert found[0] == found[1], item

    def teardown(self) -> None:
        if hasattr(self, "real"):
            size = self.real.size()
            self.real.close()
            reader = LedgerReader(self.path)
            assert reader.size() == size
            reader.close()
            self.folder.cleanup()


LedgerMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestLedger = LedgerMachine.TestCase
