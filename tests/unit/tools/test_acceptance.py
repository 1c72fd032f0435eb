"""The acceptance table: states, unknown ids, and reports through xdist."""

import json
import tomllib
from pathlib import Path

import pytest

from tools.acceptance import FAILING, IDS_FILE, NONE, PASSING, SKIPPED, status, table

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([], NONE),
        (["passed"], PASSING),
        (["passed", "passed"], PASSING),
        (["passed", "failed"], FAILING),
        (["skipped", "failed"], FAILING),
        (["passed", "skipped"], SKIPPED),
    ],
)
def test_an_id_passes_only_if_all_its_tests_ran_and_passed(outcomes: list[str], state: str) -> None:
    assert status({str(n): outcome for n, outcome in enumerate(outcomes)}) == state


def test_the_list_is_complete_and_each_entry_says_what_how_and_how_much() -> None:
    ids = tomllib.loads(IDS_FILE.read_text(encoding="utf-8"))
    families = {name.split("-")[0] for name in ids}
    assert families == {"PRV", "SUM", "LED", "TRN", "AUZ", "AUD", "INP", "AVL", "SEC", "WEB"}
    for family in families:
        numbers = [int(name.split("-")[1]) for name in ids if name.startswith(family)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert all(set(entry) == {"stimulus", "expected", "measure"} and all(entry.values()) for entry in ids.values())


def test_the_table_lists_every_id_and_names_the_tests_that_do_not_pass() -> None:
    ids = {name: {"stimulus": f"stimulus {name}"} for name in ("LED-01", "LED-02", "LED-03")}
    text, counts = table(ids, {"LED-01": {"a": "passed"}, "LED-02": {"b": "failed", "c": "passed"}})
    assert counts == {PASSING: 1, FAILING: 1, NONE: 1}
    assert "failed: b" in text
    assert "passed: c" not in text


TEST = """
import pytest
@pytest.mark.acceptance("LED-05")
def test_good(): pass
@pytest.mark.acceptance("LED-05", "LED-06")
def test_bad(): assert False
@pytest.mark.acceptance("AUD-01")
def test_bad_tear_down(broken): pass
@pytest.fixture
def broken():
    yield
    raise ValueError
"""


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_outcomes_are_reported_by_id(pytester: pytest.Pytester, workers: str) -> None:
    pytester.makepyfile(test_it=TEST)
    report = pytester.path / "report.json"
    pytester.runpytest_subprocess(
        *("-p", "tests.lib.acceptance_plugin", "-n", workers, f"--acceptance-report={report}")
    )
    assert json.loads(report.read_text()) == {
        "AUD-01": {"test_it.py::test_bad_tear_down": "failed"},
        "LED-05": {"test_it.py::test_bad": "failed", "test_it.py::test_good": "passed"},
        "LED-06": {"test_it.py::test_bad": "failed"},
    }


@pytest.mark.parametrize(("marker", "message"), [('"LED-99"', "unknown acceptance id 'LED-99'"), ("", "needs an id")])
def test_an_unknown_or_missing_id_stops_the_run(pytester: pytest.Pytester, marker: str, message: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.acceptance({marker})\ndef test_x(): pass")
    result = pytester.runpytest_subprocess("-p", "tests.lib.acceptance_plugin")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str() + result.stdout.str()


def test_the_list_file_is_the_one_beside_the_other_reference_pages() -> None:
    assert Path("docs/reference/acceptance-ids.toml").resolve() == IDS_FILE.resolve()
