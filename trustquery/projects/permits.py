"""From an approved application to the permit: nothing in a permit is anybody's free choice but the day it begins."""

from __future__ import annotations

from trustquery.errors import TrustQueryError
from trustquery.identity import LawfulBasis, Member, Permit
from trustquery.identity.documents import PERMIT_MAX_SECONDS
from trustquery.projects.application import Application, rho_nano, start_of_day

__all__ = ["DAY", "begins", "check_drawn_from", "end_of", "permit_from"]

DAY = 86_400


def end_of(application: Application) -> int:
    """The moment after the project's last day, seconds since 1970 UTC."""
    return start_of_day(application.ends) + DAY


def begins(application: Application, now: int) -> int:
    """When a permit that is drawn now begins: at once, or on the project's first day, seconds since 1970 UTC."""
    return max(now, start_of_day(application.starts))


def permit_from(application: Application, version: int, valid_from: int) -> Permit:
    """The permit that approves an application.

    Args:
        version: 1 for a project's first permit; each later one, by amendment or renewal, has the next number.
        valid_from: seconds since 1970 UTC. The permit ends 90 days later, or with the project.

    Raises:
        TrustQueryError: ``project-dates``: the project ends before that.
    """
    expires = min(end_of(application), valid_from + PERMIT_MAX_SECONDS)
    if not start_of_day(application.starts) <= valid_from < expires:
        raise TrustQueryError(
            "project-dates", project=application.project, starts=application.starts, ends=application.ends
        )
    return Permit(
        federation=application.federation,
        project=application.project,
        version=version,
        application=application.sha256,
        title=application.title,
        lay_summary=application.lay_summary,
        purpose=application.purpose,
        lawful_basis=LawfulBasis(
            article_6=application.article_6, article_9=application.article_9, common_law=application.common_law
        ),
        members=tuple(
            Member(
                person=member.person,
                name=member.name,
                organisation=member.organisation,
                role=member.role,
                key=member.key,
                key_kind=member.key_kind,
                training_body=member.training_body,
                training_expires=start_of_day(member.training_expires),
            )
            for member in application.team
        ),
        datasets=application.datasets,
        rho_nano=rho_nano(application.rho),
        delta_atto=application.delta_atto,
        opt_out_treatment=application.opt_out_treatment,
        disclosure_profile=application.disclosure_profile,
        min_trusts=application.min_trusts,
        valid_from=valid_from,
        expires=expires,
    )


def check_drawn_from(permit: Permit, application: Application) -> None:
    """Refuse a permit that says anything else than its application.

    Raises:
        TrustQueryError: ``auth-document``, ``project-dates``.
    """
    if permit != permit_from(application, permit.version, permit.valid_from):
        raise TrustQueryError(
            "auth-document", document="permit", problem="it does not say what the application that it approves says"
        )
