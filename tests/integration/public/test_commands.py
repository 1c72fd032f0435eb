"""The commands around the public record, over HTTPS: what a member of the public and an analyst type."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.lib.public_site import HOLDERS, ROOT, SQL, PublicSite
from trustquery.cli.main import app
from trustquery.outputs.sheets import read_sheet
from trustquery.projects.register import COLUMNS

AB = "ab" * 32
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
