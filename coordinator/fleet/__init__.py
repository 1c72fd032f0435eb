"""The nodes' streams. Nodes dial in over mutual TLS 1.3; nothing here dials out.

Import ``coordinator.config.require_tls13`` and call it first: gRPC reads its cipher list when it is imported.
"""
