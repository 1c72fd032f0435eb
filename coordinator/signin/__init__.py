"""Signing people in: an OpenID Connect relying party, and a small provider for a single machine."""
