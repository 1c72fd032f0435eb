"""Local logs as JSON lines: on a stream for whoever runs the node, and in a file that turns over.

Nothing that depends on data is ever given to a log; between *reserve* and its slot a release is not logged at all.
"""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path
from typing import TextIO

import structlog

__all__ = ["configure"]

_FILE_BYTES = 10 * 1024 * 1024
_FILES = 5


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
