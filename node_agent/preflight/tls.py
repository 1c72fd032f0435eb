"""Whose certificate is presented, HTTP/2, the WebSocket, the clock."""

from __future__ import annotations

import asyncio
import email.utils
import http.client
import socket
import ssl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from node_agent.preflight.results import NO_SETTINGS, NOT_ENROLLED, Outcome, Result, refused
from node_agent.preflight.world import Endpoint, World
from trustquery.errors import TrustQueryError
from trustquery.settings import split_address

__all__ = ["clock", "extra_authorities", "http2", "inspection", "websocket"]

WARN_SECONDS, MOST_SECONDS = 30, 300
"""A certificate begins five minutes before it is made: a clock that is further off refuses new ones."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = 4

OURS = Outcome("pass", "the certificate is the federation's, over TLS 1.3")
INSPECTED = Outcome(
    "fail", "TLS is inspected: the certificate was issued by {issuer}, not by the federation",
    "have this host name exempted from TLS inspection; mutual TLS cannot pass it, and no setting changes that",
)  # fmt: skip
INSPECTED_API = Outcome(
    "fail", "TLS is inspected: the certificate was issued by {issuer}, not by the federation",
    "have this host name exempted from TLS inspection, or name the inspector in https_ca_file (for enrolment alone)",
)  # fmt: skip
INSPECTED_KNOWN = Outcome(
    "warn", "TLS is inspected by {issuer}, whom https_ca_file names; enrolment works",
    "compare root fingerprint and 12 words with care: whoever inspects can read the enrolment code",
)  # fmt: skip
WRONG_NAME = Outcome(
    "fail", "the certificate is the federation's, but not for this name, or out of date",
    "check this machine's clock; then ask the federation which address is right",
)  # fmt: skip
NO_TLS = Outcome(
    "fail", "the connection ends before TLS 1.3 is agreed",
    "ask whoever runs the firewall or proxy to let TLS 1.3 to this host and port pass unchanged",
)  # fmt: skip

HTTP2 = Outcome("pass", "HTTP/2 passes")
FALLS_BACK = Outcome(
    "warn",
    "HTTP/2 does not pass; the node uses the WebSocket",
    "ask for HTTP/2 to this host to be let through; nothing else needs doing",
)
NO_HTTP2 = Outcome(
    "fail", "HTTP/2 does not pass, and no WebSocket opens",
    "ask for HTTP/2 to this host to be let through, or the federation for a WebSocket listener",
)  # fmt: skip
OPENS = Outcome("pass", "a WebSocket opens")
NO_WEBSOCKET = Outcome("skipped", "the coordinator has no WebSocket listener")
CLOSED_WEBSOCKET = Outcome(
    "warn", "no WebSocket opens", "nothing, while HTTP/2 passes; else ask for this host and port to be let through"
)

IN_STEP = Outcome("pass", "this machine's clock agrees with the coordinator's")
DRIFTS = Outcome("warn", "this machine's clock is more than 30 seconds off the coordinator's", "set the clock by NTP")
WRONG = Outcome(
    "fail",
    "this machine's clock is more than 5 minutes off the coordinator's",
    "set the clock by NTP: certificates and permits are read by it",
)
NO_API = Outcome("skipped", "the HTTPS API cannot be asked for the time", "see the check `tls`")

NOT_SET = Outcome("skipped", "https_ca_file is not set")
READABLE = Outcome("pass", "the certificates can be read; they count for enrolment alone")
UNREADABLE = Outcome("fail", "the file holds no certificate that can be read", "give certificates in PEM form")


def inspection(world: World) -> list[Result]:
    """See whose certificate each address presents. Nothing is sent, and no client certificate is shown."""
    if world.network is None:
        return [Result(NO_SETTINGS)]
    found = []
    for endpoint in world.endpoints:
        try:
            found.append(_presented(world, endpoint))
        except TrustQueryError as error:
            found.append(refused(error, endpoint.address))
        except (OSError, ValueError):
            found.append(Result(NO_TLS, endpoint.address))
    return found or [Result(NOT_ENROLLED)]


def _presented(world: World, endpoint: Endpoint) -> Result:
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    # An inspector may speak an older TLS: it is to be named, not only noticed.
    with _connect(world, endpoint.address, anybody) as connection:
        leaf = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
    if not _issued(leaf, world.authority_pem):
        fields = {"issuer": _issuer(leaf)}
        extra = world.network.extra_authorities if world.network is not None else ""
        if endpoint.session:
            return Result(INSPECTED, endpoint.address, fields)
        known = bool(extra) and _verifies(world, endpoint.address, extra)
        return Result(INSPECTED_KNOWN if known else INSPECTED_API, endpoint.address, fields)
    return Result(OURS if _verifies(world, endpoint.address, world.authority_pem) else WRONG_NAME, endpoint.address)


def _issued(leaf: x509.Certificate, authority_pem: str) -> bool:
    try:
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem.encode("ascii")))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _issuer(leaf: x509.Certificate) -> str:
    """Organisation and name of whoever issued it, as far as they are plain; it is text of a stranger's."""
    words: list[str] = []
    for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        words += [str(part.value) for part in leaf.issuer.get_attributes_for_oid(kind)]
    text = ", ".join(dict.fromkeys(words))[:120]
    return "".join(letter if letter.isprintable() else "?" for letter in text) or "somebody without a name"


def _trusting(pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=pem)
    return context


def _verifies(world: World, address: str, pem: str) -> bool:
    try:
        with _connect(world, address, _trusting(pem)):
            return True
    except ssl.SSLError:
        return False


def _connect(world: World, address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = world.dial(address)
    raw.settimeout(world.seconds)
    try:
        return context.wrap_socket(raw, server_hostname=split_address(address)[0])
    except BaseException:
        raw.close()
        raise


def extra_authorities(world: World) -> list[Result]:
    """Whether ``https_ca_file`` can be read."""
    if world.network is None:
        return [Result(NO_SETTINGS)]
    if not world.network.extra_authorities:
        return [Result(NOT_SET)]
    try:
        _trusting(world.network.extra_authorities)
    except (ssl.SSLError, ValueError):
        return [Result(UNREADABLE)]
    return [Result(READABLE)]


def http2(world: World) -> list[Result]:
    """Begin HTTP/2 with the coordinator and end it: no session is opened."""
    if world.startup is None:
        return [Result(NOT_ENROLLED)]
    if world.config is None:
        return [Result(NO_SETTINGS)]
    from node_agent.link.tls import session_context

    address = world.startup.coordinator.grpc_address
    try:
        with _connect(world, address, session_context(world.startup, "h2")) as connection:
            connection.sendall(_PREFACE)
            if connection.selected_alpn_protocol() == "h2" and _read(connection, 9)[3] == _SETTINGS:
                return [Result(HTTP2, address)]
    except (OSError, TrustQueryError):
        pass
    opens = [result.outcome for result in websocket(world)] == [OPENS]
    return [Result(FALLS_BACK if opens else NO_HTTP2, address)]


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data


def websocket(world: World) -> list[Result]:
    """Open the WebSocket and close it: no session is opened."""
    if world.startup is None:
        return [Result(NOT_ENROLLED)]
    if world.config is None or world.network is None:
        return [Result(NO_SETTINGS)]
    from node_agent.link.websocket_stream import WebSocketStream, websocket_address

    startup, settings, network = world.startup, world.config.coordinator, world.network
    address = websocket_address(startup, settings)
    if not address:
        return [Result(NO_WEBSOCKET)]

    async def open_and_close() -> None:
        stream = await WebSocketStream.dial(startup, settings, network)
        await stream.finish()

    try:
        asyncio.run(open_and_close())
    except TrustQueryError:
        return [Result(CLOSED_WEBSOCKET, address)]
    return [Result(OPENS, address)]


def clock(world: World) -> list[Result]:
    """Compare with the Date that the coordinator's API says; answers to requests are never dated by it."""
    if world.network is None:
        return [Result(NO_SETTINGS)]
    addresses = [endpoint.address for endpoint in world.endpoints if not endpoint.session]
    if not addresses:
        return [Result(NO_API if world.enrolled else NOT_ENROLLED)]
    try:
        context = _trusting(world.authority_pem + "\n" + world.network.extra_authorities)
        with _connect(world, addresses[0], context) as connection:
            connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {addresses[0]}\r\nConnection: close\r\n\r\n".encode("ascii"))
            response = http.client.HTTPResponse(connection, method="HEAD")
            response.begin()
            said = email.utils.parsedate_to_datetime(response.getheader("Date") or "").timestamp()
    except (OSError, ValueError, http.client.HTTPException, TrustQueryError):
        return [Result(NO_API)]
    off = abs(said - world.now)
    return [Result(IN_STEP if off <= WARN_SECONDS else DRIFTS if off <= MOST_SECONDS else WRONG, addresses[0])]
