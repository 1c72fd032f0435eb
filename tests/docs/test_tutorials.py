"""Tutorials and how-to pages are done, command by command, as their readers would: on the demonstration's four trusts.

Over five seconds, and not marked slow all the same: a manual that is not run is not believed. One federation serves the
whole file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.layout import COMMITTEE, GOVERNANCE
from tests.docs.pages import DOCS, ROOT, Fence, fences
from tests.lib.federation import LiveFederation

pytestmark = pytest.mark.timeout(300)
QUERY = DOCS / "tutorials" / "first-query.md"
NODE = DOCS / "tutorials" / "first-node.md"
HOW_TO = DOCS / "how-to"
# Starting and stopping are the fixture's work: it uses the builder that `make demo` uses.
FIRST, LAST = "make demo KEEP=1", "python -m demo --stop"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    federation = LiveFederation(tmp_path_factory.mktemp("live"))
    try:
        federation.build()
        yield federation
    finally:
        federation.close()


@pytest.fixture(scope="module")
def checkout(live: LiveFederation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the root of a checkout after `make demo KEEP=1`."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / ".demo").symlink_to(live.layout.base)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "policies").symlink_to(ROOT / "policies")
    return folder


class Reader:
    """Types what a page says into one shell, block by block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exports = folder / f"exports-{os.urandom(4).hex()}.sh"
        self.exports.touch()

    def type(self, fence: Fence) -> subprocess.CompletedProcess[str]:
        """One block; what it exports stays for the next."""
        script = f"set -euo pipefail\n. {self.exports}\n{fence.text}\nexport -p > {self.exports}\n"
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "COLUMNS": "120"}
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=environment,
            input="y\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def python(self, fence: Fence) -> subprocess.CompletedProcess[str]:
        """A Python block, with the shell's variables."""
        return self.type(Fence("sh", f"python - <<'END_OF_PAGE'\n{fence.text}\nEND_OF_PAGE", fence.line))

    def read(self, page: Path) -> dict[int, subprocess.CompletedProcess[str]]:
        """Every block of a page but the first and last of a tutorial; line number to what was said."""
        done = {}
        for fence in fences(page):
            if fence.language in ("sh", "python") and fence.text not in (FIRST, LAST):
                found = self.python(fence) if fence.language == "python" else self.type(fence)
                where = f"{page.name}:{fence.line}"
                assert found.returncode == 0, f"{where}\n{fence.text}\n{found.stdout}\n{found.stderr}"
                done[fence.line] = found
        return done

    def at_trust(self, ods: str) -> None:
        """Sit down at one trust's machine, with the keys of its two governance people."""
        for person in GOVERNANCE:
            shutil.copy(self.folder / f".demo/people/{ods}/{person}.pem", self.folder / f"{person}.pem")
        home = f'export PATH="$PWD/.venv/bin:$PATH" TQ_NODE_HOME="$PWD/.demo/trusts/{ods}"'
        assert self.type(Fence("sh", home, 0)).returncode == 0


@pytest.mark.parametrize("page", [QUERY, NODE])
def test_tutorials_begin_and_end_in_the_same_way(page: Path) -> None:
    shell = [fence.text for fence in fences(page) if fence.language in ("sh", "python")]
    assert (shell[0], shell[-1]) == (FIRST, LAST)


def test_first_query(checkout: Path) -> None:
    done = Reader(checkout).read(QUERY)
    blocks = {fence.line: fence.text for fence in fences(QUERY)}
    said = {blocks[line]: found for line, found in done.items()}

    refused = next(found for text, found in said.items() if "exit status" in text)
    assert "query-identifier-in-output" in refused.stderr
    assert "exit status 10" in refused.stdout
    checked = next(found for text, found in said.items() if "query check" in text and found is not refused)
    assert re.search(r"its hash.*\b[0-9a-f]{64}\b", " ".join(checked.stderr.lower().split()))

    runs = [found for line, found in done.items() if blocks[line].startswith("tq query run")]
    assert len(runs) == 2
    # "The figures are the same, digit for digit."
    assert runs[0].stdout == runs[1].stdout
    assert all("4 of 4 trusts answered" in re.sub(r"\s+", " ", found.stderr) for found in runs)

    told = [width for found in done.values() for width in re.findall(r"people: about ±([\d.,]*\d)", found.stderr)]
    widths = [float(width.replace(",", "")) for width in told]
    # "Ask for a smaller epsilon and see the error grow."
    assert widths[-1] > 2 * widths[-2]
    assert "age" in next(found.stdout for text, found in said.items() if "to_pandas" in text)


def written_out(page: Path, folder: Path) -> None:
    """The files that a page shows: its codelist and its first query."""
    blocks = list(fences(page))
    for language, file in (("csv", "sinusitis.csv"), ("sql", "people.sql")):
        text = next(fence.text for fence in blocks if fence.language == language)
        (folder / file).write_text(text + "\n", encoding="utf-8")


def test_use_a_codelist_approve_an_input_and_install_a_public_table(checkout: Path, live: LiveFederation) -> None:
    """The analyst uploads, a member of the committee approves, trusts install, the analyst asks."""
    page = HOW_TO / "use-a-codelist.md"
    written_out(page, checkout)
    blocks = [fence for fence in fences(page) if fence.language in ("sh", "python")]
    analyst, member = Reader(checkout), Reader(checkout)

    def done(reader: Reader, *typed: Fence) -> list[subprocess.CompletedProcess[str]]:
        found = [reader.python(fence) if fence.language == "python" else reader.type(fence) for fence in typed]
        assert [item.returncode for item in found] == [0] * len(found), [item.stderr for item in found]
        return found

    path = 'export PATH="$PWD/.venv/bin:$PATH"'
    done(analyst, Fence("sh", f'{path} TQ_HOME="$PWD/.demo/analyst"', 0))
    person = next(iter(COMMITTEE))
    (checkout / "member.pem").write_bytes(live.layout.key("committee", person).read_bytes())
    (checkout / "member.pem").chmod(0o600)
    done(member, Fence("sh", f'{path} TQ_HOME="{live.layout.member(person)}"', 0))
    checked, uploaded = done(analyst, *blocks[:2])
    assert "3 codes have the form of SNOMED CT" in checked.stderr
    assert "uploaded" in uploaded.stdout
    read, sign, end = [fence for fence in fences(HOW_TO / "approve-an-input.md") if fence.language == "sh"]
    listed, approved = done(member, read, sign)
    assert "Viral sinusitis" in listed.stdout
    assert "approved: queries may pin it" in approved.stderr
    done(analyst, blocks[2])
    hashes = set()
    for ods in ("RX1", "RX2", "RX3"):
        reader = Reader(checkout)
        reader.at_trust(ods)
        for found in reader.read(HOW_TO / "install-a-public-table.md").values():
            hashes |= set(re.findall(r"\b[0-9a-f]{64}\b", found.stdout))
    # What the analyst sees is what each trust sees.
    assert len(hashes) == 1
    assert next(iter(hashes)) in re.sub(r"\s", "", checked.stdout)
    asked, python = done(analyst, *blocks[3:])
    said = re.sub(r"\s+", " ", asked.stderr)
    assert "3 of 4 trusts answered" in said
    assert "query-input-unknown" in said
    assert "people" in python.stdout
    assert "no query may pin it" in done(member, end)[0].stderr
    assert "query-input-withdrawn" in analyst.type(blocks[3]).stderr


def test_know_the_error_before_you_spend(checkout: Path, live: LiveFederation) -> None:
    reader = Reader(checkout)
    home = 'export PATH="$PWD/.venv/bin:$PATH" TQ_HOME="$PWD/.demo/analyst"'
    assert reader.type(Fence("sh", home, 0)).returncode == 0
    cost, exact, few, own = reader.read(HOW_TO / "know-the-error-before-you-spend.md").values()
    for found in (cost, exact, few, own):
        assert "Expected in a typical cell" in found.stderr
        assert "would answer" in found.stderr
        assert "Cost at each trust" in found.stderr
    epsilons = [float(re.findall(r"epsilon ([\d.]+)", found.stderr)[0]) for found in (cost, exact, few)]
    assert epsilons[0] == 1
    assert 0 < epsilons[1] < 20
    assert 0 < epsilons[2] < 20
    said = re.sub(r"\s+", " ", own.stderr)
    assert "at most 3 rows in each of 2 cells a person" in said
    spent = live.ledger("RX1", "SELECT count(*) FROM charge")
    assert spent, "asking what it costs spends nothing, and there is a ledger to say so"


def test_release_a_profile(checkout: Path, live: LiveFederation) -> None:
    reader = Reader(checkout)
    home = 'export PATH="$PWD/.venv/bin:$PATH" TQ_HOME="$PWD/.demo/analyst"'
    assert reader.type(Fence("sh", home, 0)).returncode == 0
    listed, asked, shown, python, again = reader.read(HOW_TO / "release-a-profile.md").values()
    assert "0 of 6 released" in listed.stderr
    assert "profiles" in asked.stderr
    assert "[2 of 2] distinct values of visit_occurrence.visit_start_date" in asked.stderr
    assert "rows of visit_occurrence a person" in shown.stdout
    assert float(python.stdout.split()[1]) >= 1
    assert "trusts answered" in again.stderr
    charged = live.ledger("RX1", "SELECT scope, count(*) FROM charge WHERE scope = 'profiles' GROUP BY scope")
    # Asked again on the same data: the same answers, and nobody is charged.
    assert charged == [("profiles", 2)]


def test_first_node(checkout: Path) -> None:
    done = Reader(checkout).read(NODE)
    blocks = {fence.line: fence.text for fence in fences(NODE)}
    statuses = [found.stdout for line, found in done.items() if "tq-node status" in blocks[line]]
    assert re.search(r"^answering +yes$", statuses[0], re.MULTILINE)
    assert re.search(r"^answering +no$", statuses[1], re.MULTILINE)
    verified = next(found for line, found in done.items() if "ledger verify" in blocks[line])
    assert "entries verified" in verified.stderr


def test_write_and_sign_a_policy(checkout: Path) -> None:
    reader = Reader(checkout)
    reader.at_trust("RX2")
    copied, checked, tested, explained, compared, rendered, signed, activated = (
        fence for fence in fences(HOW_TO / "write-and-sign-a-policy.md") if fence.language == "sh"
    )
    assert reader.type(copied).returncode == 0
    policy = checkout / "policy.toml"
    text = policy.read_text(encoding="utf-8")
    # What the page says to fill in; version 1 of this trust is in force already.
    for key, value in (("federation", '"demo"'), ("trust", '"RX2"'), ("version", "2")):
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    # To leave out the caps of profiles, which version 1 has, would loosen it.
    policy.write_text(text + "\n[profiles]\nrho_90_days = 0.03\nrho_lifetime = 0.1\n", encoding="utf-8")
    for fence in (checked, tested, explained, compared, rendered, signed, activated):
        found = reader.type(fence)
        assert found.returncode == 0, f"{fence.text}\n{found.stderr}"
    assert json.loads(found.stdout)["data"]["policy"]["version"] == 2


def test_accept_a_project(checkout: Path) -> None:
    reader = Reader(checkout)
    reader.at_trust("RX3")
    done = reader.read(HOW_TO / "accept-a-project.md")
    said = [found.stdout + found.stderr for found in done.values()]
    assert "accepted" in said[0]
    assert "Does this trust accept exactly this?" in said[1]
    assert "at most rho 0.5 " in said[2]
    assert "refused from now on" in said[3]
    assert "the federation is told so, with the reason" in said[3]
    assert re.search(r"^visits-and-stays +declined ", said[3], re.MULTILINE)


def test_report_what_left(checkout: Path) -> None:
    reader = Reader(checkout)
    reader.at_trust("RX2")
    months, sheets, assessment, notice = reader.read(HOW_TO / "report-what-left.md").values()
    assert months.stdout.splitlines()[0].split()[:2] == ["Date", "Project"]
    assert "What did not leave: no patient's record" in months.stderr
    assert (checkout / "october.md").read_text(encoding="utf-8").startswith("# What left ")
    assert (checkout / "october.csv").read_text(encoding="utf-8").startswith("date,project,title,purpose,")
    assert json.loads((checkout / "october.json").read_text(encoding="utf-8"))["data"]["month"] == "2026-10"
    assert "released" in sheets.stderr
    draft = (checkout / "dpia.md").read_text(encoding="utf-8")
    assert ("## Step 7: sign off" in draft, "**To be written by the trust: " in draft) == (True, True)
    text = (checkout / "notice.md").read_text(encoding="utf-8")
    assert ("patients@example.nhs.uk" in text, "Dr Dee Park" in text, "`--dpo`" in text) == (True, True, False)
    assert [assessment.stdout, notice.stdout] == ["", ""]


def test_stop_a_node(checkout: Path, live: LiveFederation) -> None:
    reader = Reader(checkout)
    reader.at_trust("RX4")
    done = list(reader.read(HOW_TO / "stop-a-node.md").values())
    assert re.search(r"^answering +no$", done[0].stdout, re.MULTILINE)
    assert live.nodes["RX4"].process.wait(20) == 0
