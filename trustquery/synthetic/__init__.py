"""Seeded generator of NHS-like data: patients who never lived, with the skew and dirt of real hospital records."""

from trustquery.synthetic.generator import Summary, generate

__all__ = ["Summary", "generate"]
