"""Deterministic simulation: see ``README.md``."""
