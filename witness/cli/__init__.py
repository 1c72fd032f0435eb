"""``tq-witness``."""
