"""Replaying the past under another policy: how long 10,000 recorded decisions take, beside reading them alone."""
