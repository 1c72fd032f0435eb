"""Connections through a real proxy: what opens, what is refused, and that nothing hangs or tells a password."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from node_agent.network import Proxy, dial, within
from tests.lib.connect_proxy import Mode, connect_proxy
from tests.lib.processes import free_port
from trustquery.errors import TrustQueryError

PASSWORD = "p@ss:wörd%41"


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """A listener that says one word to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello")

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def refused(address: str, proxy: Proxy | None, seconds: float = 5) -> TrustQueryError:
    with pytest.raises(TrustQueryError) as caught:
        dial(address, proxy, seconds)
    assert PASSWORD not in str([problem.document() for problem in caught.value.problems])
    return caught.value


def test_straight_and_through_a_tunnel(target: str) -> None:
    with dial(target, None, 5) as connection:
        assert connection.recv(16) == b"hello"
    with (
        connect_proxy(user="ann", password=PASSWORD) as proxy,
        dial(target, Proxy(f"127.0.0.1:{proxy.port}", "ann", PASSWORD), 5) as connection,
    ):
        assert connection.recv(16) == b"hello"
        assert proxy.tunnels == [target]


@pytest.mark.parametrize("given", [Proxy(""), Proxy("", "ann", "wrong"), Proxy("", "bob", PASSWORD)])
def test_a_proxy_that_asks_for_a_name_says_so(target: str, given: Proxy) -> None:
    with connect_proxy(user="ann", password=PASSWORD) as proxy:
        found = refused(target, Proxy(f"127.0.0.1:{proxy.port}", given.user, given.password))
        assert (found.code, proxy.tunnels) == ("node-proxy-auth", [])
        assert found.problem.fields == {"proxy": f"127.0.0.1:{proxy.port}"}


def test_a_proxy_that_forbids_the_address(target: str) -> None:
    with connect_proxy("refuse") as proxy:
        assert refused(target, Proxy(f"127.0.0.1:{proxy.port}")).code == "node-proxy-refused"


@pytest.mark.parametrize("mode", ["black-hole", "slow"])
def test_a_proxy_that_does_not_answer_costs_the_time_given(target: str, mode: Mode) -> None:
    with connect_proxy(mode) as proxy:
        began = time.monotonic()
        assert refused(target, Proxy(f"127.0.0.1:{proxy.port}"), 1.5).code == "node-proxy-unreachable"
        assert 1.4 < time.monotonic() - began < 4


def test_nobody_there(target: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    assert refused(nobody, None).code == "node-unreachable"
    assert refused(target, Proxy(nobody)).code == "node-proxy-unreachable"
    with connect_proxy() as proxy:
        assert refused(nobody, Proxy(f"127.0.0.1:{proxy.port}")).code == "node-proxy-refused"


def test_something_that_is_no_proxy(target: str) -> None:
    assert refused("example.nhs.uk:443", Proxy(target)).code == "node-proxy-unreachable"


def test_work_that_hangs_is_left_to_itself() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.2, lambda: time.sleep(30))
    assert time.monotonic() - began < 5
