"""``policy replay``: what another policy would have made of the queries that this node has decided on."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node_agent.cli.opening import home_of, now, policies_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.config import Home
    from node_agent.replay import Exhausted, Replayed
    from trustquery.policy import Policy

__all__ = ["replay"]

_DAY = 86_400
_SINCE = re.compile(r"([1-9][0-9]{0,4})d")


def replay(
    context: typer.Context,
    new: Annotated[Path | None, typer.Argument(help="The policy to try: NEW.toml, or a signed .dsse.")] = None,
    since: Annotated[str, typer.Option(help="How far back, in days, such as 90d; else everything that is kept.")] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Instead: are past decisions what the policies of their time decide?")
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Take past decisions again under another policy: what would now be refused or allowed, and whose budget ends.

    It reads what the node kept of each decision: the query, the documents and the time, never data. It changes nothing,
    costs no budget, and works beside a running node. Look at it before you sign.

    Example: tq-node policy replay policy-2.toml --since 90d
    """
    with reporting("policy replay", form) as reply:
        home, first = home_of(context), _first_day(since)
        if verify:
            facts = _verify(home, first)
        elif new is None:
            raise TrustQueryError("usage-invalid", place="NEW", problem="give the policy to try, or --verify")
        else:
            facts = _try(home, new, first)
        if form is Format.JSON:
            reply.facts(facts)
        wrong = len(facts.get("different", ())) + facts.get("without_policy", 0)
        if wrong:
            raise TrustQueryError("policy-replay-differs", different=wrong)


def _first_day(since: str) -> int:
    found = _SINCE.fullmatch(since)
    if since and found is None:
        raise TrustQueryError("usage-invalid", place="--since", problem="write a number of days, such as 90d")
    return now() // _DAY - int(found[1]) if found else 0


def _try(home: Home, new: Path, first: int) -> dict[str, Any]:
    from node_agent.budget.database import Database
    from node_agent.budget.decisions import DecisionReader
    from node_agent.replay import replay as take_again
    from node_agent.replay import replay_budget
    from trustquery.cli.signing import read_policy

    policy, _ = read_policy(new)
    db = Database(home.ledger, write=False, check=False)
    try:
        reader = DecisionReader(db)
        found = take_again(policy, reader.since(first))
        ended = replay_budget(policy, reader.charges(), found.refused_ids)
    finally:
        db.close()
    _say_replayed(found, policy)
    _say_budget(ended, first)
    say(f"next: tq-node policy sign {new} --key FILE")
    rows = [{**item.__dict__, "first_day": _date(item.first_day).isoformat()} for item in ended]
    return {"policy_version": policy.version, **found.document(), "would_have_run_out": rows}


def _verify(home: Home, first: int) -> dict[str, Any]:
    from node_agent.budget.database import Database
    from node_agent.budget.decisions import DecisionReader
    from node_agent.replay import check
    from trustquery.policy import Policy

    kept = {pin.sha256: found for pin, found in policies_of(home).policy_versions() if isinstance(found, Policy)}
    db = Database(home.ledger, write=False, check=False)
    try:
        found = check(DecisionReader(db).since(first), kept.get)
    finally:
        db.close()
    say(f"{found.equal} of {found.total} recorded decisions are what the policy of their time decides")
    for release_id in found.different[:20]:
        say(f"different: release {release_id}")
    if found.without_policy:
        say(f"{found.without_policy} were taken under a policy that is not kept here as it was signed")
    say("next: tq-node policy history")
    return found.document()


def _say_replayed(found: Replayed, policy: Policy) -> None:
    say(f"under version {policy.version}, {found.now_refused} of {found.total} would now be refused that were allowed")
    for rule, count in found.by_rule.most_common():
        say(f"  {count} by rule {rule}")
    for project, count in found.by_project.most_common():
        say(f"  {count} of project {project}")
    say(f"{found.now_allowed.total()} would now be allowed that were refused")
    for project, count in found.now_allowed.most_common():
        say(f"  {count} of project {project}")
    if found.unreadable:
        say(f"{found.unreadable} were recorded by another version and cannot be read here; they count as refused")


_WHO = {
    "node-wide": "the trust's own budget",
    "dataset": "the budget of dataset {}",
    "project": "project {}",
    "analyst": "{}'s own budget",
    "profiles": "the profiles of dataset {}",
}


def _say_budget(ended: tuple[Exhausted, ...], first: int) -> None:
    shown = [item for item in ended if item.first_day >= first]
    for item in shown:
        day, who = _date(item.first_day), _WHO[item.scope].format(item.subject)
        releases = f"{item.releases} release{'s' if item.releases > 1 else ''}"
        say(f"{who} would have run out on {day.day} {day:%B %Y}; {releases} could not have been paid for")
    if not shown:
        say("no budget would have run out")


def _date(day: int) -> datetime.date:
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
