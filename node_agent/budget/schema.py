"""Tables of the ledger. The ``budget…`` views add up in any SQLite shell of 3.37 or later."""

from __future__ import annotations

from node_agent.budget.rows import SEALING

__all__ = ["DDL", "MIGRATIONS", "SCHEMA_VERSION"]

SCHEMA_VERSION = 7
"""2: the scope ``profiles``. 3: what governance decided, and the input of every decision of the policy. 4: which
answers were erased. 5: alarms. 6: what witnesses cosigned, what this node cosigned for others, and whether it is
frozen. 7: a hash in every row. A program that knows only an older version would not see them, so it must not open the
file."""

MIGRATIONS = {
    1: """
CREATE VIEW budget_90_days AS
  SELECT scope, subject, sum(rho_nano) AS spent_rho_nano, sum(delta_atto) AS spent_delta_atto, count(*) AS releases
  FROM charge
  WHERE refunded = 0 AND scope = 'profiles' AND day > (SELECT value / 86400 FROM meta WHERE name = 'last_time') - 90
  GROUP BY scope, subject;
PRAGMA user_version = 2;
""",
    2: """
CREATE TABLE governed (
  kind TEXT NOT NULL CHECK (kind IN ('policy', 'governance')),
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  signed_under INTEGER NOT NULL,
  seq INTEGER NOT NULL REFERENCES leaf (seq),
  PRIMARY KEY (kind, name, version)
) STRICT;

CREATE TABLE lodged (
  sha256 TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('policy', 'governance')),
  version INTEGER NOT NULL,
  lodged INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'in force', 'withdrawn')),
  seq INTEGER NOT NULL REFERENCES leaf (seq)
) STRICT;

CREATE INDEX leaf_mark ON leaf (seq) WHERE kind IN ('paused', 'stopped', 'resumed');

CREATE TABLE decision (
  seq INTEGER PRIMARY KEY,
  release_id TEXT NOT NULL,
  input BLOB NOT NULL,
  allowed INTEGER NOT NULL CHECK (allowed IN (0, 1)),
  rules TEXT NOT NULL,
  policy_version INTEGER NOT NULL,
  policy_hash TEXT NOT NULL,
  day INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_day ON decision (day);

INSERT INTO governed (kind, name, version, sha256, signed_under, seq)
  SELECT seen.kind, seen.name, seen.version, seen.sha256, 1, max(leaf.seq)
  FROM seen_version AS seen
  JOIN leaf ON leaf.kind = 'policy' AND CAST(leaf.payload AS TEXT) LIKE '%"intent_hash":"' || seen.sha256 || '"%'
  WHERE seen.kind = 'policy' GROUP BY seen.kind, seen.name;
PRAGMA user_version = 3;
""",
    3: """
CREATE TABLE erased (
  release_id TEXT PRIMARY KEY REFERENCES release (release_id),
  question TEXT NOT NULL,
  day INTEGER NOT NULL,
  seq INTEGER NOT NULL REFERENCES leaf (seq)
) STRICT;
CREATE INDEX erased_question ON erased (question);
PRAGMA user_version = 4;
""",
    4: """
CREATE TABLE alarm (
  seq INTEGER PRIMARY KEY REFERENCES leaf (seq),
  code TEXT NOT NULL,
  place TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  at INTEGER NOT NULL,
  more INTEGER NOT NULL
) STRICT;
CREATE INDEX alarm_sha256 ON alarm (sha256);
CREATE INDEX alarm_at ON alarm (at);
PRAGMA user_version = 5;
""",
    5: """
CREATE TABLE cosigned (
  size INTEGER PRIMARY KEY,
  note BLOB NOT NULL,
  sha256 TEXT NOT NULL
) STRICT;

CREATE TABLE frozen (
  sha256 TEXT PRIMARY KEY,
  ours BLOB NOT NULL,
  theirs BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE repaired (
  seq INTEGER PRIMARY KEY REFERENCES leaf (seq),
  theirs_sha256 TEXT NOT NULL
) STRICT;

CREATE TABLE exhausted (
  seq INTEGER PRIMARY KEY REFERENCES leaf (seq),
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  rho_nano INTEGER NOT NULL,
  delta_atto INTEGER NOT NULL,
  day INTEGER NOT NULL
) STRICT;
CREATE INDEX exhausted_sum ON exhausted (scope, subject);

CREATE TABLE witness_head (
  origin TEXT NOT NULL,
  log_key TEXT NOT NULL,
  note BLOB NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (origin, log_key)
) STRICT;

CREATE TABLE witness_fork (
  sha256 TEXT PRIMARY KEY,
  ours BLOB NOT NULL,
  theirs BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 6;
""",
    6: f"{SEALING}PRAGMA user_version = 7;",
}
"""By a file's version: what makes it the next version. No entry is ever rewritten."""

DDL = """
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;

CREATE TABLE leaf (
  seq INTEGER PRIMARY KEY,
  prev_hash TEXT NOT NULL,
  kind TEXT NOT NULL,
  release_id TEXT NOT NULL,
  payload BLOB NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE INDEX leaf_release ON leaf (release_id);

CREATE TABLE release (
  release_id TEXT PRIMARY KEY,
  intent_hash TEXT NOT NULL,
  query_hash TEXT NOT NULL,
  plan_hash TEXT NOT NULL,
  question TEXT NOT NULL,
  state TEXT NOT NULL,
  project TEXT NOT NULL,
  analyst TEXT NOT NULL,
  data_version INTEGER NOT NULL,
  mode TEXT NOT NULL,
  rho_nano INTEGER NOT NULL,
  delta_atto INTEGER NOT NULL,
  policy_hash TEXT NOT NULL,
  planned_slot INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  project_ends INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  day INTEGER NOT NULL,
  reserved_seq INTEGER NOT NULL REFERENCES leaf (seq)
) STRICT;
CREATE INDEX release_state ON release (state, analyst);
CREATE INDEX release_question ON release (question);

CREATE TABLE charge (
  release_id TEXT NOT NULL REFERENCES release (release_id),
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  rho_nano INTEGER NOT NULL,
  delta_atto INTEGER NOT NULL,
  day INTEGER NOT NULL,
  refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded IN (0, 1)),
  PRIMARY KEY (release_id, scope, subject)
) STRICT;
CREATE INDEX charge_sum ON charge (scope, subject, refunded, day, rho_nano, delta_atto);

CREATE TABLE outbox (
  release_id TEXT PRIMARY KEY REFERENCES release (release_id),
  bytes BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ready', 'sent', 'acknowledged'))
) STRICT;
CREATE INDEX outbox_state ON outbox (state);

CREATE TABLE salt (
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  salt BLOB NOT NULL,
  PRIMARY KEY (scope, subject)
) STRICT;

CREATE TABLE stored_answer (
  question TEXT PRIMARY KEY,
  release_id TEXT NOT NULL REFERENCES release (release_id),
  data_version INTEGER NOT NULL,
  vector BLOB NOT NULL
) STRICT;

CREATE TABLE seen_version (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;

CREATE VIEW budget AS
  SELECT scope, subject, sum(rho_nano) AS spent_rho_nano, sum(delta_atto) AS spent_delta_atto, count(*) AS releases
  FROM charge WHERE refunded = 0 GROUP BY scope, subject;

CREATE VIEW budget_12_months AS
  SELECT scope, subject, sum(rho_nano) AS spent_rho_nano, sum(delta_atto) AS spent_delta_atto, count(*) AS releases
  FROM charge
  WHERE refunded = 0 AND day > (SELECT value / 86400 FROM meta WHERE name = 'last_time') - 366
  GROUP BY scope, subject;
PRAGMA user_version = 1;
"""
