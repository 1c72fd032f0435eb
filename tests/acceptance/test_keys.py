"""Keys found in the data, the trust as a key, and disclosure floors, as an analyst lives them: four real trusts."""

from __future__ import annotations

import contextlib
import csv
import http.client
import io
import json
import re
import ssl
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.lib.federation import PROJECT, TRUSTS, LiveFederation

pytestmark = pytest.mark.timeout(300)
CODES = (
    "SELECT condition_concept_id AS code, count(DISTINCT person_id) AS people FROM condition_occurrence GROUP BY code"
)
BY_TRUST = "SELECT trust, count(DISTINCT person_id) AS people FROM person GROUP BY trust"
PEOPLE_BY_SEX = "SELECT gender_concept_id AS sex, count(DISTINCT person_id) AS people FROM person GROUP BY 1"
ACCEPTED = 'disclosure_profiles = ["none"]'
FLOORS = {
    ods: {ACCEPTED: f'{ACCEPTED}\ndisclosure_floor = "{profile}"'}
    for ods, profile in (("RX1", "acro-threshold-10"), ("RX2", "hdruk-10-10"))
}
"""Two trusts ask for a disclosure profile, and not for the same one; the project asks for none."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    federation = LiveFederation(tmp_path_factory.mktemp("keys"), policy=FLOORS)
    try:
        federation.build()
        yield federation
    finally:
        federation.close()


def holders(live: LiveFederation, ods: str) -> Counter[str]:
    """How many people of a trust have each code, from the file itself."""
    rows = pq.read_table(live.layout.data / ods / "condition_occurrence.parquet").to_pylist()
    return Counter(code for _, code in {(row["person_id"], str(row["condition_concept_id"])) for row in rows})


@pytest.mark.acceptance("PRV-10")
def test_only_codes_that_a_trust_has_many_of_are_named(live: LiveFederation) -> None:
    asked = live.query(CODES, "5", "--unknown-keys", "--max-groups-per-person", "3")
    assert asked.exit == 0, asked.err
    assert "delta of 1e-09 more" in asked.said
    table = asked.json["table"]
    named = {row[0]["value"] for row in table["rows"]}
    assert "unknown-keys-thresholded" in table["columns"][1]["caveats"]
    held = [holders(live, ods) for ods in TRUSTS]
    everywhere = set().union(*held)
    # Sigma is below 3 and the threshold about 20: below 3 people there are six sigma to it.
    rare = {code for code in everywhere if all(count[code] < 3 for count in held)}
    assert len(rare) > 20
    assert named
    assert named < everywhere
    assert not named & rare
    for ods in TRUSTS:
        charged = live.ledger(ods, "SELECT scope, sum(delta_atto) FROM charge GROUP BY scope")
        assert dict(charged) == dict.fromkeys(("node-wide", "dataset", "project", "analyst"), 10**9)


def test_a_code_is_refused_as_a_key_unless_that_is_asked_for(live: LiveFederation) -> None:
    asked = live.query(CODES, "1")
    assert asked.exit == 10
    assert "query-key-no-domain" in asked.said
    assert "--unknown-keys" in asked.said


def test_figures_by_trust(live: LiveFederation) -> None:
    asked = live.query(BY_TRUST, "1")
    assert asked.exit == 0, asked.err
    rows = {row[0]["value"]: row[1] for row in asked.json["table"]["rows"]}
    assert list(rows) == sorted(TRUSTS)
    for ods in TRUSTS:
        truth = pq.read_metadata(live.layout.data / ods / "person.parquet").num_rows
        low, high = rows[ods]["low"], rows[ods]["high"]
        # Six standard deviations: wrong by chance once in 10^8.
        assert abs(rows[ods]["value"] - truth) <= (high - low) / 2 * 6 / 1.96
        assert high - low < 40


def test_the_strictest_floor_holds_everywhere_and_suppressed_is_never_0_or_blank(live: LiveFederation) -> None:
    asked = ("project:none", "trust:RX1:acro-threshold-10", "trust:RX2:hdruk-10-10")
    shown = live.ask(
        "query", "run", "--project", PROJECT, "--epsilon", "6", "--yes", "--max-epsilon", "6", PEOPLE_BY_SEX
    )
    assert shown.exit == 0, shown.err
    query = live.coordinator_rows("SELECT release_id, query_hash FROM queries ORDER BY created DESC, closed DESC")[0]

    # The terminal's table: nobody's sex is "other" or "missing" in these data, and the noise alone stands there.
    lines = {line.split()[0]: line for line in shown.out.splitlines() if line.strip()}
    for key in ("other", "missing"):
        assert re.fullmatch(rf"{key}\s+Suppressed\s+small-count", lines[key].strip())
    assert "Suppressed, small-count: the noised count is below the minimum released count." in shown.err
    assert "Disclosure profile hdruk-10-10: noised counts below 11 are Suppressed" in shown.err
    assert "RX1 for at least acro-threshold-10; RX2 for at least hdruk-10-10. The strictest is used." in shown.err

    document = live.ask("query", "result", query[0], "--format", "json").json
    found: dict[str, Any] = {row[0]["value"]: row[1] for row in document["table"]["rows"]}
    reason = {"suppressed": "small-count", "reason": "the noised count is below the minimum released count"}
    assert (found["other"], found["missing"]) == (reason, reason)
    assert all(found[key]["value"] % 10 == 0 and found[key]["value"] > 0 for key in ("8507", "8532"))
    record = document["criteria"]["record"]["presentation"]
    assert record == {
        "profile": "hdruk-10-10", "minimum_released_count": 11, "rounding": 10, "asked_by": list(asked)
    }  # fmt: skip

    sheet = list(csv.DictReader(live.ask("query", "result", query[0], "--format", "csv").out.splitlines()))
    withheld = [line for line in sheet if line["sex"] in ("other", "missing")]
    assert len(withheld) == 2
    for line in withheld:
        assert (line["people"], line["people_low"], line["people_high"]) == ("Suppressed",) * 3
        assert line["people_suppressed"]

    # Bound to the release in the public log before anything is published, then on the page and in the crate.
    use = live.ask("query", "show", query[1], "--format", "json").json["uses"][-1]
    assert (use["release"], use["result"], use["criteria"]) == (query[0], None, document["criteria"])
    assert live.ask("release", "publish", query[0][:12]).exit == 0
    page = public(live, f"/public/queries/{query[1]}").decode()
    cells = re.findall(r"<td [^>]*>Suppressed: the noised count is below the minimum released count</td>", page)
    assert len(cells) == 2
    assert "hdruk-10-10" in page
    assert document["criteria"]["sha256"] in page
    with zipfile.ZipFile(io.BytesIO(public(live, f"/public/releases/{query[0]}/crate.zip"))) as crate:
        kept = {name.rpartition("data/")[2]: name for name in crate.namelist()}
        table = json.loads(crate.read(kept["outputs/table.json"]))
        assert json.loads(crate.read(kept["outputs/criteria.json"])) == document["criteria"]
    assert table["rows"] == document["table"]["rows"]
    assert [row[1] for row in table["rows"] if row[0]["value"] in ("other", "missing")] == [reason, reason]


def public(live: LiveFederation, path: str) -> bytes:
    """What anybody reads, without a sign-in."""
    ports = re.search(r'listen = "127\.0\.0\.1:(\d+)"', (live.layout.coordinator / "coordinator.toml").read_text())
    assert ports is not None
    context = ssl._create_unverified_context()
    with contextlib.closing(http.client.HTTPSConnection("localhost", int(ports[1]), context=context)) as connection:
        connection.request("GET", path, headers={"Connection": "close"})
        with connection.getresponse() as reply:
            assert reply.status == 200
            return reply.read()
