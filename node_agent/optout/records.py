"""What is kept beside the lists: requests and their ends, runs of jobs, messages that were no reply."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DDL", "MESSAGES", "Ended", "NoReply", "Request", "Run"]

DDL = """
CREATE TABLE list (
  kind TEXT NOT NULL CHECK (kind IN ('national', 'type-1', 'local')),
  dataset TEXT NOT NULL,
  as_of INTEGER NOT NULL,
  print TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (kind, dataset)
) STRICT;
CREATE TABLE request (
  id TEXT PRIMARY KEY,
  made INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('made', 'sent', 'answered', 'refused', 'replaced')),
  message TEXT NOT NULL DEFAULT '',
  sealed BLOB NOT NULL
) STRICT;
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  job TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER,
  outcome TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX run_job ON run (job, id);
PRAGMA user_version = 1;
"""
MESSAGES = """
CREATE TABLE IF NOT EXISTS message (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  problem TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Request:
    """Numbers that were sent, or are to be, and have no answer yet.

    Attributes:
        made: when the set was put together, seconds since 1970: the age of the list that comes of it counts from here.
        message: the message's id at MESH, "" where it went another way.
        numbers: in the order in which they are sent.
    """

    id: str
    made: int
    state: str
    message: str
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One run of a job.

    Attributes:
        ended: None while it runs, or where the process ended first.
        outcome: ``done``, or an error code; "" while it runs.
    """

    job: str
    started: int
    ended: int | None
    outcome: str


@dataclass(frozen=True)
class Ended:
    """What became of a request.

    Attributes:
        made: seconds since 1970.
        state: ``made``, ``sent``, ``answered`` or ``refused``.
    """

    made: int
    state: str


@dataclass(frozen=True)
class NoReply:
    """A message that was not believed, or that is another's business in the same mailbox.

    Attributes:
        id: MESH's own.
        at: when it was looked at, seconds since 1970.
        problem: why it is no reply, in words of this program; "" for what is somebody else's, which stays where it is.
    """

    id: str
    at: int
    problem: str
