"""A real coordinator process with one enrolled node, whose keys the test holds: to be spoken to by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.factories.projects import signed
from tests.lib.processes import Process, command, free_port, run
from tests.lib.settings import with_keys
from trustquery.client.config import ClientHome, find_home
from trustquery.client.signin import join, open_http, sign_in
from trustquery.identity import Permit, SigningKey
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key
from trustquery.projects.application import Application
from trustquery.protocol.enrolment import ConnectionCode, EnrolmentCode, proof_message

__all__ = ["EnrolledNode", "LiveCoordinator"]

OPERATORS = ("olive", "oscar")


@dataclass(frozen=True)
class EnrolledNode:
    """A node as the coordinator knows it."""

    ods: str
    key: SigningKey
    tls_key: bytes
    certificate: bytes


class LiveCoordinator:
    """Root, coordinator and process in one folder.

    Args:
        folder: an empty folder.
        more: settings beside those of the sample, once the home is there.
        change: of the settings' text.
    """

    federation = "test"

    def __init__(
        self, folder: Path, more: Callable[[LiveCoordinator], str] = lambda _: "", change: Callable[[str], str] = str
    ) -> None:
        self.folder = folder
        self.home = folder / "coordinator"
        self.api_port, self.grpc_port, self.websocket_port = free_port(), free_port(), free_port()
        holders = [folder / f"holder{place}" for place in range(3)]
        options = [item for holder in holders for item in ("--holder", holder)]
        run(command("tq"), "federation", "init", self.federation, "--out", folder / "root.json", *options)
        self.delegate = folder / "delegate.key.pem"
        self.root_keys = [holder / "root.key.pem" for holder in holders]
        self.cli("init", "--root", folder / "root.json", "--api", f"localhost:{self.api_port}",
                 "--nodes", f"localhost:{self.grpc_port}",
                 "--websocket", f"localhost:{self.websocket_port}")  # fmt: skip
        settings = self.home / "coordinator.toml"
        settings.write_text(change(with_keys(settings.read_text())) + more(self))
        self.process = Process([command("tq-coordinator"), "--home", self.home, "run"], folder / "coordinator.log")
        self.process.start("listening")

    def cli(self, *arguments: str | Path) -> str:
        """Run ``tq-coordinator``; returns stdout."""
        return run(command("tq-coordinator"), "--home", self.home, *arguments).stdout

    @property
    def authority(self) -> Authority:
        """The transport authority, with its private key: what only an intruder at the centre would hold."""
        return Authority((self.home / "authority.key.pem").read_bytes(), (self.home / "authority.pem").read_bytes())

    def enrol(self, ods: str, approve: Callable[[], object] | None = None) -> EnrolledNode:
        """Invite, request by hand, approve in the usual way or another."""
        code = self.cli("node", "invite", ods, "--name", f"Trust {ods}").strip()
        key, tls_key = SigningKey.generate(), new_tls_key()
        request = certificate_request(tls_key, ods)
        proof = key.sign(proof_message(EnrolmentCode.parse(code), key.public, request)).hex()
        body = {"code": code, "ods": ods, "name": f"Trust {ods}", "identity_key": key.public.hex(),
                "csr": request.decode(), "proof": proof}  # fmt: skip
        with self.http() as client:
            client.post("/v1/enrolment", json=body).raise_for_status()
            (approve or (lambda: self.approve(ods)))()
            found = client.get(f"/v1/enrolment/{ods}", headers={"Authorization": f"Bearer {code}"}).raise_for_status()
        return EnrolledNode(ods, key, tls_key, found.json()["certificate_pem"].encode())

    def approve(self, ods: str) -> str:
        """Have two operators approve a node, each with an account of their own; the words that they saw."""
        self.add_operators()
        sure = [word for name in OPERATORS for word in ("--as", name, "--key", self.folder / f"{name}.pem")]
        return self.cli("node", "approve", ods, *sure, "--yes").strip()

    def add_operators(self) -> None:
        """Two people who may approve nodes; their keys are ``olive.pem`` and ``oscar.pem`` here."""
        for name in OPERATORS:
            path = self.folder / f"{name}.pem"
            if not path.exists():
                key = SigningKey.generate()
                key.save(path)
                self.cli("user", "add", name, "--key", key.public.hex(), "--role", "federation-operator")

    def install_roster(self, *, seconds_ago: int = 0) -> None:
        """Draft, sign by two root holders, install; as if it had been drafted so long ago."""
        committee = self.folder / "committee.toml"
        if not committee.exists():
            people = [("ann", SigningKey.generate()), ("bob", SigningKey.generate())]
            committee.write_text(
                "".join(f'[[people]]\nperson = "{n}"\nname = "{n}"\nkey = "{k.public.hex()}"\n' for n, k in people)
            )
        draft = self.folder / "roster.json"
        if not self.delegate.exists():
            run(command("tq"), "key", "new", self.delegate)
        named = run(command("tq"), "key", "show", self.delegate).stdout.strip()
        draft.write_text(self.cli("roster", "draft", "--committee", committee, "--statement-key", named))
        found = json.loads(draft.read_text())
        found["issued"] -= seconds_ago
        found["expires"] -= seconds_ago
        draft.write_text(json.dumps(found))
        keys = [item for key in self.root_keys[:2] for item in ("--key", key)]
        signed = self.folder / "roster.dsse"
        run(command("tq"), "federation", "sign", draft, *keys, "--out", signed)
        self.cli("roster", "install", signed)
        signed.unlink()
        self.say()

    def say(self, *revoked: str) -> None:
        """The delegate revokes these, as options of ``tq federation revoke``, and issues a statement."""
        kept, said = self.folder / "revoked.json", self.folder / "statement.dsse"
        begun = ("--list", kept, "--federation", self.federation)
        if revoked:
            run(command("tq"), "federation", "revoke", *begun, "--reason", "a test", *revoked)
        run(command("tq"), "federation", "statement", *begun, "--key", self.delegate, "--out", said)
        self.cli("statement", "import", said)

    def add_project(self, found: Application, lead: SigningKey, *members: SigningKey, begins: int = 0) -> Permit:
        """Have an application signed, approved and taken in; its permit begins now unless told otherwise."""
        permit, approved, submitted = signed(found, lead, *members, begins=begins or int(time.time()) - 10)
        (self.folder / "application.dsse").write_bytes(submitted)
        (self.folder / "permit.dsse").write_bytes(approved)
        self.cli("project", "add", "--application", self.folder / "application.dsse",
                 "--permit", self.folder / "permit.dsse")  # fmt: skip
        return permit

    def sign_in(self, name: str, key: SigningKey, *options: str) -> ClientHome:
        """Add a person and sign them in; returns their home."""
        home = find_home(self.folder / name)
        key.save(home.default_key)
        code = self.cli("user", "add", name, "--key", key.public.hex(), *options).strip()
        settings = join(home, ConnectionCode.parse(code), name, home.default_key.name, way="key")
        with open_http(home, settings) as http:
            sign_in(home, settings, http)
        return home

    def http(self) -> httpx.Client:
        """A client of the HTTPS API that verifies the authority."""
        import ssl

        trusted = ssl.create_default_context(cadata=(self.home / "authority.pem").read_text())
        return httpx.Client(base_url=f"https://localhost:{self.api_port}", verify=trusted, trust_env=False)

    def end(self) -> None:
        """Stop the process."""
        self.process.end()
