"""``report``: what left this trust in a month, a draft of the impact assessment, and a privacy notice."""

from __future__ import annotations

import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node_agent.cli.opening import documents_of, home_of, now, policies_of, stances_of, startup_of
from node_agent.cli.output import Format, data, reporting, say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.config import Home
    from node_agent.reports.evidence import Evidence, Known, Span
    from node_agent.reports.setting import Setting
    from trustquery.policy import Policy

__all__ = ["report"]


class Shape(StrEnum):
    """How a month's report is written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def report(
    context: typer.Context,
    month: Annotated[str, typer.Option(help="A month such as 2026-11; else the last full one.")] = "",
    dpia: Annotated[
        bool, typer.Option("--dpia", help="Instead: a draft data protection impact assessment, in Markdown.")
    ] = False,
    privacy_notice: Annotated[
        bool, typer.Option("--privacy-notice", help="Instead: a privacy notice in plain English, in Markdown.")
    ] = False,
    page: Annotated[
        Path | None, typer.Option(help="Also write the report to this file, as a page in Markdown for a board.")
    ] = None,
    contact: Annotated[str, typer.Option(help="Whom patients write to, for the privacy notice.")] = "",
    dpo: Annotated[str, typer.Option(help="The data protection officer: name and how to reach them.")] = "",
    form: Annotated[Shape, typer.Option("--format", help="How a month is written to stdout.")] = Shape.TABLE,
) -> None:
    """Say what left this trust in a month: by project, who asked, what it cost, what was refused and why.

    It reads the ledger and the documents beside a running node, changes nothing, and reads no patient's data.

    Example: tq-node report --month 2026-11 --page november.md
    """
    with reporting("report", Format.JSON if form is Shape.JSON else Format.TABLE) as reply:
        if dpia and privacy_notice:
            raise TrustQueryError("usage-invalid", place="--dpia", problem="give --dpia or --privacy-notice, not both")
        if (dpia or privacy_notice) and month:
            raise TrustQueryError("usage-invalid", place="--month", problem="only the report of a month has a month")
        home = home_of(context)
        if dpia or privacy_notice:
            text = _text(home, dpia, contact, dpo)
            if page is None:
                data(text.rstrip("\n"))
            else:
                _write(page, text)
            say("next: tq-node report --privacy-notice" if dpia else "next: tq-node report --month YYYY-MM")
            return
        from node_agent.reports.evidence import last_month, read_month
        from node_agent.reports.month_page import COLUMNS, document, rows, sheet, summary
        from node_agent.reports.month_page import page as page_of
        from node_agent.reports.reckoning import month_of

        today = datetime.datetime.fromtimestamp(now(), datetime.UTC).date()
        span = read_month(month or last_month(today), today)
        found = month_of(_evidence(home, span), span)
        if form is Shape.CSV:
            data(sheet(found))
        elif form is Shape.JSON:
            reply.facts(document(found))
        else:
            shown = [name for name in COLUMNS if name not in ("title", "purpose", "organisation", "opt_outs")]
            reply.rows(rows(found), {name: COLUMNS[name] for name in shown})
        for line in summary(found):
            say(line)
        if page is not None:
            _write(page, page_of(found))
        say("next: tq-node report --dpia")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrustQueryError("usage-invalid", place="--page", problem="that file cannot be written") from error
    say(f"written to {path}")


def _known(home: Home) -> dict[str, Known]:
    from node_agent.reports.evidence import Known

    documents, stances = documents_of(home), stances_of(home)
    found: dict[str, Known] = {}
    for project in documents.projects():
        try:
            permit, envelope = documents.kept(project)
        except TrustQueryError:
            continue
        acceptance = stances.counting(project, envelope.sha256)
        stance = stances.last(project)
        about = stance if stance is not None and stance.permit_hash == envelope.sha256 else None
        found[project] = Known(permit, acceptance, about if acceptance is None else None)
    return found


def _evidence(home: Home, span: Span) -> Evidence:
    from node_agent.budget.history import history
    from node_agent.config import load_config
    from node_agent.logs import refusals
    from node_agent.reports.changes import KINDS
    from node_agent.reports.evidence import Evidence

    startup, config = startup_of(home), load_config(home)
    with history(home.ledger) as ledger:
        return Evidence(
            trust=config.node.name,
            node=startup.node,
            federation=startup.federation,
            releases=ledger.releases(span.first, span.last + 1),
            decisions=ledger.decisions(span.first, span.last),
            decided=ledger.decided(),
            charges=ledger.charges(span.last),
            refusals=ledger.happened(span.first, span.last, frozenset({"refused"})),
            changes=ledger.happened(span.first, span.last, KINDS),
            logged=refusals(home.logs),
            versions=ledger.versions(),
            names=ledger.names(),
            policy=_policy(home),
            known=_known(home),
            subjects=tuple(sorted({config.budget_subject(item.dataset, home) for item in config.sources})),
        )


def _text(home: Home, dpia: bool, contact: str, dpo: str) -> str:
    from node_agent.reports.dpia import draft
    from node_agent.reports.notice import notice

    found = _setting(home)
    return draft(found, dpo=dpo) if dpia else notice(found, contact=contact, dpo=dpo)


def _setting(home: Home) -> Setting:
    from node_agent.config import load_config
    from node_agent.logs import MOST_BYTES
    from node_agent.reports.setting import Setting, dataset_of
    from trustquery.catalogue import load

    startup, config, policies = startup_of(home), load_config(home), policies_of(home)
    policy = _policy(home)
    rules = {rule.id: rule for rule in policy.dataset} if policy is not None else {}
    return Setting(
        config=config,
        node=startup.node,
        federation=startup.federation,
        coordinator=startup.coordinator.grpc_address,
        policy=policy,
        people=tuple(person.name for person in policies.governance.people),
        datasets=tuple(dataset_of(load(x.dataset), x.format, rules.get(x.dataset)) for x in config.sources),
        projects=tuple(_known(home).values()),
        now=now(),
        log_bytes=MOST_BYTES,
    )


def _policy(home: Home) -> Policy | None:
    """The policy in force; none where there is none. One that cannot be read is a fault, and no report hides it.

    Raises:
        TrustQueryError: ``policy-signature``, ``policy-invalid``.
    """
    try:
        return policies_of(home).policy()
    except TrustQueryError as error:
        if error.code != "policy-absent":
            raise
        return None
