"""Signed documents as typed data: every field present, none unknown, none beyond its range."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.factories.documents import DAY, NOW, intent, node_entry, permit, person, root, roster
from tests.lib.refusals import code_of, refusal
from trustquery.identity import Document, Permit, Roster, SigningKey, canonical, words_for
from trustquery.identity.documents import BigInteger, Purpose

ADA, BOB, EVE = (SigningKey.generate() for _ in range(3))
ROSTER = roster((node_entry("RX1", EVE),), (person("ann", ADA), person("bob", BOB)))
DOCUMENTS: list[Document] = [root(ADA, BOB), ROSTER, permit(ADA), intent(ADA)]
LARGE = 2**53


def kind(document: Document) -> str:
    return document.KIND


def changed(document: Document, **fields: Any) -> bytes:
    return canonical.encode(document.model_dump(mode="json") | fields)


@pytest.mark.parametrize("document", DOCUMENTS, ids=kind)
def test_a_document_is_read_back_from_its_own_bytes(document: Document) -> None:
    assert type(document).from_payload(document.payload()) == document


@pytest.mark.parametrize("document", DOCUMENTS, ids=kind)
def test_an_unknown_field_is_refused_and_named(document: Document) -> None:
    error = refusal(lambda: type(document).from_payload(changed(document, surprise=1)))
    assert error is not None
    assert (error.code, error.problem.place) == ("auth-document", "surprise")


@pytest.mark.parametrize("document", DOCUMENTS, ids=kind)
def test_every_field_is_required(document: Document) -> None:
    data = document.model_dump(mode="json")
    for name in data:
        rest = canonical.encode({key: value for key, value in data.items() if key != name})
        error = refusal(lambda rest=rest: type(document).from_payload(rest))
        assert error is not None, name
        assert error.problem.place == name


@pytest.mark.parametrize("document", DOCUMENTS, ids=kind)
def test_no_field_takes_another_type(document: Document) -> None:
    for name, value in document.model_dump(mode="json").items():
        others: list[Any] = [None, {}, True, [None], str(value) if isinstance(value, int) else 7]
        for wrong in others:
            if wrong == value and type(wrong) is type(value):
                continue
            payload = changed(document, **{name: wrong})
            code = code_of(lambda payload=payload: type(document).from_payload(payload))
            assert code == type(document).CODES.get(name, "auth-document"), (name, wrong)


def test_a_fault_with_a_code_of_its_own_has_it_only_where_the_rest_is_in_order() -> None:
    (permit,) = [document for document in DOCUMENTS if document.KIND == "permit"]

    def code(**changes: Any) -> str:
        payload = changed(permit, **changes)
        return code_of(lambda: type(permit).from_payload(payload))

    assert code(purpose="marketing") == "project-purpose"
    assert code(purpose="marketing", lawful_basis={}) == "project-purpose"
    assert code(lawful_basis={}) == "project-lawful-basis"
    assert code(purpose="marketing", version=0) == "auth-document"


@pytest.mark.parametrize(("days", "extra", "lives"), [(30, -1, True), (30, 0, True), (30, 1, False)])
def test_a_roster_lives_at_most_30_days(days: int, extra: int, lives: bool) -> None:
    payload = changed(ROSTER, issued=NOW, expires=NOW + days * DAY + extra)
    assert code_of(lambda: Roster.from_payload(payload)) == ("" if lives else "auth-document")


@pytest.mark.parametrize(("days", "extra", "lives"), [(90, -1, True), (90, 0, True), (90, 1, False)])
def test_a_permit_lives_at_most_90_days(days: int, extra: int, lives: bool) -> None:
    payload = changed(permit(ADA), valid_from=NOW, expires=NOW + days * DAY + extra)
    assert code_of(lambda: Permit.from_payload(payload)) == ("" if lives else "auth-document")


@pytest.mark.parametrize("ends", [NOW, NOW - 1])
def test_nothing_ends_before_it_begins(ends: int) -> None:
    assert code_of(lambda: Permit.from_payload(changed(permit(ADA), valid_from=NOW, expires=ends))) == "auth-document"
    assert code_of(lambda: Roster.from_payload(changed(ROSTER, issued=NOW, expires=ends))) == "auth-document"


def test_marketing_and_insurance_cannot_be_expressed() -> None:
    assert get_args(Purpose) == (
        "public-health-surveillance",
        "health-service-planning",
        "health-service-evaluation",
        "health-research",
        "clinical-audit",
        "health-promotion",
    )
    for purpose in ("marketing", "insurance", "Health-research", "health-research ", ""):
        error = refusal(lambda purpose=purpose: Permit.from_payload(changed(permit(ADA), purpose=purpose)))
        assert error is not None
        assert error.problem.place == "purpose"


BIG: TypeAdapter[int] = TypeAdapter(BigInteger)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, 0),
        (LARGE - 1, LARGE - 1),
        (1 - LARGE, 1 - LARGE),
        (LARGE, "9007199254740992"),
        (-LARGE, "-9007199254740992"),
        (10**18, "1000000000000000000"),
    ],
)
def test_an_integer_is_a_decimal_string_only_beyond_2_to_the_53(value: int, written: int | str) -> None:
    assert BIG.dump_python(value, mode="json") == written
    assert BIG.validate_python(written) == value


@pytest.mark.parametrize(
    "written",
    [
        *("0", "1", "-1", "9007199254740991", "-9007199254740991", "", "-", "--9007199254740992", "+9007199254740992"),
        *("09007199254740992", "9007199254740992 ", "9_007_199_254_740_992", "9.1e15", "٩٠٠٧١٩٩٢٥٤٧٤٠٩٩٢", "x"),
        "1" * 5000,
    ],
)
def test_a_decimal_string_has_one_spelling(written: str) -> None:
    with pytest.raises(ValidationError):
        BIG.validate_python(written)


def test_nobody_is_listed_twice() -> None:
    ann, entry = person("ann", ADA), node_entry("RX1", EVE)
    for committee in ((ann, person("bob", ADA)), (ann, person("ann", BOB))):
        with pytest.raises(ValidationError, match="listed once"):
            roster((entry,), committee)
    for nodes in ((entry, node_entry("RX1", BOB)), (entry, node_entry("RX2", EVE))):
        with pytest.raises(ValidationError, match="each node"):
            roster(nodes, (ann, person("bob", BOB)))
    member = permit(ADA).members[0]
    with pytest.raises(ValidationError, match="each key belongs to one member"):
        permit(ADA, members=(member, member))
    with pytest.raises(ValidationError, match="distinct keys"):
        root(ADA, ADA)


@pytest.mark.parametrize(("threshold", "possible"), [(0, False), (1, True), (2, True), (3, False)])
def test_a_root_needs_no_more_keys_than_it_has(threshold: int, possible: bool) -> None:
    payload = changed(root(ADA, BOB), threshold=threshold)
    assert code_of(lambda: type(root(ADA, BOB)).from_payload(payload)) == ("" if possible else "auth-document")


@pytest.mark.parametrize(("threshold", "possible"), [(1, False), (2, True)])
def test_a_committee_is_at_least_two_people(threshold: int, possible: bool) -> None:
    payload = changed(ROSTER, committee_threshold=threshold)
    assert code_of(lambda: Roster.from_payload(payload)) == ("" if possible else "auth-document")


@pytest.mark.parametrize("nodes", [("RX2", "RX1"), ("RX1", "RX1"), ()])
def test_an_intents_nodes_are_sorted_and_distinct(nodes: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        intent(ADA, nodes=nodes, min_trusts=1)


def test_an_intent_names_at_least_min_trusts_nodes() -> None:
    assert intent(ADA, min_trusts=3).min_trusts == 3
    with pytest.raises(ValidationError, match="fewer nodes"):
        intent(ADA, min_trusts=4)


def test_members_and_rings_go_by_the_print_of_the_key() -> None:
    assert permit(ADA).member(ADA.key_id) is not None
    assert permit(ADA).member(BOB.key_id) is None
    assert ROSTER.committee_ring == {ADA.key_id: ADA.public, BOB.key_id: BOB.public}
    assert root(ADA, BOB).ring == ROSTER.committee_ring
    assert ROSTER.node("RX9") is None


def test_the_twelve_words_depend_on_everything_that_both_sides_compare() -> None:
    words = tuple(f"w{place}" for place in range(2048))
    anchor = root(ADA, BOB)
    first = words_for(anchor, ADA.public, "RX1", "CODE", words)
    assert len(first.split()) == 12
    others = [
        words_for(root(ADA, EVE), ADA.public, "RX1", "CODE", words),
        words_for(anchor, BOB.public, "RX1", "CODE", words),
        words_for(anchor, ADA.public, "RX2", "CODE", words),
        words_for(anchor, ADA.public, "RX1", "CODF", words),
        words_for(anchor, ADA.public, "RX1C", "ODE", words),
    ]
    assert len({first, *others}) == 6
    assert words_for(anchor, ADA.public, "RX1", "CODE", words) == first
