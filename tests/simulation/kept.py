"""What came of pieces of a simulation, kept: twenty thousand histories take an hour, and an hour can be interrupted.

A history follows from its seed and the code, so an outcome is kept under the digest of all code that could change it.
"""

from __future__ import annotations

import collections
import hashlib
import json
from pathlib import Path

from tests.simulation.work import Outcome, Piece

__all__ = ["KEPT", "Kept"]

ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "trustquery",
    "coordinator",
    "node_agent",
    "witness",
    "tests/simulation",
    "tests/torture",
    "tests/lib",
    "requirements",
)
KEPT = ROOT / "build" / "simulation"
SUFFIXES = (".py", ".toml", ".lock", ".json")


class Kept:
    """Outcomes by piece; those of other code are left alone.

    Args:
        root: where the code is.
    """

    def __init__(self, root: Path = ROOT, folder: Path = KEPT) -> None:
        self.folder = folder / _digest(root)

    def find(self, piece: Piece) -> Outcome | None:
        """What came of it; None where it has not been run, or its file is not whole."""
        try:
            found = json.loads(self._path(piece).read_bytes())
            failed = {int(seed): list(what) for seed, what in found.pop("failed").items()}
            return Outcome(failed=failed, counts=collections.Counter(found.pop("counts")), **found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def keep(self, piece: Piece, outcome: Outcome) -> None:
        """Keep what came of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(piece)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(vars(outcome)), encoding="utf-8")
        fresh.replace(path)

    def _path(self, piece: Piece) -> Path:
        return self.folder / f"{piece.first}-{piece.number}-{piece.control.replace(' ', '-') or 'none'}.json"


def _digest(root: Path) -> str:
    found = hashlib.sha256()
    for folder in CODE:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                found.update(f"{path.relative_to(root)}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
