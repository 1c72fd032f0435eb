"""The TLS of a session that gRPC does not make: the same keys, the same one authority, TLS 1.3."""

from __future__ import annotations

import os
import ssl

from node_agent.enrolment.startup import Startup

__all__ = ["session_context"]


def session_context(startup: Startup, *protocols: str) -> ssl.SSLContext:
    """Mutual TLS that believes the authority pinned at enrolment alone; no setting adds another.

    Args:
        protocols: what is offered by ALPN.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=startup.authority_pem.decode("ascii"))
    context.set_alpn_protocols(list(protocols))
    # Python reads a key by a file's name only. This file has no name on any disk and is gone when it is closed.
    handle = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(startup.certificate_pem + b"\n" + startup.tls_key_pem)
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return context
