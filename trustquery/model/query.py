"""The whole query: relation, keys, aggregates, outputs, and every choice that a node must not make."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trustquery.codelists import Pin
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.model import codec
from trustquery.model.nodes import (
    MAX_DEPTH,
    Aggregate,
    Expression,
    Key,
    Output,
    depth_of,
    invalid,
    output_depth,
)
from trustquery.model.post import NO_POST, Post, check_post, post_pins
from trustquery.model.relation_codec import read_relation, write_relation
from trustquery.model.relations import MAX_RELATIONS, Relation, Scan, expressions, relations, scans
from trustquery.model.terms import MAX_RHO_NANO, Bound, Terms, tree_levels
from trustquery.model.unknown import check_unknown

__all__ = ["MODEL_FORMAT", "Query"]

MODEL_FORMAT = "tq-model-3"
_HASH = re.compile(r"[0-9a-f]{64}")
_CATALOGUE = re.compile(r"[a-z][a-z0-9.-]{0,62}")
MAX_PARTS = 200


@dataclass(frozen=True)
class Query:
    """One query, ready to be hashed, signed, planned and run anywhere with the same meaning.

    Attributes:
        catalogue_id: the dataset.
        catalogue_version: of the catalogue document.
        catalogue_sha256: pins the catalogue's bounds, domains and caps.
        inputs: pins the public tables that are read, by name in order, no more and no fewer.
        terms: of each aggregate, in order: how one person's part in it is bounded, and what it may cost.
        delta_atto: delta to spend, in 1e-18: above 0 exactly where a key is of kind ``unknown``, else 0.
        mode: ``local``; ``secure-sum`` is reserved.
        as_of: ISO date that stands for "today"; never a clock.
        post: what happens to the merged, noised table; no node evaluates it.
    """

    catalogue_id: str
    catalogue_version: int
    catalogue_sha256: str
    inputs: tuple[Pin, ...]
    relation: Relation
    keys: tuple[Key, ...]
    aggregates: tuple[Aggregate, ...]
    outputs: tuple[Output, ...]
    terms: tuple[Terms, ...]
    as_of: str
    delta_atto: int = 0
    mode: str = "local"
    post: Post = NO_POST

    def __post_init__(self) -> None:
        whole = (self.catalogue_version, self.delta_atto)
        if not all(type(number) is int for number in whole):
            raise invalid()
        if not (isinstance(self.catalogue_id, str) and _CATALOGUE.fullmatch(self.catalogue_id)):
            raise invalid()
        if not (isinstance(self.catalogue_sha256, str) and _HASH.fullmatch(self.catalogue_sha256)):
            raise invalid()
        if self.mode not in ("local", "secure-sum"):
            raise invalid()
        try:
            if datetime.date.fromisoformat(self.as_of).isoformat() != self.as_of:
                raise invalid()
        except (TypeError, ValueError) as error:
            raise invalid() from error
        if not self.aggregates or max(len(self.keys), len(self.aggregates), len(self.outputs)) > MAX_PARTS:
            raise invalid()
        self._check_terms()
        check_unknown(self.keys, self.aggregates, self.delta_atto)
        if sum(key.kind == "trust" for key in self.keys) > 1:
            raise invalid()
        if sum(1 for _ in relations(self.relation)) > MAX_RELATIONS:
            raise invalid()
        names = [output.name for output in self.outputs]
        if not names or len(set(names)) != len(names):
            raise invalid()
        if any(depth_of(expression) > MAX_DEPTH for expression in self.expressions()):
            raise TrustQueryError("query-too-deep", limit=MAX_DEPTH)
        if any(output_depth(output.expression) > MAX_DEPTH for output in self.outputs):
            raise invalid()
        if not isinstance(self.post, Post):
            raise invalid()
        check_post(self.post, self.keys, self.aggregates, self.outputs)
        self._check_inputs()

    def _check_terms(self) -> None:
        """Each aggregate has terms of a form that means something for it."""
        if not isinstance(self.terms, tuple) or len(self.terms) != len(self.aggregates):
            raise invalid()
        for aggregate, terms in zip(self.aggregates, self.terms, strict=True):
            if not isinstance(terms, Terms):
                raise invalid()
            # A person counts once in a cell, and a row is in one bin: totals say nothing about either.
            on_rows = aggregate.kind in ("count_distinct_person", "histogram") or self.has_unknown_keys
            if on_rows and terms.bound.form != "rows":
                raise invalid()
            if aggregate.kind == "count_distinct_person" and terms.bound.rows != 1:
                raise invalid()
            levels = tree_levels(aggregate.bins.count if aggregate.bins is not None else 1, terms.branching)
            if terms.branching and len(levels) < 2:
                raise invalid()
        if self.rho_nano > MAX_RHO_NANO:
            raise invalid()

    def _check_inputs(self) -> None:
        """Each public table is pinned once, and every pin is of a table that is read."""
        after = post_pins(self.post)
        pinned = [pin.id for pin in self.inputs]
        read = {scan.table for scan in self.scans} | {pin.id for pin in after}
        if pinned != sorted(set(pinned)) or not set(pinned) <= read or not set(after) <= set(self.inputs):
            raise invalid()

    @property
    def rho_nano(self) -> int:
        """Privacy loss to spend at most, in 1e-9 rho, at each trust."""
        return sum(terms.rho_nano for terms in self.terms)

    def on(self, terms: tuple[Terms, ...]) -> Query:
        """The same question on other terms.

        Raises:
            TrustQueryError: ``query-model-invalid``.
        """
        return dataclasses.replace(self, terms=terms)

    @property
    def scans(self) -> tuple[Scan, ...]:
        """Every scan, subqueries included, in FROM order."""
        return scans(self.relation)

    @property
    def read_inputs(self) -> tuple[Pin, ...]:
        """Pins of the public tables that a node reads; the others are joined after release."""
        tables = {scan.table for scan in self.scans}
        return tuple(pin for pin in self.inputs if pin.id in tables)

    def expressions(self) -> Iterator[Expression]:
        """Every scalar expression: those of the relation, keys, arguments and filters of aggregates."""
        yield from expressions(self.relation)
        yield from (key.expression for key in self.keys)
        for aggregate in self.aggregates:
            yield from (part for part in (aggregate.argument, aggregate.filter) if part is not None)

    @property
    def has_unknown_keys(self) -> bool:
        """Whether keys are found in the data and released by threshold."""
        return any(key.kind == "unknown" for key in self.keys)

    def tables(self) -> frozenset[str]:
        """Names of the catalogue tables read."""
        public = {pin.id for pin in self.inputs}
        return frozenset(scan.table for scan in self.scans if scan.table not in public)

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        return {
            "format": MODEL_FORMAT,
            "catalogue": {
                "id": self.catalogue_id,
                "version": self.catalogue_version,
                "sha256": self.catalogue_sha256,
            },
            "inputs": [pin.document() for pin in self.inputs],
            "relation": write_relation(self.relation),
            "keys": [codec.write_key(key) for key in self.keys],
            "aggregates": [codec.write_aggregate(aggregate) for aggregate in self.aggregates],
            "outputs": [codec.write_output(output) for output in self.outputs],
            "post": self.post.document(),
            "terms": [terms.document() for terms in self.terms],
            "delta_atto": self.delta_atto,
            "mode": self.mode,
            "as_of": self.as_of,
        }

    @classmethod
    def from_document(cls, data: object) -> Query:
        """Read canonical-JSON data, strictly.

        Raises:
            TrustQueryError: ``query-model-invalid``.
        """
        try:
            return cls._read(data)
        except (TypeError, ValueError, KeyError, RecursionError, AttributeError) as error:
            raise invalid() from error

    @classmethod
    def _read(cls, data: object) -> Query:
        form, catalogue, inputs, relation, keys, aggregates, outputs, post, terms, delta, mode, as_of = (
            codec.members(
                data, "format", "catalogue", "inputs", "relation", "keys", "aggregates", "outputs", "post", "terms",
                "delta_atto", "mode", "as_of",
            )
        )  # fmt: skip
        if form != MODEL_FORMAT:
            raise invalid()
        name, version, sha256 = codec.members(catalogue, "id", "version", "sha256")
        return cls(
            name,
            version,
            sha256,
            tuple(Pin(*codec.members(item, "id", "version", "sha256")) for item in codec.items(inputs)),
            read_relation(relation),
            tuple(codec.read_key(item) for item in keys),
            tuple(codec.read_aggregate(item) for item in aggregates),
            tuple(codec.read_output(item) for item in outputs),
            tuple(_read_terms(item) for item in codec.items(terms)),
            as_of,
            delta,
            mode,
            Post.from_document(post),
        )

    def payload(self) -> bytes:
        """Canonical bytes; what travels and what the query hash covers."""
        return canonical.encode(self.document())

    @classmethod
    def from_payload(cls, payload: bytes) -> Query:
        """Read canonical bytes.

        Raises:
            TrustQueryError: ``query-model-invalid``.
        """
        try:
            return cls.from_document(canonical.decode(payload, document="model"))
        except TrustQueryError as error:
            raise invalid() from error

    @cached_property
    def sha256(self) -> str:
        """Query hash, hexadecimal."""
        return hashlib.sha256(self.payload()).hexdigest()


def _read_terms(data: object) -> Terms:
    bound, rho, branching = codec.members(data, "bound", "rho_nano", "branching")
    return Terms(Bound(*codec.members(bound, "form", "G", "R", "C")), rho, branching)
