"""Codes: one way to write each, every other text refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustquery.errors import TrustQueryError
from trustquery.protocol.enrolment import ConnectionCode, EnrolmentCode, login_message, proof_message

ods = st.from_regex(r"[A-Z0-9]{3,8}", fullmatch=True)
address = st.from_regex(r"[A-Za-z0-9.-]{1,40}:[1-9][0-9]{0,4}", fullmatch=True)
digest = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
secret = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)

CODE = EnrolmentCode("RX1", "localhost:8443", "0" * 32, "1" * 64)


@given(ods, address, secret, digest)
def test_an_enrolment_code_round_trips(ods: str, address: str, secret: str, digest: str) -> None:
    code = EnrolmentCode(ods, address, secret, digest)
    assert EnrolmentCode.parse(code.text) == code
    assert EnrolmentCode.parse(f" {code.text}\n") == code


@given(address, digest, digest)
def test_a_connection_code_round_trips(address: str, authority: str, root: str) -> None:
    code = ConnectionCode(address, authority, root)
    assert ConnectionCode.parse(code.text) == code


def test_the_form_is_the_documented_one() -> None:
    assert CODE.text == f"tqe1.RX1.bG9jYWxob3N0Ojg0NDM.{'0' * 32}.{'1' * 64}"


def test_a_code_is_never_shown_by_accident() -> None:
    assert "0" * 32 not in repr(CODE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        CODE.text.replace("tqe1", "tqe2"),
        CODE.text.replace("RX1", "rx1"),
        CODE.text.replace("RX1", "R/1"),
        CODE.text.replace("0" * 32, "0" * 31),
        CODE.text.replace("0" * 32, "G" * 32),
        CODE.text.replace("1" * 64, "1" * 63),
        CODE.text + ".x",
        CODE.text.replace("bG9jYWxob3N0Ojg0NDM", "bG9jYWxob3N0Ojg0NDM="),
        CODE.text.replace("bG9jYWxob3N0Ojg0NDM", "bG9jYWxob3N0Ojg0NDN"),  # unused bits set
        CODE.text.replace("bG9jYWxob3N0Ojg0NDM", "bG9jYWxob3N0"),
        CODE.text.replace("bG9jYWxob3N0Ojg0NDM", "_w"),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(TrustQueryError) as caught:
        EnrolmentCode.parse(text)
    assert caught.value.code == "node-code-invalid"
    with pytest.raises(TrustQueryError) as caught:
        ConnectionCode.parse(text)
    assert caught.value.code == "usage-invalid"


@given(st.text(max_size=80))
def test_no_text_breaks_the_readers(text: str) -> None:
    for reader in (EnrolmentCode.parse, ConnectionCode.parse):
        with pytest.raises(TrustQueryError):
            reader(text)


def test_signed_messages_cannot_be_cut_differently() -> None:
    assert login_message("ab", "c", "d", "e") != login_message("a", "bc", "d", "e")
    other = EnrolmentCode("RX1", "localhost:8443", "2" * 32, "1" * 64)
    messages = {
        proof_message(CODE, bytes(32), b"request"),
        proof_message(other, bytes(32), b"request"),
        proof_message(CODE, b"\x01" + bytes(31), b"request"),
        proof_message(CODE, bytes(32), b"another"),
    }
    assert len(messages) == 4
