"""What all programs of ours are alike in: how each is made, its ``--home``, and where its log goes."""

# No `from __future__ import annotations`: typer would look the words of an option up where they are not known.

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.version import VersionOption

__all__ = ["log_to_stderr", "new_program", "take_home"]


def new_program(name: str, words: str) -> typer.Typer:
    """A program without commands yet.

    Args:
        words: what its help begins with.
    """
    return typer.Typer(name=name, help=words, no_args_is_help=True, pretty_exceptions_enable=False)


def take_home(app: typer.Typer, words: str) -> None:
    """Give a program ``--home``, found in ``context.obj``. What it writes from then on is for its owner alone.

    Args:
        words: the option's help.
    """

    @app.callback()
    def _options(
        context: typer.Context,
        home: Annotated[Path | None, typer.Option(help=words, show_default=False)] = None,
        version: VersionOption = False,
    ) -> None:
        os.umask(0o077)
        context.obj = home


def log_to_stderr() -> None:
    """One JSON object a line, with its level and time."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
