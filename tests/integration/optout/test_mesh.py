"""The round trip over NHS England's own sandbox of MESH: real messages, and a test program for the opt-out service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node_agent.config import MeshConfig, NumbersConfig
from node_agent.optout.exchange import make_request
from node_agent.optout.mesh import WORKFLOW, Mailbox
from node_agent.optout.schedule import FIRST_AGAIN, ask_again
from node_agent.optout.vault import Vault
from tests.lib.mesh import KEY, PASSWORD, SPINE, STRANGER, TRUST, mesh_client, mesh_sandbox
from tests.lib.refusals import code_of
from tests.unit.optout.test_lists import numbers
from trustquery.identity import write_private_file

NOW = 1_800_000_000
PEOPLE = numbers(200)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with mesh_sandbox() as address:
        yield address


@dataclass
class Trust:
    """A trust's lists and its mailbox, and the other mailboxes."""

    address: str
    vault: Vault
    mailbox: Mailbox
    numbers: tuple[NumbersConfig, ...]

    def ask(self, made: int = NOW) -> str:
        """Send every number; returns the request's id."""
        request = make_request(self.vault, self.numbers, Path, made)
        self.mailbox.send(self.vault, request)
        return request.id

    def client(self, mailbox: str) -> Any:
        return mesh_client(self.address, mailbox)

    def received(self) -> tuple[str, bytes]:
        """What the service finds in its mailbox: local id and content."""
        with self.client(SPINE) as spine:
            (name,) = spine.list_messages()
            message = spine.retrieve_message(name)
            assert (message.sender, message.workflow_id) == (TRUST, WORKFLOW)
            found = message.local_id, message.read()
            message.acknowledge()
        return found

    def say(self, content: bytes, local_id: str, *, sender: str = SPINE, workflow: str = WORKFLOW) -> None:
        with self.client(sender) as other:
            other.send_message(TRUST, content, workflow_id=workflow, local_id=local_id)

    def collect(self) -> tuple[int, tuple[str, ...]]:
        found = self.mailbox.collect(self.vault, NOW, most_percent=25)
        return found.taken, found.problems

    def left(self) -> int:
        with self.client(TRUST) as own:
            return len(own.list_messages())


@pytest.fixture
def trust(sandbox: str, tmp_path: Path) -> Iterator[Trust]:
    write_private_file(tmp_path / "password", PASSWORD.encode())
    write_private_file(tmp_path / "shared", KEY)
    rows = [f"{place},{number}" for place, number in enumerate(PEOPLE)]
    (tmp_path / "numbers.csv").write_text("\n".join(["person_id,nhs_number", *rows, "900,9434765918", "901,"]) + "\n")
    config = MeshConfig(
        url=sandbox, mailbox=TRUST, recipient=SPINE,
        password_file=str(tmp_path / "password"), shared_key_file=str(tmp_path / "shared"),
    )  # fmt: skip
    numbers = NumbersConfig(
        dataset="omop-5.4", format="csv", path=str(tmp_path / "numbers.csv"), person="person_id", number="nhs_number"
    )
    found = Trust(sandbox, Vault(tmp_path / "optout", tmp_path / "key"), Mailbox(config, Path), (numbers,))
    yield found
    for name in (TRUST, SPINE):
        with found.client(name) as box:
            for message in box.list_messages():
                box.acknowledge_message(message)


def without(content: bytes, count: int) -> bytes:
    """The service's work: the lines of those who have not opted out; the first lines are those who have."""
    return b"".join(content.splitlines(keepends=True)[count:])


def in_it(content: bytes) -> set[str]:
    return {line.removesuffix(",") for line in content.decode().splitlines()}


def test_a_reply_to_few_numbers_that_lacks_its_last_line_is_refused_and_asked_for_again(trust: Trust) -> None:
    few = trust.vault.begin(PEOPLE[:5], NOW)
    trust.mailbox.send(trust.vault, few)
    local_id, content = trust.received()
    trust.say(b"".join(content.splitlines(keepends=True)[:-1]), local_id)
    assert (trust.collect(), trust.vault.used("omop-5.4")) == ((0, ("optout-reply-refused",)), ())
    assert ask_again(trust.vault.ended()) == NOW + FIRST_AGAIN


def test_numbers_go_out_and_the_allow_list_comes_back(trust: Trust) -> None:
    request = trust.ask()
    local_id, content = trust.received()
    assert local_id == request
    assert sorted(content.decode().split("\n")) == sorted(["", *(f"{number}," for number in PEOPLE)])
    assert trust.collect() == (0, ())
    trust.say(without(content, 10), request)
    assert trust.collect() == (1, ())
    assert trust.vault.entries("national") == in_it(without(content, 10))
    assert [item.as_of for item in trust.vault.used("omop-5.4")] == [NOW]
    assert (trust.left(), trust.collect()) == (0, (0, ()))


def test_replies_that_are_none_change_nothing(trust: Trust) -> None:
    before = trust.vault.put("national", "", PEOPLE[:3], NOW - 86_400)
    request = trust.ask()
    _, content = trust.received()
    good = without(content, 10)
    trust.say(good, request, sender=STRANGER)
    trust.say(good, request, workflow="OTHER_BUSINESS")
    trust.say(good, "another-request")
    trust.say(b"somebody else's message", "", workflow="OTHER_BUSINESS")
    assert trust.collect() == (0, ("optout-reply-refused",) * 3)
    assert trust.vault.used("omop-5.4") == (before,)
    # What said that it was the service's reply is on record and gone; another's message stays where it was, unread.
    assert trust.left() == 1
    assert sorted(item.problem for item in trust.vault.no_replies()) == [
        "", "it has another workflow", "nothing that was sent waits for it", "the opt-out service did not send it",
    ]  # fmt: skip
    assert (trust.collect(), trust.left()) == ((0, ()), 1)
    trust.say(good[:-30], request)
    assert trust.collect()[1] == ("optout-reply-refused",)
    assert (trust.left(), trust.vault.ended()[0].state) == (1, "refused")
    assert trust.vault.used("omop-5.4") == (before,)
    assert trust.vault.waiting() == ()


def test_a_reply_that_comes_twice_is_believed_once(trust: Trust) -> None:
    request = trust.ask()
    _, content = trust.received()
    trust.say(without(content, 10), request)
    trust.say(without(content, 20), request)
    assert trust.collect() == (1, ("optout-reply-refused",))
    assert trust.vault.entries("national") == in_it(without(content, 10))


def test_mesh_out_of_reach_or_another_password_is_said_without_a_word_of_it(trust: Trust, tmp_path: Path) -> None:
    write_private_file(tmp_path / "wrong", b"wrong")
    for change in ({"url": "http://127.0.0.1:9"}, {"password_file": str(tmp_path / "wrong")}):
        mailbox = Mailbox(trust.mailbox.config.model_copy(update=change), Path)
        assert code_of(lambda mailbox=mailbox: mailbox.collect(trust.vault, NOW, most_percent=25)) == "optout-mesh"
