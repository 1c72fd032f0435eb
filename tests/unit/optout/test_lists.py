"""Lists of numbers and keys, requests and replies: taken whole or refused whole, and nothing of them is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nhs_number.generate import generate

from node_agent.optout.numbers import read_keys, read_numbers, verified
from node_agent.optout.replies import LONGEST_GAP, in_drawn_order, read_reply, request_file
from tests.lib.refusals import code_of, refusal
from tests.property.budgets import examples

A, B, C = "9434765919", "9434765870", "9000000009"


def numbers(count: int) -> list[str]:
    """Made-up numbers with right check digits, each once."""
    found: dict[str, None] = {}
    candidate = 999_000_000
    while len(found) < count:
        candidate += 1
        found |= {text: None for digit in range(10) if (text := verified(f"{candidate}{digit}"))}
    return list(found)


SENT = in_drawn_order(numbers(1_000), bytes(32))


def test_a_check_digit_decides() -> None:
    assert verified("943 476 5919") == verified("943-476-5919") == A
    for text in (
        "9434765918",
        "943476591",
        "94347659190",
        "",
        None,
        "0000000000",
        "9999999999",
        "٩434765919",
        "A434765919",
    ):
        assert verified(text) is None
    for number in generate(quantity=20):
        assert verified(number) == number


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"9434765918,\n", "line 1 is no NHS number"),
        (b"9434765919,\n\n", "line 2 is no NHS number"),
        (b"nhs_number\n9434765919\n", "line 1 is no NHS number"),
        (b"9434765919,\n943 476 5919\n", "line 2 repeats"),
        (b"9434765919,\n943476", "does not end"),
        (b"\xff\xfe", "no text"),
    ],
)
def test_a_type_1_list_is_refused_whole_and_its_problem_holds_no_number(content: bytes, problem: str) -> None:
    error = refusal(read_numbers, content, "type-1")
    assert error is not None
    assert error.problem.code == "optout-list-invalid"
    assert problem in error.problem.reason
    assert "94347" not in repr(error.problems)


def test_a_list_may_be_empty_and_may_have_commas_and_windows_line_ends() -> None:
    assert read_numbers(b"", "type-1") == ()
    assert read_numbers(b"\xef\xbb\xbf9434765919,\r\n943 476 5870\r\n", "type-1") == (A, B)


@pytest.mark.parametrize("content", [b"17\n17\n", b"17\n\n", b" 17\n", b"17", b"\x0017\n", b"x" * 201 + b"\n"])
def test_a_local_list_is_refused_whole(content: bytes) -> None:
    assert code_of(read_keys, content, "local") == "optout-list-invalid"
    assert read_keys(b"17\nP-18\n", "local") == ("17", "P-18")


def test_a_request_is_one_number_and_a_comma_a_line_and_no_unverified_number_is_sent() -> None:
    assert request_file([A, B]) == b"9434765919,\n9434765870,\n"
    for wrong in ("9434765918", "943 476 5919", ""):
        with pytest.raises(ValueError, match="not verified"):
            request_file([A, wrong])


def test_the_order_of_a_request_is_drawn_anew() -> None:
    assert sorted(SENT) == sorted(numbers(1_000))
    assert in_drawn_order(SENT, b"\x01" * 32) != SENT
    assert in_drawn_order(SENT[::-1], bytes(32)) == SENT


def reply(found: list[str] | tuple[str, ...]) -> bytes:
    return "".join(f"{number},\n" for number in found).encode()


@examples(ci=50, full=500)
@given(gone=st.sets(st.sampled_from(SENT), max_size=200), turned=st.booleans())
def test_a_reply_says_who_may_be_used(gone: set[str], turned: bool) -> None:
    left = [number for number in SENT if number not in gone - set(SENT[-1:])]
    assert read_reply(reply(left[::-1] if turned else left), SENT, most_percent=25) == set(left)


REFUSED = {
    "empty": b"",
    "a message in its place": b"ERROR: the file holds an invalid NHS number\n",
    "cut in a line": reply(SENT)[:-3],
    "cut before a comma": reply(SENT)[:-2] + b"\n",
    "a number twice": reply(SENT + SENT[:1]),
    "a number that was never sent": reply((*SENT[1:], A)),
    "one digit changed": reply(SENT).replace(SENT[7].encode(), b"9434765919"),
    "cut between lines": reply(SENT[:-LONGEST_GAP]),
    "most of it gone": reply(SENT[::2]),
    "a stretch of it gone": reply(SENT[:300] + SENT[300 + LONGEST_GAP :]),
    "the last line gone": reply(SENT[:-1]),
    "sorted, and a stretch of it gone": reply(sorted(SENT)[:-LONGEST_GAP]),
    "an empty line": reply(SENT) + b"\n",
    "other digits": reply(SENT).replace(b"9", "٩".encode(), 1),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_a_reply_is_refused_whole(content: bytes) -> None:
    error = refusal(lambda: read_reply(content, SENT, most_percent=25))
    assert error is not None
    assert error.problem.code == "optout-reply-refused"
    assert not any(number in repr(error.problems) for number in (A, SENT[7]))


def test_the_longest_gap_that_is_believed() -> None:
    left = SENT[:300] + SENT[300 + LONGEST_GAP - 1 :]
    assert read_reply(reply(left), SENT, most_percent=25) == set(left)


@examples(ci=50, full=1_000)
@given(length=st.integers(1, 10_000), count=st.sampled_from([1, 2, 5, 39, 40, 99, 100, 1_000]))
def test_a_reply_cut_anywhere_is_refused_however_short_the_list(length: int, count: int) -> None:
    """Cut by a byte, a line or nearly all: a reply in the order that was sent lacks its last number then."""
    sent = SENT[:count]
    content = reply(sent)[: length % (12 * count)]
    assert code_of(lambda: read_reply(content, sent, most_percent=100)) == "optout-reply-refused"


@examples(ci=50, full=500)
@given(data=st.data(), count=st.integers(1, 45))
def test_of_a_short_list_those_are_left_out_who_opted_out_and_nobody_is_let_in(data: st.DataObject, count: int) -> None:
    sent = SENT[:count]
    gone = data.draw(st.sets(st.sampled_from(sent), max_size=min(count, LONGEST_GAP - 1)))
    left = [number for number in sent if number not in gone]
    if sent[-1] in gone:
        # Refused all the same: that it was cut cannot be excluded. The next request ends with another number.
        assert code_of(lambda: read_reply(reply(left), sent, most_percent=100)) == "optout-reply-refused"
    else:
        assert read_reply(reply(left), sent, most_percent=100) == set(left)
    if len(left) > 1:
        assert code_of(lambda: read_reply(reply(left[::-1]), sent, most_percent=100)) == "optout-reply-refused"


def test_a_request_ends_with_a_number_that_came_back_the_last_time() -> None:
    people = numbers(40)
    ends = set()
    for draw in range(200):
        sent = in_drawn_order(people, bytes([draw]) * 32, {people[3], people[7], "9434765919"})
        assert sorted(sent) == sorted(people)
        ends.add(sent[-1])
    assert ends == {people[3], people[7]}
    assert in_drawn_order(people, bytes(32), {A}) == in_drawn_order(people, bytes(32))
