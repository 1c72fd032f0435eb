"""Lists at rest: sealed, replaced whole, never younger than they are, and useless once they were changed."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import pytest

from node_agent.config import NumbersConfig
from node_agent.optout.current import Current
from node_agent.optout.exchange import make_request, take_reply
from node_agent.optout.vault import Vault
from tests.lib.refusals import code_of
from tests.unit.optout.test_lists import numbers

A, B, C, D, E = numbers(5)
NOW = 1_800_000_000
DAY = 86_400


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "optout", tmp_path / "optout.key")


def config(folder: Path, *rows: str) -> tuple[NumbersConfig, ...]:
    (folder / "numbers.csv").write_text("\n".join(["Person_ID,NHS Number", *rows]) + "\n")
    item = NumbersConfig(
        dataset="omop-5.4", format="csv", path=str(folder / "numbers.csv"), person="person_id", number="NHS number"
    )
    return (item,)


def test_a_list_is_replaced_whole_and_never_by_an_older_one(vault: Vault) -> None:
    vault.put("type-1", "", [A, B], NOW)
    assert code_of(lambda: vault.put("type-1", "", [C], NOW - 1)) == "optout-list-invalid"
    vault.put("type-1", "", [C], NOW)
    assert vault.entries("type-1") == {C}
    vault.put("type-1", "", [], NOW + 1)
    assert vault.entries("type-1") == frozenset()
    assert [(item.kind, item.as_of) for item in vault.used("any")] == [("type-1", NOW + 1)]


def test_nothing_of_a_list_stands_in_the_file(vault: Vault, tmp_path: Path) -> None:
    vault.put("national", "", [A, B], NOW)
    vault.put("local", "omop-5.4", ["person-4711"], NOW)
    vault.begin([C, D], NOW)
    content = b"".join(path.read_bytes() for path in (tmp_path / "optout").iterdir())
    assert not [text for text in (A, B, C, D, "person-4711") if text.encode() in content]
    assert (tmp_path / "optout" / "lists.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE list SET as_of = as_of + 86400",
        "UPDATE list SET sealed = substr(sealed, 1, length(sealed) - 11)",
        "UPDATE list SET sealed = zeroblob(60)",
        "UPDATE list SET kind = 'type-1'",
        "UPDATE list SET print = replace(print, substr(print, 1, 1), 'x')",
        "DELETE FROM list",
    ],
)
def test_a_list_that_was_changed_in_the_file_is_no_list(vault: Vault, tmp_path: Path, damage: str) -> None:
    vault.put("national", "", [A, B], NOW)
    with sqlite3.connect(tmp_path / "optout" / "lists.sqlite") as other:
        other.execute(damage)
    other.close()
    kind = "type-1" if "kind" in damage else "national"
    assert code_of(lambda: vault.entries(kind)) == "optout-list-damaged"  # type: ignore[arg-type]


def test_another_key_opens_nothing(vault: Vault, tmp_path: Path) -> None:
    vault.put("national", "", [A], NOW)
    (tmp_path / "optout.key").unlink()
    assert code_of(lambda: Vault(tmp_path / "optout", tmp_path / "optout.key")) == "config-missing"
    other = Vault(tmp_path / "other", tmp_path / "other.key")
    other.close()
    assert (
        code_of(lambda: Vault(tmp_path / "optout", tmp_path / "other.key").entries("national")) == "optout-list-damaged"
    )


def test_the_print_of_a_list_tells_nobody_who_is_on_it(vault: Vault, tmp_path: Path) -> None:
    other = Vault(tmp_path / "b", tmp_path / "b.key")
    assert vault.put("national", "", [A], NOW).keyed_hash != other.put("national", "", [A], NOW).keyed_hash
    assert vault.put("national", "", [A], NOW + 1).keyed_hash == vault.put("national", "", [A], NOW + 2).keyed_hash


def test_one_process_at_a_time(vault: Vault) -> None:
    with vault.alone():
        assert code_of(lambda: vault.alone().__enter__()) == "optout-busy"
    with vault.alone():
        pass


def test_every_verified_number_is_sent_once_and_no_other(vault: Vault, tmp_path: Path) -> None:
    rows = [
        f"1,{A}",
        f"2,{B}",
        f"3,{B}",
        "4,9434765918",
        "5,",
        f"6,{C}",
        f"6,{D}",
        f"x,{E}",
        f"7,{A[:3]} {A[3:6]} {A[6:]}",
    ]
    made = make_request(vault, config(tmp_path, *rows), Path, NOW)
    assert sorted(made.numbers) == sorted([A, B])
    assert [(item.id, item.made, item.numbers) for item in vault.waiting()] == [(made.id, NOW, made.numbers)]


def test_without_numbers_nothing_is_sent(vault: Vault, tmp_path: Path) -> None:
    assert code_of(lambda: make_request(vault, (), Path, NOW)) == "optout-not-configured"
    assert code_of(lambda: make_request(vault, config(tmp_path, "1,9434765918"), Path, NOW)) == "optout-numbers"
    assert vault.waiting() == ()


def test_a_reply_makes_the_list_as_old_as_its_request(vault: Vault, tmp_path: Path) -> None:
    facts = config(tmp_path, f"1,{A}", f"2,{B}", f"3,{C}")
    older, made = make_request(vault, facts, Path, NOW - DAY), make_request(vault, facts, Path, NOW)
    vault.sent(made.id, "message")
    first, *left = made.numbers
    used = take_reply(vault, made.id, "".join(f"{number},\n" for number in left).encode(), most_percent=25)
    assert (used.kind, used.as_of) == ("national", NOW)
    assert vault.entries("national") == {A, B, C} - {first}
    assert vault.waiting() == ()
    for late in (made.id, older.id, "f" * 32):
        again = partial(take_reply, vault, late, f"{A},\n".encode(), most_percent=25)
        assert code_of(again) == "optout-reply-refused"
    assert vault.entries("national") == {A, B, C} - {first}
    assert [item.state for item in vault.ended()] == ["answered"]
    # The next request ends with one that came back.
    assert make_request(vault, facts, Path, NOW + DAY).numbers[-1] != first


OF_NOBODY, CUT = f"{D},\n".encode(), f"{A},\n{B[:5]}".encode()


@pytest.mark.parametrize("content", [b"", OF_NOBODY, CUT])
def test_a_refused_reply_leaves_the_old_list_with_its_old_age(vault: Vault, tmp_path: Path, content: bytes) -> None:
    facts = config(tmp_path, f"1,{A}", f"2,{B}")
    before = vault.put("national", "", [A], NOW - 9 * DAY)
    made = make_request(vault, facts, Path, NOW)
    assert code_of(lambda: take_reply(vault, made.id, content, most_percent=25)) == "optout-reply-refused"
    assert vault.used("omop-5.4") == (before,)
    assert vault.waiting() == ()


# -- who is allowed ----------------------------------------------------------------------------------------------------


def test_a_person_is_allowed_by_every_list_or_not_at_all(vault: Vault, tmp_path: Path) -> None:
    rows = [f"1,{A}", f"2,{B}", f"3,{C}", f"4,{D}", f"5,{A}", f"6,{A}", f"6,{B}", "7,9434765918"]
    now = Current(vault, config(tmp_path, *rows), Path)
    people = ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert now.allowed("omop-5.4", people) is None
    vault.put("type-1", "", [C], NOW)
    assert now.allowed("omop-5.4", people) is None
    vault.put("national", "", [A, C, D], NOW)
    vault.put("local", "omop-5.4", ["4"], NOW)
    vault.put("local", "nhs-episodes", ["1"], NOW)
    found = now.allowed("omop-5.4", people)
    assert found is not None
    assert [item.kind for item in found.lists] == ["local", "national", "type-1"]
    # 2 opted out nationally, 3 at the practice, 4 here; 6 has two numbers, 7 none that is right, 8 none at all.
    assert dict(zip(people, found.people, strict=True)) == {
        "1": True, "2": False, "3": False, "4": False, "5": True, "6": False, "7": False, "8": False,
    }  # fmt: skip
    assert now.allowed("nhs-episodes", people) is None
