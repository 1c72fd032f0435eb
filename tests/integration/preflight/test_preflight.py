"""``tq-node preflight`` against a real coordinator, straight and behind proxies of every habit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from node_agent.cli.main import app
from node_agent.config import Home
from node_agent.enrolment.enrol import complete, fetch_anchor, request
from node_agent.preflight import tls
from node_agent.preflight.world import look
from tests.lib.connect_proxy import GATEWAY, Mode, connect_proxy
from tests.lib.coordinator import LiveCoordinator
from trustquery.protocol.enrolment import EnrolmentCode

BARE = 'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Ash"\n'
SECRET = "s3cret-of-the-proxy"


@dataclass
class Site:
    """A coordinator, an enrolled node's home and a code for another node."""

    live: LiveCoordinator
    home: Home
    code: str

    def run(self, settings: str = "", *arguments: str, home: Home | None = None) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and rows of ``preflight``."""
        where = home or self.home
        where.config_file.write_text(BARE + settings)
        done = CliRunner().invoke(app, ["--home", str(where.path), "preflight", "--format", "json", *arguments])
        assert SECRET not in done.output
        return done.exit_code, json.loads(done.stdout)["data"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    live = LiveCoordinator(tmp_path_factory.mktemp("coordinator"))
    home = Home(tmp_path_factory.mktemp("node") / "home")
    code = EnrolmentCode.parse(live.cli("node", "invite", "RX1", "--name", "Trust").strip())
    enrolment = fetch_anchor(code)
    request(enrolment, home, "Trust")
    live.approve("RX1")
    complete(enrolment, home, lambda: False)
    yield Site(live, home, live.cli("node", "invite", "RX2", "--name", "Other").strip())
    live.end()


@pytest.fixture(autouse=True)
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def results(rows: list[dict[str, Any]], check: str) -> set[str]:
    return {row["result"] for row in rows if row["check"] == check}


def with_proxy(site: Site, port: int, user: str = "") -> str:
    text = f'[proxy]\nurl = "http://127.0.0.1:{port}"\n'
    if user:
        file = site.home.path / "proxy.password"
        file.write_text(SECRET)
        file.chmod(0o600)
        text += f'user = "{user}"\npassword_file = "{file}"\n'
    return text


def test_after_enrolment_everything_that_the_network_has_to_do_passes(site: Site) -> None:
    code, rows = site.run()
    network = ("settings", "names", "ports", "tls", "http2", "websocket", "clock", "keys", "certificate")
    assert {name: results(rows, name) for name in network} == {name: {"pass"} for name in network}, rows
    assert results(rows, "proxy") == results(rows, "extra-ca") == {"skipped"}
    ports = {site.live.api_port, site.live.grpc_port, site.live.websocket_port}
    assert {row["about"] for row in rows if row["check"] == "ports"} == {f"localhost:{port}" for port in ports}
    assert code == 0


def test_before_enrolment_the_code_leads_to_the_api(site: Site, tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    home.create()
    code, rows = site.run("", site.code, home=home)
    assert code == 0
    for name in ("names", "ports", "tls", "clock"):
        assert results(rows, name) == {"pass"}, name
    for name in ("http2", "websocket", "certificate", "keys", "ledger"):
        assert results(rows, name) == {"skipped"}, name
    code, rows = site.run(home=home)
    assert results(rows, "tls") == results(rows, "clock") == {"skipped"}


def test_an_authenticated_proxy(site: Site) -> None:
    with connect_proxy(user="ann", password=SECRET) as proxy:
        code, rows = site.run(with_proxy(site, proxy.port, "ann"))
        assert code == 0, rows
        for name in ("proxy", "ports", "tls", "http2", "websocket", "clock"):
            assert results(rows, name) == {"pass"}, name
        assert results(rows, "names") == {"pass", "skipped"}
        code, rows = site.run(with_proxy(site, proxy.port))
    assert code == 3
    assert results(rows, "proxy") == {"fail"}
    (fix,) = {row["fix"] for row in rows if row["check"] == "proxy"}
    assert "password_file" in fix
    # What lies behind the proxy could not be looked at.
    assert not {name for name in ("ports", "tls", "http2", "websocket", "clock") if "pass" in results(rows, name)}


def test_an_inspector_is_named_and_the_fix_tells_session_and_enrolment_apart(site: Site, tmp_path: Path) -> None:
    with connect_proxy("inspects") as proxy:
        code, rows = site.run(with_proxy(site, proxy.port))
        found = {row["about"]: row for row in rows if row["check"] == "tls"}
        assert code == 3
        assert {row["result"] for row in found.values()} == {"fail"}
        assert all(GATEWAY in row["found"] for row in found.values())
        assert "https_ca_file" in found[f"localhost:{site.live.api_port}"]["fix"]
        for port in (site.live.grpc_port, site.live.websocket_port):
            assert "exempted" in found[f"localhost:{port}"]["fix"]
            assert "https_ca_file" not in found[f"localhost:{port}"]["fix"]
        assert results(rows, "http2") == {"fail"}
        # With the inspector's certificate the API passes, with a warning, and the session never does.
        gateway = tmp_path / "gateway.pem"
        gateway.write_bytes(proxy.authority_pem)
        code, rows = site.run(with_proxy(site, proxy.port) + f'[coordinator]\nhttps_ca_file = "{gateway}"\n')
    found = {row["about"]: row for row in rows if row["check"] == "tls"}
    assert code == 3
    assert found[f"localhost:{site.live.api_port}"]["result"] == "warn"
    assert found[f"localhost:{site.live.grpc_port}"]["result"] == "fail"
    assert results(rows, "extra-ca") == results(rows, "clock") == {"pass"}


def test_a_proxy_that_breaks_http2_is_a_warning_while_a_websocket_opens(site: Site) -> None:
    with connect_proxy("breaks-http2") as proxy:
        code, rows = site.run(with_proxy(site, proxy.port))
    assert (code, results(rows, "http2"), results(rows, "websocket")) == (0, {"warn"}, {"pass"})


@pytest.mark.parametrize("mode", ["black-hole", "slow", "refuse"])
def test_a_proxy_that_leads_nowhere_ends_in_time(site: Site, mode: Mode) -> None:
    with connect_proxy(mode) as proxy:
        site.home.config_file.write_text(BARE + with_proxy(site, proxy.port))
        world = look(site.home, None, 0)
        world.seconds = 0.5
        found = tls.inspection(world)
    assert {result.outcome.kind for result in found} == {"fail"}


def test_a_clock_that_is_off(site: Site) -> None:
    import time

    site.home.config_file.write_text(BARE)
    for off, outcome in ((0, tls.IN_STEP), (-20, tls.IN_STEP), (60, tls.DRIFTS), (-3_600, tls.WRONG)):
        (found,) = tls.clock(look(site.home, None, int(time.time()) + off))
        assert found.outcome == outcome, off
