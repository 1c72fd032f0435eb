"""What people see of a query's state: where it is, what its review came to, whether its figures are still kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trustquery.cli.output import Format, data_json, say
from trustquery.cli.progress import status_words
from trustquery.cli.tables import show_rows
from trustquery.question.result import moment

__all__ = ["show_status"]


def show_status(view: Mapping[str, Any], form: Format, held: Mapping[str, int] | None = None) -> None:
    """Where a query is.

    Args:
        held: seconds for which people at a trust look at the answer first, as its policy says.
    """
    if form is Format.JSON:
        data_json({key: value for key, value in view.items() if key not in ("intent", "model", "result")})
        return
    say(f"query {view['query'][:12]}: {view['state']}, asked {moment(view['created'])}")
    for line in _review_lines(view):
        say(line)
    if view.get("erased_on"):
        say(f"its figures were erased on {str(view['erased_on'])[:10]}, when the time for keeping them was over")
    rows = [
        {
            "node": trust["node"],
            "name": trust["name"],
            "status": status_words(trust, view["created"], held or {}),
            "why": "; ".join(str(reason.get("reason", "")) for reason in trust["reasons"]),
        }
        for trust in view["trusts"]
    ]
    show_rows(rows, {"node": "Trust", "name": "Name", "status": "Status", "why": "Why"}, form)


def _review_lines(view: Mapping[str, Any]) -> list[str]:
    """What may be known of a project review: that there is one and until when, and after that what came of it."""
    review, state = view.get("review"), view["state"]
    if review is None or state in ("cancelled", "expired"):
        return []
    if review["outcome"] == "approved":
        return ["two output checkers approved the merged table"]
    if review["outcome"]:
        return [f"two output checkers did not both approve it; why: tq query result {view['query'][:12]}"]
    when = moment(review["until"])
    if state == "in-review":
        return [f"in review by two output checkers until {when} UTC; nobody sees a figure before"]
    return [f"two output checkers look at the merged table first, until {when} UTC"]
