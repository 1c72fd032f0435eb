"""Make the baseline migration from the models, or check that it is up to date.

Until the first release there is one migration. Whoever changes a table runs ``make migration``; whoever merges two
branches that did, runs it again. A database at the baseline gets tables and indexes that it lacks when it is opened.

Usage: python tools/generate_migration.py [--check]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

import coordinator.store  # noqa: F401  (declares every table)
from coordinator.store.schema import BASELINE, METADATA

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "coordinator" / "store" / "migrations" / "versions" / f"{BASELINE}_baseline.py"
TEXT = '''"""Every table, as of the first release. Made by `make migration`; never edited by hand."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    {upgrade}


def downgrade() -> None:
    """There is no way back to nothing."""
    raise NotImplementedError
'''


def text() -> str:
    """The baseline as it should be."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        found = produce_migrations(MigrationContext.configure(connection), METADATA)
    if found.upgrade_ops is None:
        raise SystemExit("there are no tables")
    body = render_python_code(found.upgrade_ops)
    # Autogenerate marks its work with two comments that say nothing here.
    lines = [line for line in body.splitlines() if not line.strip().startswith("# ###")]
    made = TEXT.format(revision=BASELINE, upgrade="\n".join(lines).strip())
    ruff = [str(ROOT / ".venv" / "bin" / "ruff"), "format", "--stdin-filename", str(PATH), "-"]
    return subprocess.run(ruff, input=made, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Write it, or compare it; returns the exit status."""
    made = text()
    if "--check" not in sys.argv[1:]:
        PATH.write_text(made, encoding="utf-8")
        return 0
    if PATH.exists() and PATH.read_text(encoding="utf-8") == made:
        return 0
    print(f"{PATH.relative_to(ROOT)} is out of date: run `make migration`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
