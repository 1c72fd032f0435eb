"""Frames: one message becomes one frame, an answer with a vector becomes several.

Frames are bytes on both sides, so that the strict reader here, and not the generated one, decides what is
readable. Bytes that a newer version might understand are refused, never skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Proto
from google.protobuf.unknown_fields import UnknownFieldSet

from trustquery.errors import TrustQueryError
from trustquery.protocol.messages import AnswerMessage, Message
from trustquery.v1 import session_pb2 as pb
from trustquery.wire import bodies
from trustquery.wire.counting import check_fields

__all__ = [
    "CHUNK_BYTES",
    "MAX_FRAME_BYTES",
    "SERVICE",
    "SESSION_BYTES",
    "SESSION_METHOD",
    "AnswerHead",
    "Body",
    "VectorPart",
    "decode",
    "encode",
]

CHUNK_BYTES = 1024 * 1024
MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Both ends set gRPC's largest message to this; two 4 MiB documents never travel in one frame."""
SESSION_BYTES = 16
"""Length of what names a stream in each of its frames."""
SERVICE = "trustquery.v1.NodeLink"
SESSION_METHOD = f"/{SERVICE}/Session"


@dataclass(frozen=True)
class AnswerHead:
    """First frame of an answer; ``parts`` frames with its vector follow. ``head``: as of ``AnswerMessage``."""

    release_id: str
    envelope: bytes
    parts: int
    head: bytes = b""


@dataclass(frozen=True)
class VectorPart:
    """Part ``index`` (from 0) of ``count`` of one answer's vector."""

    release_id: str
    index: int
    count: int
    data: bytes = field(repr=False)


Body = Message | AnswerHead | VectorPart


def encode(message: Message, sequence: int, session: bytes = b"") -> list[bytes]:
    """The frames of one message, numbered from ``sequence`` (≥ 1) upwards.

    Args:
        session: what names the stream; empty in a Hello alone.

    Raises:
        TrustQueryError: ``node-message-invalid`` when the message cannot be put on the wire.
    """
    frames: list[bytes] = []
    for offset, frame in enumerate(_frames(message)):
        frame.sequence = sequence + offset
        frame.session = session
        data = frame.SerializeToString(deterministic=True)
        if len(data) > MAX_FRAME_BYTES:
            raise TrustQueryError("node-message-invalid", place="frame")
        frames.append(data)
    return frames


def _frames(message: Message) -> Iterator[pb.Frame]:
    if not isinstance(message, AnswerMessage):
        yield bodies.write(message)
        return
    release_id = bodies.raw32(message.release_id, "answer.release_id")
    if len(message.vector) % 8:
        raise TrustQueryError("node-message-invalid", place="answer.vector")
    count = -(-len(message.vector) // CHUNK_BYTES)
    yield pb.Frame(
        answer=pb.Answer(release_id=release_id, envelope=message.envelope, chunk_count=count, head=message.head)
    )
    for index in range(count):
        data = message.vector[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
        yield pb.Frame(chunk=pb.Chunk(release_id=release_id, index=index, count=count, data=data))


def decode(data: bytes) -> tuple[int, bytes, Body]:
    """Read one frame.

    Returns:
        Its sequence number, the name of its stream (empty, or ``SESSION_BYTES``) and its body.

    Raises:
        TrustQueryError: ``node-message-invalid``: unreadable, an unknown field, no body or two, a wrong length.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise TrustQueryError("node-message-invalid", place="frame")
    check_fields(data, pb.Frame.DESCRIPTOR)
    frame = pb.Frame()
    try:
        frame.ParseFromString(data)
    except DecodeError as error:
        raise TrustQueryError("node-message-invalid", place="frame") from error
    if _has_unknown(frame):
        raise TrustQueryError("node-message-invalid", place="unknown field")
    if frame.sequence < 1:
        raise TrustQueryError("node-message-invalid", place="sequence")
    if len(frame.session) not in (0, SESSION_BYTES):
        raise TrustQueryError("node-message-invalid", place="session")
    body = frame.WhichOneof("body")
    if frame.HasField("chunk") == (body is not None):
        raise TrustQueryError("node-message-invalid", place="body")
    if body is None:
        return frame.sequence, frame.session, _part(frame.chunk)
    if body == "answer":
        answer = frame.answer
        release_id = bodies.hex32(answer.release_id, "answer.release_id")
        head = AnswerHead(release_id, answer.envelope, answer.chunk_count, answer.head)
        return frame.sequence, frame.session, head
    return frame.sequence, frame.session, bodies.read(frame, body)


def _part(chunk: pb.Chunk) -> VectorPart:
    if not chunk.index < chunk.count or not 0 < len(chunk.data) <= CHUNK_BYTES:
        raise TrustQueryError("node-message-invalid", place="chunk")
    return VectorPart(bodies.hex32(chunk.release_id, "chunk.release_id"), chunk.index, chunk.count, chunk.data)


def _has_unknown(message: Proto) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for item in value if descriptor.is_repeated else (value,):
                if _has_unknown(item):
                    return True
    return False
