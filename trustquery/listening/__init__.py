"""What stands before the first byte is read: how many connections, from where, and how long a request may take to come.

Servers import it, and nothing else of the core does (ADR 0050).
"""
