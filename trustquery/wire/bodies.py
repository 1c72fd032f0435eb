"""One writer and one reader for each kind of message body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.protocol import messages as m
from trustquery.v1 import session_pb2 as pb
from trustquery.wire import membership

__all__ = ["hex32", "raw32", "read", "write"]

_HEX32 = re.compile(r"[0-9a-f]{64}")
MAX_MILLIONTHS = 2**32 - 1


def _wrong(place: str) -> TrustQueryError:
    return TrustQueryError("node-message-invalid", place=place)


def raw32(text: str, place: str) -> bytes:
    """32 bytes from 64 lower-case hexadecimal digits."""
    if not _HEX32.fullmatch(text):
        raise _wrong(place)
    return bytes.fromhex(text)


def hex32(data: bytes, place: str) -> str:
    """64 lower-case hexadecimal digits from 32 bytes."""
    if len(data) != 32:
        raise _wrong(place)
    return data.hex()


def _raw_or_empty(text: str, place: str) -> bytes:
    return raw32(text, place) if text else b""


def _hex_or_empty(data: bytes, place: str) -> str:
    return hex32(data, place) if data else ""


def _sized(data: bytes, length: int, place: str) -> bytes:
    if len(data) != length:
        raise _wrong(place)
    return data


# Each value converts one way; the pair of tables is checked against the Message union by a test.


def _write_hello(message: m.Hello) -> pb.Frame:
    if message.echo:
        _sized(message.echo, 32, "hello.echo")
    return pb.Frame(
        hello=pb.Hello(
            versions=message.versions,
            node=message.node,
            nonce=_sized(message.nonce, 32, "hello.nonce"),
            echo=message.echo,
            ledger_head=message.ledger_head,
            policy_hash=_raw_or_empty(message.policy_hash, "hello.policy_hash"),
            plan_formats=message.plan_formats,
        )
    )


def _read_hello(frame: pb.Frame) -> m.Hello:
    body = frame.hello
    if body.echo:
        _sized(body.echo, 32, "hello.echo")
    return m.Hello(
        versions=tuple(body.versions),
        node=body.node,
        nonce=_sized(body.nonce, 32, "hello.nonce"),
        echo=body.echo,
        ledger_head=body.ledger_head,
        policy_hash=_hex_or_empty(body.policy_hash, "hello.policy_hash"),
        plan_formats=tuple(body.plan_formats),
    )


def _write_heartbeat(message: m.Heartbeat) -> pb.Frame:
    policy_hash = _raw_or_empty(message.policy_hash, "heartbeat.policy_hash")
    return pb.Frame(
        heartbeat=pb.Heartbeat(ledger_head=message.ledger_head, policy_hash=policy_hash, frozen=message.frozen)
    )


def _read_heartbeat(frame: pb.Frame) -> m.Heartbeat:
    body = frame.heartbeat
    return m.Heartbeat(body.ledger_head, _hex_or_empty(body.policy_hash, "heartbeat.policy_hash"), body.frozen)


def _write_documents(message: m.Documents) -> pb.Frame:
    return pb.Frame(
        documents=pb.Documents(
            roster=message.roster,
            revocations=message.revocations,
            permits=message.permits,
            stances=message.stances,
            withdrawals=message.withdrawals,
            roots=message.roots,
        )
    )


def _read_documents(frame: pb.Frame) -> m.Documents:
    body = frame.documents
    return m.Documents(
        body.roster,
        body.revocations,
        tuple(body.permits),
        tuple(body.stances),
        tuple(body.withdrawals),
        tuple(body.roots),
    )


def _write_preview(message: m.Preview) -> pb.Frame:
    return pb.Frame(
        preview=pb.Preview(
            preview_id=_sized(message.preview_id, 32, "preview.preview_id"),
            model=message.model,
            permit=message.permit,
            key_id=raw32(message.key_id, "preview.key_id"),
            key_kind=message.key_kind,
            opt_out_treatment=message.opt_out_treatment,
            disclosure_profile=message.disclosure_profile,
            min_trusts=message.min_trusts,
        )
    )


def _read_preview(frame: pb.Frame) -> m.Preview:
    body = frame.preview
    return m.Preview(
        preview_id=_sized(body.preview_id, 32, "preview.preview_id"),
        model=body.model,
        permit=body.permit,
        key_id=hex32(body.key_id, "preview.key_id"),
        key_kind=body.key_kind,
        opt_out_treatment=body.opt_out_treatment,
        disclosure_profile=body.disclosure_profile,
        min_trusts=body.min_trusts,
    )


def _write_preview_reply(message: m.PreviewReply) -> pb.Frame:
    _check_preview_reasons(message.accepted, message.reasons)
    try:
        shares = [pb.ScopeShare(scope=s.scope, left_millionths=s.left_millionths, cost_millionths=s.cost_millionths)
                  for s in message.shares]  # fmt: skip
    except ValueError as error:
        raise _wrong("preview_reply.shares") from error
    return pb.Frame(
        preview_reply=pb.PreviewReply(
            preview_id=_sized(message.preview_id, 32, "preview_reply.preview_id"),
            accepted=message.accepted,
            reasons=canonical.encode(list(message.reasons)) if message.reasons else b"",
            shares=shares,
        )
    )


def _check_preview_reasons(accepted: bool, reasons: Sequence[Mapping[str, Any]]) -> None:
    """A refusal has reasons; an acceptance has none but notes of a closed list."""
    noted = all(item.get("code") in m.PREVIEW_NOTES for item in reasons)
    if not (noted if accepted else reasons):
        raise _wrong("preview_reply.reasons")


def _read_preview_reply(frame: pb.Frame) -> m.PreviewReply:
    body = frame.preview_reply
    reasons: Any = []
    if body.reasons:
        try:
            reasons = canonical.decode(body.reasons)
        except TrustQueryError as error:
            raise _wrong("preview_reply.reasons") from error
    if not isinstance(reasons, list) or not all(isinstance(item, dict) for item in reasons):
        raise _wrong("preview_reply.reasons")
    _check_preview_reasons(body.accepted, reasons)
    return m.PreviewReply(
        preview_id=_sized(body.preview_id, 32, "preview_reply.preview_id"),
        accepted=body.accepted,
        reasons=tuple(reasons),
        shares=tuple(m.ScopeShare(s.scope, s.left_millionths, s.cost_millionths) for s in body.shares),
    )


def _write_offer(message: m.Offer) -> pb.Frame:
    if not 0 <= message.closes_in_ms < 2**32:
        raise _wrong("offer.closes_in_ms")
    return pb.Frame(
        offer=pb.Offer(
            intent=message.intent, permit=message.permit, model=message.model, closes_in_ms=message.closes_in_ms
        )
    )


def _read_offer(frame: pb.Frame) -> m.Offer:
    body = frame.offer
    return m.Offer(body.intent, body.permit, body.model, body.closes_in_ms)


def _write_ack(message: m.Ack) -> pb.Frame:
    return pb.Frame(ack=pb.Ack(release_id=raw32(message.release_id, "ack.release_id")))


def _read_ack(frame: pb.Frame) -> m.Ack:
    return m.Ack(hex32(frame.ack.release_id, "ack.release_id"))


def _write_cancel(message: m.Cancel) -> pb.Frame:
    return pb.Frame(cancel=pb.Cancel(release_id=raw32(message.release_id, "cancel.release_id")))


def _read_cancel(frame: pb.Frame) -> m.Cancel:
    return m.Cancel(hex32(frame.cancel.release_id, "cancel.release_id"))


def _write_witness_request(message: m.WitnessRequest) -> pb.Frame:
    if not 0 <= message.old_size < 2**64:
        raise _wrong("witness_request.old_size")
    return pb.Frame(
        witness_request=pb.WitnessRequest(
            request_id=_sized(message.request_id, 32, "witness_request.request_id"),
            origin=message.origin,
            old_size=message.old_size,
            checkpoint=message.checkpoint,
            consistency_proof=message.consistency_proof,
            witness=message.witness,
        )
    )


def _read_witness_request(frame: pb.Frame) -> m.WitnessRequest:
    body = frame.witness_request
    request_id = _sized(body.request_id, 32, "witness_request.request_id")
    proof = tuple(body.consistency_proof)
    return m.WitnessRequest(request_id, body.origin, body.old_size, body.checkpoint, proof, body.witness)


def _write_cosignature(message: m.Cosignature) -> pb.Frame:
    request_id = _sized(message.request_id, 32, "cosignature.request_id")
    return pb.Frame(
        cosignature=pb.Cosignature(
            request_id=request_id, cosignature=message.cosignature, refusal=message.refusal, kept=message.kept
        )
    )


def _read_cosignature(frame: pb.Frame) -> m.Cosignature:
    body = frame.cosignature
    request_id = _sized(body.request_id, 32, "cosignature.request_id")
    return m.Cosignature(request_id, body.cosignature, body.refusal, body.kept)


def _write_goodbye(message: m.Goodbye) -> pb.Frame:
    return pb.Frame(goodbye=pb.Goodbye(reason=message.reason))


def _read_goodbye(frame: pb.Frame) -> m.Goodbye:
    return m.Goodbye(frame.goodbye.reason)


_WRITERS: dict[type[object], Callable[[Any], pb.Frame]] = {
    m.Hello: _write_hello,
    m.Heartbeat: _write_heartbeat,
    m.Documents: _write_documents,
    m.Preview: _write_preview,
    m.PreviewReply: _write_preview_reply,
    m.Offer: _write_offer,
    m.Ack: _write_ack,
    m.Cancel: _write_cancel,
    m.WitnessRequest: _write_witness_request,
    m.Cosignature: _write_cosignature,
    m.Goodbye: _write_goodbye,
    **membership.WRITERS,
}

_READERS: dict[str, Callable[[pb.Frame], m.Message]] = {
    "hello": _read_hello,
    "heartbeat": _read_heartbeat,
    "documents": _read_documents,
    "preview": _read_preview,
    "preview_reply": _read_preview_reply,
    "offer": _read_offer,
    "ack": _read_ack,
    "cancel": _read_cancel,
    "witness_request": _read_witness_request,
    "cosignature": _read_cosignature,
    "goodbye": _read_goodbye,
    **membership.READERS,
}


def write(message: m.Message) -> pb.Frame:
    """A frame, not yet numbered, for every message but an answer."""
    try:
        return _WRITERS[type(message)](message)
    except (ValueError, TypeError) as error:
        raise _wrong(type(message).__name__.lower()) from error


def read(frame: pb.Frame, body: str) -> m.Message:
    """The message in a frame whose body is set, for every body but an answer."""
    return _READERS[body](frame)
