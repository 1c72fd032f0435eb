"""The only converter between the generated protobuf code and the plain messages of ``trustquery.protocol``."""

from trustquery.wire.frames import (
    CHUNK_BYTES,
    MAX_FRAME_BYTES,
    SERVICE,
    SESSION_BYTES,
    SESSION_METHOD,
    AnswerHead,
    Body,
    VectorPart,
    decode,
    encode,
)

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
