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

from node_agent.engines.duckdb import _dense, _labelled, _read
from node_agent.engines.processes import Processes
from tests.factories.plans import count_plan
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


@pytest.mark.parametrize("cells", [1, 4_000_000])
def test_an_engine_that_writes_without_end_is_stopped(cells: int) -> None:
    """Whatever a process of the engine has become, the node reads no more of it than the plan's own vector."""
    near, far = os.pipe()
    writer = threading.Thread(target=_write_on, args=(far,), daemon=True)
    writer.start()
    with pytest.raises(ValueError, match="too long"):
        Processes()._read(near, time.monotonic() + 30, 8 + 8 * cells)
    os.close(near)
    writer.join(5)
    assert not writer.is_alive()


@pytest.mark.parametrize("more", [0, 1])
def test_an_outcome_is_read_to_its_last_byte_and_no_further(more: int) -> None:
    near, far = os.pipe()
    os.write(far, bytes(24 + more))
    os.close(far)
    if more:
        with pytest.raises(ValueError, match="too long"):
            Processes()._read(near, time.monotonic() + 30, 24)
    else:
        assert Processes()._read(near, time.monotonic() + 30, 24) == bytes(24)
    os.close(near)


HOSTILE_LABELS = {
    "depth": b"[" * 100_000,
    "lists": b"[" + b"[]," * 600_000 + b"[]]",
    "a name twice": b'{"0a":1,"0a":2}',
    "a number that is none": b'{"0a":NaN}',
    "a part of a person": b'{"0a":0.5}',
    "nobody": b'{"0a":0}',
    "more than may be": b'{"0a":' + str(2**62 + 1).encode() + b"}",
    "a truth": b'{"0a":true}',
    "too many": json.dumps({f"0{place}": 1 for place in range(50_001)}).encode(),
    "no text": b"\xff",
    "a list": b"[1]",
}


@pytest.mark.parametrize("what", HOSTILE_LABELS)
def test_counts_that_an_engine_cannot_have_made_are_a_fault(what: str) -> None:
    assert code_of(lambda: _read(_labelled, HOSTILE_LABELS[what], count_plan())) == "internal-fault"


def test_vectors_that_an_engine_cannot_have_made_are_a_fault() -> None:
    """The control: the plan's own length, and nothing out of range, is taken."""
    plan = count_plan()
    sound = bytes(8 * plan.length)
    for data in (sound[:-1], sound[:-8], sound + bytes(8), b"\xff" * 7 + b"\x7f" + sound[8:], b""):
        assert code_of(lambda data=data: _read(_dense, data, plan)) == "internal-fault"
    assert _read(_dense, sound, plan) == [0] * plan.length
    assert _read(_labelled, b'{"0a":1}', plan) == {"0a": 1}


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
