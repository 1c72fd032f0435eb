"""Pytest plugin: collect results by `@pytest.mark.acceptance("LED-05")`, and refuse an id that is not on the list.

With `--acceptance-report FILE` the outcome of every test of every id is written there as JSON, for
`tools/acceptance.py`. It works under pytest-xdist: each worker checks the markers, and its reports carry the ids.
"""

import json
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

IDS_FILE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "acceptance-ids.toml"


def known_ids() -> frozenset[str]:
    """Return every acceptance id there is."""
    return frozenset(tomllib.loads(IDS_FILE.read_text(encoding="utf-8")))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--acceptance-report`."""
    parser.addoption("--acceptance-report", metavar="FILE", help="write the outcome of every acceptance test as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Start the report, in the controller only."""
    path = config.getoption("--acceptance-report")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Report(Path(path)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Attach each test's acceptance ids to it; an unknown or missing id is an error.

    Raises:
        pytest.UsageError: a marker names an id that is not in the list.
    """
    known = known_ids()
    for item in items:
        for marker in item.iter_markers("acceptance"):
            if not marker.args:
                raise pytest.UsageError(f"{item.nodeid}: acceptance needs an id")
            for name in marker.args:
                if name not in known:
                    raise pytest.UsageError(f"{item.nodeid}: unknown acceptance id {name!r}: see {IDS_FILE.name}")
                item.user_properties.append(("acceptance", name))


class Report:
    """Outcomes by id and test, written when the session ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of a test's set-up, call and tear-down. A skipped or expected failure proves nothing."""
        worse = ("passed", "skipped", "failed")
        for key, name in report.user_properties:
            if key == "acceptance":
                before = self.outcomes[str(name)].get(report.nodeid, "passed")
                self.outcomes[str(name)][report.nodeid] = max(before, report.outcome, key=worse.index)

    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        self.path.write_text(json.dumps(self.outcomes, indent=1, sort_keys=True), encoding="utf-8")
