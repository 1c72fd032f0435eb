"""The delegate's statement, handed in over HTTPS: taken because of its signature, and for no other reason."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.factories.documents import STATEMENT
from tests.lib.public_site import ADA, PublicSite, serving
from tests.lib.site import code_of
from trustquery.cli.main import app
from trustquery.client.config import ClientHome
from trustquery.errors import TrustQueryError
from trustquery.identity import Revocations, Revoked, SigningKey

KEYS = [SigningKey.generate() for _ in range(3)]


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PublicSite, ClientHome, Path]]:
    folder = tmp_path_factory.mktemp("centre")
    with serving(folder) as (site, home):
        STATEMENT.save(folder / "delegate.pem")
        yield site, home, folder


def statement(version: int, *revoked: SigningKey, signer: SigningKey = STATEMENT) -> bytes:
    now = int(time.time())
    things = tuple(Revoked(kind="key", id=item, until=0) for item in sorted(key.public.hex() for key in revoked))
    made = Revocations(federation="test", version=version, issued=now, expires=now + 900, revoked=things)
    return made.sign(signer).encode()


def post(site: PublicSite, envelope: bytes) -> str:
    """ "" where it is taken, else the code."""
    reply = site.call("POST", "/v1/statements", json={"envelope": envelope.decode()})
    return "" if reply.status_code == 201 else code_of(reply)


def typed(*words: str | Path, home: ClientHome | None = None) -> tuple[int, str]:
    environment = {"TQ_HOME": str(home.path) if home is not None else "/nowhere"}
    found = CliRunner().invoke(app, ["federation", *map(str, words)], env=environment)
    return found.exit_code, found.output


def test_the_delegate_issues_and_sends_in_one_command(centre: tuple[PublicSite, ClientHome, Path]) -> None:
    site, home, folder = centre
    made, out = ("--list", folder / "revoked.json", "--key", folder / "delegate.pem"), folder / "one.dsse"
    typed("revoke", "--list", folder / "revoked.json", "--federation", "test", "--key", KEYS[0].public.hex(),
          "--reason", "a test")  # fmt: skip
    code, said = typed("statement", *made, "--out", out, "--send", home=home)
    assert (code, "statement 1 is in force" in said) == (0, True), said
    assert site.base.statements.envelope == out.read_bytes()
    assert site.base.statements.revokes_key(KEYS[0].public.hex())
    # The reply was lost, and it is sent again: it is in force, and nothing was added.
    again = typed("send", out, "--to", home.settings().coordinator, "--authority", home.authority)
    assert again[0] == 0, again
    document = site.store.nodes.document(Revocations.KIND)
    assert document is not None
    assert document.version == 1
    # Whoever answers at that address with another authority is not believed.
    other = folder / "other.pem"
    other.write_bytes((folder / "server.pem").read_bytes())
    assert typed("send", out, "--to", "localhost:1", "--authority", other)[0] != 0
    assert typed("send", out, "--authority", home.authority)[0] == 2


def test_what_does_not_verify_changes_nothing(centre: tuple[PublicSite, ClientHome, Path]) -> None:
    site, _, _ = centre
    now = statement(10, *KEYS[:2])
    assert post(site, now) == ""
    before = site.store.nodes.document(Revocations.KIND)
    assert before is not None
    refused = {
        "by somebody else": (statement(11, *KEYS, signer=ADA), "auth-document"),
        "that forgets": (statement(11, KEYS[0]), "auth-document"),
        "an older one": (statement(9, *KEYS), "policy-document-stale"),
        "the same number": (statement(10, *KEYS), "policy-document-stale"),
        "no document": (b"{}", "auth-document"),
        "as deep as it goes": (b"[" * 100_000, "auth-document"),
        "too large": (b"x" * 1_500_001, "usage-invalid"),
        "larger than anything": (b"x" * 3_000_000, "usage-too-large"),
    }
    for what, (envelope, code) in refused.items():
        assert post(site, envelope) == code, what
    after = site.store.nodes.document(Revocations.KIND)
    assert after is not None
    assert (after.version, after.envelope, site.base.statements.envelope) == (before.version, now, now)


def test_somebody_who_sends_rubbish_is_slowed_and_keeps_nobody_from_signing_in(
    centre: tuple[PublicSite, ClientHome, Path],
) -> None:
    site, _, _ = centre
    assert post(site, b"{}") == "auth-document"
    with contextlib.suppress(TrustQueryError):
        for _ in range(1_000):
            site.app.state.api.login_rate.take("statement from 127.0.0.1")
    assert post(site, b"{}") == "node-rate"
    site.login("ada", ADA)
