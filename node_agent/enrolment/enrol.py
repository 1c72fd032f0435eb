"""Joining a federation with a one-time code. The private keys are made here and never leave.

1. The code pins the transport authority's certificate, so the first request already knows whom it talks to.
2. The root's fingerprint came another way and is confirmed by a person.
3. The node makes its keys and sends the public halves with a proof.
4. People on both sides compare 12 words over root, node key, ODS code and code; then the operator approves.

Running it again goes on where it stopped.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from node_agent.config import Home
from node_agent.enrolment.startup import IDENTITY_KEY, TLS_KEY, Coordinator, load_tls_key, save_startup
from node_agent.network import DIRECT, Network
from node_agent.policy_store.files import replace_file
from trustquery.client.replies import IDENTITY, SMALL, bounded
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import Root, Roster, SigningKey, words_for, write_private_file
from trustquery.identity.certificates import certificate_request, new_tls_key, public_key_sha256
from trustquery.identity.rotation import follow
from trustquery.identity.strict_json import read_json
from trustquery.protocol.enrolment import EnrolmentCode, proof_message

__all__ = ["Enrolment", "complete", "fetch_anchor", "pinned_authority", "request", "retire_keys"]

_TIMEOUT = httpx.Timeout(10.0)


@dataclass(frozen=True)
class Enrolment:
    """An enrolment under way: the code, the anchors it led to, and the certificate authority to verify."""

    code: EnrolmentCode
    root: Root
    authority_pem: bytes
    grpc_address: str
    websocket_address: str = ""
    network: Network = DIRECT

    def client(self) -> httpx.Client:
        """An HTTPS client that believes the pinned authority, and whom ``https_ca_file`` names, alone.

        Whoever inspects can read the code, and could put keys of their own in place of the node's: then the 12 words
        differ. The root is believed by its fingerprint, never because of TLS.
        """
        trusted = self.authority_pem.decode("ascii") + "\n" + self.network.extra_authorities
        context = ssl.create_default_context(cadata=trusted)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return _client(self.code, context, self.network)


def _client(code: EnrolmentCode, context: ssl.SSLContext, network: Network) -> httpx.Client:
    found = network.proxy_for(code.address)
    proxy = None
    if found is not None:
        proxy = httpx.Proxy(f"http://{found.address}", auth=(found.user, found.password) if found.user else None)
    address = f"https://{code.address}"
    return httpx.Client(
        base_url=address, verify=context, timeout=_TIMEOUT, trust_env=False, proxy=proxy,
        headers=IDENTITY, event_hooks=bounded(lambda _: SMALL),
    )  # fmt: skip


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _gone(error: httpx.HTTPError, code: EnrolmentCode, network: Network) -> TrustQueryError:
    """Why a request had no answer."""
    proxy = network.proxy_for(code.address)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error)):
        return TrustQueryError("node-inspected", address=code.address)
    if proxy is not None and isinstance(error, httpx.ProxyError):
        if str(error).startswith("407"):
            return TrustQueryError("node-proxy-auth", proxy=proxy.address)
        return TrustQueryError("node-proxy-refused", proxy=proxy.address, address=code.address)
    if proxy is not None and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return TrustQueryError("node-proxy-unreachable", proxy=proxy.address)
    return TrustQueryError("node-unreachable", address=code.address)


@functools.cache
def _word_list() -> tuple[str, ...]:
    from mnemonic import Mnemonic

    return tuple(Mnemonic("english").wordlist)


def _answer(response: httpx.Response, ods: str) -> dict[str, Any]:
    try:
        data = read_json(response.content)
    except ValueError as error:
        raise TrustQueryError("node-message-invalid", place="enrolment") from error
    if not isinstance(data, dict):
        raise TrustQueryError("node-message-invalid", place="enrolment")
    if response.is_success:
        return data
    found = data.get("problems") or data.get("detail") or []
    problems = [Problem.from_document(item) for item in found] if isinstance(found, list) else []
    if problems:
        raise TrustQueryError.of(problems)
    raise TrustQueryError("node-code-invalid", ods=ods)


def _get(client: httpx.Client, path: str, code: EnrolmentCode, network: Network, **options: Any) -> dict[str, Any]:
    try:
        return _answer(client.get(path, **options), code.ods)
    except httpx.HTTPError as error:
        raise _gone(error, code, network) from error


def pinned_authority(code: EnrolmentCode, network: Network = DIRECT) -> bytes:
    """The transport authority's certificate, PEM, checked against the print in the code.

    This request verifies nothing, because there is nothing yet to verify with; all that is taken from it is a
    certificate whose hash the code already holds.

    Raises:
        TrustQueryError: ``node-unreachable``, ``node-proxy-…``, ``node-code-invalid``.
    """
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with _client(code, blind, network) as client:
        pem = str(_get(client, "/v1/enrolment/anchor", code, network).get("ca_pem", "")).encode()
    try:
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError as error:
        raise TrustQueryError("node-code-invalid", ods=code.ods) from error
    if not hmac.compare_digest(hashlib.sha256(der).hexdigest(), code.authority_sha256):
        raise TrustQueryError("node-code-invalid", ods=code.ods)
    # One certificate and nothing after it: what was hashed is what is believed.
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def fetch_anchor(code: EnrolmentCode, network: Network = DIRECT) -> Enrolment:
    """Fetch the authority's certificate, check it against the code, and fetch the root in a verified request.

    Args:
        network: how to reach it.

    Raises:
        TrustQueryError: ``node-unreachable``, ``node-proxy-…``, ``node-inspected``, ``node-code-invalid``,
            ``auth-document``.
    """
    pem = pinned_authority(code, network)
    with Enrolment(code, _NO_ROOT, pem, "", network=network).client() as client:
        data = _get(client, "/v1/enrolment/anchor", code, network)
    root = Root.from_payload(str(data.get("root", "")).encode())
    return Enrolment(
        code, root, pem, str(data.get("grpc_address", "")), str(data.get("websocket_address", "")), network
    )


_NO_ROOT = Root(federation="unknown", version=1, previous="", keys=("0" * 64,), threshold=1)


def _keys(home: Home, passphrase: bytes | None) -> tuple[SigningKey, bytes]:
    """The node's own keys, made at the first try and kept for the next."""
    identity = home.keys / IDENTITY_KEY
    if not identity.exists():
        SigningKey.generate().save(identity, passphrase)
    transport = home.keys / TLS_KEY
    if not transport.exists():
        write_private_file(transport, new_tls_key(passphrase))
    return SigningKey.load(identity, passphrase), load_tls_key(transport, passphrase)


def retire_keys(home: Home, names: Sequence[str], now: int) -> list[Path]:
    """Move keys of the node aside, so that the next enrolment makes new ones; returns where those that were there are.

    Args:
        names: of files in ``keys/``; one that is lost already is no matter.
        now: seconds since 1970, for the new names.
    """
    moved = []
    for name in names:
        path = home.keys / name
        if path.exists():
            kept = path.with_name(f"retired-{now}-{name}")
            path.rename(kept)
            moved.append(kept)
    # The certificate request was made with the old key.
    (home.startup / "request.pem").unlink(missing_ok=True)
    return moved


def _request_pem(path: Path, tls_key_pem: bytes, node: str) -> bytes:
    """The certificate request, kept so that a repeated enrolment sends the same bytes."""
    if not path.exists():
        replace_file(path, certificate_request(tls_key_pem, node))
    return path.read_bytes()


def request(enrolment: Enrolment, home: Home, name: str, passphrase: bytes | None = None) -> str:
    """Make keys, send the request (once), and return the 12 words to compare.

    Args:
        name: the trust's name.
        passphrase: of the node's keys; new ones are encrypted with it; None for none.

    Raises:
        TrustQueryError: ``node-code-invalid``, ``node-unreachable``, ``config-key-file``.
    """
    home.create()
    code = enrolment.code
    key, tls_key_pem = _keys(home, passphrase)
    words = words_for(enrolment.root, key.public, code.ods, code.text, _word_list())
    csr = _request_pem(home.startup / "request.pem", tls_key_pem, code.ods.lower())
    with enrolment.client() as client:
        if _status(client, enrolment) is not None:
            return words
        body = {
            "code": code.text,
            "ods": code.ods,
            "name": name,
            "identity_key": key.public.hex(),
            "csr": csr.decode("ascii"),
            "proof": key.sign(proof_message(code, key.public, csr)).hex(),
        }
        try:
            _answer(client.post("/v1/enrolment", json=body), code.ods)
        except httpx.HTTPError as error:
            raise _gone(error, code, enrolment.network) from error
    return words


def _status(client: httpx.Client, enrolment: Enrolment) -> dict[str, Any] | None:
    """Where the enrolment stands; None when this code has not been used yet."""
    code = enrolment.code
    bearer = {"Authorization": f"Bearer {code.text}"}
    try:
        return _get(client, f"/v1/enrolment/{code.ods}", code, enrolment.network, headers=bearer)
    except TrustQueryError as error:
        if error.code == "node-code-invalid":
            return None
        raise


def complete(enrolment: Enrolment, home: Home, wait: Callable[[], bool]) -> str:
    """Wait for approval, then write ``startup/``; returns the node's name.

    Args:
        wait: called between questions; sleeps, and returns False when it is time to give up.

    Raises:
        TrustQueryError: ``node-not-approved``, ``node-unreachable``, ``auth-document``.
    """
    code = enrolment.code
    with enrolment.client() as client:
        while True:
            found = _status(client, enrolment)
            if found is not None and found.get("status") in ("approved", "admitted"):
                break
            if not wait():
                raise TrustQueryError("node-not-approved", ods=code.ods)
    certificate = str(found.get("certificate_pem", "")).encode()
    try:
        fits = public_key_sha256(certificate) == public_key_sha256((home.startup / "request.pem").read_bytes())
    except ValueError as error:
        raise TrustQueryError("auth-certificate") from error
    if not fits:
        raise TrustQueryError("auth-certificate")
    coordinator = Coordinator(
        format="tq-startup-1", node=str(found.get("node", "")), ods=code.ods, grpc_address=enrolment.grpc_address,
        websocket_address=enrolment.websocket_address, api_address=code.address,
    )  # fmt: skip
    roster = str(found.get("roster", "")).encode("ascii")
    if roster:
        roots = found.get("roots")
        chain = [str(item).encode() for item in roots] if isinstance(roots, list) else []
        newest = follow(enrolment.root, chain)
        Roster.verify(roster, newest.ring, newest.threshold)
        for data in chain:
            version = Root.read(data).version
            if version > enrolment.root.version:
                replace_file(home.documents / "roots" / f"{version:08d}.dsse", data)
        replace_file(home.documents / "roster.dsse", roster)
    save_startup(home, enrolment.root, coordinator, enrolment.authority_pem, certificate)
    return coordinator.node
