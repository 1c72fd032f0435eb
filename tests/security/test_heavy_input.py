"""INP-02: bytes made to become far more in memory are refused by a typed error, at every place where bytes come in."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

from node_agent.engines.processes import Processes
from tests.fuzz.__main__ import attempt
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS
from tests.lib.heavy_input import CASES
from tests.lib.processes import ROOT
from tests.lib.public_site import PublicSite
from tests.lib.refusals import code_of
from tests.lib.site import fresh_store
from trustquery.errors import CATALOGUE
from trustquery.v1 import session_pb2 as pb
from trustquery.wire.counting import MAX_FIELDS, check_fields

pytestmark = pytest.mark.acceptance("INP-02")
MOST_MB = 100
SLICE = 400


def test_no_input_makes_a_process_grow_by_more_than_100_mb() -> None:
    """In a process of its own, so that nothing else is in the measurement; what the input takes itself counts too."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.lib.heavy_input"], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, _, _ in found] == list(CASES)
    assert {name: came for name, came, _ in found if came not in CATALOGUE} == {}
    assert {name: grew for name, _, grew in found if grew > MOST_MB} == {}


@pytest.mark.parametrize("more", [0, 1])
def test_fields_are_counted_to_the_last(more: int) -> None:
    data = pb.Frame(sequence=1, documents=pb.Documents(permits=[b"x"] * (MAX_FIELDS - 2 + more))).SerializeToString()
    assert code_of(check_fields, data, pb.Frame.DESCRIPTOR) == ("node-message-invalid" if more else "")


BODIES = {
    "a name twice": b'{"envelope":"{}","envelope":"[]"}',
    "no number": b'{"envelope":NaN}',
    "depth": b"[" * 1_000_000,
    "lists": b'{"envelope":[' + b"[]," * 600_000 + b"[]]}",
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_says_a_thing_twice_or_holds_too_many_is_refused(tmp_path: Path, what: str) -> None:
    store = fresh_store(tmp_path)
    site, headers = PublicSite(store, tmp_path), {"Content-Type": "application/json"}
    reply = site.call("POST", "/v1/statements", content=BODIES[what], headers=headers)
    store.close()
    assert (reply.status_code, reply.json()["problems"][0]["code"]) in ((422, "usage-invalid"), (400, "usage-invalid"))


def test_an_engine_that_writes_without_end_is_stopped() -> None:
    """Whatever a process of the engine has become, the node reads no more of it than the longest vector."""
    near, far = os.pipe()
    writer = threading.Thread(target=_write_on, args=(far,), daemon=True)
    writer.start()
    with pytest.raises(ValueError, match="too long"):
        Processes()._read(near, time.monotonic() + 30)
    os.close(near)
    writer.join(5)
    assert not writer.is_alive()


def _write_on(pipe: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            os.write(pipe, bytes(1 << 20))


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_of_what_honest_people_send_are_refused_by_name(name: str) -> None:
    """A fixed slice; `make fuzz` goes on for an hour with atheris."""
    target = TARGETS[name]
    for data, _ in zip(mutated(target.seeds(), Random(2)), range(SLICE), strict=False):
        attempt(target, data)
