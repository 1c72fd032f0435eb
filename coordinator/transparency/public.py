"""What the public's pages and files are made of; read anew every few seconds, however many people read."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import structlog

from coordinator.services import Base
from coordinator.store.uses import UseFilter
from coordinator.transparency.crate import register_crate, use_crate
from coordinator.transparency.inputs import INPUT_COLUMNS, InputEntry, inputs_document, read_inputs
from coordinator.transparency.log import Page, read_page, read_uses
from coordinator.transparency.promise import Numbers, read_numbers
from coordinator.transparency.register import Entry, read_entries, register_document
from coordinator.transparency.uses import LOG_COLUMNS, Use
from trustquery.codelists import PublicTable, shipped
from trustquery.errors import TrustQueryError
from trustquery.forecast.explain import plan_words
from trustquery.forecast.questions import profile_query, profile_questions
from trustquery.identity import canonical
from trustquery.model import Query
from trustquery.outputs.sheets import write_sheet
from trustquery.planning import compile_plan
from trustquery.projects.register import COLUMNS, iso_day

__all__ = ["Public"]

TOO_OLD = 600.0
"""Seconds."""
_log = structlog.get_logger()


@dataclass(frozen=True)
class _Read:
    """The register and the numbers as they were read; ``until``: good until then, on the monotonic clock."""

    entries: tuple[Entry, ...]
    inputs: tuple[InputEntry, ...]
    numbers: Numbers
    until: float


class Public:
    """Read-only.

    Args:
        clock: whole seconds since 1970 UTC.
        keep_seconds: how old the register and the numbers may be when they are shown.
    """

    def __init__(self, base: Base, clock: Callable[[], int], *, keep_seconds: float = 5.0) -> None:
        self.base = base
        self._clock = clock
        self._keep = keep_seconds
        self._lock = threading.Lock()
        self._read: _Read | None = None
        self._reading = False
        self._words: dict[str, tuple[str, str]] = {}

    @property
    def federation(self) -> str:
        """Its name."""
        return self.base.root.federation

    @property
    def home(self) -> str:
        """Address of the first page."""
        return f"https://{self.base.settings.api.public}/public/"

    def _snapshot(self) -> _Read:
        """What was read last. Once it is old it is read anew beside the requests, and none waits for that."""
        with self._lock:
            found, now = self._read, time.monotonic()
            # Very old means that reading fails: then the request that reads says so, rather than show the past.
            if found is None or self._keep <= 0 or now >= found.until + TOO_OLD:
                found = self._read = self._read_now()
            elif now >= found.until and not self._reading:
                self._reading = True
                threading.Thread(target=self._read_beside, name="public-register", daemon=True).start()
            return found

    def _read_beside(self) -> None:
        found = None
        try:
            found = self._read_now()
        except Exception as error:
            _log.error("register-unread", kind=type(error).__name__)
        with self._lock:
            self._read, self._reading = found or self._read, False

    def _read_now(self) -> _Read:
        began, now = time.monotonic(), self._clock()
        entries = read_entries(self.base, now)
        inputs = read_inputs(self.base, {entry.project for entry in entries}, self._words)
        numbers = read_numbers(self.base.store, entries, self.base.catalogues, self._profile_hashes, now)
        took = time.monotonic() - began
        # A long past takes longer to read, and is read less often: never more than a twentieth of the time.
        return _Read(entries, inputs, numbers, began + took + max(self._keep, 20 * took))

    @cached_property
    def _profile_hashes(self) -> list[str]:
        return [
            profile_query(question, catalogue)[1].sha256
            for catalogue in self.base.catalogues.values()
            for question in profile_questions(catalogue)
        ]

    def entries(self) -> tuple[Entry, ...]:
        """The register."""
        return self._snapshot().entries

    def entry(self, project: str) -> Entry:
        """One entry.

        Raises:
            TrustQueryError: ``project-unknown``.
        """
        for entry in self.entries():
            if entry.project == project:
                return entry
        raise TrustQueryError("project-unknown", project=project[:64])

    def numbers(self) -> Numbers:
        """The promise in numbers."""
        return self._snapshot().numbers

    def register(self) -> dict[str, Any]:
        """The register as JSON data."""
        return register_document(self.base, self.entries(), self._clock())

    def register_csv(self) -> str:
        """The register as CSV."""
        return write_sheet(COLUMNS, [entry.columns for entry in self.entries()])

    def inputs(self) -> tuple[InputEntry, ...]:
        """Every input that was ever approved."""
        return self._snapshot().inputs

    def inputs_csv(self) -> str:
        """The inputs as CSV."""
        return write_sheet(INPUT_COLUMNS, [entry.columns for entry in self.inputs()])

    def inputs_data(self) -> dict[str, Any]:
        """The inputs as JSON data."""
        return inputs_document(self.federation, self.inputs(), self._clock())

    def page(self, wanted: UseFilter, number: int | None) -> Page:
        """A page of the log.

        Raises:
            TrustQueryError: ``usage-invalid``.
        """
        return read_page(self.base.store, wanted, number)

    def total(self) -> int:
        """How many uses there are."""
        return self.base.store.uses.count(UseFilter())

    def latest(self, count: int) -> tuple[Use, ...]:
        """The newest uses, newest first."""
        return read_uses(self.base.store, self.base.store.uses.newest(count))

    def all_uses(self, wanted: UseFilter) -> list[Use]:
        """Every use, oldest first."""
        first = self.page(wanted, 1)
        pages = [first, *(self.page(wanted, number) for number in range(2, first.pages + 1))]
        return [use for page in pages for use in reversed(page.uses)]

    @staticmethod
    def log_csv(uses: list[Use]) -> str:
        """Uses as CSV."""
        return write_sheet(LOG_COLUMNS, [use.columns for use in uses])

    def log(self, uses: list[Use]) -> dict[str, Any]:
        """Uses as JSON data."""
        return {
            "format": "tq-log-1",
            "federation": self.federation,
            "as_of": iso_day(self._clock()),
            "columns": list(LOG_COLUMNS),
            "uses": [use.document() for use in uses],
        }

    def question(self, hash_: str, *, newest: int = 0) -> tuple[Use, ...]:
        """Every use of one question, oldest first; or the newest of them, so many at most.

        Raises:
            TrustQueryError: ``query-not-public``.
        """
        good = 8 <= len(hash_) <= 64 and set(hash_) <= set("0123456789abcdef")
        rows = self.base.store.uses.named(hash_, newest=newest) if good else []
        if not rows:
            raise TrustQueryError("query-not-public", query=hash_[:64])
        return read_uses(self.base.store, rows)

    def in_words(self, uses: Sequence[Use]) -> tuple[str, ...]:
        """What a question reads, counts and adds noise to, in sentences; () where its catalogue is another by now.

        Args:
            uses: of the one question, at least one.
        """
        model = Query.from_payload(uses[-1].row.model)
        catalogue = self.base.catalogues.get(model.catalogue_id)
        if catalogue is None or catalogue.sha256 != model.catalogue_sha256:
            return ()
        try:
            kept = [json.loads(table) for table in self._brought(model)]
            public = shipped().with_more([PublicTable.from_document(table) for table in kept])
            return plan_words(model, compile_plan(model, catalogue, public), catalogue, public)
        except TrustQueryError:
            # An input that was erased by age: the code and the hash still say which question it was.
            return ()

    def _brought(self, model: Query) -> list[bytes]:
        """The public tables that a question pins and that do not ship, as they were kept."""
        ships = {table.pin for table in shipped()}
        return self.base.store.queries.tables([pin.sha256 for pin in model.inputs if pin not in ships])

    def question_document(self, hash_: str) -> dict[str, Any]:
        """One question as JSON data: its uses, the very model that was asked, and public tables that it brought.

        Raises:
            TrustQueryError: ``query-not-public``.
        """
        uses = self.question(hash_)
        tables = self._brought(Query.from_payload(uses[-1].row.model))
        return {
            "format": "tq-query-1",
            "query_hash": uses[-1].row.query_hash,
            "dataset": uses[-1].row.dataset,
            "sql": uses[-1].row.sql,
            "parameters": uses[-1].parameters,
            "model": uses[-1].row.model.decode("utf-8"),
            "inputs": [canonical.decode(table, document="public-table") for table in tables],
            "uses": [use.document() for use in uses],
        }

    def use_crate(self, release_id: str) -> bytes:
        """One use as a Five Safes RO-Crate.

        Raises:
            TrustQueryError: ``query-not-public``.
        """
        for use in self.question(release_id):
            if use.row.release_id == release_id:
                return use_crate(use, self.entry(use.row.project), self.federation, self.home)
        raise TrustQueryError("query-not-public", query=release_id[:64])

    def register_crate(self, encode: Callable[[Any], bytes]) -> bytes:
        """The register, the log and the numbers in one archive.

        Args:
            encode: JSON data to bytes.
        """
        uses = self.all_uses(UseFilter())
        files: Mapping[str, tuple[bytes, str, str]] = {
            "register.csv": (self.register_csv().encode(), "text/csv", "The register as a table"),
            "register.json": (encode(self.register()), "application/json", "The register with its signatures"),
            "log.csv": (self.log_csv(uses).encode(), "text/csv", "The log of uses as a table"),
            "log.json": (encode(self.log(uses)), "application/json", "The log of uses as data"),
            "promise.json": (encode(self.numbers().document()), "application/json", "The promise in numbers"),
        }
        return register_crate(files, self.federation, self.home, iso_day(self._clock()))
