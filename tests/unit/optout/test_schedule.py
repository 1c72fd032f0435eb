"""What is due when: from the runs on record alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node_agent.config import Home, parse_config
from node_agent.optout.current import open_vault
from node_agent.optout.records import Ended, Run
from node_agent.optout.schedule import DAY, FIRST_AGAIN, FIRST_PAUSE, LONGEST_PAUSE, Schedule, ask_again, next_try
from node_agent.sources.store import Store
from tests.unit.optout.test_lists import numbers
from trustquery.identity import write_private_file

NOW = 1_800_000_000
PEOPLE = numbers(3)
HEADER = (
    "observation_period_id,person_id,observation_period_start_date,observation_period_end_date,period_type_concept_id"
)


def runs(*outcomes: str) -> tuple[Run, ...]:
    return tuple(Run("send", NOW, NOW if outcome else None, outcome) for outcome in outcomes)


@pytest.mark.parametrize(
    ("found", "due"),
    [
        ((), 0),
        (runs("done"), NOW + 7 * DAY),
        (runs("done", "optout-mesh", "optout-mesh"), NOW + 7 * DAY),
        (runs("optout-mesh", "done"), NOW + FIRST_PAUSE),
        (runs("optout-mesh", "optout-mesh", "done"), NOW + 2 * FIRST_PAUSE),
        (runs("", "done"), NOW + FIRST_PAUSE),
        (runs(*["optout-mesh"] * 30), NOW + LONGEST_PAUSE),
    ],
)
def test_when_a_job_is_due(found: tuple[Run, ...], due: int) -> None:
    assert next_try(found, 7 * DAY) == due


@pytest.mark.parametrize(
    ("states", "due"),
    [
        ("", None),
        ("answered", None),
        ("sent refused", None),
        ("refused answered", NOW + FIRST_AGAIN),
        ("refused refused answered", NOW + 2 * FIRST_AGAIN),
        (" ".join(["refused"] * 5), NOW + 16 * FIRST_AGAIN),
        (" ".join(["refused"] * 6), None),
    ],
)
def test_a_refused_reply_is_asked_for_again_sooner_a_few_times(states: str, due: int | None) -> None:
    assert ask_again(tuple(Ended(NOW - at, state) for at, state in enumerate(states.split()))) == due


def test_failures_are_on_record_wait_longer_each_time_and_a_new_list_is_put_in_force(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "observation_period.csv").write_text(f"{HEADER}\n1,1,2020-01-01,2020-12-31,5\n")
    (tmp_path / "numbers.csv").write_text(f"person_id,nhs_number\n1,{PEOPLE[0]}\n")
    for name in ("password", "shared"):
        write_private_file(tmp_path / name, b"x")
    config = parse_config(
        'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Ash"\n'
        '[[source]]\ndataset = "omop-5.4"\nformat = "csv"\npath = "in"\n[[nhs_numbers]]\ndataset = "omop-5.4"\n'
        'format = "csv"\npath = "numbers.csv"\nperson = "person_id"\nnumber = "nhs_number"\n[mesh]\n'
        'url = "http://127.0.0.1:9"\nmailbox = "A"\nrecipient = "B"\npassword_file = "password"\n'
        'shared_key_file = "shared"\n'
    )
    at, logged = [NOW], list[dict[str, Any]]()
    schedule = Schedule(home, config, lambda: at[0], lambda event, **facts: logged.append(facts))
    schedule.turn()
    schedule.turn()
    at[0] += FIRST_PAUSE
    schedule.turn()
    at[0] += FIRST_PAUSE
    schedule.turn()
    vault = open_vault(home, config)
    assert [(run.started, run.outcome) for run in vault.runs("send")] == [
        (NOW + FIRST_PAUSE, "optout-mesh"), (NOW, "optout-mesh"),
    ]  # fmt: skip
    assert vault.waiting() == ()
    assert not home.store.exists()
    vault.put("national", "", PEOPLE[:1], NOW)
    schedule.turn()
    schedule.turn()
    assert [run.outcome for run in vault.runs("prepare")] == ["done"]
    found = Store.open(home.store)
    assert (found.data_version, [item.as_of for item in found.opt_outs["omop-5.4"]]) == (1, [NOW])
    vault.put("type-1", "", [], NOW + 1)
    schedule.turn()
    assert Store.open(home.store).data_version == 2
    assert not [number for number in PEOPLE if number in repr(logged)]
