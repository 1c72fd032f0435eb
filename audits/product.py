"""The functions of the product that an audit runs. A control puts a planted fault in the place of one of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audits.population import CATALOGUE, Rows
from audits.reservations import print_of, reservation
from node_agent.budget import SqliteLedger
from node_agent.gate.noise import little_endian
from trustquery import reference
from trustquery.model import Query
from trustquery.planning import Plan
from trustquery.privacy.noise import add_noise, release_keys

__all__ = ["SHIPPED", "Answered", "Noise", "Product", "ledger_answers"]

Noise = Callable[[Sequence[int], Plan], list[int]]

RANK_KEY = bytes(range(32))
DATA_VERSION = 1
NOW = 1_800_000_000


def vector_of(query: Query, rows: Rows) -> list[int]:
    """The exact bounded vector, by the plain evaluator that every engine must equal."""
    return reference.evaluate(query, CATALOGUE, rows, rank_key=RANK_KEY, data_version=DATA_VERSION)


def counts_of(query: Query, rows: Rows) -> dict[str, int]:
    """The exact bounded counts of a thresholded release, by label."""
    return reference.evaluate_keys(query, CATALOGUE, rows, rank_key=RANK_KEY, data_version=DATA_VERSION)


@dataclass(frozen=True)
class Answered:
    """What several askings of one question brought, and the nano-rho that the trust's ledger then says it cost."""

    vectors: list[list[int]]
    charged_nano: int


def ledger_answers(noise: Noise, exact: Sequence[int], plan: Plan, charge_nano: int, times: int) -> Answered:
    """Ask one question several times through the node's real ledger: reserve, start, draw, commit; then stored answers.

    The steps are those of ``node_agent.gate`` from *stored* to *commit*; what the gate decides around them is in its
    own tests.
    """
    vectors: list[list[int]] = []
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger(Path(folder) / "ledger.sqlite")
        try:
            for asking in range(times):
                stored = ledger.stored_vector(print_of("the question"))
                asked = reservation(
                    f"asking {asking}",
                    question="the question",
                    dataset=CATALOGUE.id,
                    project="audit",
                    analyst=f"analyst {asking}",
                    rho_nano=charge_nano,
                    delta_atto=0,
                    time=NOW,
                    is_stored=stored is not None,
                )
                ledger.reserve(asked, NOW)
                if stored is None:
                    ledger.start(asked.release_id, NOW)
                    stored = little_endian(noise(exact, plan))
                ledger.commit(asked.release_id, b"envelope", stored, NOW)
                vectors.append(np.frombuffer(stored, "<i8").tolist())
            return Answered(vectors, ledger.spent("node-wide", "", NOW).rho_lifetime)
        finally:
            ledger.close()


@dataclass(frozen=True)
class Product:
    """One function for each step that the promise rests on.

    Attributes:
        vector: model and rows to exact vector.
        counts: the same for keys found in the data.
        noise: exact vector and plan to noised vector.
        keys: exact counts and plan to the keys named.
        answers: noise, exact vector, plan, charge and number of askings to what an analyst sees.
    """

    vector: Callable[[Query, Rows], list[int]] = vector_of
    counts: Callable[[Query, Rows], dict[str, int]] = counts_of
    noise: Noise = add_noise
    keys: Callable[[Mapping[str, int], Plan], dict[str, int]] = release_keys
    answers: Callable[[Noise, Sequence[int], Plan, int, int], Answered] = ledger_answers


SHIPPED = Product()
"""What a node runs."""
