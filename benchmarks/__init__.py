"""Reproducible, side-by-side measurements. Nothing that ships imports this."""
