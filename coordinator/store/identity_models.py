"""The tables of signing in: who somebody is at which provider, sign-ins under way, sessions, local accounts.

Codes and tokens are kept as SHA-256 only. Times are whole seconds since 1970 UTC.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from coordinator.store.models import Base

__all__ = ["AttemptRow", "FlowRow", "IdentityRow", "LocalAccountRow", "SessionFactsRow"]


class IdentityRow(Base):
    """Whose account somebody is that a provider names. Never by e-mail address or name: those are given to others."""

    __tablename__ = "identities"
    issuer: Mapped[str] = mapped_column(String(500), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    linked: Mapped[int]


class SessionFactsRow(Base):
    """What is known of a session beside whose it is; a session without this is none.

    Attributes:
        level: assurance of the sign-in, 2 or 3.
        auth_time: when the person was last asked to prove who they are.
        used: of its last request, give or take half a minute.
    """

    __tablename__ = "session_facts"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    level: Mapped[int]
    auth_time: Mapped[int]
    used: Mapped[int]


class FlowRow(Base):
    """A sign-in under way, between the client that began it, a browser and a provider.

    Attributes:
        id_hash: of the part of the address that the browser opens.
        challenge: the client's own PKCE challenge (S256).
        port: where the client listens on the person's machine; ``client_state`` is what it expects back.
        level: the assurance that is asked for.
        browser_hash: of the cookie of the browser that opened the address, "" before.
        state_hash: of the ``state`` that the provider returns, "" before.
        code_hash: of the code that the client exchanges for its session, "" before.
        user_id: who signed in; 0 before.
        found_level: the assurance that the provider stated; ``auth_time`` when it asked the person.
    """

    __tablename__ = "signin_flows"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(64))
    challenge: Mapped[str] = mapped_column(String(64))
    port: Mapped[int]
    client_state: Mapped[str] = mapped_column(String(64))
    level: Mapped[int]
    expires: Mapped[int]
    browser_hash: Mapped[str] = mapped_column(String(64), default="")
    state_hash: Mapped[str] = mapped_column(String(64), default="", index=True)
    code_hash: Mapped[str] = mapped_column(String(64), default="", index=True)
    user_id: Mapped[int] = mapped_column(default=0)
    found_level: Mapped[int] = mapped_column(default=0)
    auth_time: Mapped[int] = mapped_column(default=0)


class LocalAccountRow(Base):
    """An account of the local provider.

    Attributes:
        subject: what ID tokens name it by: random, never used again.
        password: Argon2id, as its library writes it; "" until it is set up.
        secret: of the one-time codes, base 32; "" until it is confirmed.
        step: the last 30-second step whose code was used: none is taken twice.
        setup_hash: of the one-time set-up code, "" where none is open.
        new_password, new_secret: chosen during set-up, not confirmed yet.
    """

    __tablename__ = "local_accounts"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64))
    password: Mapped[str] = mapped_column(Text, default="")
    secret: Mapped[str] = mapped_column(String(64), default="")
    step: Mapped[int] = mapped_column(default=0)
    setup_hash: Mapped[str] = mapped_column(String(64), default="", index=True)
    setup_expires: Mapped[int] = mapped_column(default=0)
    new_password: Mapped[str] = mapped_column(Text, default="")
    new_secret: Mapped[str] = mapped_column(String(64), default="")

    __table_args__ = (UniqueConstraint("subject"),)


class AttemptRow(Base):
    """Wrong passwords in a row under one typed name, which may be nobody's: both are counted alike."""

    __tablename__ = "signin_attempts"
    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    until: Mapped[int]
    last: Mapped[int]
