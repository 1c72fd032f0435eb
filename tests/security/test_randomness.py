"""SEC-02: randomness comes from the operating system only, and a forked process never repeats its parent's.

The sources named in the test's own list are the only ones that ship: ``secrets`` in ``identity`` and ``client``, the
key generators of ``cryptography`` (OpenSSL, seeded by the system), and OpenDP's samplers (``getrandom``).
"""

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.factories.plans import count_plan
from tools.check_rules import check_source
from trustquery.identity import SigningKey, new_secret
from trustquery.privacy.noise import add_noise

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("trustquery", "coordinator", "node_agent", "witness", "demo")
PLANTED = (
    "import random\nrandom.random()",
    "import numpy as np\nnp.random.default_rng(1)",
    "import secrets\nsecrets.token_bytes(8)",
    "import os\nos.urandom(8)",
    "import uuid\nuuid.uuid4()",
)


@pytest.mark.acceptance("SEC-02")
def test_no_other_source_ships() -> None:
    for folder in SHIPPED:
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            source = path.read_text(encoding="utf-8")
            problems, _ = check_source(name, source)
            assert [p for p in problems if p.rule in ("secrets", "random")] == []
            assert "rules: allow secrets" not in source
            assert "rules: allow random" not in source


@pytest.mark.acceptance("SEC-02")
@pytest.mark.parametrize("source", PLANTED)
def test_each_planted_source_is_found(source: str) -> None:
    problems, _ = check_source("node_agent/gate/planted.py", source)
    assert {problem.rule for problem in problems} & {"secrets", "random"}


def _draw(pipe: Connection) -> None:
    plan = count_plan(cells=64)
    pipe.send((new_secret(), SigningKey.generate().public, add_noise([0] * plan.length, plan)))
    pipe.close()


@pytest.mark.acceptance("SEC-02")
def test_forked_processes_draw_different_values() -> None:
    # The parent draws first, so that every generator has state that a fork could copy.
    plan = count_plan(cells=64)
    draws = [(new_secret(), SigningKey.generate().public, add_noise([0] * plan.length, plan))]
    fork = multiprocessing.get_context("fork")
    for _ in range(4):
        mine, theirs = fork.Pipe()
        child = fork.Process(target=_draw, args=(theirs,))
        child.start()
        draws.append(mine.recv())
        child.join()
    for position in range(3):
        # 64 cells at sigma 6 coincide by chance with a probability far below 1e-50.
        assert len({str(draw[position]) for draw in draws}) == len(draws)
