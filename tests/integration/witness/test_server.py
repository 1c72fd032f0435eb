"""C2SP tlog-witness over HTTP: each rule of the specification, and what is shown to everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.factories.trust import key
from tests.unit.log.test_witness import LOG, NOW, ORIGIN, head, tree
from trustquery.log import Tree, VerifierKey, Witness, cosigners
from trustquery.log.submission import write_submission
from witness.server import make_app
from witness.store import SqliteHeads

NAME = "witness.example/w1"
VKEY = VerifierKey(NAME, key(NAME).public, witness=True)


class Served:
    """A witness over its real store."""

    def __init__(self, path: Path) -> None:
        self.heads = SqliteHeads(path)
        self.app = make_app(
            Witness(NAME, key(NAME), self.heads, {ORIGIN: LOG.public}.get), VKEY, self.heads, lambda: NOW
        )

    def call(self, method: str, path: str, body: bytes = b"") -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, content=body)

        return asyncio.run(send())

    def add(self, old: int, log: Tree, size: int | None = None, note: bytes | None = None) -> httpx.Response:
        size = len(log) if size is None else size
        proof = log.consistency_proof(min(old, size), size)
        return self.call("POST", "/add-checkpoint", write_submission(old, proof, note or head(log, size)))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path / "heads.sqlite")
    yield made
    made.heads.close()


def test_it_signs_what_extends(served: Served) -> None:
    for old, new in [(0, 5), (5, 5), (5, 9)]:
        reply = served.add(old, tree(9), new)
        assert reply.status_code == 200
        assert cosigners(head(tree(9), new) + reply.content, {NAME: VKEY.public}) == {NAME: NOW}
    assert served.call("GET", "/key").text == f"{VKEY.text}\n"
    assert served.call("GET", "/forks").content == b""


def test_each_refusal_has_its_status(served: Served) -> None:
    assert served.add(0, tree(5)).status_code == 200
    assert served.add(0, tree(5), note=head(tree(5), origin="example-federation/node/elm")).status_code == 404
    assert served.add(5, tree(5), note=head(tree(5), name="elm")).status_code == 403
    assert served.add(6, tree(5)).status_code == 400
    conflict = served.add(3, tree(9))
    assert (conflict.status_code, conflict.text) == (409, "5\n")
    assert conflict.headers["content-type"].startswith("text/x.tlog.size")
    assert served.add(5, tree(5, 2)).status_code == 409
    assert served.add(5, tree(9, 2)).status_code == 422
    assert served.add(5, tree(9), note=head(tree(9, 2))).status_code == 422
    assert served.heads.head(ORIGIN) == head(tree(5))
    # What was refused is shown to everybody: both heads, each signed by the log.
    forks = served.call("GET", "/forks").content
    assert forks.count(head(tree(5))) == 2
    assert head(tree(5, 2)) in forks
    assert head(tree(9, 2)) in forks


@pytest.mark.parametrize(
    "body",
    [
        b"", b"old 0", b"old 0\n", b"old 00\n\n" + head(tree(5)), b"old -1\n\n" + head(tree(5)),
        b"\n\n" + head(tree(5)),
        b"old 0\nAAAA\n\n" + head(tree(5)), b"old 0\nnot base64!\n\n" + head(tree(5)), b"old 0\n\nnote\n",
        b"old 0\n\n" + head(tree(5)) + b"x" * 100_000, b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\n" + head(tree(5)),
    ],
)  # fmt: skip
def test_another_form_is_a_bad_request(served: Served, body: bytes) -> None:
    assert served.call("POST", "/add-checkpoint", body).status_code == 400
    assert served.heads.head(ORIGIN) is None


def test_nothing_else_is_there(served: Served) -> None:
    assert served.call("GET", "/add-checkpoint").status_code == 405
    assert served.call("GET", "/").status_code == 404
