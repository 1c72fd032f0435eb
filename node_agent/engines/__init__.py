"""Engines run a plan over prepared data in a child process and return the exact bounded vector."""
