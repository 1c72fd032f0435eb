"""TRN-09: an identity provider that lies, mixes up, or stands in for another; and people who are not who they say."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from coordinator.signin.desk import FLOW_SECONDS
from coordinator.signin.fetching import LARGEST
from tests.factories.documents import NOW
from tests.lib.hostile_provider import CLIENT, ISSUER, RSA, SECRET
from tests.lib.refusals import code_of, reason_of
from tests.lib.signing_in import VERIFIER, SigningIn, open_signing_in

Claims = dict[str, Any]
pytestmark = pytest.mark.acceptance("TRN-09")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SigningIn]:
    found = open_signing_in(tmp_path)
    yield found
    found.store.close()


def test_an_honest_provider_signs_somebody_in(world: SigningIn) -> None:
    assert world.sign_in() == ("ada", 2)
    world.provider.level = "aal3"
    assert world.sign_in(strong=True) == ("ada", 3)
    asked, again = world.provider.asked
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert (asked["acr_values"], again["acr_values"]) == ("aal2", "aal3")
    assert (asked["max_age"], again["max_age"]) == ("28800", "300")
    assert asked["scope"] == "openid"
    for name in ("nonce", "state", "code_challenge"):
        assert asked[name] != again[name]
        assert len(asked[name]) >= 43


def without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def put(**changed: Any) -> Callable[[Claims], Claims]:
    return lambda claims: claims | changed


WRONG_CLAIMS = {
    "no issuer": without("iss"),
    "another issuer": put(iss="https://idp.test/other"),
    "the issuer with a slash": put(iss=ISSUER + "/"),
    "the issuer in a list": put(iss=[ISSUER]),
    "no audience": without("aud"),
    "another audience": put(aud="somebody"),
    "another audience beside ours": put(aud=[CLIENT, "somebody"]),
    "our audience twice": put(aud=[CLIENT, CLIENT]),
    "a longer audience": put(aud=CLIENT + "2"),
    "asked for by another": put(azp="somebody"),
    "asked for by nobody": put(azp=None),
    "no nonce": without("nonce"),
    "another nonce": put(nonce="n" * 43),
    "an empty nonce": put(nonce=""),
    "a nonce that is none": put(nonce=1),
    "no end": without("exp"),
    "ended": put(exp=NOW - 61),
    "an end that is text": put(exp=str(NOW + 300)),
    "an end that is true": put(exp=True),
    "an end for ever": put(exp=2**50),
    "no beginning": without("iat"),
    "issued in the future": put(iat=NOW + 61),
    "issued long ago": put(iat=NOW - 601),
    "not before later": put(nbf=NOW + 61),
    "not before never": put(nbf="x"),
    "no time of proof": without("auth_time"),
    "proved in the future": put(auth_time=NOW + 61),
    "proved yesterday": put(auth_time=NOW - 8 * 3600 - 61),
    "a negative time of proof": put(auth_time=-1),
    "no level": without("acr"),
    "another level": put(acr="aal1"),
    "level zero": put(acr="0"),
    "a level in other letters": put(acr="AAL2"),
    "a level that is a number": put(acr=3),
    "nobody": without("sub"),
    "an empty subject": put(sub=""),
    "a subject that is a number": put(sub=910000000001),
    "a subject with a line": put(sub="910000000001\n"),
}


@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
def test_a_token_that_says_something_else_is_refused(world: SigningIn, wrong: str) -> None:
    world.provider.claims = WRONG_CLAIMS[wrong]
    assert code_of(world.sign_in) == "auth-provider"


def test_a_stronger_sign_in_than_was_asked_for_is_taken_and_a_weaker_one_never(world: SigningIn) -> None:
    assert "strongly" in reason_of(lambda: world.sign_in(strong=True))
    world.provider.claims = put(acr=["aal1", "aal3"])
    assert world.sign_in() == ("ada", 3)


def test_to_approve_the_proof_is_minutes_old(world: SigningIn) -> None:
    world.provider.level, world.provider.auth_age = "aal3", 361
    assert "anew" in reason_of(lambda: world.sign_in(strong=True))
    world.provider.auth_age = 300
    assert world.sign_in(strong=True) == ("ada", 3)


def test_a_tenant_is_pinned_and_a_person_is_their_object_id(tmp_path: Path) -> None:
    world = open_signing_in(tmp_path, tenant='"t1"', subject='"oid"')
    assert world.store.signins.link(ISSUER, "o-1", "ada", NOW)
    world.provider.claims = put(tid="t1", oid="o-1")
    assert world.sign_in() == ("ada", 2)
    for claims in (put(tid="t2", oid="o-1"), put(oid="o-1"), put(tid=["t1"], oid="o-1")):
        world.provider.claims = claims
        assert "tenant" in reason_of(world.sign_in)
    # The subject that is linked is the object id; what stands in `sub` is nobody.
    world.provider.claims = put(tid="t1", oid="o-2")
    assert code_of(world.sign_in) == "auth-not-linked"


def test_nobody_is_known_by_name_or_address(world: SigningIn) -> None:
    world.provider.claims = put(sub="2", email="ada@example.nhs.uk", preferred_username="ada", name="ada", upn="ada")
    assert code_of(world.sign_in) == "auth-not-linked"
    world.provider.claims = put(sub="ada")
    assert code_of(world.sign_in) == "auth-not-linked"


def test_a_disabled_person_does_not_come_in_by_any_step(world: SigningIn) -> None:
    answer, cookie = world.answered()
    onward, error = asyncio.run(world.desk.back("idp", answer, cookie))
    assert error is None
    code = dict(parse_qsl(urlsplit(onward).query))["code"]
    assert world.store.people.disable("ada")
    assert code_of(lambda: world.desk.redeem(code, VERIFIER)) == "auth-failed"
    assert code_of(world.sign_in) == "auth-not-linked"


def test_an_answer_of_another_provider_is_not_taken(world: SigningIn) -> None:
    """The mix-up: RFC 9207's ``iss``, one redirect address each, and no code sent to whoever asks for it."""
    for iss in ("https://evil.test", ISSUER + "/", None, ""):
        assert code_of(lambda iss=iss: world.sign_in(iss=iss)) == "auth-provider"
    answer, cookie = world.answered()
    _, error = asyncio.run(world.desk.back("evil", answer, cookie))
    assert error is not None
    assert error.code == "auth-provider"
    assert world.provider.forms == []  # the code went nowhere


def test_an_answer_belongs_to_one_browser_once_and_in_time(world: SigningIn) -> None:
    def back(answer: dict[str, str], cookie: str) -> str:
        return code_of(lambda: asyncio.run(world.desk.back("idp", answer, cookie)))

    answer, cookie = world.answered()
    assert back(answer, "") == "auth-browser"
    assert back(answer, "f" * 64) == "auth-browser"
    assert back(answer | {"state": "f" * 64}, cookie) == "auth-browser"
    assert back(answer | {"state": ""}, cookie) == "auth-browser"
    asyncio.run(world.desk.back("idp", answer, cookie))
    assert back(answer, cookie) == "auth-browser"
    late, mine = world.answered()
    world.clock.now += FLOW_SECONDS
    assert back(late, mine) == "auth-browser"


def test_a_code_put_into_another_browser_s_answer_is_refused_by_the_nonce_and_the_verifier(world: SigningIn) -> None:
    stolen, _ = world.answered()
    own, cookie = world.answered()
    _, error = asyncio.run(world.desk.back("idp", own | {"code": stolen["code"]}, cookie))
    assert error is not None
    assert error.code == "auth-provider"


def test_an_address_is_opened_once(world: SigningIn) -> None:
    flow = world.begin()
    asyncio.run(world.desk.open(flow))
    for address in (flow, "f" * 64, "", "../x"):
        assert code_of(lambda address=address: asyncio.run(world.desk.open(address))) == "auth-browser"


def test_a_client_s_code_is_good_once_for_the_client_that_began(world: SigningIn) -> None:
    def code() -> str:
        onward, error = asyncio.run(world.desk.back("idp", *world.answered()))
        assert error is None
        assert onward.startswith("http://127.0.0.1:50000/callback?")
        return dict(parse_qsl(urlsplit(onward).query))["code"]

    caught = code()
    assert code_of(lambda: world.desk.redeem(caught, "w" * 43)) == "auth-failed"
    # A wrong verifier has used it up: whoever caught it may not guess.
    assert code_of(lambda: world.desk.redeem(caught, VERIFIER)) == "auth-failed"
    used = code()
    world.desk.redeem(used, VERIFIER)
    assert code_of(lambda: world.desk.redeem(used, VERIFIER)) == "auth-failed"
    late = code()
    world.clock.now += 60
    assert code_of(lambda: world.desk.redeem(late, VERIFIER)) == "auth-failed"


def test_a_provider_s_refusal_is_said_in_our_own_words(world: SigningIn) -> None:
    answer, cookie = world.answered()
    hostile = answer | {"error": "<script>alert(1)</script>", "error_description": "call 0900"}
    onward, error = asyncio.run(world.desk.back("idp", hostile, cookie))
    assert error is not None
    assert error.problem.reason == "The provider did not sign you in: it refused"
    assert "script" not in onward


def test_refresh_and_access_tokens_are_neither_asked_for_nor_kept(world: SigningIn, tmp_path: Path) -> None:
    world.provider.answer = lambda answer: answer | {"refresh_token": "REFRESH-CANARY", "access_token": "ACCESS-CANARY"}
    assert world.sign_in() == ("ada", 2)
    assert "offline_access" not in world.provider.asked[0]["scope"]
    kept = (tmp_path / "store.sqlite").read_bytes()
    assert b"CANARY" not in kept
    assert world.provider.asked[0]["nonce"].encode() not in kept
    assert world.provider.forms[0]["code_verifier"].encode() not in kept


PUBLISHED = {
    "another issuer": put(issuer="https://evil.test"),
    "another host's keys": put(jwks_uri="https://evil.test/keys"),
    "keys at another port": put(jwks_uri="https://idp.test:444/keys"),
    "keys without TLS": put(jwks_uri="http://idp.test/realm/keys"),
    "a token address with a user": put(token_endpoint="https://idp.test@evil.test/token"),
    "a token address elsewhere": put(token_endpoint="https://idp.test.evil.test/token"),
    "an authorisation address elsewhere": put(authorization_endpoint="https://evil.test/authorize"),
    "no address": without("token_endpoint"),
    "an address that is none": put(jwks_uri=["https://idp.test/realm/keys"]),
}


@pytest.mark.parametrize("wrong", PUBLISHED)
def test_nothing_is_fetched_from_and_nobody_is_sent_to_another_host(world: SigningIn, wrong: str) -> None:
    world.provider.published = PUBLISHED[wrong]
    assert code_of(world.sign_in) == "auth-provider"
    assert all(address.startswith("https://idp.test/realm/") for address in world.provider.seen)


RESPONSES = {
    "a redirect": httpx.Response(302, headers={"Location": "https://evil.test/keys"}),
    "too long": httpx.Response(200, content=b'{"keys":[' + b" " * LARGEST + b"]}"),
    "not JSON": httpx.Response(200, content=b"<html>"),
    "a list": httpx.Response(200, content=b"[]"),
    "the same name twice": httpx.Response(200, content=b'{"keys":[],"keys":[{}]}'),
    "no keys": httpx.Response(200, content=b'{"keys":[]}'),
    "an error": httpx.Response(500, content=b"{}"),
}


@pytest.mark.parametrize("path", ["/realm/keys", "/realm/token", "/realm/.well-known/openid-configuration"])
@pytest.mark.parametrize("wrong", RESPONSES)
def test_a_wrong_response_signs_nobody_in(world: SigningIn, path: str, wrong: str) -> None:
    world.provider.raw = {path: RESPONSES[wrong]}
    assert code_of(world.sign_in) == "auth-provider"


def test_an_unknown_key_makes_the_coordinator_look_once_a_minute_and_no_more(world: SigningIn) -> None:
    assert world.sign_in() == ("ada", 2)
    new = RSAKey.generate_key(2048)
    world.provider.token = lambda claims: world.provider.signed(claims, key=new, kid="k2")

    def looks() -> int:
        return sum(address.endswith("/keys") for address in world.provider.seen)

    for _ in range(3):
        assert code_of(world.sign_in) == "auth-provider"
    assert looks() == 1
    world.clock.now = world.provider.now = NOW + 61
    assert code_of(world.sign_in) == "auth-provider"
    assert looks() == 2
    world.provider.keys = [new.as_dict(private=False, kid="k2", use="sig")]
    world.clock.now = world.provider.now = NOW + 122
    assert world.sign_in() == ("ada", 2)


def test_the_coordinator_proves_who_it_is_in_three_ways(tmp_path: Path) -> None:
    world = open_signing_in(tmp_path)
    world.sign_in()
    both = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
    assert world.provider.headers[0]["authorization"] == f"Basic {both}"
    posts = tmp_path / "posts"
    posts.mkdir()
    world = open_signing_in(posts, client_auth='"client_secret_post"')
    world.sign_in()
    assert world.provider.forms[0]["client_secret"] == SECRET
    own = RSAKey.generate_key(2048)
    jwts = tmp_path / "jwts"
    jwts.mkdir()
    (jwts / "key.pem").write_bytes(own.as_pem(private=True))
    (jwts / "key.pem").chmod(0o600)
    settings = {"client_auth": '"private_key_jwt"', "secret": '"file:key.pem"', "secret_key_id": '"tq-1"'}
    world = open_signing_in(jwts, **settings)
    world.sign_in()
    form = world.provider.forms[0]
    assert "client_secret" not in form
    found = jwt.decode(form["client_assertion"], own, algorithms=["RS256"])
    assert found.header["kid"] == "tq-1"
    assert (found.claims["iss"], found.claims["sub"]) == (CLIENT, CLIENT)
    assert found.claims["aud"] == f"{ISSUER}/token"
    assert found.claims["exp"] - found.claims["iat"] <= 60


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_can_read_is_refused_at_the_start(tmp_path: Path, mode: int) -> None:
    from coordinator.config import Home, parse_settings, sample_text
    from coordinator.signin.opening import open_desk
    from coordinator.store import Store
    from tests.lib.hostile_provider import settings_text

    (tmp_path / "idp.secret").write_text("x")
    (tmp_path / "idp.secret").chmod(mode)
    store = Store("sqlite+pysqlite://")
    settings = parse_settings(sample_text() + settings_text())
    assert code_of(lambda: open_desk(Home(tmp_path), settings, store, lambda: NOW)) == "config-key-file"


def test_levels_are_asked_for_by_claims_where_the_provider_wants_it_so(tmp_path: Path) -> None:
    world = open_signing_in(tmp_path, ask_by='"claims"', level_claim='"acrs"')
    world.provider.claims = put(acrs=["aal2"])
    assert world.sign_in() == ("ada", 2)
    assert "acr_values" not in world.provider.asked[0]
    asked = json.loads(world.provider.asked[0]["claims"])
    assert asked == {"id_token": {"acrs": {"essential": True, "value": "aal2"}}}


def test_the_keys_are_public_ones() -> None:
    assert "d" not in RSA.as_dict(private=False)
