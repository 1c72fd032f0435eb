"""What enrolment brought to ``startup/`` and ``keys/``: whom this node believes, who it is, where it dials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from node_agent.config import Home
from node_agent.policy_store.files import replace_file
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, SigningKey, canonical, read_private_file
from trustquery.identity.certificates import spiffe_name

__all__ = ["IDENTITY_KEY", "TLS_KEY", "Coordinator", "Startup", "load_startup", "save_startup"]

IDENTITY_KEY = "identity.pem"
TLS_KEY = "tls.pem"


class Coordinator(BaseModel):
    """``startup/coordinator.json``: where the coordinator is and what it calls this node."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    format: Literal["tq-startup-1"]
    node: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    ods: str
    grpc_address: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[1-9][0-9]{0,4}$")]


@dataclass(frozen=True)
class Startup:
    """An enrolled node's identity and anchors."""

    root: Root
    coordinator: Coordinator
    authority_pem: bytes
    certificate_pem: bytes
    key: SigningKey
    tls_key_pem: bytes

    def __repr__(self) -> str:
        return f"Startup({self.coordinator.node!r}, …)"

    @property
    def node(self) -> str:
        """This node's name."""
        return self.coordinator.node

    @property
    def federation(self) -> str:
        """Name of the federation."""
        return self.root.federation


def save_startup(
    home: Home, root: Root, coordinator: Coordinator, authority_pem: bytes, certificate_pem: bytes
) -> None:
    """Write what enrolment brought; ``coordinator.json`` last, because it says that the rest is there."""
    replace_file(home.startup / "root.json", root.payload())
    replace_file(home.startup / "ca.pem", authority_pem)
    replace_file(home.startup / "node.crt", certificate_pem)
    replace_file(home.startup / "coordinator.json", canonical.encode(coordinator.model_dump(mode="json")))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead="enrol this node: `tq-node enrol CODE`") from error


def load_startup(home: Home) -> Startup:
    """Read keys and anchors; keys that others could read are refused.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``config-invalid``, ``auth-document``.
    """
    try:
        coordinator = Coordinator.model_validate_json(_read(home.startup / "coordinator.json"))
    except ValidationError as error:
        raise TrustQueryError("config-invalid", place="coordinator.json", problem="it is not valid") from error
    return Startup(
        root=Root.from_payload(_read(home.startup / "root.json")),
        coordinator=coordinator,
        authority_pem=_read(home.startup / "ca.pem"),
        certificate_pem=_read(home.startup / "node.crt"),
        key=SigningKey.load(home.keys / IDENTITY_KEY),
        tls_key_pem=read_private_file(home.keys / TLS_KEY),
    )


def certificate_days_left(startup: Startup, now: int) -> int:
    """Whole days until the node's certificate ends; negative when it has."""
    ends = x509.load_pem_x509_certificate(startup.certificate_pem).not_valid_after_utc
    return int((ends.timestamp() - now) // 86_400)


def check_certificate(startup: Startup) -> None:
    """Require that the certificate names this node.

    Raises:
        TrustQueryError: ``auth-certificate``.
    """
    try:
        names = (
            x509.load_pem_x509_certificate(startup.certificate_pem)
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value.get_values_for_type(x509.UniformResourceIdentifier)
        )
    except (ValueError, x509.ExtensionNotFound) as error:
        raise TrustQueryError("auth-certificate") from error
    if names != [spiffe_name(startup.federation, startup.node)]:
        raise TrustQueryError("auth-certificate")
