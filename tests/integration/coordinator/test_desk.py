"""The enrolment desk: a code, a proof, words, a certificate; every wrong way out looks the same."""

import datetime
from collections.abc import Callable

import pytest
from cryptography import x509

from coordinator.enrolment import Desk
from coordinator.store import Store
from tests.factories.documents import NOW, root
from tests.lib.approvals import OPERATORS, add_operators, admit, yes
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
    add_operators(store, NOW)
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
    admit(desk, "RX1")
    row = desk.status(code, "RX1")
    certificate = x509.load_pem_x509_certificate(row.certificate_pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://test/node/RX1"]
    assert public_key_sha256(row.certificate_pem.encode()) == row.tls_key_sha256
    assert certificate.not_valid_after_utc.timestamp() == NOW + 7 * 86_400
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
    admit(desk, "RX1")
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
        yes(desk, "RX1", "olive")
    assert caught.value.code == "node-unknown"


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(TrustQueryError) as caught:
        action()
    return caught.value.code


def test_it_takes_two_different_people(desk: Desk) -> None:
    apply(desk, desk.invite("RX1", "Trust", 900))
    assert yes(desk, "RX1", "olive") == 1
    assert code_of(lambda: yes(desk, "RX1", "olive")) == "node-one-person"
    row = desk.store.nodes.get("RX1")
    assert row is not None
    assert (row.status, row.certificate_pem) == ("pending", "")
    assert yes(desk, "RX1", "oscar") == 0
    assert [event.action for event in desk.store.admissions.events("RX1")] == [
        "invited", "asked", "approved", "approved", "certificate",
    ]  # fmt: skip


def test_two_accounts_of_one_person_are_one(desk: Desk) -> None:
    second = SigningKey.generate()
    assert desk.store.people.add("olive-home", second.public.hex(), NOW, person="olive")
    apply(desk, desk.invite("RX1", "Trust", 900))
    assert yes(desk, "RX1", "olive") == 1
    again = desk.deciding.draft("RX1", "admit").sign(second).encode()
    assert code_of(lambda: desk.approve(again)) == "node-one-person"


def test_whoever_invites_does_not_approve(desk: Desk) -> None:
    apply(desk, desk.invite("RX1", "Trust", 900, by="olive"))
    assert code_of(lambda: yes(desk, "RX1", "olive")) == "auth-not-permitted"
    assert [yes(desk, "RX1", person) for person in ("oscar", "orla")] == [1, 0]


def test_who_invited_is_recorded_as_the_shells_word(desk: Desk) -> None:
    """Nobody signs an invitation, so the history does not say that olive made one; it says that she was named."""
    desk.invite("RX1", "Trust", 900, by="olive")
    desk.invite("RX1", "Trust", 900)
    named, unnamed = (event.text for event in desk.store.admissions.events("RX1"))
    assert named == "The operator made an enrolment code, who named olive as the one who invites (unsigned)."
    assert unnamed == "The operator made an enrolment code."


def test_a_deputy_of_the_other_one_or_of_the_inviter_does_not_approve(desk: Desk) -> None:
    assert desk.store.roles.deputise("oscar", "olive")
    apply(desk, desk.invite("RX1", "Trust", 900))
    assert yes(desk, "RX1", "olive") == 1
    assert code_of(lambda: yes(desk, "RX1", "oscar")) == "auth-not-permitted"
    apply(desk, desk.invite("RX1", "Trust", 900, by="olive"))
    assert code_of(lambda: yes(desk, "RX1", "oscar")) == "auth-not-permitted"


def test_nobody_without_the_role_approves_and_a_role_taken_back_counts_no_more(desk: Desk) -> None:
    eve = SigningKey.generate()
    apply(desk, desk.invite("RX1", "Trust", 900))
    draft = desk.deciding.draft("RX1", "admit")
    assert code_of(lambda: desk.approve(draft.sign(eve).encode())) == "auth-document"
    desk.store.people.add("eve", eve.public.hex(), NOW)
    assert code_of(lambda: desk.approve(draft.sign(eve).encode())) == "auth-not-permitted"
    assert yes(desk, "RX1", "olive") == 1
    desk.store.people.disable("olive")
    assert yes(desk, "RX1", "oscar") == 1, "the first yes has lost its weight"
    assert yes(desk, "RX1", "orla") == 0


def test_a_yes_counts_for_one_enrolment_by_one_signature_of_ones_own(desk: Desk) -> None:
    apply(desk, desk.invite("RX1", "Trust", 900))
    earlier = desk.deciding.draft("RX1", "admit")
    apply(desk, desk.invite("RX1", "Trust", 900))
    assert code_of(lambda: desk.approve(earlier.sign(OPERATORS["olive"]).encode())) == "auth-document"
    draft = desk.deciding.draft("RX1", "admit")
    both = draft.sign(OPERATORS["olive"], OPERATORS["oscar"]).encode()
    assert code_of(lambda: desk.approve(both)) == "auth-document"
    mine = draft.sign(OPERATORS["olive"]).encode()
    assert code_of(lambda: desk.approve(mine, by="oscar")) == "auth-not-permitted"
    assert code_of(lambda: desk.approve(mine, node="RX2")) == "auth-document"
    foreign = draft.model_copy(update={"federation": "other"}).sign(OPERATORS["olive"]).encode()
    assert code_of(lambda: desk.approve(foreign)) == "auth-document"


@pytest.mark.parametrize("seconds", [0, 60, 899, 7 * 86_400 + 1])
def test_a_code_lives_fifteen_minutes_to_seven_days(desk: Desk, seconds: int) -> None:
    assert code_of(lambda: desk.invite("RX1", "Trust", seconds)) == "usage-invalid"
    assert desk.invite("RX1", "Trust", 900)
    assert desk.invite("RX1", "Trust", 7 * 86_400)


def renewed(desk: Desk, tls_key: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(desk.renew("RX1", certificate_request(tls_key, "any")))


def test_a_certificate_is_renewed_for_the_enrolled_key_alone_and_the_earlier_one_lives_on(
    desk: Desk, clock: Clock
) -> None:
    assert code_of(lambda: renewed(desk, TLS)) == "auth-certificate", "nobody is enrolled"
    apply(desk, desk.invite("RX1", "Trust", 900))
    assert code_of(lambda: renewed(desk, TLS)) == "auth-certificate", "nobody has approved"
    admit(desk, "RX1")
    (first,) = desk.store.admissions.serials("RX1", clock.now)
    clock.now += desk.certificate_seconds // 2
    second = f"{renewed(desk, TLS).serial_number:x}"
    assert desk.store.admissions.serials("RX1", clock.now) == {first, second}
    assert code_of(lambda: renewed(desk, new_tls_key())) == "auth-certificate"
    clock.now += desk.certificate_seconds // 2
    assert desk.store.admissions.serials("RX1", clock.now) == {second}
    desk.revoke("RX1")
    assert code_of(lambda: renewed(desk, TLS)) == "auth-certificate"
    assert [event.action for event in desk.store.admissions.events("RX1")][-2:] == ["renewed", "revoked"]


def test_joins_must_grow_and_a_gap_is_no_alarm(desk: Desk) -> None:
    admissions = desk.store.admissions
    # A crash between writing and showing leaves a gap.
    assert [admissions.join("RX1", counter, NOW) for counter in (1, 2, 5, 6, 1_000)] == [""] * 5
    incident = admissions.join("RX1", 1_000, NOW)
    assert incident
    assert admissions.join("RX1", 2_000, NOW) == incident, "every copy stays out"
    assert admissions.incidents() == {"RX1": incident}
    assert not admissions.resolve("RX1", "0" * 64, NOW)
    assert admissions.resolve("RX1", incident, NOW)
    assert admissions.join("RX1", 1_000, NOW) != "", "the counter has not gone back"


def test_an_enrolment_anew_ends_earlier_certificates_and_suspicions(desk: Desk, clock: Clock) -> None:
    apply(desk, desk.invite("RX1", "Trust", 900))
    admit(desk, "RX1")
    (first,) = desk.store.admissions.serials("RX1", clock.now)
    desk.store.admissions.join("RX1", 9, NOW)
    assert desk.store.admissions.join("RX1", 9, NOW)
    apply(desk, desk.invite("RX1", "Trust", 900))
    admit(desk, "RX1")
    assert first not in desk.store.admissions.serials("RX1", clock.now)
    assert desk.store.admissions.join("RX1", 1, NOW) == ""


def test_a_database_of_before_keeps_its_nodes(desk: Desk, clock: Clock) -> None:
    from sqlalchemy import delete

    from coordinator.store.models import CertificateRow

    apply(desk, desk.invite("RX1", "Trust", 900))
    admit(desk, "RX1")
    before = desk.store.admissions.serials("RX1", clock.now)
    with desk.store.transaction() as session:
        session.execute(delete(CertificateRow))
    desk.store.create()
    assert desk.store.admissions.serials("RX1", clock.now) == before
