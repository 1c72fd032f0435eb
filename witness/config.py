"""The witness's folder and ``witness.toml``. The only reader of the environment.

``witness.sample.toml`` beside this file is the reference page: every key, commented, loaded by a test.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field

from trustquery.errors import TrustQueryError
from trustquery.identity import Root, Roster
from trustquery.listening.limits import Limits
from trustquery.log import VerifierKey, coordinator_origin, node_origin
from trustquery.log.note import valid_name
from trustquery.policy.reading import parse_toml, read_model
from trustquery.settings import Address, Strict, chosen_home, split_address, text_of

__all__ = ["Home", "Settings", "find_home", "introduced", "load_settings", "sample_text"]

_FILE = "witness.toml"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Tls(Strict):
    """Files of the listener, PEM."""

    certificate: str
    key: str


class Federation(Strict):
    """Signed documents that introduce a federation's logs."""

    root: str
    roster: str


class LogKey(Strict):
    """One log, by verifier key."""

    key: Annotated[str, Field(max_length=400)]


class Settings(Strict):
    """``witness.toml``."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    listen: Address
    tls: Tls | None = None
    federation: Federation | None = None
    log: tuple[LogKey, ...] = ()
    limits: Limits = Limits(connections=200, connections_per_source=50)

    @property
    def host(self) -> str:
        """Host to bind."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """Port to bind."""
        return split_address(self.listen)[1]


@dataclass(frozen=True)
class Home:
    """The folder and the files in it."""

    path: Path

    @property
    def settings(self) -> Path:
        """``witness.toml``."""
        return self.path / _FILE

    @property
    def key(self) -> Path:
        """The signing key; made with the store, and never again."""
        return self.path / "witness.key.pem"

    @property
    def heads(self) -> Path:
        """What was signed."""
        return self.path / "heads.sqlite"


def find_home(given: Path | None) -> Home:
    """The folder: ``--home``, or ``TQ_WITNESS_HOME``.

    Raises:
        TrustQueryError: ``config-missing`` when neither is given.
    """
    variable = "TQ_WITNESS_HOME"
    return Home(chosen_home(given, os.environ.get(variable, ""), variable=variable))


def sample_text() -> str:
    """The annotated sample."""
    return (resources.files("witness") / "witness.sample.toml").read_text(encoding="utf-8")


def _bad(problem: str, place: str) -> TrustQueryError:
    return TrustQueryError("config-invalid", place=f"{_FILE}: {place}", problem=problem)


def load_settings(home: Home) -> Settings:
    """Read ``witness.toml``.

    Raises:
        TrustQueryError: ``config-missing``, ``config-unknown-key``, ``config-invalid``.
    """
    return parse_settings(text_of(home.settings, instead="write it from the sample"))


def parse_settings(text: str) -> Settings:
    """Settings from TOML text.

    Raises:
        TrustQueryError: ``config-unknown-key``, ``config-invalid``.
    """
    data = parse_toml(text, invalid="config-invalid", name=_FILE)
    found = read_model(Settings, data, unknown="config-unknown-key", invalid="config-invalid", file=_FILE)
    if not valid_name(found.name):
        raise _bad("a key's name has no space and no plus sign", "name")
    if found.tls is None and found.host not in _LOOPBACK:
        raise _bad("without [tls] it listens on this machine alone", "listen")
    return found


def introduced(home: Home, settings: Settings) -> dict[str, bytes]:
    """Every log whose heads may be signed: origin to public key.

    Raises:
        TrustQueryError: ``config-missing``, ``config-invalid``, ``auth-document``, ``log-key``.
    """
    found: dict[str, bytes] = {}
    if settings.federation is not None:
        root = Root.from_payload(_bytes(home, settings.federation.root))
        roster, _, _ = Roster.verify(_bytes(home, settings.federation.roster), root.ring, root.threshold)
        if roster.federation != root.federation:
            raise TrustQueryError("auth-document", document="roster", problem="it is another federation's")
        found[coordinator_origin(roster.federation)] = bytes.fromhex(roster.coordinator_key)
        found |= {node_origin(roster.federation, node.node): bytes.fromhex(node.key) for node in roster.nodes}
    for item in settings.log:
        key = VerifierKey.read(item.key)
        if key.witness or found.get(key.name, key.public) != key.public:
            raise _bad(f"{key.name} is a witness's key, or has two keys", "log")
        found[key.name] = key.public
    return found


def _bytes(home: Home, name: str) -> bytes:
    try:
        return (home.path / name).read_bytes()
    except OSError as error:
        raise TrustQueryError("config-missing", path=home.path / name, instead="put the file there") from error
