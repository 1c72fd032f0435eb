"""What is signed on one's own machine was checked there: a coordinator that lies gets no signature."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from tests.factories.projects import application, today
from tests.lib.refusals import code_of
from trustquery.client.applications import Applications, Request
from trustquery.identity import Envelope, Permit, SigningKey
from trustquery.projects.application import Application
from trustquery.projects.permits import permit_from

ADA, EVE, ANN = (SigningKey.generate() for _ in range(3))


class Nowhere:
    """A connection that is never used: what is tested here sends nothing."""

    http = None


def found(**changed: Any) -> Application:
    return application(**({"key": ADA.public.hex(), "starts": today(-1), "ends": today(60)} | changed))


def request(envelope: bytes, **changed: Any) -> Request:
    """What a coordinator might send."""
    raw: dict[str, Any] = {
        "project": "stays", "version": 1, "state": "submitted", "answers": {}, "missing": [], "own": False,
        "envelope": envelope.decode(), "approved_envelope": "", "permit": "", "permit_state": "", "next_permit": 1,
        "permit_in_use": "", "previous": "",
    }  # fmt: skip
    return Request.from_reply(raw | changed)


def desk() -> Applications:
    return Applications(cast(Any, Nowhere()))


def test_only_a_leads_signature_makes_an_application() -> None:
    good = found()
    assert request(good.sign(ADA).encode()).submitted() == good
    for envelope in (good.sign(EVE), good.sign(), Envelope(Application.KIND, good.payload(), ())):
        assert code_of(request(envelope.encode()).submitted) == "auth-document"


def test_an_application_of_another_project_is_not_shown_as_this_one() -> None:
    other = found(project="other").sign(ADA).encode()
    assert code_of(request(other).decidable) == "auth-document"


def test_an_application_whose_bytes_were_changed_is_refused() -> None:
    envelope = found().sign(ADA)
    changed = Envelope(envelope.kind, envelope.payload.replace(b'"rho":"1"', b'"rho":"9"'), envelope.signatures)
    assert changed.payload != envelope.payload
    assert code_of(Application.read_signed, changed.encode()) == "auth-document"


def test_what_was_never_submitted_cannot_be_decided() -> None:
    for state in ("draft", "returned", "withdrawn"):
        assert code_of(request(b"", state=state).decidable) == "project-move"


def test_the_permit_is_drawn_here() -> None:
    good = found()
    permit, envelope = desk().permit(request(good.sign(ADA).encode()))
    assert permit == permit_from(good, 1, permit.valid_from)
    assert abs(permit.valid_from - time.time()) < 60
    assert envelope.signatures == ()


def test_a_permit_of_a_later_project_begins_on_its_first_day() -> None:
    later = found(starts=today(10))
    permit, _ = desk().permit(request(later.sign(ADA).encode()))
    assert permit.valid_from % 86_400 == 0
    assert permit.valid_from > time.time()


@pytest.mark.parametrize(
    "changed", [{"rho_nano": 9 * 10**9}, {"purpose": "clinical-audit"}, {"min_trusts": 1}, {"title": "Other"}]
)
def test_a_colleagues_permit_that_says_something_else_gets_no_second_signature(changed: dict[str, Any]) -> None:
    good = found()
    honest = permit_from(good, 1, int(time.time()))
    lie = Permit(**(honest.model_dump() | changed)).sign(ANN).encode().decode()
    assert (
        code_of(desk().permit, request(good.sign(ADA).encode(), permit=lie, permit_state="signing")) == "auth-document"
    )
    true = honest.sign(ANN)
    permit, envelope = desk().permit(
        request(good.sign(ADA).encode(), permit=true.encode().decode(), permit_state="signing")
    )
    assert (permit, envelope) == (honest, true)


def test_a_permit_of_another_application_is_not_added_to() -> None:
    good, before = found(), found(title="As it was before")
    old = permit_from(before, 1, int(time.time())).sign(ANN).encode().decode()
    permit, envelope = desk().permit(request(good.sign(ADA).encode(), permit=old, permit_state="signing"))
    assert permit.application == good.sha256
    assert envelope.signatures == ()
