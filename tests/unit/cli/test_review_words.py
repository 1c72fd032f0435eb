"""What is said of reviews while a query runs: what was fixed before any data were read, and nothing else."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.lib.public_site import CATALOGUE
from trustquery.cli.output import Format
from trustquery.cli.progress import status_words, watching
from trustquery.cli.show import review_words
from trustquery.cli.status import show_status
from trustquery.errors import Problem, TrustQueryError
from trustquery.language import compile_query
from trustquery.question.preview import TrustPreview, held_by
from trustquery.question.result import require_shown

ASKED = int(datetime.datetime(2026, 11, 22, 14, 0, tzinfo=datetime.UTC).timestamp())
DAY = 86_400


def view(state: str = "offered", review: dict[str, Any] | None = None, **status: str) -> dict[str, Any]:
    trusts: list[dict[str, Any]] = [
        {"node": node, "name": node, "status": status.get(node, "waiting"), "late": False, "reasons": []}
        for node in ("RX1", "RX2")
    ]
    return {"query": "ab" * 32, "state": state, "created": ASKED, "trusts": trusts, "review": review, "result": None}


def review(outcome: str = "", *reasons: str) -> dict[str, Any]:
    return {"by": ["two output checkers"], "until": ASKED + DAY, "outcome": outcome, "reasons": list(reasons)}


def test_a_trust_that_waits_is_in_review_until_its_policy_lets_it_answer() -> None:
    held = {"RX1": 300}
    waiting, other = view()["trusts"]
    assert status_words(waiting, ASKED, held) == "in review there until 14:05 UTC, where it answers"
    assert status_words(other, ASKED, held) == "waiting"
    answered = view(RX1="answer")["trusts"][0]
    assert status_words(answered, ASKED, held) == "answered"
    assert status_words(answered | {"late": True}, ASKED, held) == "answered late, not counted"


def test_what_a_preview_says_of_reviews_is_by_trust() -> None:
    def trust(node: str, accepted: bool | None, *reasons: Problem) -> TrustPreview:
        return TrustPreview(node, node, True, accepted, reasons, {}, {})

    looks = Problem("policy-review-held", "", {"minutes": "5"})
    assert held_by((trust("RX1", True, looks), trust("RX2", True), trust("RX3", False, looks))) == {"RX1": 300}


def test_progress_names_trusts_in_review_and_the_merged_tables_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    with watching({"RX1": 300}) as tell:
        tell(view())
        tell(view(review=review()))
        tell(view(review=review()))
    first, second = capsys.readouterr().err.strip().splitlines()
    assert first == "trusts: RX1 in review there until 14:05 UTC, where it answers, RX2 waiting"
    assert second == f"{first}; two output checkers look at the merged table until 23 November 14:00 UTC"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (view(review=review()), "two output checkers look at the merged table first, until 23 November 2026 14:00 UTC"),
        (view("in-review", review()), "in review by two output checkers until 23 November 2026 14:00 UTC; nobody sees"),
        (view("closed", review("approved")), "two output checkers approved the merged table"),
        (view("returned", review("returned", "purpose")), "two output checkers did not both approve it; why: tq query"),
        (view("cancelled", review()), None),
        (view("expired", review()), None),
        (view(), None),
    ],
)
def test_status_says_where_a_review_is(
    found: dict[str, Any], words: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    show_status(found, Format.TABLE)
    said = capsys.readouterr().err
    assert ("output checkers" in said) == (words is not None)
    assert words is None or words in said
    assert "purpose" not in said


def test_why_there_is_no_result() -> None:
    for state, given, code in (
        ("in-review", review(), "query-in-review"),
        ("returned", review("returned"), "query-returned"),
        ("cancelled", None, "query-no-answer"),
    ):
        with pytest.raises(TrustQueryError) as caught:
            require_shown(view(state, given))
        assert caught.value.code == code
    # Reasons of another version are not repeated.
    with pytest.raises(TrustQueryError, match="no two approvals"):
        require_shown(view("returned", review("returned", "unheard-of")))


@pytest.mark.parametrize(
    ("state", "outcome", "words", "code"),
    [
        ("closed", "approved", "two output checkers approved", "query-result-erased"),
        ("returned", "returned", "did not both approve it", "query-returned"),
    ],
)
def test_status_and_result_of_what_was_reviewed_and_then_erased(
    state: str, outcome: str, words: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = compile_query("SELECT count(*) AS n FROM person", CATALOGUE, epsilon=Decimal("0.1"), as_of=None)
    found = view(state, review(outcome)) | {"erased_on": "2027-11-24", "model": model.payload().decode()}
    show_status(found, Format.TABLE)
    said = capsys.readouterr().err
    assert words in said
    assert "its figures were erased on 2027-11-24" in said
    with pytest.raises(TrustQueryError) as caught:
        require_shown(found)
    assert caught.value.code == code
    assert caught.value.problem.fields.get("hash", model.sha256[:12]) == model.sha256[:12]


def test_how_long_it_takes_in_words() -> None:
    assert "1 day after" in review_words(DAY)
    assert "2 hours after" in review_words(7_200)
    assert "90 seconds after" in review_words(90)
    assert "nothing can be asked" in review_words(0)
