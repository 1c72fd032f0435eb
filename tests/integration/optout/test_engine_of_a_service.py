"""Which people a running node's engine reads: by the permit's treatment, and from lists that nobody changed since."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from node_agent.budget import SqliteLedger
from node_agent.config import Home, parse_config
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.optout.current import current_lists, open_vault
from node_agent.service import Service
from node_agent.sources.prepare import refresh
from node_agent.sources.sealed import ALLOWED, path_of
from node_agent.sources.store import Store, store_key
from tests.lib.prepared import processes
from tests.lib.refusals import code_of
from tests.unit.optout.test_lists import numbers
from tests.unit.optout.test_schedule import HEADER
from trustquery.catalogue import load
from trustquery.codelists import shipped
from trustquery.identity.certificates import Authority
from trustquery.language import compile_query
from trustquery.planning import compile_plan

NOW = 1_800_000_000
PEOPLE = numbers(4)
OMOP = load("omop-5.4")
QUERY = compile_query("SELECT count(DISTINCT person_id) AS n FROM observation_period", OMOP, epsilon=Decimal(1))


class Clock:
    def wall(self) -> int:
        return NOW

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Four people; the first is not on the national list, the second on the local one, the third has no number."""
    home = Home(tmp_path / "home")
    home.create()
    (home.path / "in").mkdir()
    rows = [f"{at},{at},2020-01-01,2020-12-31,5" for at in range(4)]
    (home.path / "in" / "observation_period.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    known = [f"{at},{PEOPLE[at]}" for at in (0, 1, 3)]
    (home.path / "numbers.csv").write_text("\n".join(["person_id,nhs_number", *known]) + "\n")
    config = parse_config(
        'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Ash"\n'
        '[[source]]\ndataset = "omop-5.4"\nformat = "csv"\npath = "in"\n[[nhs_numbers]]\ndataset = "omop-5.4"\n'
        'format = "csv"\npath = "numbers.csv"\nperson = "person_id"\nnumber = "nhs_number"\n'
    )
    vault = open_vault(home, config)
    vault.put("national", "", [PEOPLE[1], PEOPLE[3]], NOW)
    vault.put("local", "omop-5.4", ["1"], NOW)
    vault.close()
    with current_lists(home, config) as lists:
        key = store_key(home, config, make=True)
        refresh(config.sources, home.resolve, home.store, key=key, threads=1, opt_outs=lists)
    ledger = SqliteLedger(home.ledger)
    # Only what its engine takes, and a certificate to be renewed one day: no link, no office.
    none = cast(Any, None)
    authority = Authority.generate("test", datetime.datetime.now(datetime.UTC))
    startup = cast(Any, SimpleNamespace(certificate_pem=authority.certificate_pem))
    yield Service(
        home, config, startup, ledger, none, none, none, none, none, lambda *a, **b: None, clock=cast(Any, Clock()),
        processes=processes(),
    )  # fmt: skip
    ledger.close()


def people(service: Service, treatment: str) -> tuple[int, list[str]]:
    engine = service.engine("omop-5.4", shipped(), treatment)
    assert isinstance(engine, DuckDBEngine)
    return engine.vector(QUERY, compile_plan(QUERY, OMOP))[0], [item.kind for item in engine.opt_outs]


def test_applied_and_exempt_are_read_side_by_side_and_an_unknown_word_exempts_nobody(service: Service) -> None:
    assert people(service, "applied") == (1, ["local", "national"])
    assert people(service, "exempt-with-basis") == (4, [])
    assert people(service, "synthetic-data") == (4, [])
    assert people(service, "applied") == (1, ["local", "national"])
    for word in ("", "exempt", "EXEMPT-WITH-BASIS", "none"):
        assert people(service, word) == (1, ["local", "national"])


def younger(current: dict[str, Any]) -> None:
    current["opt_outs"]["omop-5.4"][1]["as_of"] += 1


def other(current: dict[str, Any]) -> None:
    current["opt_outs"]["omop-5.4"][1]["keyed_hash"] = "ab" * 32


def fewer(current: dict[str, Any]) -> None:
    current["opt_outs"]["omop-5.4"].pop(0)


@pytest.mark.parametrize("change", [younger, other, fewer])
def test_lists_that_were_changed_beside_a_data_version_refuse(
    service: Service, change: Callable[[dict[str, Any]], None]
) -> None:
    people(service, "applied")
    path = service.home.store / "current.json"
    current = json.loads(path.read_text())
    change(current)
    path.write_text(json.dumps(current))
    for treatment in ("applied", "exempt-with-basis"):
        assert code_of(service.engine, "omop-5.4", shipped(), treatment) == "policy-document-stale"


@pytest.mark.parametrize("damage", ["absent", "cut", "changed"])
def test_without_the_file_of_who_is_allowed_nobody_is_read(service: Service, damage: str) -> None:
    path = path_of(Store.open(service.home.store).folder, "omop-5.4", ALLOWED)
    content = path.read_bytes()
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == "cut" else content[:40] + bytes([content[40] ^ 1]) + content[41:])
    engine = service.engine("omop-5.4", shipped(), "applied")
    # A fault, entered as one: NO-ANSWER, and no figure over everybody.
    assert code_of(engine.vector, QUERY, compile_plan(QUERY, OMOP)) == "internal-fault"
    assert people(service, "exempt-with-basis") == (4, [])
