"""Keys found in the data, and the trust as a key, as an analyst lives them: four trusts, all real processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest

from tests.lib.federation import TRUSTS, LiveFederation

pytestmark = pytest.mark.timeout(300)
CODES = (
    "SELECT condition_concept_id AS code, count(DISTINCT person_id) AS people FROM condition_occurrence GROUP BY code"
)
BY_TRUST = "SELECT trust, count(DISTINCT person_id) AS people FROM person GROUP BY trust"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    federation = LiveFederation(tmp_path_factory.mktemp("keys"))
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
