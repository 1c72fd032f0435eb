"""What enrolment brought to ``startup/`` and ``keys/``: whom this node believes, who it is, where it dials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from pydantic import Field, ValidationError

from node_agent.config import Home, load_config
from node_agent.policy_store.files import replace_file
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, SigningKey, canonical, read_private_file
from trustquery.identity.certificates import open_tls_key, spiffe_name
from trustquery.settings import ADDRESS, Address, Strict

__all__ = [
    "IDENTITY_KEY",
    "TLS_KEY",
    "Coordinator",
    "Startup",
    "kept_passphrase",
    "known_root",
    "load_startup",
    "load_tls_key",
    "save_startup",
]

IDENTITY_KEY = "identity.pem"
TLS_KEY = "tls.pem"


class Coordinator(Strict):
    """``startup/coordinator.json``: where the coordinator is and what it calls this node.

    Attributes:
        grpc_address: host:port of the session.
        websocket_address: host:port of the session where HTTP/2 does not pass; "" where the coordinator has none.
        api_address: host:port of the HTTPS API; "" in files of nodes that enrolled before it was kept.
    """

    format: Literal["tq-startup-1"]
    node: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    ods: str
    grpc_address: Address
    websocket_address: Annotated[str, Field(pattern=rf"^$|{ADDRESS}")] = ""
    api_address: Annotated[str, Field(pattern=rf"^$|{ADDRESS}")] = ""


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


def known_root(home: Home) -> Root:
    """The root that this node believes.

    Raises:
        TrustQueryError: ``config-missing``, ``auth-document``.
    """
    return Root.from_payload(_read(home.startup / "root.json"))


def kept_passphrase(home: Home) -> bytes | None:
    """The passphrase of the node's keys from the file that ``keys.passphrase_file`` names; None where none is named.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``config-invalid``: empty.
    """
    name = load_config(home).keys.passphrase_file if home.config_file.exists() else ""
    if not name:
        return None
    found = read_private_file(home.secret(name)).rstrip(b"\r\n")
    if not found:
        raise TrustQueryError("config-invalid", place="keys.passphrase_file", problem="the passphrase file is empty")
    return found


def load_tls_key(path: Path, passphrase: bytes | None) -> bytes:
    """The private key of the transport, plain PEM in memory.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``auth-passphrase``.
    """
    pem = read_private_file(path)
    if not pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----"):
        return pem
    if not passphrase:
        raise TrustQueryError("auth-passphrase", path=path, problem="none was given")
    try:
        return open_tls_key(pem, passphrase)
    except ValueError as error:
        raise TrustQueryError("auth-passphrase", path=path, problem="this is not it") from error


def load_startup(home: Home, passphrase: bytes | None = None) -> Startup:
    """Read keys and anchors; keys that others could read are refused.

    Args:
        passphrase: of the keys, where somebody typed it; else ``keys.passphrase_file`` names a file that holds it.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``config-invalid``, ``auth-document``,
            ``auth-passphrase``.
    """
    try:
        coordinator = Coordinator.model_validate_json(_read(home.startup / "coordinator.json"))
    except ValidationError as error:
        raise TrustQueryError("config-invalid", place="coordinator.json", problem="it is not valid") from error
    secret = passphrase or kept_passphrase(home)
    return Startup(
        root=Root.from_payload(_read(home.startup / "root.json")),
        coordinator=coordinator,
        authority_pem=_read(home.startup / "ca.pem"),
        certificate_pem=_read(home.startup / "node.crt"),
        key=SigningKey.load(home.keys / IDENTITY_KEY, secret),
        tls_key_pem=load_tls_key(home.keys / TLS_KEY, secret),
    )


def certificate_serial(startup: Startup) -> str:
    """Serial number of the node's certificate, hexadecimal, as revocation statements write it."""
    return f"{x509.load_pem_x509_certificate(startup.certificate_pem).serial_number:x}"


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
