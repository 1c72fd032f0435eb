"""The commands around the public record, over HTTPS: what a member of the public and an analyst type."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coordinator.config import RetentionSettings
from coordinator.retention import Retention
from coordinator.store import ReviewRow
from tests.lib.public_site import DAY, HOLDERS, ROOT, SQL, PublicSite
from trustquery.cli.main import app
from trustquery.outputs.sheets import read_sheet
from trustquery.projects.register import COLUMNS, iso_day

AB = "ab" * 32
ROOT_FOLDER = Path(__file__).parents[3]
RUN = CliRunner()


def tq(*words: str | Path, fails: int = 0) -> Result:
    found = RUN.invoke(app, [str(word) for word in words])
    assert found.exit_code == fails, (found.output, found.exception)
    return found


def test_anybody_exports_and_verifies_the_register(served: PublicSite, tmp_path: Path) -> None:
    served.project()
    (tmp_path / "home" / "key.pem").unlink()
    assert [list(row) for row in read_sheet(tq("register", "export", "--format", "csv").stdout)] == [list(COLUMNS)]
    tq("register", "export", "--format", "html", "--out", tmp_path / "register.html")
    assert "<h1>Projects</h1>" in (tmp_path / "register.html").read_text()
    tq("register", "export", "--out", tmp_path / "register.json")
    found = tq("register", "verify", tmp_path / "register.json")
    assert "0 wrong" in found.stderr
    assert "when a permit was signed" in found.stderr
    assert "41 columns say what the documents say" in found.stdout


def test_a_changed_register_fails_with_the_status_of_a_check(served: PublicSite, tmp_path: Path) -> None:
    served.project()
    document = json.loads(tq("register", "export").stdout)
    document["entries"][0]["columns"]["Lay summary"] = "Something else."
    file = tmp_path / "register.json"
    file.write_text(json.dumps(document))
    found = tq("register", "verify", file, fails=3)
    assert "Lay summary" in found.stdout
    (tmp_path / "root.json").write_bytes(
        ROOT.model_copy(update={"keys": tuple(key.public.hex() for key in reversed(HOLDERS)), "threshold": 3}).payload()
    )
    assert "WRONG" in tq("register", "verify", file, "--root", tmp_path / "root.json", fails=3).stdout
    file.write_text("not json")
    tq("register", "verify", file, fails=31)
    file.write_text("[]")
    tq("register", "verify", file, fails=31)
    tq("register", "verify", tmp_path / "none.json", fails=30)


def test_crates_go_to_files(served: PublicSite, tmp_path: Path) -> None:
    row = served.use(served.project(), AB)
    tq("register", "export", "--format", "crate", "--out", tmp_path / "all.zip")
    for name in (AB[:12], row.query_hash[:12]):
        tq("register", "export", "--format", "crate", "--query", name, "--out", tmp_path / f"{name}.zip")
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as bag:
            assert f"use-{AB[:12]}/data/workflow/query.sql" in bag.namelist()
    tq("register", "export", "--format", "crate", fails=2)
    tq("register", "export", "--format", "csv", "--query", AB, fails=2)


def test_a_public_question_is_shown_forked_and_asked_again(served: PublicSite, tmp_path: Path) -> None:
    row = served.use(served.project(), AB)
    shown = tq("query", "show", AB[:12])
    assert SQL in shown.stdout
    assert "A result was released" in shown.stderr
    assert json.loads(tq("query", "show", AB[:12], "--format", "json").stdout)["query_hash"] == row.query_hash
    draft = tmp_path / "new.sql"
    tq("query", "fork", row.query_hash[:12], "--out", draft)
    assert draft.read_text().startswith(f"-- From query {row.query_hash}\n-- of project stays, ")
    assert draft.read_text().endswith(f"{SQL}\n")
    tq("query", "fork", row.query_hash[:12], "--out", draft, fails=30)
    assert tq("query", "fork", row.query_hash[:12]).stdout == draft.read_text()
    tq("query", "check", draft, "-p", "stays")
    same = tq("query", "check", "--from", row.query_hash[:12], "-p", "stays")
    assert f"The same question as {row.query_hash[:12]}, by its hash." in same.stderr
    assert row.query_hash in same.stderr
    other = tq("query", "check", "--from", row.query_hash[:12], "-p", "stays", "-e", "0.3")
    assert "Not the same question" in other.stderr
    assert "the bounds or the budget are others" in other.stderr
    tq("query", "check", "SELECT 1", "--from", row.query_hash[:12], "-p", "stays", fails=2)
    tq("query", "check", "--from", row.query_hash[:12], "-p", "stays", "--param", "x=1", fails=2)
    tq("query", "show", "0" * 12, fails=10)


def test_values_come_with_the_question(served: PublicSite) -> None:
    sql = "SELECT count(DISTINCT person_id) AS people FROM person WHERE year_of_birth >= $born"
    row = served.use(served.project(), AB, sql=sql, parameters={"born": 1950})
    assert "$born" in tq("query", "show", AB[:12]).stdout
    same = tq("query", "check", "--from", row.query_hash[:12], "-p", "stays")
    assert "The same question" in same.stderr


def test_a_lead_publishes_and_withdraws(served: PublicSite) -> None:
    row = served.use(served.project(), AB)
    assert f"/public/queries/{row.query_hash}" in tq("release", "publish", AB[:12]).stderr
    assert "Result: Published" in tq("query", "show", AB[:12]).stderr
    tq("release", "withdraw", AB[:12], "--reason", "The codelist missed a code.")
    assert "The codelist missed a code." in tq("query", "show", AB[:12]).stderr
    tq("release", "publish", AB[:12], fails=10)


@pytest.mark.parametrize(("state", "outcome"), [("closed", "approved"), ("returned", "returned")])
def test_what_was_reviewed_and_then_erased_is_shown_with_both(served: PublicSite, state: str, outcome: str) -> None:
    row = served.use(served.project(), AB, state=state)
    with served.store.transaction() as session:
        session.add(ReviewRow(release_id=AB, why="application", deadline=row.closed, outcome=outcome))
    before = tq("query", "show", AB[:12]).stderr
    assert "erased" not in before
    then = row.closed + 90 * DAY
    Retention(served.store, RetentionSettings(results_days=90), lambda: then).tick()
    shown = tq("query", "show", AB[:12]).stderr
    assert f"its figures were erased on {iso_day(then)}" in shown
    said = {"approved": "Two output checkers: approved", "returned": "Output checkers: not approved"}[outcome]
    assert f"output review: {said}" in shown
    assert ("No result: two output checkers did not both approve it" in shown) == (outcome == "returned")
    assert ("Not published, and erased on" in shown) == (outcome == "approved")


def test_a_question_that_is_not_its_hash_is_refused(served: PublicSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is hashed here: another one under the same name is noticed, whoever serves it."""
    from trustquery.client.public import read_public_query
    from trustquery.errors import TrustQueryError

    served.use(served.project(), AB)
    document = json.loads(tq("query", "show", AB[:12], "--format", "json").stdout)
    assert hashlib.sha256(document["model"].encode()).hexdigest() == document["query_hash"]
    for change in ({"model": document["model"].replace("person", "persom")}, {"query_hash": "0" * 64}):
        with pytest.raises(TrustQueryError, match="its model is not the one that its hash names"):
            read_public_query(document | change)
    with pytest.raises(TrustQueryError, match="another form"):
        read_public_query({})


@pytest.mark.acceptance("AUD-06")
def test_anybody_checks_the_log_and_keeps_the_proof_of_an_entry(served: PublicSite, tmp_path: Path) -> None:
    """Over HTTPS, then offline from the copy, with the key that the roster names; and by the script alone."""
    permit = served.project()
    served.use(permit, AB)
    (tmp_path / "home" / "key.pem").unlink()
    assert "every entry, tile and signature is good" in tq("audit", "verify").stdout
    tq("audit", "export", tmp_path / "log", "--entry", "2")
    assert json.loads((tmp_path / "log" / "2.json").read_text())["kind"] == "account.add"
    found = json.loads(tq("audit", "verify", tmp_path / "log", "--format", "json").stdout)
    assert '"seq":2' in tq("audit", "verify", tmp_path / "log" / "2.tlog-proof", "--format", "json").stdout.replace(
        "\\", ""
    )
    key = served.base.audit_log.verifier_key.text
    done = subprocess.run(
        [sys.executable, ROOT_FOLDER / "coordinator" / "web" / "verify_log.py", tmp_path / "log", "--key", key],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"good: {found[0]['entries']} entries of test/coordinator, root {found[0]['root']}" in done.stdout
    # What was seen must still be there; a copy that was changed is not believed, nor another key.
    served.use(permit, "cd" * 32)
    assert json.loads(tq("audit", "verify", "--format", "json").stdout)[0]["entries"] == found[0]["entries"]
    served.base.audit_log.show(served.base.audit_log.sign())
    assert json.loads(tq("audit", "verify", "--format", "json").stdout)[0]["entries"] > found[0]["entries"]
    tq("audit", "verify", tmp_path / "log", fails=3)
    tq("audit", "verify", tmp_path / "log", "--key", "nonsense", fails=2)
    tq("audit", "export", tmp_path / "log", fails=30)
    tq("audit", "export", tmp_path / "none", "--entry", "9999", fails=2)
    tq("audit", "verify", tmp_path / "nothing", fails=32)
