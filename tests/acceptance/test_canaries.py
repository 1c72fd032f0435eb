"""PRV-12: 10,000 values that exist only in the trusts' data, and nothing that people outside a trust can see holds one.

Every row of the people who have them is made of canaries, the person key included, so whatever carried a value of such
a row out would carry one of them.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import ssl
import struct
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lib.canaries import Canaries, scan, scan_files
from tests.lib.federation import PROJECT, TRUSTS, Asked, LiveFederation
from tests.lib.prepared import write_parquet
from tests.lib.processes import wait_for
from trustquery.catalogue import ColumnType, Table, load

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]
ROWS = 14
KEY = "person_id"
WANTED = 10_000


class PlantedFederation(LiveFederation):
    """A federation whose trusts hold canaries, and ordinary people beside them."""

    canaries: Canaries

    def _split_data(self) -> None:
        self.canaries = Canaries()
        catalogue = load("omop-5.4")
        for ods in TRUSTS:
            folder = self.layout.data / ods
            folder.mkdir(parents=True)
            persons = catalogue.table("person")
            key = persons.column(KEY) if persons is not None else None
            assert key is not None
            people = [self.canaries.value(key, f"{ods} person") for _ in range(ROWS)]
            for table in catalogue.tables:
                write_parquet(folder / f"{table.name}.parquet", table, self._rows(ods, table, people))

    def _rows(self, ods: str, table: Table, people: list[int]) -> list[dict[str, object]]:
        planted = [self.canaries.row(table, {KEY: person}, f"{ods} {table.name}") for person in people]
        plain = [
            {column.name: number + 1 if column.name == KEY else None for column in table.columns}
            for number in range(200)
        ]
        for row in planted:
            for column in table.columns:
                if column.type is ColumnType.BOOLEAN:
                    row[column.name] = True
        return [*planted, *plain]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlantedFederation]:
    federation = PlantedFederation(tmp_path_factory.mktemp("canaries"), killable=True)
    try:
        federation.build()
        yield federation
    finally:
        federation.close()


ANSWERED = (
    "SELECT count(*) AS n FROM person",
    "SELECT gender_concept_id AS sex, count(DISTINCT person_id) AS people FROM person GROUP BY 1",
    "SELECT count(DISTINCT person_id) AS people FROM condition_occurrence",
    "SELECT count(*) FILTER (WHERE year_of_birth > 1990) AS n FROM person",
    "SELECT sum(clamp(year_of_birth, 1900, 2020)) AS s FROM person",
    "SELECT median(clamp(year_of_birth, 1900, 2020)) AS m FROM person",
)
NOT_ANSWERED = (
    "SELECT * FROM person",
    "SELECT person_source_value, count(*) AS n FROM person GROUP BY 1",
    "SELECT max(year_of_birth) AS m FROM person",
    "SELECT count(*) AS n FROM person WHERE 1 = 1 / 0 GROUP BY person_id",
    "SELECT count(*) AS n FROM nobody_has_this",
    "not sql at all; DROP TABLE person",
)


def pages(live: LiveFederation) -> list[bytes]:
    """Every public page and file that can be reached from the first one, and what the log of uses links to."""
    settings = (live.layout.coordinator / "coordinator.toml").read_text()
    address = re.findall(r'public = "(localhost:\d+)"', settings)[0]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    seen: dict[str, bytes] = {}
    todo = ["/public/", "/public/register.json", "/public/queries.json", "/metrics", "/v1/health"]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        try:
            with urllib.request.urlopen(f"https://{address}{path}", context=context, timeout=20) as reply:
                seen[path] = reply.read()
        except urllib.error.HTTPError as error:
            seen[path] = error.read()
        found = re.findall(rb'(?:href|src|url)="(/[^"#]*)"', seen[path])
        todo += [link.decode() for link in found if link.startswith(b"/public")]
    return list(seen.values())


@pytest.mark.acceptance("PRV-12")
def test_no_value_of_a_row_leaves_a_trust_in_any_answer_log_error_database_or_page(live: PlantedFederation) -> None:
    planted = live.canaries.planted
    assert len(planted) >= WANTED
    dates = sum(item[4:5] == b"-" for item in planted)
    kinds = [sum(item.startswith(start) for item in planted) for start in (b"Zq", b"Q9Z", b"9997", b"7301")]
    assert min(dates, *kinds) >= 200
    said: list[Asked] = [live.query(sql, "0.2") for sql in ANSWERED]
    assert [asked.exit for asked in said] == [0] * len(ANSWERED), [asked.err for asked in said if asked.exit]
    refused = [live.query(sql, "0.2") for sql in NOT_ANSWERED]
    assert all(asked.exit for asked in refused)
    dear = live.query("SELECT count(*) AS n FROM visit_occurrence", "90")
    assert dear.exit
    said += [*refused, dear]
    # Engines that crash: every node dies at the step that reads the data, and starts again.
    for ods in TRUSTS:
        live.trigger(ods).write_text("engine")
    said.append(live.query("SELECT count(*) AS n FROM drug_exposure", "0.2", wait=12))
    wait_for(lambda: live.all_dead(list(TRUSTS)), 20, "the nodes to die")
    with ThreadPoolExecutor(len(TRUSTS)) as pool:
        list(pool.map(live.start_node, TRUSTS))
    said += [live.ask("query", "history"), live.ask("budget", "show", PROJECT), live.ask("project", "show", PROJECT)]
    live.settle_down()
    outside = [path for path in live.layout.base.rglob("*") if not _inside(live, path)]
    homes = {live.layout.coordinator, live.layout.analyst}
    assert all(any(home in path.parents for path in outside) for home in homes)
    assert scan_files(outside, planted) == {}
    assert scan("\n".join(asked.out + asked.err for asked in said).encode(), planted) == set()
    shown = pages(live)
    assert len(shown) > 5
    assert scan(b"\n".join(shown), planted) == set()
    # Inside a trust too: no log, no report, no ledger holds one.
    for ods in TRUSTS:
        home = live.layout.trust(ods)
        kept = [path for path in home.rglob("*") if home / "store" not in path.parents]
        assert scan_files(kept, planted) == {}
        report = live.node(ods, "status")
        assert scan(report.encode(), planted) == set()
    # The control: the same scan finds one value that is written to a log.
    victim = next(iter(planted))
    copy = live.layout.base / "leak.log"
    copy.write_bytes(live.layout.log("coordinator").read_bytes() + b"answer for " + victim + b"\n")
    assert scan_files([copy], planted) == {copy: {victim}}


def _inside(live: LiveFederation, path: Path) -> bool:
    """Whether only the trust itself can read it."""
    return live.layout.data in path.parents or (live.layout.base / "trusts") in path.parents


FORMS = {
    "text": lambda text: text,
    "inside a word": lambda text: b"x0" + text + b"9z",
    "in JSON": lambda text: json.dumps({"a": [text.decode()]}).encode(),
    "UTF-16": lambda text: text.decode().encode("utf-16-le"),
    "hexadecimal": lambda text: text.hex().encode(),
    "base64": base64.b64encode,
    "base64, one further": lambda text: base64.b64encode(b"a" + text + b"bcd"),
    "base64, two further": lambda text: base64.urlsafe_b64encode(b"ab" + text + b"cd"),
    "gzip": gzip.compress,
}


@pytest.mark.acceptance("PRV-12")
@pytest.mark.parametrize("form", FORMS)
def test_the_scan_finds_a_planted_leak_in_each_form(form: str, tmp_path: Path) -> None:
    canaries, table = Canaries(), load("omop-5.4").table("measurement")
    assert table is not None
    for _ in range(2):
        canaries.row(table, {}, "here")
    around = bytes(range(256)) * 4
    for text in canaries.planted:
        path = tmp_path / "file"
        path.write_bytes(around + FORMS[form](text) + around)  # type: ignore[no-untyped-call]
        assert scan_files([path], canaries.planted) == {path: {text}}, text
    assert scan(around, canaries.planted) == set()
    numbers = [text for text in canaries.planted if text.startswith(b"7301")]
    for text in numbers:
        for order in "<>":
            assert text in scan(around + struct.pack(f"{order}q", int(text)) + around, canaries.planted)
