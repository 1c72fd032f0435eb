"""``node.toml`` and the node's home folder; the only reader of the environment.

``node.sample.toml`` beside this file is the reference page: every key, commented, loaded by a test. IT owns
``node.toml``; governance owns the signed policy; ``startup/`` is written by enrolment and never edited by hand.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from trustquery.errors import TrustQueryError
from trustquery.policy.reading import parse_toml, read_model
from trustquery.settings import ADDRESS, Address, Strict

__all__ = [
    "AnswerConfig",
    "EngineConfig",
    "Home",
    "KeysConfig",
    "LinkConfig",
    "MeshConfig",
    "NodeConfig",
    "NumbersConfig",
    "OptOutConfig",
    "ProxyConfig",
    "ProxyEnvironment",
    "SourceConfig",
    "StoreConfig",
    "TrustConfig",
    "default_home",
    "harden_transport",
    "load_config",
    "parse_config",
    "proxy_environment",
]

NODE_FORMAT = "tq-node-1"


class TrustConfig(Strict):
    """Whose node this is.

    Attributes:
        ods: the trust's ODS code; the enrolment code is bound to it.
        name: the trust's name as people write it.
    """

    ods: Annotated[str, Field(pattern=r"^[A-Z0-9]{3,8}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]


class LinkConfig(Strict):
    """How the node keeps its connection; the addresses come from enrolment.

    Attributes:
        heartbeat_ms: pause between heartbeats, 100 ms to 10 min.
        keepalive_ms: pause between HTTP/2 pings, 1 s to 10 min.
        ping_timeout_ms: how long a frozen peer goes unnoticed after a ping.
        reconnect_ms: first back-off; it doubles, with jitter, up to ``reconnect_max_ms``.
        transport: ``auto`` is gRPC, and a WebSocket where gRPC does not pass and the coordinator has one.
        websocket: host:port of the coordinator's WebSocket, where enrolment did not bring it; "" for what it brought.
        also: host:port of the coordinator's other replicas, tried in turn where one is away.
        also_websocket: host:port of their WebSockets, in the same order; empty where they have none.
        https_ca_file: certificates that enrolment's HTTPS believes besides the federation's authority; "" for none.
            Never used for the session.
    """

    heartbeat_ms: int = Field(default=10_000, ge=100, le=600_000)
    keepalive_ms: int = Field(default=6_000, ge=1_000, le=600_000)
    ping_timeout_ms: int = Field(default=4_000, ge=500, le=60_000)
    reconnect_ms: int = Field(default=500, ge=50, le=60_000)
    reconnect_max_ms: int = Field(default=20_000, ge=100, le=600_000)
    transport: Literal["auto", "grpc", "websocket"] = "auto"
    websocket: Annotated[str, Field(pattern=rf"^$|{ADDRESS}")] = ""
    also: tuple[Address, ...] = Field(default=(), max_length=16)
    also_websocket: tuple[Address, ...] = Field(default=(), max_length=16)
    https_ca_file: Annotated[str, Field(max_length=4096)] = ""

    @model_validator(mode="after")
    def _as_many(self) -> LinkConfig:
        if self.also_websocket and len(self.also_websocket) != len(self.also):
            raise ValueError("also_websocket has one address for each of also, or none")
        return self


def _proxy_url(url: str) -> str:
    """An address without a name or password in it."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if url and (parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or "@" in url):
        raise ValueError("write HOST:PORT; the name goes into user, the password into a file")
    return url


class ProxyConfig(Strict):
    """The trust's web proxy. Without this table the node reads HTTPS_PROXY and NO_PROXY.

    Attributes:
        url: ``HOST:PORT``, with ``http`` before it or not; "" to connect directly whatever the environment says.
        user: for Basic authentication; "" for none.
        password_file: the password alone, in a file of mode 0600; a relative path is below the node's home.
        no_proxy: hosts that are reached directly, and what is below them.
    """

    url: Annotated[str, Field(max_length=300), AfterValidator(_proxy_url)]
    user: Annotated[str, Field(max_length=200, pattern=r"^[^:]*$")] = ""
    password_file: Annotated[str, Field(max_length=4096)] = ""
    no_proxy: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")], ...] = ()


class AnswerConfig(Strict):
    """When answers leave. Slots are fixed before data are read; these figures are declared, never measured.

    Attributes:
        slot_ms: length of one answer slot, 50 ms to 1 min.
        allowance_ms: fixed part of the time an answer may take: child start, connection, signing.
        rows_per_second: declared reading speed of the engine, for the planned slot.
        draws_per_second: declared speed of the noise sampler, for the planned slot.
        parallel: releases that may be between *reserve* and their slot at once.
        queue_ms: how long a release may wait for such a seat before it is refused, nothing spent.
    """

    slot_ms: int = Field(default=1_000, ge=50, le=60_000)
    allowance_ms: int = Field(default=2_000, ge=100, le=600_000)
    rows_per_second: int = Field(default=2_000_000, ge=1_000, le=10**10)
    draws_per_second: int = Field(default=40_000, ge=100, le=10**9)
    parallel: int = Field(default=4, ge=1, le=128)
    queue_ms: int = Field(default=10_000, ge=0, le=600_000)


class EngineConfig(Strict):
    """Hard limits of the processes that run one query and that prepare data, and what is kept between queries.

    Attributes:
        memory_mb: address space beside the columns that are read, MiB.
        cache_mb: columns kept in memory between queries, MiB.
        prepare_mb: address space of the process that reads source files, MiB; more than it may have is a refusal.
        cpu_seconds: processor time of one query.
        seconds: wall-clock time of one query.
        threads: threads of the engine.
    """

    memory_mb: int = Field(default=2_048, ge=256, le=1_048_576)
    cache_mb: int = Field(default=1_024, ge=0, le=1_048_576)
    prepare_mb: int = Field(default=8_192, ge=256, le=1_048_576)
    cpu_seconds: int = Field(default=60, ge=1, le=86_400)
    seconds: int = Field(default=60, ge=1, le=86_400)
    threads: int = Field(default=2, ge=1, le=256)


class KeysConfig(Strict):
    """The node's own keys.

    Attributes:
        passphrase_file: holds the passphrase of keys that are encrypted, alone in a file of mode 0600 or stricter that
            belongs to the node's user, such as a credential that systemd hands over; "" for none.
    """

    passphrase_file: Annotated[str, Field(max_length=4096)] = ""


class StoreConfig(Strict):
    """The prepared data on the disk.

    Attributes:
        encrypt: whether the files are encrypted; false only where the disk itself is.
        key_file: 32 bytes that encrypt them, made at the first refresh; a relative path is below the node's home. A
            copy of the disk that holds this file too can be read: keep it where backups do not reach.
    """

    encrypt: bool = True
    key_file: Annotated[str, Field(min_length=1, max_length=4096)] = "keys/store.key"


def _folder(path: str) -> str:
    """A folder of this machine: no address, and nothing that the engine would take for a pattern."""
    if not path.isprintable() or set(path) & set("*?[]{}") or "://" in path or path.startswith(("\\\\", "//")):
        raise ValueError("give a folder of this machine, without * ? [ ] { }, not an address")
    return path


class SourceConfig(Strict):
    """One dataset's files.

    Attributes:
        dataset: id of a catalogue that this release ships.
        format: one file a table, named after it: ``person.parquet`` or ``person.csv``.
        path: the folder; a relative one is below the node's home.
    """

    dataset: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]{0,62}$")]
    format: Literal["parquet", "csv"]
    path: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_folder)]


class NumbersConfig(Strict):
    """Where one dataset's NHS numbers stand: a file of person keys with a number beside each.

    It may be a source table's own file, or one apart. No query can reach it, and no number is in the prepared data.

    Attributes:
        dataset: of a ``[[source]]``.
        path: the file; a relative one is below the node's home.
        person: its column of person keys, written as the source tables write them.
        number: its column of NHS numbers.
    """

    dataset: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]{0,62}$")]
    format: Literal["parquet", "csv"]
    path: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_folder)]
    person: Annotated[str, Field(min_length=1, max_length=200)]
    number: Annotated[str, Field(min_length=1, max_length=200)]


class OptOutConfig(Strict):
    """People's opt-outs. Without NHS numbers there is no list, and what needs one is refused.

    Attributes:
        key_file: 32 bytes that seal the lists, made when the first comes; a relative path is below the node's home.
        send_every_days: days between requests to the opt-out service.
        poll_minutes: pause between looks for replies and for lists that were handed in.
        most_percent: a reply that says that more people than this opted out is not believed.
    """

    key_file: Annotated[str, Field(min_length=1, max_length=4096)] = "keys/optout.key"
    send_every_days: int = Field(default=7, ge=1, le=366)
    poll_minutes: int = Field(default=15, ge=1, le=1_440)
    most_percent: int = Field(default=25, ge=1, le=100)


def _mesh_url(url: str) -> str:
    """An address over TLS, or this machine's own."""
    if not url.startswith(("https://", "http://127.0.0.1:")) or not url.isprintable() or " " in url:
        raise ValueError("give an address that begins with https://")
    return url


class MeshConfig(Strict):
    """The trust's own mailbox at MESH, through which numbers go to NHS England's service and replies come.

    Attributes:
        url: of MESH, such as the live one that NHS England names.
        mailbox: the trust's mailbox.
        password_file, shared_key_file: what NHS England gave for it, each alone in a file of mode 0600.
        recipient: the mailbox of the opt-out service; a reply from any other is not believed.
        cert_file, key_file: the client certificate and its key; "" for none.
        ca_file: certificates of MESH's authority; "" for those that come with the client.
    """

    url: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_mesh_url)]
    mailbox: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
    password_file: Annotated[str, Field(min_length=1, max_length=4096)]
    shared_key_file: Annotated[str, Field(min_length=1, max_length=4096)]
    recipient: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
    cert_file: Annotated[str, Field(max_length=4096)] = ""
    key_file: Annotated[str, Field(max_length=4096)] = ""
    ca_file: Annotated[str, Field(max_length=4096)] = ""


class RetentionConfig(Strict):
    """How long answers are kept after they have left. Hashes, charges and entries of the ledger are kept for ever.

    Attributes:
        answers_days: age at which the bytes of an answer and the vector in it are erased, in days since the question.
    """

    answers_days: int = Field(default=366, ge=1, le=36_600)


class NodeConfig(Strict):
    """The whole of ``node.toml``."""

    format: Literal["tq-node-1"]
    node: TrustConfig
    coordinator: LinkConfig = LinkConfig()
    answer: AnswerConfig = AnswerConfig()
    engine: EngineConfig = EngineConfig()
    store: StoreConfig = StoreConfig()
    keys: KeysConfig = KeysConfig()
    optout: OptOutConfig = OptOutConfig()
    retention: RetentionConfig = RetentionConfig()
    source: tuple[SourceConfig, ...] = ()
    nhs_numbers: tuple[NumbersConfig, ...] = ()
    mesh: MeshConfig | None = None
    proxy: ProxyConfig | None = None

    @property
    def sources(self) -> tuple[SourceConfig, ...]:
        """The ``[[source]]`` tables, in the order of the file."""
        return self.source

    def budget_subject(self, dataset: str, home: Home) -> str:
        """The name under which a dataset's budget is kept.

        One source mapped under two names has one budget (privacy-rules.md section 4), so datasets that share a
        folder share a subject: their names, sorted, joined by ``+``.
        """
        folders = {item.dataset: home.resolve(item.path) for item in self.source}
        if dataset not in folders:
            return dataset
        return "+".join(sorted(name for name, folder in folders.items() if folder == folders[dataset]))


def parse_config(text: str, *, name: str = "node.toml") -> NodeConfig:
    """Read the text of a ``node.toml``.

    Raises:
        TrustQueryError: ``config-invalid``, ``config-unknown-key``: one problem a fault.
    """
    data = parse_toml(text, invalid="config-invalid", name=name)
    config = read_model(NodeConfig, data, unknown="config-unknown-key", invalid="config-invalid")
    names = [item.dataset for item in config.source]
    if len(set(names)) != len(names):
        raise TrustQueryError("config-invalid", place="source", problem="each dataset may have one [[source]] only")
    datasets = [item.dataset for item in config.nhs_numbers]
    if len(set(datasets)) != len(datasets) or not set(datasets) <= set(names):
        problem = "each dataset with a [[source]] may have one [[nhs_numbers]]; no other may have any"
        raise TrustQueryError("config-invalid", place="nhs_numbers", problem=problem)
    return config


@dataclass(frozen=True)
class Home:
    """Where a node keeps everything. Only its owner may enter.

    ``startup/`` what enrolment brought · ``keys/`` private keys (0600) · ``policy/`` signed policy and acceptances ·
    ``documents/`` roster and permits · ``ledger/`` the budget ledger · ``store/`` prepared data · ``optout/`` sealed
    lists of opt-outs · ``inputs/`` public tables · ``control/`` stop and pause · ``logs/``.
    """

    path: Path

    @property
    def config_file(self) -> Path:
        """``node.toml``."""
        return self.path / "node.toml"

    @property
    def startup(self) -> Path:
        """What enrolment brought."""
        return self.path / "startup"

    @property
    def keys(self) -> Path:
        """Private keys, mode 0600."""
        return self.path / "keys"

    @property
    def policy(self) -> Path:
        """The signed policy in force and the acceptances of permits."""
        return self.path / "policy"

    @property
    def documents(self) -> Path:
        """Roster and permits as the coordinator last sent them, each verified."""
        return self.path / "documents"

    @property
    def ledger(self) -> Path:
        """The budget ledger's database."""
        return self.path / "ledger" / "ledger.sqlite"

    @property
    def store(self) -> Path:
        """Prepared data."""
        return self.path / "store"

    @property
    def optout(self) -> Path:
        """Lists of opt-outs, sealed."""
        return self.path / "optout"

    @property
    def inputs(self) -> Path:
        """Public tables as files; used only where a signed model pins their content."""
        return self.path / "inputs"

    @property
    def control(self) -> Path:
        """The stop and pause marks."""
        return self.path / "control"

    @property
    def reviews(self) -> Path:
        """What people look at before it leaves, and what they signed."""
        return self.path / "reviews"

    @property
    def logs(self) -> Path:
        """Local logs."""
        return self.path / "logs"

    def resolve(self, path: str) -> Path:
        """A path of ``node.toml``; a relative one is below the home.

        Raises:
            TrustQueryError: ``config-invalid``: no path of this machine.
        """
        try:
            return (self.path / Path(path).expanduser()).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise TrustQueryError("config-invalid", place="source", problem="the path cannot be used") from error

    def secret(self, path: str) -> Path:
        """A secret file that ``node.toml`` names; a relative one is below the home.

        Links are not followed here, so that whoever opens it can refuse one.
        """
        return (self.path / Path(path).expanduser()).absolute()

    def create(self) -> None:
        """Make the folders, for their owner alone."""
        parts = (
            *(self.startup, self.keys, self.policy, self.documents, self.ledger.parent),
            *(self.inputs, self.control, self.reviews, self.logs),
        )
        for folder in (self.path, *parts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)


def load_config(home: Home) -> NodeConfig:
    """Read the node's ``node.toml``.

    Raises:
        TrustQueryError: ``config-missing``, ``config-invalid``, ``config-unknown-key``.
    """
    try:
        text = home.config_file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise TrustQueryError(
            "config-missing", path=home.config_file, instead="make one with `tq-node config init`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TrustQueryError("config-invalid", place="node.toml", problem="it cannot be read") from error
    return parse_config(text)


def default_home(given: Path | None) -> Home:
    """The home folder: ``--home``, else ``TQ_NODE_HOME``, else ``~/.trustquery/node``."""
    found = given or Path(os.environ.get("TQ_NODE_HOME") or "~/.trustquery/node")
    return Home(found.expanduser().absolute())


@dataclass(frozen=True)
class ProxyEnvironment:
    """What the environment says of a proxy; it may hold a password, so it is never shown."""

    https_proxy: str = field(default="", repr=False)
    no_proxy: str = ""


def proxy_environment() -> ProxyEnvironment:
    """HTTPS_PROXY and NO_PROXY, in capitals or not: the lower case counts first, as in curl."""

    def find(name: str) -> str:
        return os.environ.get(name.lower()) or os.environ.get(name, "")

    return ProxyEnvironment(find("HTTPS_PROXY"), find("NO_PROXY"))


def harden_transport() -> None:
    """Hold gRPC to TLS 1.3; to be called before grpc is imported.

    gRPC has no switch for it. Our certificates are ECDSA, so a TLS 1.2 list with an RSA suite alone makes every
    TLS 1.2 handshake fail and leaves TLS 1.3 as it is.
    """
    os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
