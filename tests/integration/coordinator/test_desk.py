"""The enrolment desk: a code, a proof, words, a certificate; every wrong way out looks the same."""

import datetime

import pytest
from cryptography import x509

from coordinator.enrolment import Desk
from coordinator.store import Store
from tests.factories.documents import NOW, root
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey, words_for
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, public_key_sha256
from trustquery.protocol.enrolment import EnrolmentCode, proof_message

ROOT = root(*[SigningKey.generate() for _ in range(3)])
AUTHORITY = Authority.generate("test", datetime.datetime.fromtimestamp(NOW, datetime.UTC))


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(store: Store, clock: Clock) -> Desk:
    return Desk(store, ROOT, AUTHORITY, "localhost:8443", clock)


KEY, TLS = SigningKey.generate(), new_tls_key()
REQUEST = certificate_request(TLS, "anything")


def apply(desk: Desk, code: str, **changed: str) -> str:
    parsed = EnrolmentCode.parse(code)
    fields = {
        "ods": "RX1",
        "name": "Trust",
        "identity_key": KEY.public.hex(),
        "request_pem": REQUEST.decode(),
        "proof": KEY.sign(proof_message(parsed, KEY.public, REQUEST)).hex(),
    } | changed
    return desk.enrol(code, **fields).words


def test_from_code_to_certificate(desk: Desk) -> None:
    code = desk.invite("RX1", "Trust", 900)
    words = apply(desk, code)
    from mnemonic import Mnemonic

    assert words == words_for(ROOT, KEY.public, "RX1", code, tuple(Mnemonic("english").wordlist))
    assert len(words.split()) == 12
    assert desk.status(code, "RX1").status == "pending"
    row = desk.approve("RX1")
    certificate = x509.load_pem_x509_certificate(row.certificate_pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://test/node/RX1"]
    assert public_key_sha256(row.certificate_pem.encode()) == row.tls_key_sha256
    assert certificate.not_valid_after_utc.timestamp() == NOW + 30 * 86_400
    assert desk.status(code, "RX1").status == "approved"


@pytest.mark.parametrize(
    "changed",
    [
        {"ods": "RX2"},
        {"identity_key": SigningKey.generate().public.hex()},
        {"identity_key": "short"},
        {"proof": "00" * 64},
        {"proof": "zz"},
        {"request_pem": "not a request"},
        {"request_pem": certificate_request(new_tls_key(), "RX1").decode()},
    ],
)
def test_a_wrong_request_is_refused_and_does_not_use_the_code_up(desk: Desk, changed: dict[str, str]) -> None:
    code = desk.invite("RX1", "Trust", 900)
    with pytest.raises(TrustQueryError) as caught:
        apply(desk, code, **changed)
    assert caught.value.code == "node-code-invalid"
    assert apply(desk, code)


def test_a_code_is_used_once_in_time_by_its_holder(desk: Desk, clock: Clock) -> None:
    code = desk.invite("RX1", "Trust", 900)
    forged = EnrolmentCode.parse(code)
    other = EnrolmentCode("RX1", forged.address, "0" * 32, forged.authority_sha256).text
    with pytest.raises(TrustQueryError):
        apply(desk, other)
    with pytest.raises(TrustQueryError):
        desk.status(other, "RX1")
    clock.now += 899
    apply(desk, code)
    with pytest.raises(TrustQueryError):
        apply(desk, code)
    late = desk.invite("RX1", "Trust", 900)
    clock.now += 900
    with pytest.raises(TrustQueryError):
        apply(desk, late)


def test_a_second_enrolment_starts_anew_and_is_not_told_about_the_first(desk: Desk) -> None:
    first = desk.invite("RX1", "Trust", 900)
    apply(desk, first)
    desk.approve("RX1")
    second = desk.invite("RX1", "Trust", 900)
    with pytest.raises(TrustQueryError) as caught:
        desk.status(second, "RX1")
    assert caught.value.code == "node-code-invalid"
    apply(desk, second)
    assert desk.status(second, "RX1").status == "pending"
    with pytest.raises(TrustQueryError):
        desk.status(first, "RX1")


def test_what_is_not_an_ods_code_is_not_invited(desk: Desk) -> None:
    for ods in ("rx1", "R1", "RX1/..", ""):
        with pytest.raises(TrustQueryError) as caught:
            desk.invite(ods, "Trust", 900)
        assert caught.value.exit_status == 2


def test_only_who_asked_is_approved(desk: Desk) -> None:
    with pytest.raises(TrustQueryError) as caught:
        desk.approve("RX1")
    assert caught.value.code == "node-unknown"
