"""Local logs as JSON lines: on a stream for whoever runs the node, and in a file that turns over.

Nothing that depends on data is ever given to a log; between *reserve* and its slot a release is not logged at all.
"""

from __future__ import annotations

import datetime
import json
import logging
import logging.handlers
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import structlog

__all__ = ["MOST_BYTES", "Refused", "configure", "refusals"]

_FILE_BYTES = 10 * 1024 * 1024
_FILES = 5
MOST_BYTES = _FILE_BYTES * (_FILES + 1)
"""Most that the log files hold together."""


def configure(folder: Path, stream: TextIO | None) -> structlog.stdlib.BoundLogger:
    """Set up the node's log.

    Args:
        folder: the home's ``logs/``.
        stream: where people watch; None for none.
    """
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(
            folder / "node.log", maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8"
        )
    ]
    if stream is not None:
        handlers.append(logging.StreamHandler(stream))
    logger = logging.getLogger("tq-node")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.handlers = handlers
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    found: structlog.stdlib.BoundLogger = structlog.get_logger("tq-node")
    return found


@dataclass(frozen=True)
class Refused:
    """A refusal as the log has it: its codes, and the day, in whole days since 1970 UTC."""

    codes: tuple[str, ...]
    day: int


def refusals(folder: Path) -> Mapping[str, Refused]:
    """Every refusal that the log files still hold, by release id. The oldest files are gone; what is unreadable too."""
    found: dict[str, Refused] = {}
    for path in sorted(folder.glob("node.log*"), reverse=True):
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if '"refused"' in line:
                        _read_refusal(line, found)
        except OSError:
            continue
    return found


def _read_refusal(line: str, found: dict[str, Refused]) -> None:
    try:
        entry = json.loads(line)
        if entry["event"] != "refused":
            return
        when = datetime.datetime.fromisoformat(str(entry["timestamp"]))
        codes = tuple(str(code) for code in entry["codes"])
        found[str(entry["release"])] = Refused(codes, int(when.timestamp()) // 86_400)
    except (ValueError, KeyError, TypeError):
        return
