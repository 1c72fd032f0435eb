"""From the stored answers to a result: verified, added, and honest about who is missing.

A trust that did not answer is missing with the reason that it gave before reading data, or "no answer"; it is
never counted as zero. Too few answers make no result at all.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from coordinator.store import AnswerRow
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import Answer, Intent, NodeEntry
from trustquery.protocol.answers import KEYED, add_vectors, check_answer, check_vector
from trustquery.protocol.pairs import add_pairs

__all__ = ["merge", "missing_because"]

MOST_SHOWN_BYTES = 32 * 1024 * 1024


def missing_because(answer: Answer | None) -> list[dict[str, Any]]:
    """Why a trust is missing: its own reasons from before it read data, or "no answer"."""
    if answer is not None and answer.status == "refused":
        return [Problem.from_document(reason).document() for reason in answer.reasons]
    return [Problem("node-no-answer").document()]


def merge(
    intent: Intent,
    vector_length: int,
    answers: Sequence[AnswerRow],
    nodes: Mapping[str, NodeEntry],
    heads: Mapping[str, bytes] = MappingProxyType({}),
) -> dict[str, Any]:
    """The result as JSON data.

    Args:
        answers: what came in time.
        nodes: roster entries of the nodes that the intent names.
        heads: by node, the cosigned ledger heads that came beside answers.

    Returns:
        ``vector``: the merged integers as decimal strings, or None when fewer than ``min_trusts`` answered; where
            keys are found in the data, a list each of label, integer and how many trusts released it;
        ``trusts``: those that answered, with their signed envelopes and vectors;
        ``missing``: the others, with reasons.
    """
    verified: dict[str, tuple[Answer, AnswerRow]] = {}
    for row in answers:
        entry = nodes.get(row.node)
        if entry is None or row.late:
            continue
        try:
            answer = check_answer(row.envelope, node=entry, intent=intent, vector_length=vector_length)
            check_vector(answer, row.vector, keyed=vector_length == KEYED)
        except TrustQueryError:
            continue
        verified[row.node] = (answer, row)
    good = {name: pair for name, pair in verified.items() if pair[0].status == "answer"}
    enough = len(good) >= intent.min_trusts
    vectors = [row.vector for _, row in good.values()]
    # In local mode a policy can only allow answers whose figures may be shown per trust (trustquery.policy.schema),
    # so each trust's vector goes along and the client repeats the sum. Very large ones stay here.
    shown = intent.mode == "local" and enough and sum(map(len, vectors)) <= MOST_SHOWN_BYTES
    return {
        "vector": _total(vectors, vector_length) if enough else None,
        "min_trusts": intent.min_trusts,
        "trusts": [
            _answered(nodes[name], *good[name], heads.get(name, b""), shown) for name in intent.nodes if name in good
        ],
        "missing": [_missing(name, nodes.get(name), verified.get(name)) for name in intent.nodes if name not in good],
    }


def _total(vectors: Sequence[bytes], vector_length: int) -> list[Any]:
    """The merged integers; for a thresholded release a list each of label, integer and trusts that released it."""
    if vector_length == KEYED:
        return [[label, str(total), trusts] for label, (total, trusts) in add_pairs(vectors).items()]
    return [str(number) for number in add_vectors(vectors, vector_length)]


def _answered(entry: NodeEntry, answer: Answer, row: AnswerRow, head: bytes, shown: bool) -> dict[str, Any]:
    return {
        "node": entry.node,
        "name": entry.name,
        "rho_nano": answer.rho_nano,
        "data_version": answer.data_version,
        "envelope": row.envelope.decode("ascii"),
        "head": head.decode("utf-8", "replace"),
        "vector": base64.b64encode(row.vector).decode("ascii") if shown else None,
    }


def _missing(name: str, entry: NodeEntry | None, found: tuple[Answer, AnswerRow] | None) -> dict[str, Any]:
    answer, row = found if found is not None else (None, None)
    return {
        "node": name,
        "name": entry.name if entry is not None else name,
        "rho_nano": answer.rho_nano if answer is not None else 0,
        "reasons": missing_because(answer),
        "envelope": row.envelope.decode("ascii") if row is not None else None,
    }
