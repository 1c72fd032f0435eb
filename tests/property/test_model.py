"""The frozen query and its plan: one meaning, one byte string, the same on every machine."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.factories.catalogues import MADE_UP, made_up
from tests.lib.refusals import code_of
from tests.property.budgets import examples
from tests.property.questions import Question, questions
from trustquery.errors import TrustQueryError
from trustquery.model import Query

FRESH = """
import json, sys
from trustquery.catalogue import parse
from trustquery.model import Query
from trustquery.planning import compile_plan
data = json.load(sys.stdin)
catalogue = parse(data["catalogue"], name="made-up")
queries = [Query.from_payload(text.encode()) for text in data["payloads"]]
print(json.dumps([[query.sha256, compile_plan(query, catalogue).sha256] for query in queries]))
"""


@examples(ci=150, full=3_000)
@given(question=questions())
def test_a_query_comes_back_from_its_bytes(question: Question) -> None:
    payload = question.query.payload()
    found = Query.from_payload(payload)
    assert found == question.query
    assert found.payload() == payload
    assert found.sha256 == hashlib.sha256(payload).hexdigest()


@examples(ci=60, full=1_000)
@given(question=questions(), data=st.data())
def test_any_changed_byte_is_refused_or_gives_another_hash(question: Question, data: st.DataObject) -> None:
    payload = bytearray(question.query.payload())
    for _ in range(20):
        place = data.draw(st.integers(0, len(payload) - 1))
        flip = data.draw(st.integers(1, 255))
        changed = bytes(payload[:place]) + bytes([payload[place] ^ flip]) + bytes(payload[place + 1 :])
        code = code_of(partial(Query.from_payload, changed))
        assert code in ("", "query-model-invalid", "query-too-deep")
        assert code or Query.from_payload(changed).sha256 != question.query.sha256


@examples(ci=60, full=1_000)
@given(question=questions(), data=st.data())
def test_bytes_cut_or_added_are_refused(question: Question, data: st.DataObject) -> None:
    payload = question.query.payload()
    cut = data.draw(st.integers(0, len(payload) - 1))
    extra = data.draw(st.sampled_from([b" ", b"\n", b"\0", b"{}", b"\xff", payload]))
    for changed in (payload[:cut], payload + extra, extra + payload):
        with pytest.raises(TrustQueryError) as caught:
            Query.from_payload(changed)
        assert caught.value.code == "query-model-invalid"


def test_a_fresh_process_reaches_the_same_hashes() -> None:
    """Whatever the hash seed of the process: no set or dictionary order gets into a plan."""
    asked: list[Question] = []

    @settings(max_examples=40, database=None, derandomize=True, phases=[Phase.generate])
    @given(question=questions())
    def collect(question: Question) -> None:
        asked.append(question)

    collect()
    job = json.dumps({"catalogue": MADE_UP, "payloads": [question.query.payload().decode() for question in asked]})
    expected = [[question.query.sha256, question.plan.sha256] for question in asked]
    root = Path(__file__).resolve().parents[2]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", FRESH],
            input=job,
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={"PYTHONHASHSEED": seed},
        )
        assert json.loads(done.stdout) == expected


@examples(ci=60, full=1_000)
@given(question=questions())
def test_the_plan_spends_no_more_than_asked_and_lies_end_to_end(question: Question) -> None:
    plan = question.plan
    assert 0 < plan.rho_nano <= question.query.rho_nano
    ends = list(itertools.accumulate(plan.cells * block.span for block in plan.blocks))
    assert [block.offset for block in plan.blocks] == [0, *ends[:-1]]
    assert plan.length == ends[-1]
    assert question.query.catalogue_sha256 == made_up().sha256
