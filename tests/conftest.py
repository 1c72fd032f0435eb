"""What every test gets: the acceptance marker, a Hypothesis profile, and no way off this machine."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.lib.postgres import PostgresServer

pytest_plugins = ["tests.lib.acceptance_plugin"]

# No deadline: two cores shared by several workers make single examples slow now and then. The default profile draws
# the same examples each time, so that CI is repeatable; `--hypothesis-profile=full` (`make property`) draws new ones,
# and many more where a test asks for them (tests/property/budgets.py).
hypothesis.settings.register_profile(
    "trustquery",
    deadline=None,
    print_blob=True,
    derandomize=True,
    database=None,
    # Explaining a failure traces every line, and takes minutes where an example runs a parser.
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.register_profile(
    "full", parent=hypothesis.settings.get_profile("trustquery"), derandomize=False, max_examples=1_000
)
hypothesis.settings.load_profile("trustquery")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--full-size` and `--pictures`."""
    parser.addoption("--pictures", default="", help="a folder that tests of pages put a picture of each page into")
    parser.addoption("--full-size", action="store_true", help="run the measurements that take half an hour, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Thousands of examples take longer than one test may, and some measurements longer than a test run."""
    if not config.getoption("full_size"):
        for item in items:
            if item.get_closest_marker("full_size"):
                item.add_marker(pytest.mark.skip(reason="takes half an hour: --full-size runs it"))
    if config.getoption("hypothesis_profile", None) == "full":
        for item in items:
            item.add_marker(pytest.mark.timeout(7200))


@pytest.fixture(scope="session")
def postgres() -> Iterator["PostgresServer"]:
    """A real PostgreSQL, started for the first test that asks for it."""
    from tests.lib.postgres import PostgresServer

    server = PostgresServer()
    yield server
    server.close()


LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0", "::")


def stay_on_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse a connection to any address but this machine's own. A test that passes only with a network is no test."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
    else:
        return
    if host and not host.startswith(LOOPBACK):
        raise RuntimeError(f"tests may only connect to this machine, not to {host}")


sys.addaudithook(stay_on_this_machine)
