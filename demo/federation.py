"""The federation from nothing: root, coordinator, four trusts, a project, an analyst; all by the real commands."""

from __future__ import annotations

import datetime
import json
import re
import time
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx

from demo.browser import Person, connected, onward_of
from demo.documents import FEDERATION, application_toml, committee_toml, policy_toml
from demo.layout import CAUTIOUS, COMMITTEE, CONDITION, GOVERNANCE, OPERATORS, PROJECT, TRUSTS, Layout, free_ports
from demo.processes import DemoError, Part, Processes, Tools, command
from demo.screen import Screen
from trustquery.identity import new_secret

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
    run: Callable[..., str] = command
    fingerprint: str = ""
    analyst_key: str = ""
    nodes: dict[str, Part] = field(default_factory=dict)

    # -- commands, each with the home of the part that runs it ----------------------------------------------------

    def tq(self, *arguments: str | Path) -> str:
        """``tq`` as the committee, a root holder or governance would run it."""
        return self.run([self.tools.path("tq"), *arguments], self.layout.base)

    def person(self, home: Path, *arguments: str | Path) -> str:
        """``tq`` as somebody with a home of their own runs it."""
        return self.run([self.tools.path("tq"), *arguments], home, {"TQ_HOME": str(home)})

    def analyst(self, *arguments: str | Path) -> str:
        """``tq`` as the analyst runs it."""
        return self.person(self.layout.analyst, *arguments)

    def coordinator(self, *arguments: str | Path) -> str:
        """``tq-coordinator``."""
        home = self.layout.coordinator
        return self.run([self.tools.path("tq-coordinator"), "--home", home, *arguments], home)

    def node(self, ods: str, *arguments: str | Path) -> str:
        """``tq-node`` at one trust."""
        home = self.layout.trust(ods)
        return self.run([self.tools.path("tq-node"), "--home", home, *arguments], home)

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
        with self.screen.step("Two root holders sign the roster; their delegate says what has been revoked: nothing"):
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
        self._settle_coordinator(home / "coordinator.toml")
        arguments: list[str | Path] = [self.tools.path("tq-coordinator"), "--home", home, "run"]
        part = self.processes.start("coordinator", arguments, home, self.layout.log("coordinator"))
        part.wait_for("listening", 20)

    def _settle_coordinator(self, settings: Path) -> None:
        """How people sign in: nothing but this machine is there, so with a password and a code, approvers too."""
        settings.write_text(settings.read_text().replace('local = "off"', 'local = "approve"'))

    def _people(self) -> dict[tuple[str, str], str]:
        groups = {"committee": list(COMMITTEE), "operators": list(OPERATORS)}
        groups |= {ods: list(GOVERNANCE) for ods in TRUSTS}

        def make(group: str) -> list[str]:
            paths = [self.layout.key(group, person) for person in groups[group]]
            return self.tq("key", "new", *paths).split()

        with ThreadPoolExecutor(1) as pool:
            analyst = pool.submit(self.analyst, "login", "--new-key")
            made = self.each(make, groups)
            self.analyst_key = analyst.result().strip()
        public = {
            (group, person): key
            for group, people in groups.items()
            for person, key in zip(people, made[group], strict=True)
        }
        for name in OPERATORS:
            self.coordinator("user", "add", name, "--key", public["operators", name], "--role", "federation-operator")
        return public

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
        each = [("--as", name, "--key", self.layout.key("operators", name)) for name in OPERATORS]
        words = self.coordinator("node", "approve", ods, *(item for one in each for item in one), "--yes").strip()
        if words not in " ".join(log.read_text().split()):
            raise DemoError(f"the words of {ods} differ: somebody is in between")

    def _roster(self, public: dict[tuple[str, str], str]) -> None:
        base = self.layout.base
        people = {person: (name, public["committee", person]) for person, name in COMMITTEE.items()}
        (base / "committee.toml").write_text(committee_toml(people))
        delegate = self.layout.delegate / "statement.key.pem"
        named = self.tq("key", "new", delegate).strip()
        (base / "roster.json").write_text(
            self.coordinator("roster", "draft", "--committee", base / "committee.toml", "--statement-key", named)
        )
        first, second, _ = self.layout.holders
        self.tq("federation", "sign", base / "roster.json", "--key", first / "root.key.pem")
        self.tq("federation", "sign", base / "roster.dsse", "--key", second / "root.key.pem")
        self.coordinator("roster", "install", base / "roster.dsse")
        self._statement(delegate)

    def _statement(self, delegate: Path) -> None:
        """What a delegate of the root does every day: say what no longer counts. Today it is nothing."""
        kept, said = self.layout.delegate / "revoked.json", self.layout.delegate / "statement.dsse"
        self.tq("federation", "statement", "--federation", FEDERATION, "--list", kept, "--key", delegate, "--out", said)
        self.coordinator("statement", "import", said)

    def _governance(self, ods: str) -> list[str | Path]:
        return [item for person in GOVERNANCE for item in ("--key", self.layout.key(ods, person))]

    def _open_for_business(self, ods: str) -> None:
        home = self.layout.trust(ods)
        policy = home / "policy.toml"
        policy.write_text(policy_toml(ods, TRUSTS))
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
        self._by_browser(user, home, "login", "--connect", code, "--user", user, "--no-browser", *options)

    def _by_browser(self, user: str, home: Path, *arguments: str | Path) -> None:
        """``tq login``, while the person sets up their account and signs in with a password and a one-time code."""
        address = self.coordinator_address
        send = connected(address, self.layout.coordinator / "authority.pem")
        person = Person(user, new_secret(8).hex(), send, time.time)
        if person.set_up(self.coordinator("user", "invite", user).strip()).status_code != 200:
            raise DemoError(f"{user} could not set up an account")
        self._note(person)
        log = self.layout.log(f"{user}-login")
        tq = [self.tools.path("tq"), *arguments]
        part = self.processes.start(f"{user} signs in", tq, home, log, {"TQ_HOME": str(home)})
        part.wait_for("/signin/", 30)
        opened = re.search(rf"https://{re.escape(address)}/signin/[0-9a-f]{{64}}", log.read_text())
        if opened is None:
            raise DemoError(f"`tq login` shows no address to {user}")
        httpx.get(str(onward_of(person.sign_in(opened[0]))), trust_env=False, timeout=30)
        self.processes.finish(part, 30)

    @property
    def coordinator_address(self) -> str:
        """host:port of the coordinator's HTTPS."""
        settings = tomllib.loads((self.layout.coordinator / "coordinator.toml").read_text())
        return str(settings["api"]["public"])

    def _note(self, person: Person) -> None:
        """What somebody needs who signs in later, where the demonstration is left running; for its owner alone."""
        path = self.layout.base / "people.txt"
        path.touch(mode=0o600)
        with path.open("a") as file:
            file.write(f"{person.name}\tpassword {person.password}\tauthenticator secret {person.secret}\n")

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
