"""The demonstration: four made-up trusts on this machine, from nothing to an answer."""
