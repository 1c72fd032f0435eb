"""A trust's node: the authority over its own data. It dials out, listens nowhere, and answers through one gate."""
