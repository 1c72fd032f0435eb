"""Applying at a terminal, question by question: a wrong answer is asked again, and Ctrl-C loses nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories.projects import application, today
from tests.lib.coordinator import LiveCoordinator
from tests.lib.processes import command
from tests.lib.terminal import Terminal
from trustquery.client.connection import Connection
from trustquery.identity import SigningKey
from trustquery.projects.answers import choices
from trustquery.projects.questions import QUESTIONS, Kind, Question

KEY = SigningKey.generate()
WANTED: dict[str, Any] = application(key=KEY.public.hex(), starts=today(-1), ends=today(60)).model_dump(mode="json")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCoordinator]:
    made = LiveCoordinator(tmp_path_factory.mktemp("terminal"))
    try:
        yield made
    finally:
        made.end()


def answer(screen: Terminal, question: Question) -> None:
    """Type what is wanted, as a person would."""
    value = WANTED[question.name]
    if question.kind is Kind.CHOICE:
        screen.until("Number: ")
        screen.type(str(choices(question.name).index(value) + 1))
    elif question.kind is Kind.AGREE:
        screen.until("Do they? [y/N]: ")
        screen.type("y")
    elif question.kind is Kind.TEAM:
        (ada,) = value
        # The short name and the key are known: Enter takes them.
        for prompt, text in (
            ("Short name [ada]: ", ""), ("Full name: ", ada["name"]), ("Organisation: ", ada["organisation"]),
            (f"printed it [{ada['key']}]: ", ""), ("Trained by: ", ada["training_body"]),
            ("Training expires, such as 2027-09-30: ", ada["training_expires"]),
            ("Is there anybody else? [y/N]: ", "n"),
        ):  # fmt: skip
            screen.until(prompt)
            screen.type(text)
    else:
        for line in value if isinstance(value, list) else [str(value)]:
            screen.until(f"{question.label}: ")
            screen.type(line)
        if question.kind in (Kind.TEXT, Kind.LINES, Kind.NAMES):
            screen.until(f"{question.label}: ")
            screen.type("")


def test_a_form_is_filled_in_two_sittings(live: LiveCoordinator) -> None:
    home = live.sign_in("ada", KEY)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home.path), "TQ_HOME": str(home.path), "LC_ALL": "C.UTF-8",
                   "TERM": "dumb", "COLUMNS": "200"}  # fmt: skip
    apply = [command("tq"), "project", "apply", "stays"]

    first = Terminal(apply, environment)
    first.until("questions are left. Each answer is saved at once")
    first.until("What is the project called?")
    answer(first, QUESTIONS[0])
    first.until("What is it for?")
    first.until("Number: ")
    first.type("99")
    first.until("Input should be ")
    answer(first, QUESTIONS[1])
    first.until("What will you do, in plain English?")
    assert first.interrupt() != 0

    second = Terminal(apply, environment)
    left = second.until("questions are left")
    assert re.search(rf"\b{len(QUESTIONS) - 2} questions", left)
    for question in QUESTIONS[2:]:
        second.until(question.ask)
        if question.name == "starts":
            second.until("Starts: ")
            second.type("tomorrow")
            second.until("it is not written as it should be. Such as 2027-04-01.")
        answer(second, question)
    second.until("every question is answered")
    assert second.end() == 0

    with Connection.open(home) as connection:
        request = connection.applications().get("stays")
    assert request.missing == ()
    assert request.answers == {question.name: WANTED[question.name] for question in QUESTIONS}

    third = Terminal([*apply, "--submit"], environment)
    third.until("Sign and submit exactly this? [y/N]: ")
    third.type("n")
    assert third.end() == 2
    assert "nothing was signed or sent" in third.text
    fourth = Terminal([*apply, "--submit"], environment)
    fourth.until("Sign and submit exactly this? [y/N]: ")
    fourth.type("y")
    fourth.until("submitted to the data access committee")
    assert fourth.end() == 0
