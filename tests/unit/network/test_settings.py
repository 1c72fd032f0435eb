"""Which proxy leads to an address; settings before environment; no password in any text."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_agent.config import Home, NodeConfig, ProxyEnvironment, parse_config, proxy_environment
from node_agent.network import Network, Proxy, network_of
from trustquery.errors import TrustQueryError

BARE = 'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Ash"\n'
NONE = ProxyEnvironment()


def config(text: str = "") -> NodeConfig:
    return parse_config(BARE + text)


def found(home: Path, text: str = "", environment: ProxyEnvironment = NONE) -> Network:
    return network_of(Home(home), config(text), environment)


def code_of(home: Path, text: str = "", environment: ProxyEnvironment = NONE) -> str:
    with pytest.raises(TrustQueryError) as caught:
        found(home, text, environment)
    assert "hunter2" not in str([problem.document() for problem in caught.value.problems])
    return caught.value.code


def test_without_settings_and_environment_the_node_connects_directly(tmp_path: Path) -> None:
    assert found(tmp_path) == Network(folder=Home(tmp_path).control)
    assert found(tmp_path).proxy_for("tq.example:443") is None


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.nhs.uk:8080", Proxy("proxy.nhs.uk:8080")),
        ("http://proxy.nhs.uk", Proxy("proxy.nhs.uk:80")),
        ("proxy.nhs.uk:8080", Proxy("proxy.nhs.uk:8080")),
        ("http://ann:p%40ss%3Aw@proxy.nhs.uk:8080/", Proxy("proxy.nhs.uk:8080", "ann", "p@ss:w")),
        ("http://[2001:db8::1]:8080", Proxy("[2001:db8::1]:8080")),
    ],
)
def test_the_environment_counts_without_a_table(tmp_path: Path, url: str, proxy: Proxy) -> None:
    assert found(tmp_path, "", ProxyEnvironment(url)).proxy == proxy


@pytest.mark.parametrize(
    "url", ["https://ann:hunter2@proxy:443", "socks5://ann:hunter2@proxy:1080", "http://ann:hunter2@proxy:port"]
)
def test_an_environment_that_cannot_be_used_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    assert code_of(tmp_path, "", ProxyEnvironment(url)) == "config-invalid"


def test_a_table_counts_and_the_environment_does_not(tmp_path: Path) -> None:
    other = ProxyEnvironment("http://other:1")
    assert found(tmp_path, '[proxy]\nurl = "http://mine:2"\n', other).proxy == Proxy("mine:2")
    assert found(tmp_path, '[proxy]\nurl = "mine:2"\n', other).proxy == Proxy("mine:2")
    assert found(tmp_path, '[proxy]\nurl = ""\n', other).proxy is None


def test_the_password_is_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    file = tmp_path / "proxy.password"
    text = '[proxy]\nurl = "http://mine:2"\nuser = "ann"\npassword_file = "proxy.password"\n'
    assert code_of(tmp_path, text) == "config-missing"
    file.write_text("hunter2\n")
    file.chmod(0o640)
    assert code_of(tmp_path, text) == "config-key-file"
    file.chmod(0o600)
    network = found(tmp_path, text)
    assert network.proxy == Proxy("mine:2", "ann", "hunter2")
    # Basic of ann:hunter2, by RFC 7617.
    assert network.proxy is not None
    assert network.proxy.authorization == "Basic YW5uOmh1bnRlcjI="
    assert "hunter2" not in repr(network)
    assert "YW5u" not in repr(network)
    # Through a link somebody else could change what is read.
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert code_of(tmp_path, text) == "config-key-file"


@pytest.mark.parametrize(
    "url", ["http://ann:hunter2@mine:2", "https://mine:2", "ann:hunter2@mine:2", "http://mine:2/path"]
)
def test_a_url_of_the_settings_is_http_and_holds_no_password(url: str) -> None:
    with pytest.raises(TrustQueryError) as caught:
        config(f'[proxy]\nurl = "{url}"\n')
    assert caught.value.code == "config-invalid"
    assert "hunter2" not in str([problem.document() for problem in caught.value.problems])


@pytest.mark.parametrize(
    ("no_proxy", "address", "direct"),
    [
        ("nodes.tq.example", "nodes.tq.example:443", True),
        ("tq.example", "nodes.tq.example:443", True),
        (".tq.example", "nodes.tq.example:443", True),
        ("q.example", "nodes.tq.example:443", False),
        ("other, 10.0.0.1", "10.0.0.1:443", True),
        ("*", "anything:443", True),
        ("", "anything:443", False),
    ],
)
def test_no_proxy(no_proxy: str, address: str, direct: bool) -> None:
    network = Network(Proxy("mine:2"), no_proxy)
    assert (network.proxy_for(address) is None) is direct


def test_the_environment_is_read_in_either_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_environment() == ProxyEnvironment()
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:hunter2@upper:1")
    monkeypatch.setenv("NO_PROXY", "a,b")
    assert proxy_environment() == ProxyEnvironment("http://ann:hunter2@upper:1", "a,b")
    assert "hunter2" not in repr(proxy_environment())
    monkeypatch.setenv("https_proxy", "http://lower:1")
    assert proxy_environment().https_proxy == "http://lower:1"


def test_an_extra_authority_is_read_for_enrolment(tmp_path: Path) -> None:
    (tmp_path / "gateway.pem").write_text("PEM")
    assert found(tmp_path, '[coordinator]\nhttps_ca_file = "gateway.pem"\n').extra_authorities == "PEM"
    assert code_of(tmp_path, '[coordinator]\nhttps_ca_file = "none.pem"\n') == "config-invalid"
