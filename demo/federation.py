"""The federation from nothing: root, coordinator, four trusts, a project, an analyst; all by the real commands."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from demo.documents import FEDERATION, application_toml, committee_toml, policy_toml
from demo.layout import CAUTIOUS, COMMITTEE, CONDITION, GOVERNANCE, PROJECT, TRUSTS, Layout, free_ports
from demo.processes import DemoError, Part, Processes, Tools, command
from demo.screen import Screen

__all__ = ["Federation"]

T = TypeVar("T")


@dataclass
class Federation:
    """Builds everything up to the first question.

    Attributes:
        fingerprint: of the root; reaches every trust by another way than the code.
        analyst_key: the analyst's public key.
        nodes: the running nodes, by ODS code.
    """

    layout: Layout
    processes: Processes
    screen: Screen
    tools: Tools = field(default_factory=Tools)
    fingerprint: str = ""
    analyst_key: str = ""
    nodes: dict[str, Part] = field(default_factory=dict)

    # -- commands, each with the home of the part that runs it ----------------------------------------------------

    def tq(self, *arguments: str | Path) -> str:
        """``tq`` as the committee, a root holder or governance would run it."""
        return command([self.tools.path("tq"), *arguments], self.layout.base)

    def person(self, home: Path, *arguments: str | Path) -> str:
        """``tq`` as somebody with a home of their own runs it."""
        return command([self.tools.path("tq"), *arguments], home, {"TQ_HOME": str(home)})

    def analyst(self, *arguments: str | Path) -> str:
        """``tq`` as the analyst runs it."""
        return self.person(self.layout.analyst, *arguments)

    def coordinator(self, *arguments: str | Path) -> str:
        """``tq-coordinator``."""
        home = self.layout.coordinator
        return command([self.tools.path("tq-coordinator"), "--home", home, *arguments], home)

    def node(self, ods: str, *arguments: str | Path) -> str:
        """``tq-node`` at one trust."""
        home = self.layout.trust(ods)
        return command([self.tools.path("tq-node"), "--home", home, *arguments], home)

    def each(self, work: Callable[[str], T], over: Iterable[str] = TRUSTS) -> dict[str, T]:
        """The same for every trust, side by side."""
        names = list(over)
        pool = ThreadPoolExecutor(len(names))
        try:
            return dict(zip(names, pool.map(work, names), strict=True))
        except BaseException:
            # The others stop waiting at once, so that a Ctrl-C is not answered half a minute later.
            self.processes.stopping.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    # -- the story ------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """From nothing to a signed-in analyst.

        Raises:
            DemoError: a command failed or a process ended.
        """
        with ThreadPoolExecutor(1) as pool:
            data = pool.submit(self._split_data)
            with self.screen.step("Three root holders make the federation's root; the coordinator starts"):
                self._root_and_coordinator()
            with self.screen.step("People make their own keys: committee, governance of four trusts, the analyst"):
                public = self._people()
            with self.screen.step("Public test data (Synthea in OMOP 5.4) are split over the four trusts"):
                data.result()
        with self.screen.step("Four trusts enrol with one-time codes; 12 words are compared for each"):
            self.each(lambda ods: self._settle(ods, public))
            self.each(self._enrol)
        with self.screen.step("Two root holders sign the roster; it is put in force"):
            self._roster(public)
        with self.screen.step("Each node prepares its data, puts its signed policy in force, and dials in"):
            self.each(self._open_for_business)
        with self.screen.step("The analyst signs in and applies for a project"):
            self._sign_in("ada", self.layout.analyst, self.analyst_key)
            self._apply()
        with self.screen.step("Two members of the data access committee read the application and sign its permit"):
            self.each(lambda person: self._join_committee(person, public), COMMITTEE)
            self._approve()
        with self.screen.step("Two people at each trust accept the project; one trust sets a condition: it is live"):
            self._accept_everywhere()

    def _split_data(self) -> None:
        from demo.omop import find_csv, split

        split(find_csv(), self.layout.data, list(TRUSTS))

    def _root_and_coordinator(self) -> None:
        holders = [item for folder in self.layout.holders for item in ("--holder", folder)]
        self.fingerprint = self.tq("federation", "init", FEDERATION, "--out", self.layout.root, *holders).strip()
        api, nodes = free_ports(2)
        self.coordinator(
            "init", "--root", self.layout.root, "--api", f"localhost:{api}", "--nodes", f"localhost:{nodes}"
        )
        home = self.layout.coordinator
        arguments: list[str | Path] = [self.tools.path("tq-coordinator"), "--home", home, "run"]
        part = self.processes.start("coordinator", arguments, home, self.layout.log("coordinator"))
        part.wait_for("listening", 20)

    def _people(self) -> dict[tuple[str, str], str]:
        groups = {"committee": list(COMMITTEE)} | {ods: list(GOVERNANCE) for ods in TRUSTS}

        def make(group: str) -> list[str]:
            paths = [self.layout.key(group, person) for person in groups[group]]
            return self.tq("key", "new", *paths).split()

        with ThreadPoolExecutor(1) as pool:
            analyst = pool.submit(self.analyst, "login", "--new-key")
            made = self.each(make, groups)
            self.analyst_key = analyst.result().strip()
        return {
            (group, person): key
            for group, people in groups.items()
            for person, key in zip(people, made[group], strict=True)
        }

    def _settle(self, ods: str, public: dict[tuple[str, str], str]) -> None:
        people = [f"{person}:{name}:{public[ods, person]}" for person, name in GOVERNANCE.items()]
        listed = [item for person in people for item in ("--governance", person)]
        source = f"omop-5.4:parquet:{self.layout.data / ods}"
        self.node(ods, "config", "init", "--ods", ods, "--name", TRUSTS[ods], *listed, "--source", source)
        settings = self.layout.trust(ods) / "node.toml"
        # Answers leave a quarter of a second apart, not a second: nobody watches this network.
        settings.write_text(settings.read_text().replace("slot_ms = 1000", "slot_ms = 250"))

    def _enrol(self, ods: str) -> None:
        code = self.coordinator("node", "invite", ods, "--name", TRUSTS[ods]).strip()
        home = self.layout.trust(ods)
        arguments: list[str | Path] = [
            self.tools.path("tq-node"),
            "--home",
            home,
            "enrol",
            code,
            "--root-fingerprint",
            self.fingerprint,
        ]
        log = self.layout.log(f"{ods}-enrol")
        part = self.processes.start(f"{ods} enrolment", arguments, home, log)
        part.wait_for("waiting", 30)
        self._compare(ods, log)
        self.processes.finish(part, 20)

    def _compare(self, ods: str, log: Path) -> None:
        """What two people do by telephone: the words shown on both sides must be the same."""
        words = self.coordinator("node", "approve", ods, "--yes").strip()
        if words not in " ".join(log.read_text().split()):
            raise DemoError(f"the words of {ods} differ: somebody is in between")

    def _roster(self, public: dict[tuple[str, str], str]) -> None:
        base = self.layout.base
        people = {person: (name, public["committee", person]) for person, name in COMMITTEE.items()}
        (base / "committee.toml").write_text(committee_toml(people))
        (base / "roster.json").write_text(self.coordinator("roster", "draft", "--committee", base / "committee.toml"))
        first, second, _ = self.layout.holders
        self.tq("federation", "sign", base / "roster.json", "--key", first / "root.key.pem")
        self.tq("federation", "sign", base / "roster.dsse", "--key", second / "root.key.pem")
        self.coordinator("roster", "install", base / "roster.dsse")

    def _governance(self, ods: str) -> list[str | Path]:
        return [item for person in GOVERNANCE for item in ("--key", self.layout.key(ods, person))]

    def _open_for_business(self, ods: str) -> None:
        home = self.layout.trust(ods)
        policy = home / "policy.toml"
        policy.write_text(policy_toml(ods))
        self.node(ods, "source", "refresh")
        self.tq("policy", "sign", policy, *self._governance(ods))
        self.node(ods, "policy", "activate", policy.with_suffix(".dsse"))
        arguments: list[str | Path] = [self.tools.path("tq-node"), "--home", home, "run"]
        part = self.processes.start(f"node {ods}", arguments, home, self.layout.log(ods))
        self.nodes[ods] = part
        part.wait_for("connected", 30)

    def _sign_in(self, user: str, home: Path, key: str, *options: str | Path) -> None:
        """The operator adds a person; they sign in from a home of their own."""
        roles = [] if user == "ada" else ["--role", "committee-member"]
        code = self.coordinator("user", "add", user, "--key", key, *roles).strip()
        self.person(home, "login", "--connect", code, "--user", user, *options)

    def _apply(self) -> None:
        answers = self.layout.base / "application.toml"
        answers.write_text(application_toml(self.analyst_key, datetime.datetime.now(datetime.UTC).date()))
        self.analyst("project", "apply", PROJECT, "--file", answers, "--submit", "--yes")

    def _join_committee(self, person: str, public: dict[tuple[str, str], str]) -> None:
        key = self.layout.key("committee", person)
        self._sign_in(person, self.layout.member(person), public["committee", person], "--key", key)

    def _approve(self) -> None:
        """One after the other: the second adds a signature to the permit that the first has signed."""
        for person in COMMITTEE:
            key = self.layout.key("committee", person)
            self.person(self.layout.member(person), "request", "approve", PROJECT, "--key", key, "--yes")
        for part in self.nodes.values():
            part.wait_for('"permits": 1', 20)

    def _accept_everywhere(self) -> None:
        self.each(self._accept)
        deadline = time.monotonic() + 20
        while json.loads(self.analyst("project", "list", "--format", "json"))[0]["state"] != "live":
            if time.monotonic() > deadline:
                raise DemoError("the project is not live although every trust has accepted it")
            time.sleep(0.1)

    def _accept(self, ods: str) -> None:
        conditions = ["--condition", CONDITION] if ods == CAUTIOUS else []
        self.node(ods, "project", "accept", PROJECT, "--yes", *conditions, *self._governance(ods))
