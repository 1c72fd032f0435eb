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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from node_agent.config import Home
from node_agent.enrolment.startup import IDENTITY_KEY, TLS_KEY, Coordinator, save_startup
from node_agent.policy_store.files import replace_file
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import Root, Roster, SigningKey, read_private_file, words_for, write_private_file
from trustquery.identity.certificates import certificate_request, new_tls_key, public_key_sha256
from trustquery.protocol.enrolment import EnrolmentCode, proof_message

__all__ = ["Enrolment", "complete", "fetch_anchor", "request"]

_TIMEOUT = httpx.Timeout(10.0)


@dataclass(frozen=True)
class Enrolment:
    """An enrolment under way: the code, the anchors it led to, and the certificate authority to verify."""

    code: EnrolmentCode
    root: Root
    authority_pem: bytes
    grpc_address: str

    def client(self) -> httpx.Client:
        """An HTTPS client that believes the pinned authority alone."""
        context = ssl.create_default_context(cadata=self.authority_pem.decode("ascii"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return httpx.Client(base_url=f"https://{self.code.address}", verify=context, timeout=_TIMEOUT, trust_env=False)


@functools.cache
def _word_list() -> tuple[str, ...]:
    from mnemonic import Mnemonic

    return tuple(Mnemonic("english").wordlist)


def _answer(response: httpx.Response, ods: str) -> dict[str, Any]:
    try:
        data = response.json()
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


def _get(client: httpx.Client, path: str, code: EnrolmentCode, **options: Any) -> dict[str, Any]:
    try:
        return _answer(client.get(path, **options), code.ods)
    except httpx.HTTPError as error:
        raise TrustQueryError("node-unreachable", address=code.address) from error


def fetch_anchor(code: EnrolmentCode) -> Enrolment:
    """Fetch the authority's certificate and the root, and check the first against the code.

    The first request verifies nothing, because there is nothing yet to verify with; all that is taken from it is a
    certificate whose hash the code already holds. Everything else comes from a second, verified request.

    Raises:
        TrustQueryError: ``node-unreachable``, ``node-code-invalid``, ``auth-document``.
    """
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with httpx.Client(base_url=f"https://{code.address}", verify=blind, timeout=_TIMEOUT, trust_env=False) as client:
        pem = str(_get(client, "/v1/enrolment/anchor", code).get("ca_pem", "")).encode()
    try:
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError as error:
        raise TrustQueryError("node-code-invalid", ods=code.ods) from error
    if not hmac.compare_digest(hashlib.sha256(der).hexdigest(), code.authority_sha256):
        raise TrustQueryError("node-code-invalid", ods=code.ods)
    # One certificate and nothing after it: what was hashed is what is believed.
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    with Enrolment(code, _NO_ROOT, pem, "").client() as client:
        data = _get(client, "/v1/enrolment/anchor", code)
    return Enrolment(
        code, Root.from_payload(str(data.get("root", "")).encode()), pem, str(data.get("grpc_address", ""))
    )


_NO_ROOT = Root(federation="unknown", keys=("0" * 64,), threshold=1)


def _keys(home: Home) -> tuple[SigningKey, bytes]:
    """The node's own keys, made at the first try and kept for the next."""
    identity = home.keys / IDENTITY_KEY
    if not identity.exists():
        SigningKey.generate().save(identity)
    transport = home.keys / TLS_KEY
    if not transport.exists():
        write_private_file(transport, new_tls_key())
    return SigningKey.load(identity), read_private_file(transport)


def _request_pem(path: Path, tls_key_pem: bytes, node: str) -> bytes:
    """The certificate request, kept so that a repeated enrolment sends the same bytes."""
    if not path.exists():
        replace_file(path, certificate_request(tls_key_pem, node))
    return path.read_bytes()


def request(enrolment: Enrolment, home: Home, name: str) -> str:
    """Make keys, send the request (once), and return the 12 words to compare.

    Args:
        name: the trust's name.

    Raises:
        TrustQueryError: ``node-code-invalid``, ``node-unreachable``, ``config-key-file``.
    """
    home.create()
    code = enrolment.code
    key, tls_key_pem = _keys(home)
    words = words_for(enrolment.root, key.public, code.ods, code.text, _word_list())
    csr = _request_pem(home.startup / "request.pem", tls_key_pem, code.ods.lower())
    with enrolment.client() as client:
        if _status(client, code) is not None:
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
            raise TrustQueryError("node-unreachable", address=code.address) from error
    return words


def _status(client: httpx.Client, code: EnrolmentCode) -> dict[str, Any] | None:
    """Where the enrolment stands; None when this code has not been used yet."""
    try:
        return _get(client, f"/v1/enrolment/{code.ods}", code, headers={"Authorization": f"Bearer {code.text}"})
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
            found = _status(client, code)
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
        format="tq-startup-1", node=str(found.get("node", "")), ods=code.ods, grpc_address=enrolment.grpc_address
    )
    roster = str(found.get("roster", "")).encode("ascii")
    if roster:
        Roster.verify(roster, enrolment.root.ring, enrolment.root.threshold)
        replace_file(home.documents / "roster.dsse", roster)
    save_startup(home, enrolment.root, coordinator, enrolment.authority_pem, certificate)
    return coordinator.node
