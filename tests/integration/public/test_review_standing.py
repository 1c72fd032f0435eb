"""What a checker's machine reads of the federation: through a rotation of the root, and without revoked keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.documents import STATEMENT, roster
from tests.lib.public_site import ANN, COMMITTEE, ENTRIES, HOLDERS, ROOT, PublicSite, serving
from tests.lib.refusals import code_of
from tests.lib.review_site import CHECKERS, ReviewSite
from trustquery.client.config import ClientHome, ClientSettings
from trustquery.client.connection import Connection
from trustquery.identity import Revocations, Revoked, SigningKey
from trustquery.identity.rotation import successor_of

RELEASE = "3f2a9c01" * 8
DAY = 86_400


@pytest.fixture(scope="module")
def checking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PublicSite, Connection]]:
    """A coordinator with a result in review, and an output checker's connection."""
    folder = tmp_path_factory.mktemp("standing")
    with serving(folder) as (site, home):
        ReviewSite(site).in_review(site.project(output_review="yes"), RELEASE)
        with Connection.open(_home_of_olive(home, folder)) as connection:
            yield site, connection


def _home_of_olive(home: ClientHome, folder: Path) -> ClientHome:
    mine = ClientHome(folder / "olive")
    mine.write_settings(
        ClientSettings(coordinator=home.settings().coordinator, user="olive", key="key.pem", sign_in="key")
    )
    mine.authority.write_bytes(home.authority.read_bytes())
    mine.root.write_bytes(home.root.read_bytes())
    CHECKERS["olive"].save(mine.default_key)
    return mine


def test_a_review_is_read_through_a_rotation_and_refused_once_its_signer_is_revoked(
    checking: tuple[PublicSite, Connection],
) -> None:
    site, connection = checking
    now, new = int(time.time()), SigningKey.generate()
    assert connection.reviews().get(RELEASE).intent.release_id == RELEASE
    second = successor_of(ROOT, (*ROOT.keys[1:], new.public.hex()), 2)
    listed = roster(ENTRIES, COMMITTEE, version=2, issued=now - 5, expires=now + 20 * DAY)
    chain, after = second.sign(HOLDERS[1], HOLDERS[2], new), listed.sign(HOLDERS[2], new)
    site.base.rosters.install_root(chain.encode(), after.encode(), now)
    assert connection.reviews().get(RELEASE).permit.project == "stays"
    statement = Revocations(
        federation="test", version=1, issued=now - 5, expires=now + 7 * DAY,
        revoked=(Revoked(kind="key", id=ANN.public.hex(), until=0),),
    )  # fmt: skip
    site.base.statements.install(statement.sign(STATEMENT).encode(), now)
    assert code_of(connection.reviews().get, RELEASE) == "auth-document"
