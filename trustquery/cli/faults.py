"""What happens when this program itself is wrong."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable

from trustquery.cli.output import say

__all__ = ["reporting_faults"]


def reporting_faults(program: Callable[[], object]) -> None:
    """Run a program; a fault of ours is shown with an incident id, as every other error is shown.

    What went wrong may quote a trust's data or a key's path, so it goes into a file for its owner alone and to no
    terminal or service log.
    """
    try:
        program()
    except Exception as error:
        _report(error)
        sys.exit(1)


def _report(error: BaseException) -> None:
    from trustquery.errors import TrustQueryError
    from trustquery.identity import new_secret

    incident = new_secret(6).hex()
    problem = TrustQueryError("internal-fault", incident=incident).problem
    say(f"error: {problem.code}\n  {problem.reason}\n  fix: {problem.fix}")
    try:
        # mkstemp: a name of its own, 0600, never somebody else's link.
        handle, path = tempfile.mkstemp(prefix=f"trustquery-fault-{incident}-", suffix=".txt")
        with os.fdopen(handle, "wb") as file:
            file.write("".join(traceback.format_exception(error)).encode(errors="backslashreplace"))
        say(f"  details, for this machine only: {path}")
    except OSError:
        say("  its details could not be written")
