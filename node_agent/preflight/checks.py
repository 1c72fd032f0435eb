"""Every check, in the order in which a person would look."""

from __future__ import annotations

from node_agent.preflight import machine, reaching, tls
from node_agent.preflight.results import Check

__all__ = ["CHECKS"]

CHECKS = (
    Check("settings", "Can node.toml and the files that it names be used?", machine.settings, (machine.READ,)),
    Check(
        "names", "Are the coordinator's host names, or the proxy's, known here?", reaching.names,
        (reaching.FOUND, reaching.UNKNOWN_NAME, reaching.SLOW_NAME, reaching.THROUGH_PROXY),
    ),
    Check(
        "proxy", "Does the proxy open a tunnel, with the name and password that are set?", reaching.proxy,
        (reaching.TUNNEL, reaching.NO_PROXY, reaching.BYPASSED),
    ),
    Check(
        "ports", "Does a connection open to every address of the coordinator?", reaching.ports,
        (reaching.OPEN, reaching.CLOSED, reaching.CLOSED_443), seconds=60,
    ),
    Check(
        "tls", "Is the certificate that each address presents the federation's, or does somebody inspect TLS?",
        tls.inspection,
        (tls.OURS, tls.INSPECTED, tls.INSPECTED_API, tls.INSPECTED_KNOWN, tls.WRONG_NAME, tls.NO_TLS), seconds=60,
    ),
    Check(
        "extra-ca", "Can the certificates in https_ca_file be read?", tls.extra_authorities,
        (tls.NOT_SET, tls.READABLE, tls.UNREADABLE),
    ),
    Check(
        "http2", "Does HTTP/2, which gRPC needs, reach the coordinator?", tls.http2,
        (tls.HTTP2, tls.FALLS_BACK, tls.NO_HTTP2),
    ),
    Check(
        "websocket", "Does a WebSocket open, which is used where HTTP/2 does not pass?", tls.websocket,
        (tls.OPENS, tls.NO_WEBSOCKET, tls.CLOSED_WEBSOCKET),
    ),
    Check(
        "clock", "Does this machine's clock agree with the coordinator's?", tls.clock,
        (tls.IN_STEP, tls.DRIFTS, tls.WRONG, tls.NO_API),
    ),
    Check("disk", "Is there room?", machine.disk, (machine.AMPLE, machine.LITTLE, machine.FULL)),
    Check(
        "keys", "Can nobody but this user read keys and other secrets?", machine.keys,
        (machine.SAFE, machine.UNSAFE, machine.NO_KEYS),
    ),
    Check(
        "sources", "Can the sources be read, and not written?", machine.sources,
        (machine.READ_ONLY, machine.WRITABLE, machine.MISSING, machine.NO_SOURCE),
    ),
    Check(
        "mapping", "Are the columns of the sources the catalogue's?", machine.mapping,
        (machine.MAPPED, machine.UNMAPPED, machine.NO_SOURCE),
    ),
    Check("ledger", "Does the record of privacy loss verify?", machine.ledger,
          (machine.VERIFIED, machine.FROZEN, machine.NO_LEDGER), seconds=600),
    Check(
        "certificate", "Is the node's certificate its own, and valid?", machine.certificate,
        (machine.VALID, machine.ENDS_SOON, machine.ENDED, machine.OTHER_NAME),
    ),
)  # fmt: skip
