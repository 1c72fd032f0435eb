"""Mutated input at every place where bytes come in: a slice in the default suite, hours with ``make fuzz``."""
