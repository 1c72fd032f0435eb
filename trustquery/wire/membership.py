"""Joining and certificates on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trustquery.errors import TrustQueryError
from trustquery.protocol import messages as m
from trustquery.v1 import session_pb2 as pb

__all__ = ["READERS", "WRITERS"]

MAX_PEM_BYTES = 8_000
MAX_COUNTER = 2**53
"""A counter is an integer that every reader of JSON can hold."""


def _pem(data: bytes, place: str) -> bytes:
    if not 0 < len(data) <= MAX_PEM_BYTES:
        raise TrustQueryError("node-message-invalid", place=place)
    return data


def _write_join(message: m.Join) -> pb.Frame:
    _check_join(message)
    return pb.Frame(join=pb.Join(counter=message.counter, proof=message.proof))


def _read_join(frame: pb.Frame) -> m.Join:
    return _check_join(m.Join(frame.join.counter, frame.join.proof))


def _check_join(message: m.Join) -> m.Join:
    if not 0 < message.counter <= MAX_COUNTER:
        raise TrustQueryError("node-message-invalid", place="join.counter")
    if len(message.proof) != 64:
        raise TrustQueryError("node-message-invalid", place="join.proof")
    return message


def _write_renew(message: m.Renew) -> pb.Frame:
    return pb.Frame(renew=pb.Renew(request=_pem(message.request, "renew.request")))


def _read_renew(frame: pb.Frame) -> m.Renew:
    return m.Renew(_pem(frame.renew.request, "renew.request"))


def _write_certificate(message: m.Certificate) -> pb.Frame:
    return pb.Frame(certificate=pb.Certificate(certificate=_pem(message.certificate, "certificate.certificate")))


def _read_certificate(frame: pb.Frame) -> m.Certificate:
    return m.Certificate(_pem(frame.certificate.certificate, "certificate.certificate"))


WRITERS: dict[type[object], Callable[[Any], pb.Frame]] = {
    m.Join: _write_join,
    m.Renew: _write_renew,
    m.Certificate: _write_certificate,
}
READERS: dict[str, Callable[[pb.Frame], m.Message]] = {
    "join": _read_join,
    "renew": _read_renew,
    "certificate": _read_certificate,
}
