"""The coordinator's settings: one annotated TOML file and a home folder. The only reader of the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field

from coordinator.signin.settings import IdentitySettings
from trustquery.errors import TrustQueryError
from trustquery.listening.limits import Limits
from trustquery.policy.reading import parse_toml, read_model
from trustquery.settings import Address, Strict, chosen_home, split_address, text_of

__all__ = ["Home", "RetentionSettings", "Settings", "find_home", "load_settings", "require_tls13", "sample_text"]

_SETTINGS = "coordinator.toml"


class Endpoint(Strict):
    """Where a server listens, and how others reach it."""

    listen: Address
    public: Address

    @property
    def host(self) -> str:
        """Host to bind."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """Port to bind."""
        return split_address(self.listen)[1]

    @property
    def public_host(self) -> str:
        """Host named in the certificate."""
        return split_address(self.public)[0]


class NodesEndpoint(Endpoint):
    """The listener for nodes.

    Attributes:
        certificate_hours: how long a node's certificate lives, 24 hours to 90 days; it is renewed at half of that.
    """

    certificate_hours: int = Field(default=168, ge=24, le=90 * 24)


class Database(Strict):
    """``url``: empty for SQLite, or a reference ``env:NAME`` or ``file:PATH``."""

    url: Annotated[str, Field(pattern=r"^$|^(env|file):.+$")]


class Queries(Strict):
    """Waits, see the sample file."""

    preview_wait_ms: int = Field(ge=100, le=30_000)
    longest_wait_seconds: int = Field(ge=1, le=2_678_400)


class Review(Strict):
    """Project review: two output checkers look at merged tables.

    Attributes:
        every_project: of every project, whatever its application says.
        seconds: from a question's own deadline to that of its review; 0: what needs a review is refused.
    """

    every_project: bool
    seconds: int = Field(ge=0, le=2_678_400)


class Sessions(Strict):
    """Lifetime of a sign-in; the longest allowed are the defaults."""

    hours: int = Field(ge=1, le=8)
    idle_minutes: int = Field(ge=1, le=15)
    strong_seconds: int = Field(ge=60, le=300)


class RetentionSettings(Strict):
    """How long figures are kept, in days. Hashes, signed answers, charges, criteria and the log are kept for ever.

    Attributes:
        results_days: results and trusts' vectors after their query ended; published copies after a withdrawal.
        withdrawn_inputs_days: the content of a codelist or look-up after its withdrawal.
    """

    results_days: int = Field(default=366, ge=1, le=36_600)
    withdrawn_inputs_days: int = Field(default=366, ge=1, le=36_600)


class LogWitness(Strict):
    """A stand-alone witness of the coordinator's log.

    Attributes:
        key: its verifier key.
        url: below which ``add-checkpoint`` is.
        authority: ``file:PATH`` of certificates that are believed instead of the system's; "" for the system's.
    """

    key: str = Field(max_length=400)
    url: str = Field(pattern=r"^https://[^\s?#]{1,300}$")
    authority: str = Field(default="", pattern=r"^$|^file:.+$")


class LogSettings(Strict):
    """The coordinator's own log.

    Attributes:
        needed: a head is shown once so many witnesses have signed it, nodes among them.
        seconds: from one head to the next, at most a minute.
    """

    needed: int = Field(default=0, ge=0, le=1_000)
    seconds: int = Field(default=15, ge=1, le=60)
    witness: list[LogWitness] = Field(default=[])


class Settings(Strict):
    """``coordinator.toml``: ``[limits]``, ``[retention]``, ``[log]`` and ``[websocket]`` may be absent."""

    federation: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    api: Endpoint
    nodes: NodesEndpoint
    database: Database
    queries: Queries
    review: Review
    sessions: Sessions
    identity: IdentitySettings
    websocket: Endpoint | None = None
    limits: Limits = Limits()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()


@dataclass(frozen=True)
class Home:
    """The coordinator's folder and the files in it."""

    path: Path

    @property
    def settings(self) -> Path:
        """``coordinator.toml``."""
        return self.path / _SETTINGS

    @property
    def root(self) -> Path:
        """The federation's trust anchor."""
        return self.path / "root.json"

    @property
    def authority_key(self) -> Path:
        """Private key of the transport authority."""
        return self.path / "authority.key.pem"

    @property
    def authority(self) -> Path:
        """Certificate of the transport authority."""
        return self.path / "authority.pem"

    @property
    def server_key(self) -> Path:
        """Private key of both listeners."""
        return self.path / "server.key.pem"

    @property
    def server(self) -> Path:
        """Certificate of both listeners."""
        return self.path / "server.pem"

    @property
    def key(self) -> Path:
        """The coordinator's own Ed25519 key, named by the roster."""
        return self.path / "coordinator.key.pem"

    @property
    def log_behind(self) -> Path:
        """A head of the log that witnesses have signed and the log does not hold; absent where all is well."""
        return self.path / "log-behind.note"

    @property
    def database(self) -> Path:
        """Default SQLite file."""
        return self.path / "coordinator.sqlite"


def find_home(given: Path | None) -> Home:
    """The home folder: ``--home``, or ``TQ_COORDINATOR_HOME``.

    Raises:
        TrustQueryError: ``config-missing`` when neither is given.
    """
    variable = "TQ_COORDINATOR_HOME"
    return Home(chosen_home(given, os.environ.get(variable, ""), variable=variable))


def sample_text() -> str:
    """The annotated sample."""
    return (resources.files("coordinator") / "coordinator.sample.toml").read_text(encoding="utf-8")


def load_settings(home: Home) -> Settings:
    """Read ``coordinator.toml``.

    Raises:
        TrustQueryError: ``config-missing``, ``config-unknown-key``, ``config-invalid``.
    """
    return parse_settings(text_of(home.settings, instead="run `tq-coordinator init`"))


def parse_settings(text: str) -> Settings:
    """Settings from TOML text; every problem is reported.

    Raises:
        TrustQueryError: ``config-unknown-key``, ``config-invalid``.
    """
    data = parse_toml(text, invalid="config-invalid", name=_SETTINGS)
    return read_model(Settings, data, unknown="config-unknown-key", invalid="config-invalid", file=_SETTINGS)


def database_url(home: Home, settings: Settings) -> str:
    """The SQLAlchemy URL, with its reference resolved.

    Raises:
        TrustQueryError: ``config-invalid`` when the reference leads nowhere.
    """
    kind, _, name = settings.database.url.partition(":")
    if not kind:
        return f"sqlite+pysqlite:///{home.database}"
    if kind == "env":
        found = os.environ.get(name, "")
    else:
        path = home.path / name
        found = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    if not found:
        raise TrustQueryError(
            "config-invalid", place=f"{_SETTINGS}: database.url", problem=f"{settings.database.url} is empty or missing"
        )
    return found


def require_tls13() -> None:
    """Hold gRPC to TLS 1.3. Must run before grpc is imported.

    gRPC has no setting for it. With ECDSA certificates only, a TLS 1.2 list that holds RSA suites alone leaves
    TLS 1.2 nothing to agree on (pitfalls.md section 2). The session check reads the negotiated version as well.
    """
    os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
