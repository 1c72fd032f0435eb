"""A long past: projects by the code that makes them, one question of each as the code would keep it, and its copies.

Copies differ in release id and day. Pages read rows and documents; nothing that they show says that a row is a copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from coordinator.store import AnswerRow, QueryRow
from coordinator.store.audit_models import AuditEntryRow, AuditHeadRow
from tests.lib.public_site import PublicSite
from trustquery.log.entry import TEXTS, Entry

__all__ = ["fill"]

DAY = 86_400
A_TIME = 1_000
"""Questions in one transaction."""
DAYS = 900
QUESTION = "SELECT count(DISTINCT person_id) AS people FROM person"
SAYS = (
    {"RX1": "answer", "RX2": "answer", "RX3": "refused"},
    {"RX1": "answer", "RX2": "answer", "RX3": "answer"},
    {"RX1": "answer", "RX2": "silent", "RX3": "answer"},
    {"RX1": "refused", "RX2": "refused", "RX3": "silent"},
)


def _columns(row: QueryRow | AnswerRow) -> dict[str, object]:
    return {column.key: getattr(row, column.key) for column in type(row).__mapper__.column_attrs}


def fill(made: PublicSite, projects: int, questions: int, said: Callable[[str], None]) -> None:
    """Fill a site's store.

    Args:
        said: is told how far it is.
    """
    store, now = made.store, made.now
    originals = []
    for number in range(projects):
        name = f"study-{number:04d}"
        permit = made.project(project=name, title=f"Study {number}", words={"RX1": "accepted", "RX2": "accepted"})
        where = f"WHERE year_of_birth > {1900 + number % 100} AND month_of_birth = {1 + number // 100 % 12}"
        sql = f"{QUESTION} {where}"
        says = SAYS[number % len(SAYS)]
        row = made.use(permit, _id(f"{name}/0"), sql=sql, says=says, closed=now - 60 - number)
        with store.transaction() as session:
            found = session.scalars(select(AnswerRow).where(AnswerRow.release_id == row.release_id))
            originals.append((row, list(found)))
        if number % 100 == 99:
            said(f"{number + 1} of {projects} projects")
    left = questions - projects
    for start in range(0, left, A_TIME):
        rows, answers, entries = [], [], []
        for number in range(start, min(start + A_TIME, left)):
            row, given = originals[number % projects]
            release = _id(f"{row.project}/{1 + number // projects}")
            closed = now - 120 - (number * DAYS // max(left, 1)) * DAY - number % DAY
            rows.append(_columns(row) | {"release_id": release, "created": closed - 10, "closed": closed})
            answers += [_columns(answer) | {"release_id": release, "received": closed - 1} for answer in given]
            entries += [("query.ask", row.project, "", release), ("query.release", row.project, "", release)]
            entries += [("answer.give", "", answer.node, release) for answer in given]
        with store.transaction() as session:
            session.execute(insert(QueryRow), rows)
            session.execute(insert(AnswerRow), answers)
            _log(session, entries)
        if start % 10_000 == 0:
            said(f"{projects + start} of {questions} questions")


def _log(session: Session, entries: list[tuple[str, str, str, str]]) -> None:
    """Entries as the code would write them, many at a time and without what is kept apart from them."""
    head = session.get(AuditHeadRow, 1)
    if head is None:
        raise ValueError("the log has no head")
    made = [
        Entry(seq=head.size + place, on=head.on, kind=kind, text=TEXTS[kind], project=project, node=node,
              release_id=release)
        for place, (kind, project, node, release) in enumerate(entries, 1)
    ]  # fmt: skip
    rows = [{"seq": entry.seq, "payload": entry.payload(), "leaf_hash": entry.hash} for entry in made]
    session.execute(insert(AuditEntryRow), rows)
    head.size += len(made)


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
