"""What happens when this program itself is wrong."""

from __future__ import annotations

import traceback

from trustquery.cli.output import say

__all__ = ["report_fault"]


def report_fault(error: BaseException) -> None:
    """Keep the details in the home folder and show an incident id, as every other error is shown."""
    from trustquery.client.config import find_home
    from trustquery.errors import TrustQueryError
    from trustquery.identity import new_secret

    incident = new_secret(6).hex()
    problem = TrustQueryError("internal-fault", incident=incident).problem
    say(f"error: {problem.code}\n  {problem.reason}\n  fix: {problem.fix}")
    home = find_home()
    try:
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = home.path / f"fault-{incident}.txt"
        home.replace_private(path, "".join(traceback.format_exception(error)).encode())
        say(f"  details, for this machine only: {path}")
    except OSError:
        say("  its details could not be written")
