"""Witnesses' signatures and the quorum of them."""

from __future__ import annotations

import base64
import hashlib
import itertools

import pytest

from tests.factories.trust import key
from tests.lib.refusals import code_of, reason_of
from trustquery.errors import TrustQueryError
from trustquery.identity.keys import verify
from trustquery.log import Checkpoint, Quorum, cosign, cosigners, with_lines

ORIGIN = "example-federation/coordinator"
AT = 1_800_000_000
NOTE = Checkpoint(ORIGIN, 5, bytes(range(32))).sign(key("ash"))
NAMES = ("w/one", "w/two", "w/three", "w/four")
KEYS = {name: key(name).public for name in NAMES}


def signed(*names: str, at: int = AT, note: bytes = NOTE) -> bytes:
    return with_lines(note, [cosign(note, name, key(name), at) for name in names])


def test_a_line_is_what_the_specification_says() -> None:
    dash, name, data = cosign(NOTE, "w/one", key("w/one"), AT).decode().removesuffix("\n").split(" ")
    raw = base64.b64decode(data)
    public = key("w/one").public
    message = b"cosignature/v1\ntime 1800000000\n" + NOTE.partition(b"\n\n")[0] + b"\n"
    assert (dash, name) == ("—", "w/one")
    assert raw[:4] == hashlib.sha256(b"w/one\n\x04" + public).digest()[:4]
    assert raw[4:12] == AT.to_bytes(8, "big")
    assert len(raw) == 76
    assert verify(public, message, raw[12:])


def test_known_witnesses_are_counted_with_their_times_and_others_passed_over() -> None:
    note = with_lines(signed("w/one", "w/stranger"), [cosign(NOTE, "w/two", key("w/two"), AT + 9)])
    assert cosigners(note, KEYS) == {"w/one": AT, "w/two": AT + 9}
    assert cosigners(NOTE, KEYS) == {}
    # A known name with a key that nobody knows is a stranger too.
    assert cosigners(with_lines(NOTE, [cosign(NOTE, "w/one", key("w/two"), AT)]), KEYS) == {}


def test_the_later_of_two_times_counts_and_a_line_is_not_repeated() -> None:
    note = signed("w/one")
    assert with_lines(note, [cosign(NOTE, "w/one", key("w/one"), AT)]) == note
    later = with_lines(note, [cosign(NOTE, "w/one", key("w/one"), AT + 5)])
    assert cosigners(later, KEYS) == {"w/one": AT + 5}


def test_a_wrong_line_of_a_known_witness_spoils_the_note() -> None:
    other = Checkpoint(ORIGIN, 6, bytes(range(32))).sign(key("ash"))
    note = with_lines(NOTE, [cosign(other, "w/one", key("w/one"), AT)])
    assert code_of(cosigners, note, KEYS) == "auth-document"
    assert reason_of(cosigners, note, KEYS).endswith("the signature of w/one is wrong")


@pytest.mark.acceptance("AUD-01")
def test_no_byte_of_a_signed_head_can_be_changed() -> None:
    """Every byte of text, signature and cosignatures, each with one bit turned: base64's unused bits too."""
    note = signed(*NAMES[:3])
    quorum = Quorum(KEYS, 1)
    assert quorum.check(note, ORIGIN, key("ash").public).size == 5
    for place in range(len(note)):
        broken = bytearray(note)
        broken[place] ^= 1
        with pytest.raises(TrustQueryError):
            quorum.check(bytes(broken), ORIGIN, key("ash").public)


@pytest.mark.parametrize(
    "note",
    [
        NOTE[:-1],
        NOTE + b"\n",
        NOTE.replace(b"\n\n", b"\n"),
        NOTE[:-1] + b"\x0b",
        NOTE + b"x\n",
        b"",
        b"\xff",
        NOTE * 400,
    ],
)
def test_another_form_is_refused(note: bytes) -> None:
    assert code_of(cosigners, note, KEYS) == "auth-document"
    assert code_of(with_lines, note, []) == "auth-document"


@pytest.mark.parametrize(
    "line", [b"", b"w/one AAAAAAAA\n", b"\xff\n", "— w/one AAAAAAAA".encode(), "— a+b AAAAAAAA\n".encode()]
)
def test_a_line_of_another_form_is_not_added(line: bytes) -> None:
    if line:
        assert code_of(with_lines, NOTE, [line]) == "auth-document"
    else:
        assert with_lines(NOTE, [line]) == NOTE


@pytest.mark.parametrize(
    ("count", "faulty", "needed"), [(4, 1, 3), (5, 1, 4), (6, 1, 4), (7, 1, 5), (7, 2, 5), (10, 3, 7), (209, 1, 106)]
)
def test_the_quorum_is_above_half_of_all_and_the_faulty(count: int, faulty: int, needed: int) -> None:
    quorum = Quorum({f"w/{n}": n.to_bytes(32, "big") for n in range(count)}, faulty)
    assert quorum.needed == needed
    assert quorum.needed * 2 > count + faulty


@pytest.mark.parametrize(("count", "faulty"), [(0, 1), (1, 1), (3, 1), (4, 0), (4, 2), (6, 2), (4, -1)])
def test_too_few_witnesses_have_no_quorum(count: int, faulty: int) -> None:
    keys = {f"w/{n}": n.to_bytes(32, "big") for n in range(count)}
    assert code_of(Quorum, keys, faulty) == "witness-quorum-invalid"


def test_one_key_is_one_witness() -> None:
    keys = dict.fromkeys((f"w/{n}" for n in range(4)), bytes(32))
    assert code_of(Quorum, keys, 1) == "witness-quorum-invalid"


def test_any_three_of_four_will_do_and_no_two() -> None:
    quorum = Quorum(KEYS, 1)
    for few in itertools.combinations(NAMES, 2):
        note = signed(*few, "w/stranger", "w/other")
        assert code_of(quorum.check, note, ORIGIN, key("ash").public) == "witness-quorum"
    for enough in itertools.combinations(NAMES, 3):
        assert quorum.check(signed(*enough), ORIGIN, key("ash").public) == Checkpoint.read(NOTE)
    # Twice the same witness is one witness.
    twice = with_lines(signed("w/one", "w/two"), [cosign(NOTE, "w/one", key("w/one"), AT + 1)])
    assert code_of(quorum.check, twice, ORIGIN, key("ash").public) == "witness-quorum"
    # The log signs first.
    assert code_of(quorum.check, signed(*NAMES), ORIGIN, key("oak").public) == "auth-document"
