"""A member of the public: from the first page to a line of the log that they have checked themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lib.processes import command, run
from tests.lib.public_site import AUTHORITY
from tests.web.conftest import WebSite


@pytest.mark.acceptance("AUD-06")
def test_from_the_first_page_to_a_line_that_was_checked(web: WebSite, tmp_path: Path) -> None:
    tab = web.tab()
    page = tab.page
    page.goto(web.home + "/public/")
    page.get_by_role("link", name="What this is").first.click()
    assert "3 NHS trusts" in page.locator("main").inner_text()
    page.get_by_role("link", name="a log that anybody can check").click()
    row = page.get_by_role("row").filter(has_text="A trust answered a question").last
    row.get_by_role("link").first.click()
    assert "It stands in the log" in page.locator("main").inner_text()

    # The two files and the command that the page names.
    for name in ("the line,", "its proof,"):
        with page.expect_download() as begun:
            page.get_by_role("link", name=name).click()
        begun.value.save_as(tmp_path / begun.value.suggested_filename)
    (proof,) = tmp_path.glob("*.tlog-proof")
    shown = page.get_by_role("region", name="The command that checks this line").inner_text()
    words = shown.replace("'", "").split()
    assert words[:4] == ["tq", "audit", "verify", proof.name]
    done = run(command("tq"), "audit", "verify", proof, *words[4:], home=tmp_path)
    assert "A trust answered a question" in done.stdout + done.stderr
    (entry,) = tmp_path.glob("*.json")
    entry.write_bytes(entry.read_bytes().replace(b"answered", b"declined"))
    assert run(command("tq"), "audit", "verify", proof, *words[4:], home=tmp_path, check=False).returncode == 3

    # The whole log, with the file that the site hands out.
    page.get_by_role("link", name="key of the log").click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="verify_log.py").click()
    begun.value.save_as(tmp_path / "verify_log.py")
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.certificate_pem)
    shown = page.get_by_role("region", name="The command that checks the whole log").inner_text()
    program, _, *rest = shown.replace("'", "").split()
    assert program == "python"
    checked = subprocess.run(
        [sys.executable, "verify_log.py", *rest, "--ca", "ca.pem"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("good: ")
    assert (tmp_path / "seen.json").exists()
    assert tab.complaints == []
    page.context.close()


def test_a_question_is_told_in_plain_words_beside_its_code(web: WebSite) -> None:
    tab = web.tab()
    tab.page.goto(web.home + "/public/queries")
    tab.page.get_by_role("link", name=re.compile("^Query ")).first.click()
    text = tab.page.locator("main").inner_text()
    assert "Reads person of omop-5.4" in text
    assert "SELECT count(DISTINCT person_id)" in text
    tab.page.context.close()
